"""What the functions answer is what their OpenAPI document says, on a project of its own:
here a generated request may delete whatever it can name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.environment import GROUPS, Address, Environment, Person
from tenantry.examples import ANN, BOB, EXAMPLES, OLGA
from tenantry_cli.emulator.stack import Stack

PEOPLE = {OLGA: "olga", ANN: "ann", BOB: "bob"}


@pytest.fixture(scope="module")
def project() -> Iterator[Address]:
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address.of(stack)


@pytest.fixture
def environment(project: Address) -> Iterator[Environment]:
    """Olga is the super_admin, Ann and Bob are not yet anybody."""
    environment = Environment(project)
    for user_id, name in PEOPLE.items():
        environment.sql.execute(
            "insert into auth.users (id, email, aud, role)"
            " values (%s, %s, 'authenticated', 'authenticated')",
            (user_id, f"{name}@example.com"),
        )
    environment.sql.execute("select public.promote_to_admin(%s, 'super_admin')", (OLGA,))
    try:
        yield environment
    finally:
        delete_tenants(environment)
        environment.sql.execute("delete from auth.users")
        environment.close()


def delete_tenants(environment: Environment) -> None:
    for row in environment.sql.execute("select schema_name from public.tenants").fetchall():
        environment.suspend(row["schema_name"])
        environment.sql.execute("select public.delete_tenant_schema(%s)", (row["schema_name"],))


# The examples ---------------------------------------------------------------------------

ESTIMATES = {"row_estimate", "total_bytes"}
VOLATILE = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"
    # A hash, a request's id, the version of a tenant migration.
    r"|[0-9a-f]{64}|[0-9a-f]{32}|[0-9]{14}"
    rf"|(?!{'|'.join(PEOPLE)})[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"
)


def lasting(value: Any) -> Any:
    """A reply without what is different each time: moments, ids, versions, estimates."""
    match value:
        case dict():
            return {
                name: None if name in ESTIMATES else lasting(member)
                for name, member in value.items()
            }
        case list():
            return [lasting(element) for element in value]
        case str() if VOLATILE.fullmatch(value):
            return "…"
    return value


def test_examples_are_a_story_that_happens(environment: Environment) -> None:
    olga, ann = (Person(environment.token(user_id), user_id) for user_id in (OLGA, ANN))
    anns = {"user-profiles", "ddl-operations", "schema-inspection", "tenant-status"}
    first = {
        "get_migration_status": "select tenancy.register_tenant_migration("
        "'20270120090000', 'add_invoices', 'create table invoices (id uuid)')",
        "get_schema_drift": "alter table acme.settings alter value drop not null",
        "delete_tenant_schema": "select public.suspend_tenant('acme', 'contract ended')",
    }
    for name, example in EXAMPLES.items():
        environment.sql.execute(first.get(name, "select"))
        caller = ann if GROUPS[name] in anns or name == "get_audit_log" else olga
        arguments = dict(example.request)
        if name == "prune_audit_log":
            arguments["before"] = datetime.now(UTC).isoformat()
        reply = environment.function(caller, name, **arguments)
        assert reply.status_code == 200, f"{name}: {reply.text}"
        assert lasting(reply.json()) == lasting(example.reply), name
    assert EXAMPLES.keys() == GROUPS.keys()


# Generated requests ---------------------------------------------------------------------

KEPT = "as generated"
# What generated arguments are replaced by, so that they name what is there.
KNOWN: dict[str, list[Any]] = {
    "schema_name": ["acme"] * 5 + ["globex"] * 2 + [KEPT],
    "user_id": [OLGA, ANN, BOB, KEPT],
    "access_level": ["read", "write", "admin"],
    "table_name": ["orders", "orders", "users", "tasks", "tasks", KEPT],
    "columns": [[], [{"name": "id", "type": "bigint"}], [{"name": "1", "type": "text"}]],
    "foreign_table": ["users", "orders", KEPT],
    "foreign_column": ["id", KEPT],
    "column_name": ["id", "buyer", "seller", "note", "x_note", KEPT],
    "column_type": ["uuid", "text", "int", "regclass", KEPT],
    "constraint_name": ["orders_buyer_fkey", KEPT],
    "default_value": [None, KEPT],
    "default_expression": [None, "now()", KEPT],
    "is_nullable": [True, KEPT],
    "on_delete": ["CASCADE", "SET NULL", KEPT],
    "on_update": ["NO ACTION", KEPT],
}
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def aim(case: Case[Any], known: dict[str, Any]) -> None:
    if isinstance(case.body, dict):
        for name, value in known.items():
            if name in case.body and value != KEPT:
                case.body[name] = value


def set_scene(environment: Environment) -> None:
    """Acme with a table, Globex suspended; whatever the last operation did to them."""
    delete_tenants(environment)
    for name in ("acme", "globex"):
        environment.sql.execute("select public.create_tenant_schema(%s)", (name,))
        for user_id in (OLGA, ANN):
            environment.sql.execute(
                "select public.grant_schema_access(%s, %s, 'admin')", (name, user_id)
            )
            environment.sql.execute(
                "select public.create_user_profile(%s, %s)", (name, user_id)
            )
    columns = [{"name": name, "type": "uuid"} for name in ("id", "buyer", "seller")]
    environment.sql.execute(
        "select public.create_table('acme', 'orders', %s)", (Jsonb(columns),)
    )
    environment.sql.execute("select public.add_foreign_key('acme', 'orders', 'buyer', 'users')")
    environment.suspend("globex")
    environment.sql.execute("delete from public.admin_users")
    environment.sql.execute("select public.promote_to_admin(%s, 'super_admin')", (OLGA,))
    environment.sql.execute("select public.promote_to_admin(%s, 'viewer')", (BOB,))


@pytest.mark.soak
def test_no_generated_request_gets_a_reply_that_the_document_does_not_allow(
    environment: Environment, soak: bool
) -> None:
    schema = schemathesis.openapi.from_url(
        f"{environment.address.api_url}/functions/v1/openapi.json"
    )
    tokens = [environment.token(user_id) for user_id in (OLGA, OLGA, ANN, BOB)]
    seen: Counter[tuple[str, int]] = Counter()

    def send_all(
        operation: APIOperation[Any, Any, Any, Any],
        mode: GenerationMode,
        session: requests.Session,
    ) -> None:
        name = str(schema.get_operation_id(operation))

        @settings(
            max_examples=200 if soak else 13,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy(generation_mode=mode),
            token=st.sampled_from(tokens),
            known=st.fixed_dictionaries(
                {name: st.sampled_from(values) for name, values in KNOWN.items()}
            ),
        )
        def send(case: Case[Any], token: str, known: dict[str, Any]) -> None:
            if mode is GenerationMode.POSITIVE:
                aim(case, known)
            reply = case.call(session=session, headers={"Authorization": f"Bearer {token}"})
            seen[name, reply.status_code] += 1
            case.validate_response(reply, checks=CHECKS)

        send()

    with requests.Session() as session:
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            set_scene(environment)
            # There is no wrong way to ask for health.
            modes = GenerationMode if operation.body else [GenerationMode.POSITIVE]
            for mode in modes:
                send_all(operation, mode, session)

    assert seen.total() >= 1000
    # Guessed, a drop of the one column that can be dropped may not be among them.
    succeeded = {name for name, status in seen if status == 200} & GROUPS.keys()
    assert len(succeeded) >= 0.9 * len(GROUPS), GROUPS.keys() - succeeded
