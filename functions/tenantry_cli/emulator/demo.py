"""`tenantry up --demo`: shows every step from sign-up to suspension, with real replies."""

from __future__ import annotations

import json
import secrets
from typing import Any

import requests
from rich.console import Console
from rich.markup import escape

from tenantry_cli.errors import TenantryError
from tenantry_cli.http_client import HttpClient
from tenantry_cli.waiting import wait_until

_ACME = "demo_acme"
_GLOBEX = "demo_globex"

_TIMEOUT_SECONDS = 30
_INTERVAL_SECONDS = 0.05


def run(connection: dict[str, str], console: Console) -> None:
    """Runs the demo. Raises an error at the first reply with an unexpected status."""
    with HttpClient(timeout=_TIMEOUT_SECONDS) as http:
        _Demo(connection, console, http).run()


class _Demo:
    def __init__(self, connection: dict[str, str], console: Console, http: HttpClient) -> None:
        self._api = connection["API_URL"]
        self._anon_key = connection["ANON_KEY"]
        self._service_key = connection["SERVICE_ROLE_KEY"]
        self._console = console
        self._http = http

    def run(self) -> None:
        self._remove_earlier_demo()

        self._say(
            "Three users sign up with Supabase Auth: Olga operates the platform, "
            "Ann and Bob are customers."
        )
        olga, olga_id = self._sign_up("olga")
        ann, ann_id = self._sign_up("ann")
        bob, bob_id = self._sign_up("bob")

        self._say(
            "The service key makes Olga the first super_admin. No later step needs this key."
        )
        self._call(
            self._service_key,
            "access-control/promote_to_admin",
            user_id=olga_id,
            role="super_admin",
        )

        self._say(
            "Olga creates a tenant for each customer. A tenant is a schema with its own tables."
        )
        self._call(
            olga,
            "schema-management/create_tenant_schema",
            schema_name=_ACME,
            display_name="Acme Inc.",
        )
        self._call(
            olga,
            "schema-management/create_tenant_schema",
            schema_name=_GLOBEX,
            display_name="Globex",
        )

        self._say("Olga makes Ann the admin of Acme, and Bob the admin of Globex.")
        self._call(
            olga,
            "access-control/grant_schema_access",
            schema_name=_ACME,
            user_id=ann_id,
            access_level="admin",
        )
        self._call(
            olga,
            "access-control/grant_schema_access",
            schema_name=_GLOBEX,
            user_id=bob_id,
            access_level="admin",
        )

        self._say(
            "Ann signs in to the product, which requests her profile twice. "
            "The first request creates the profile, the second one finds it."
        )
        self._call(
            ann, "user-profiles/ensure_user_profile", schema_name=_ACME, display_name="Ann"
        )
        self._call(ann, "user-profiles/ensure_user_profile", schema_name=_ACME)

        self._say("Ann writes and reads rows of Acme through the Data API, with her own token.")
        self._wait_until_writable(ann, _ACME, "settings")
        self._rows(ann, _ACME, "POST", 201, {"key": "theme", "value": {"colour": "teal"}})
        self._rows(ann, _ACME, "GET", 200)

        self._say("Ann creates a table, which the Data API serves at once.")
        self._call(
            ann,
            "ddl-operations/create_table",
            schema_name=_ACME,
            table_name="products",
            columns=[{"name": "title", "type": "text", "nullable": False}],
        )
        self._rows(ann, _ACME, "GET", 200, table="products")

        self._say(
            "Bob is only a member of Globex. The Data API refuses him the rows of Acme, and "
            "the functions answer that there is no such tenant."
        )
        self._rows(bob, _ACME, "GET", 403)
        self._call(bob, "tenant-status/get_tenant_info", 404, schema_name=_ACME)

        self._say(
            "Olga suspends Acme. From now on nobody reads its rows, not even the service key."
        )
        self._call(
            olga, "schema-management/suspend_tenant", schema_name=_ACME, reason="unpaid invoice"
        )
        self._rows(ann, _ACME, "GET", 403)
        self._rows(self._service_key, _ACME, "GET", 403)

        self._say("The invoice is paid. Olga activates Acme, and its rows are still there.")
        self._call(olga, "schema-management/activate_tenant", schema_name=_ACME)
        self._rows(ann, _ACME, "GET", 200)

        self._console.print("\n[bold green]The demo is finished.[/]")

    def _remove_earlier_demo(self) -> None:
        for name in (_ACME, _GLOBEX):
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
        reply = self._http.request(
            "POST",
            f"{self._api}/auth/v1/signup",
            headers={"apikey": self._anon_key},
            json={"email": email, "password": secrets.token_urlsafe(16)},
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
        return self._http.request(
            "POST",
            f"{self._api}/functions/v1/{operation}",
            headers={"Authorization": f"Bearer {token}", "apikey": self._anon_key},
            json=arguments,
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
        reply = self._http.request(
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
        )
        body = f" {json.dumps(row)}" if row else ""
        self._show(method, f"/rest/v1/{table} (profile {schema_name}){body}", reply, status)

    def _wait_until_writable(self, token: str, schema_name: str, table: str) -> None:
        """Waits until PostgREST, which can read a new table at once, has reloaded its schema
        cache, and can write the table too."""

        def is_known() -> bool:
            return self._http.request(
                "OPTIONS",
                f"{self._api}/rest/v1/{table}",
                headers={
                    "Authorization": f"Bearer {token}",
                    "apikey": self._anon_key,
                    "Accept-Profile": schema_name,
                },
            ).ok

        wait_until(
            is_known,
            f"the Data API knows {schema_name}.{table}",
            seconds=_TIMEOUT_SECONDS,
            interval=_INTERVAL_SECONDS,
            hint="Run `tenantry doctor` to find the reason.",
        )

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
                f"The demo stops here: the expected status of {method} {request} is {status}."
            )
