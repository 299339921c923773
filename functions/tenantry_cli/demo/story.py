"""The story that the demo tells: every step from the first user to a suspended tenant."""

from __future__ import annotations

import json
import secrets
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.markup import escape

from tenantry_cli.demo.project import (
    ACME,
    ANN,
    BOB,
    GLOBEX,
    OLGA,
    PEOPLE,
    DemoProject,
    Made,
    email_of,
)
from tenantry_cli.errors import TenantryError
from tenantry_cli.target import REGISTRY_PROFILE, Target, key_headers
from tenantry_cli.waiting import wait_until

_CACHE_SECONDS = 30
_INTERVAL_SECONDS = 0.05
# The code of PostgreSQL for a row whose key exists.
_ROW_EXISTS = "23505"
# For projects that ask for each kind of character.
_ALL_KINDS = "aA1!"


def tell(target: Target, console: Console) -> None:
    """Runs the demo. Raises an error at the first reply with an unexpected status, and before
    anything is written if the project does not fit."""
    with closing(DemoProject(target)) as project:
        _Story(project, console).tell()


class _Story:
    def __init__(self, project: DemoProject, console: Console) -> None:
        self._project = project
        self._target = project.target
        self._functions_path = urlsplit(project.functions_url).path
        self._console = console
        self._ids: dict[str, str] = {}
        self._tokens: dict[str, str] = {}

    def tell(self) -> None:
        made = self._project.require_fit()

        self._say(
            "The service key makes three users: Olga operates the platform, Ann and Bob are "
            "customers. Each of them signs in with Supabase Auth."
        )
        for person in PEOPLE:
            self._sign_in(person, made)

        self._say(
            "The service key makes Olga a super_admin. No later step needs this key, and the "
            "functions never get it."
        )
        self._promote()
        self._activate_again(made)

        self._say(
            "Olga creates a tenant for each customer. A tenant is a schema with its own tables."
        )
        for schema_name, display_name in ((ACME, "Acme Inc."), (GLOBEX, "Globex")):
            self._call(
                OLGA,
                "schema-management/create_tenant_schema",
                exists="tenant_exists",
                schema_name=schema_name,
                display_name=display_name,
            )

        self._say("Olga makes Ann the admin of Acme, and Bob the admin of Globex.")
        for schema_name, person in ((ACME, ANN), (GLOBEX, BOB)):
            self._call(
                OLGA,
                "access-control/grant_schema_access",
                schema_name=schema_name,
                user_id=self._ids[person],
                access_level="admin",
            )

        self._say(
            "Ann signs in to the product, which requests her profile twice. "
            "The first request creates the profile, the second one finds it."
        )
        self._call(
            ANN, "user-profiles/ensure_user_profile", schema_name=ACME, display_name="Ann"
        )
        self._call(ANN, "user-profiles/ensure_user_profile", schema_name=ACME)

        self._say("Ann writes and reads rows of Acme through the Data API, with her own token.")
        self._wait_until_writable(self._tokens[ANN], ACME, "settings")
        theme = {"key": "theme", "value": {"colour": "teal"}}
        self._rows(self._tokens[ANN], "POST", 201, theme, exists=_ROW_EXISTS)
        self._rows(self._tokens[ANN], "GET", 200)

        self._say("Ann creates a table, which the Data API serves at once.")
        self._call(
            ANN,
            "ddl-operations/create_table",
            exists="table_exists",
            schema_name=ACME,
            table_name="products",
            columns=[{"name": "title", "type": "text", "nullable": False}],
        )
        self._rows(self._tokens[ANN], "GET", 200, table="products")

        self._say(
            "Bob is only a member of Globex. The Data API refuses him the rows of Acme, and "
            "the functions answer that there is no such tenant."
        )
        self._rows(self._tokens[BOB], "GET", 403)
        self._call(BOB, "tenant-status/get_tenant_info", 404, schema_name=ACME)

        self._say(
            "Olga suspends Acme. From now on nobody reads its rows, not even the service key."
        )
        self._call(
            OLGA, "schema-management/suspend_tenant", schema_name=ACME, reason="unpaid invoice"
        )
        self._rows(self._tokens[ANN], "GET", 403)
        self._rows(self._target.service_key, "GET", 403)

        self._say("The invoice is paid. Olga activates Acme, and its rows are still there.")
        self._call(OLGA, "schema-management/activate_tenant", schema_name=ACME)
        self._rows(self._tokens[ANN], "GET", 200)

        self._console.print("\n[bold green]The demo is finished.[/]")
        self._console.print(
            "Its users and tenants stay, until `tenantry demo --remove` removes them."
        )

    # Steps ----------------------------------------------------------------------------------

    def _sign_in(self, person: str, made: Made) -> None:
        existing, password = made.people.get(person), secrets.token_urlsafe(16) + _ALL_KINDS
        self._ids[person] = self._project.put_account(person, existing, password)
        self._tokens[person] = self._project.sign_in(person, password)
        email, user_id = email_of(person), self._ids[person]
        self._show_request("POST", f"/auth/v1/token {json.dumps({'email': email})}")
        self._show_reply(200, json.dumps({"user": {"id": user_id, "email": email}}))
        if existing is not None:
            self._say_exists("user")

    def _promote(self) -> None:
        arguments = {"user_id": self._ids[OLGA], "role": "super_admin"}
        reply = self._project.send(
            "POST",
            f"{self._target.rest_url}/rpc/promote_to_admin",
            headers=key_headers(self._target.service_key) | REGISTRY_PROFILE,
            json=arguments,
        )
        self._show("POST", f"/rest/v1/rpc/promote_to_admin {json.dumps(arguments)}", reply, 200)

    def _activate_again(self, made: Made) -> None:
        suspended = [name for name, status in made.tenants.items() if status == "suspended"]
        if suspended:
            self._say("An earlier demo ended while a tenant was suspended. Olga activates it.")
        for name in suspended:
            self._call(OLGA, "schema-management/activate_tenant", schema_name=name)

    def _call(
        self,
        person: str,
        operation: str,
        status: int = 200,
        exists: str | None = None,
        **arguments: Any,
    ) -> None:
        """Calls a function. A refusal with the code `exists` is fine: it is from a repeat."""
        reply = self._project.send(
            "POST",
            f"{self._project.functions_url}/{operation}",
            headers=key_headers(self._tokens[person], self._target.anon_key),
            json=arguments,
        )
        path = f"{self._functions_path}/{operation} {json.dumps(arguments)}"
        self._show("POST", path, reply, status, exists)

    def _rows(
        self,
        token: str,
        method: str,
        status: int,
        row: dict[str, Any] | None = None,
        table: str = "settings",
        exists: str | None = None,
    ) -> None:
        """Reads or writes a table of Acme."""
        reply = self._project.send(
            method,
            f"{self._target.rest_url}/{table}",
            headers=self._project.rows_headers(token, ACME)
            | {"Prefer": "return=representation"},
            json=row,
        )
        body = f" {json.dumps(row)}" if row else ""
        self._show(method, f"/rest/v1/{table} (profile {ACME}){body}", reply, status, exists)

    def _wait_until_writable(self, token: str, schema_name: str, table: str) -> None:
        """Waits until PostgREST, which can read a new table at once, has reloaded its schema
        cache, and can write the table too."""

        def is_known() -> bool:
            return self._project.send(
                "OPTIONS",
                f"{self._target.rest_url}/{table}",
                headers=self._project.rows_headers(token, schema_name),
            ).ok

        wait_until(
            is_known,
            f"the Data API knows {schema_name}.{table}",
            seconds=_CACHE_SECONDS,
            interval=_INTERVAL_SECONDS,
            hint="Run `tenantry doctor` to find the reason.",
        )

    # Output ---------------------------------------------------------------------------------

    def _say(self, sentence: str) -> None:
        self._console.print(f"\n[bold]{escape(sentence)}[/]")

    def _say_exists(self, what: str) -> None:
        self._console.print(f"  The {what} exists already, from an earlier demo.")

    def _show(
        self,
        method: str,
        request: str,
        reply: requests.Response,
        status: int,
        exists: str | None = None,
    ) -> None:
        self._show_request(method, request)
        self._show_reply(reply.status_code, reply.text)
        if exists is not None and _code(reply) == exists:
            self._say_exists({_ROW_EXISTS: "row"}.get(exists, exists.split("_")[0]))
        elif reply.status_code != status:
            raise TenantryError(
                f"The demo stops here: the expected status of {method} {request} is {status}. "
                "`tenantry demo --remove` removes what it has made."
            )

    def _show_request(self, method: str, request: str) -> None:
        self._console.print(
            f"  [cyan]{method}[/] {escape(request)}", soft_wrap=True, highlight=False
        )

    def _show_reply(self, status: int, text: str) -> None:
        colour = "green" if status < HTTPStatus.BAD_REQUEST else "yellow"
        self._console.print(
            f"  [{colour}]{status}[/] {escape(text)}", soft_wrap=True, highlight=False
        )


def _code(reply: requests.Response) -> str | None:
    """The code of a refusal."""
    with suppress(ValueError, KeyError, TypeError):
        return str(reply.json()["code"])
    return None
