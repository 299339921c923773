"""The whole story against a running stack, each step with its real reply."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import requests
from rich.console import Console
from rich.markup import escape

from tenantry_cli.errors import TenantryError

ACME = "demo_acme"
GLOBEX = "demo_globex"

_TIMEOUT_SECONDS = 30
_PAUSE_SECONDS = 0.05


def run(connection: dict[str, str], console: Console) -> None:
    """Plays the story; raises TenantryError at the first reply that is not as told."""
    _Demo(connection, console).run()


class _Demo:
    def __init__(self, connection: dict[str, str], console: Console) -> None:
        self._api = connection["API_URL"]
        self._anon_key = connection["ANON_KEY"]
        self._service_key = connection["SERVICE_ROLE_KEY"]
        self._console = console
        self._session = requests.Session()

    def run(self) -> None:
        self._clear_earlier_demo()

        self._say(
            "Three people sign up with Supabase Auth: Olga runs the platform, "
            "Ann and Bob are customers."
        )
        olga, olga_id = self._sign_up("olga")
        ann, ann_id = self._sign_up("ann")
        bob, bob_id = self._sign_up("bob")

        self._say("The service key appoints the first super_admin. It is not needed again.")
        self._call(
            self._service_key,
            "access-control/promote_to_admin",
            user_id=olga_id,
            role="super_admin",
        )

        self._say("Olga creates a tenant for each customer: a schema with its own tables.")
        self._call(
            olga,
            "schema-management/create_tenant_schema",
            schema_name=ACME,
            display_name="Acme Inc.",
        )
        self._call(
            olga,
            "schema-management/create_tenant_schema",
            schema_name=GLOBEX,
            display_name="Globex",
        )

        self._say("She lets Ann administer Acme, and Bob administer Globex.")
        self._call(
            olga,
            "access-control/grant_schema_access",
            schema_name=ACME,
            user_id=ann_id,
            access_level="admin",
        )
        self._call(
            olga,
            "access-control/grant_schema_access",
            schema_name=GLOBEX,
            user_id=bob_id,
            access_level="admin",
        )

        self._say(
            "Ann signs in to the product, which asks for her profile: "
            "new the first time, found the second."
        )
        self._call(
            ann, "user-profiles/ensure_user_profile", schema_name=ACME, display_name="Ann"
        )
        self._call(ann, "user-profiles/ensure_user_profile", schema_name=ACME)

        self._say("She writes and reads rows of Acme through the Data API, with her own token.")
        self._wait_until_written(ann, ACME, "settings")
        self._rows(ann, ACME, "POST", 201, {"key": "theme", "value": {"colour": "teal"}})
        self._rows(ann, ACME, "GET", 200)

        self._say("She makes a table of her own, which the Data API serves at once.")
        self._call(
            ann,
            "ddl-operations/create_table",
            schema_name=ACME,
            table_name="products",
            columns=[{"name": "title", "type": "text", "nullable": False}],
        )
        self._rows(ann, ACME, "GET", 200, table="products")

        self._say("Bob belongs to Globex. Acme refuses him, and its name tells him nothing.")
        self._rows(bob, ACME, "GET", 403)
        self._call(bob, "tenant-status/get_tenant_info", 404, schema_name=ACME)

        self._say(
            "Olga suspends Acme. From this moment on nobody gets in, not even the service key."
        )
        self._call(
            olga, "schema-management/suspend_tenant", schema_name=ACME, reason="unpaid invoice"
        )
        self._rows(ann, ACME, "GET", 403)
        self._rows(self._service_key, ACME, "GET", 403)

        self._say("The invoice is paid: Acme is back, and nothing is lost.")
        self._call(olga, "schema-management/activate_tenant", schema_name=ACME)
        self._rows(ann, ACME, "GET", 200)

        self._console.print("\n[bold green]The story is finished.[/]")

    def _clear_earlier_demo(self) -> None:
        for name in (ACME, GLOBEX):
            if self._post(
                self._service_key, "tenant-status/check_tenant_status", schema_name=name
            ).ok:
                self._post(
                    self._service_key, "schema-management/suspend_tenant", schema_name=name
                )
                self._post(
                    self._service_key,
                    "schema-management/delete_tenant_schema",
                    schema_name=name,
                )

    def _say(self, sentence: str) -> None:
        self._console.print(f"\n[bold]{escape(sentence)}[/]")

    def _sign_up(self, name: str) -> tuple[str, str]:
        email = f"{name}-{secrets.token_hex(4)}@example.com"
        reply = self._session.post(
            f"{self._api}/auth/v1/signup",
            headers={"apikey": self._anon_key},
            json={"email": email, "password": secrets.token_urlsafe(16)},
            timeout=_TIMEOUT_SECONDS,
        )
        self._show(
            "POST",
            "/auth/v1/signup",
            reply,
            200,
            {"id": reply.ok and reply.json()["user"]["id"], "email": email},
        )
        body = reply.json()
        return body["access_token"], body["user"]["id"]

    def _post(self, token: str, operation: str, **arguments: Any) -> requests.Response:
        return self._session.post(
            f"{self._api}/functions/v1/{operation}",
            headers={"Authorization": f"Bearer {token}", "apikey": self._anon_key},
            json=arguments,
            timeout=_TIMEOUT_SECONDS,
        )

    def _call(self, token: str, operation: str, status: int = 200, **arguments: Any) -> None:
        reply = self._post(token, operation, **arguments)
        self._show("POST", f"/functions/v1/{operation} {json.dumps(arguments)}", reply, status)

    def _rows(
        self,
        token: str,
        schema_name: str,
        method: str,
        status: int,
        row: dict[str, Any] | None = None,
        table: str = "settings",
    ) -> None:
        reply = self._session.request(
            method,
            f"{self._api}/rest/v1/{table}",
            headers={
                "Authorization": f"Bearer {token}",
                "apikey": self._anon_key,
                "Accept-Profile": schema_name,
                "Content-Profile": schema_name,
                "Prefer": "return=representation",
            },
            json=row,
            timeout=_TIMEOUT_SECONDS,
        )
        said = f" {json.dumps(row)}" if row else ""
        self._show(method, f"/rest/v1/{table} (profile {schema_name}){said}", reply, status)

    def _wait_until_written(self, token: str, schema_name: str, table: str) -> None:
        """PostgREST reads a new table at once, and writes it once it has read the schema."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not self._session.options(
            f"{self._api}/rest/v1/{table}",
            headers={
                "Authorization": f"Bearer {token}",
                "apikey": self._anon_key,
                "Accept-Profile": schema_name,
            },
            timeout=_TIMEOUT_SECONDS,
        ).ok:
            if time.monotonic() > deadline:
                raise TenantryError(
                    f"The demo stops here: after {_TIMEOUT_SECONDS} s the Data API still does "
                    f"not know {schema_name}.{table}; `tenantry doctor` may say why."
                )
            time.sleep(_PAUSE_SECONDS)

    def _show(
        self, method: str, request: str, reply: requests.Response, status: int, body: Any = None
    ) -> None:
        colour = "green" if reply.ok else "yellow"
        self._console.print(
            f"  [cyan]{method}[/] {escape(request)}", soft_wrap=True, highlight=False
        )
        shown = reply.text if body is None else json.dumps(body)
        self._console.print(
            f"  [{colour}]{reply.status_code}[/] {escape(shown)}",
            soft_wrap=True,
            highlight=False,
        )
        if reply.status_code != status:
            raise TenantryError(
                f"The demo stops here: {method} {request} was expected to answer {status}."
            )
