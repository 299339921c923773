"""The project in which the demo runs: what the demo needs of it, and has made in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests

from tenantry import __version__
from tenantry_cli.data_api import PAGE_SIZE, UNKNOWN_FUNCTION, DataApi, RefusedError, no_project
from tenantry_cli.errors import TenantryError
from tenantry_cli.http_client import HttpClient, unanswered
from tenantry_cli.release import parse_version
from tenantry_cli.target import (
    REGISTRY_PROFILE,
    Target,
    is_key_refused,
    key_headers,
    refused_key,
)

ACME, GLOBEX = "demo_acme", "demo_globex"
OLGA, ANN, BOB = "Olga", "Ann", "Bob"
PEOPLE = (OLGA, ANN, BOB)

# Only the service key writes app_metadata, so no user can sign up as one of the demo's.
_MARK = "tenantry_demo"
_TIMEOUT_SECONDS = 30
_EXCERPT = 300


def email_of(person: str) -> str:
    return f"tenantry-demo-{person.lower()}@example.com"


@dataclass
class Made:
    """What an earlier demo has made: ids by person, and states by name of the tenant."""

    people: dict[str, str] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)
    # What has a name of the demo, and is of somebody else.
    foreign: list[str] = field(default_factory=list)


class DemoProject:
    """Raises a TenantryError where the project does not answer as it should."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.functions_url = target.functions_url or f"{target.api_url}/functions/v1"
        self._http = HttpClient(timeout=_TIMEOUT_SECONDS)
        self._api = DataApi(target.api_url, target.service_key)

    def close(self) -> None:
        self._http.close()
        self._api.close()

    # Before anything is written -------------------------------------------------------------

    def require_fit(self) -> Made:
        """Refuses a project in which the demo cannot run. Returns what exists already."""
        release = self._release_of_database()
        needed = max((__version__, self._release_of_functions()), key=parse_version)
        if parse_version(release) < parse_version(needed):
            raise TenantryError(
                f"upgrade_needed: the database of {self.target.api_url} has release {release} "
                f"of Tenantry, but the demo needs {needed}. Run `tenantry upgrade` and "
                "`supabase db push`."
            )
        made = self.made()
        if made.foreign:
            raise TenantryError(
                f"The demo has not made {' and '.join(made.foreign)}, and needs the names. "
                "Nothing was written."
            )
        return made

    def _release_of_database(self) -> str:
        try:
            answer = self._api.call("get_database_release")
        except RefusedError as error:
            if error.code != UNKNOWN_FUNCTION:
                raise
            raise TenantryError(
                f"The project {self.target.api_url} has no Tenantry, or one that is older than "
                "this command. Run `tenantry init` or `tenantry upgrade` in its folder, and "
                "push the migrations."
            ) from error
        settings = self.send(
            "GET",
            f"{self.target.auth_url}/settings",
            headers=key_headers(self.target.anon_key),
        )
        if is_key_refused(settings):
            raise refused_key(self.target.api_url, settings, is_anon=True)
        if not isinstance(answer, dict) or "release" not in answer:
            raise no_project(settings)
        return str(answer["release"])

    def _release_of_functions(self) -> str:
        url = f"{self.functions_url}/schema-management"
        try:
            reply = self._http.request("GET", url, headers=key_headers(self.target.anon_key))
            answer = reply.json()
            if answer.get("code") == "unavailable":
                raise TenantryError(
                    f"The emulator was started without usable functions. {answer['message']} "
                    "If that is mended, or `tenantry init` was run since, run `tenantry down` "
                    "and `tenantry up`."
                )
            return str(answer["version"])
        except requests.ConnectionError as error:
            reason = unanswered(self.functions_url, error)
        except (requests.RequestException, AttributeError, KeyError, TypeError, RecursionError):
            # An error of JSON is an error of requests.
            reason = f"{url} does not answer as Tenantry's functions."
        raise TenantryError(
            f"{reason} Serve the functions with `tenantry functions --url "
            f"{self.target.api_url}`, and give --functions-url (or TENANTRY_FUNCTIONS_URL) the "
            "address that it prints."
        )

    # What exists ----------------------------------------------------------------------------

    def made(self) -> Made:
        made = Made()
        people = {email_of(person): person for person in PEOPLE}
        for account in self._accounts():
            email = str(account.get("email"))
            if email in people and (account.get("app_metadata") or {}).get(_MARK) is True:
                made.people[people[email]] = account["id"]
            elif email in people:
                made.foreign.append(f"the user {email}")
        for tenant in self._api.rows(
            "tenants",
            select="schema_name,status,created_by",
            schema_name=f"in.({ACME},{GLOBEX})",
            order="schema_name",
        ):
            if tenant["created_by"] in made.people.values():
                made.tenants[tenant["schema_name"]] = tenant["status"]
            else:
                made.foreign.append(f"the tenant {tenant['schema_name']}")
        return made

    def _accounts(self) -> list[dict[str, Any]]:
        """All accounts, as the admin API of Auth lists them."""
        found: list[dict[str, Any]] = []
        for page in count(1):
            users = self._administer("GET", f"?page={page}&per_page={PAGE_SIZE}")["users"]
            if not users:
                break
            found += users
        return found

    # Accounts -------------------------------------------------------------------------------

    def put_account(self, person: str, user_id: str | None, password: str) -> str:
        """Creates the account, or gives the existing one a new password. Returns its id."""
        if user_id is not None:
            self._administer("PUT", f"/{user_id}", {"password": password})
            return user_id
        account = {
            "email": email_of(person),
            "password": password,
            "email_confirm": True,
            "app_metadata": {_MARK: True},
        }
        return str(self._administer("POST", "", account)["id"])

    def sign_in(self, person: str, password: str) -> str:
        """The access token of the person."""
        reply = self.send(
            "POST",
            f"{self.target.auth_url}/token?grant_type=password",
            headers={"apikey": self.target.anon_key},
            json={"email": email_of(person), "password": password},
        )
        return str(_answer(reply)["access_token"])

    def _administer(self, method: str, path: str, body: Any = None) -> Any:
        """The reply of the admin API of Auth."""
        reply = self.send(
            method,
            f"{self.target.auth_url}/admin/users{path}",
            headers=key_headers(self.target.service_key),
            json=body,
        )
        return _answer(reply)

    # Removing -------------------------------------------------------------------------------

    def remove(self) -> Iterator[str]:
        """Removes what the demo has made, and says so after each object."""
        made = self.made()
        # The tenants first: their creator is the sign that they are of the demo.
        for name in made.tenants:
            self._api.call("suspend_tenant", schema_name=name)
            self._api.call("delete_tenant_schema", schema_name=name)
            yield f"The tenant {name} was deleted."
        for person, user_id in made.people.items():
            self._administer("DELETE", f"/{user_id}")
            yield f"The user {email_of(person)} was deleted."
        for name in made.foreign:
            yield f"The demo has not made {name}, which stays."
        if made.people:
            yield "The entries of admin_audit_log stay."
        else:
            yield "The demo has made nothing here."

    def send(self, method: str, url: str, **request: Any) -> requests.Response:
        try:
            return self._http.request(method, url, **request)
        except requests.RequestException as error:
            raise TenantryError(unanswered(url, error)) from None

    def rows_headers(self, token: str, schema_name: str) -> dict[str, str]:
        """The headers of a request for rows of a tenant."""
        profile = dict.fromkeys(REGISTRY_PROFILE, schema_name)
        return key_headers(token, self.target.anon_key) | profile


def _answer(reply: requests.Response) -> Any:
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        raise no_project(reply) from None
    if not reply.ok:
        raise TenantryError(
            f"{reply.url.partition('?')[0]} answered {reply.status_code}: "
            f"{json.dumps(body)[:_EXCERPT]}"
        )
    return body
