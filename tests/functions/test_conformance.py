"""The functions answer as their OpenAPI document says.

The project is a separate one, because a generated request may delete anything in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
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

from support.aged_log import age_entries
from support.callers import examples_of
from support.environment import GROUPS, Address, Environment, Person
from tenantry.catalogue import catalogue
from tenantry_cli.emulator.stack import Stack

# As in the examples of the models.
OLGA = "0b6d1f4e-8a53-4c1e-9d57-2f0e6c3a9b10"
BOB = "e41f8b7a-96c2-4d05-8e3f-1a7b5c9d0e62"
ORDER = "5f7d3b12-0c4e-4a86-9b1d-7e2f8c6a9d40"
ANN = "7c9e2a5d-3b41-4f86-a1c0-5d8e9f2b6a34"
INVITATION = "c3b0a7e4-52d8-4f19-8a6e-9d1f7b2c4e50"
SECRET = "inv_b7c1d0e92f4a6b8835de01f7a9c24e6d5f80b3a1c7e94d2068fb5a13e0d97c42"
PEOPLE = {OLGA: "olga", ANN: "ann", BOB: "bob"}
NOT_BOB = f"delete from public.user_schema_access where user_id = '{BOB}'"  # noqa: S608
# Bob is no member yet, and has confirmed his address.
INVITE_BOB = (
    NOT_BOB,
    f"update auth.users set email_confirmed_at = now() where id = '{BOB}'",  # noqa: S608
    "insert into tenancy.tenants_invitations"  # noqa: S608
    " (id, schema_name, email, access_level, roles, secret_hash, invited_by, valid_until)"
    f" values ('{INVITATION}', 'acme', 'bob@example.com', 'write', '{{accountant}}',"
    f" sha256('{SECRET}'), '{OLGA}', now() + interval '1 day')",
)

CHALLENGE = "2f0e6c3a9b105e41f8b7a96c24d058e3"
DOMAIN = (
    "insert into tenancy.tenants_domains"  # noqa: S608
    " (schema_name, domain, access_level, challenge, added_by, verified_by, verified_at)"
    f" values ('acme', 'example.com', 'write', '{CHALLENGE}', '{OLGA}',{{}})"
)
VERIFIED = DOMAIN.format(f" '{OLGA}', now()")

REQUEST = "9e4c7a52-6d1f-4b38-a0e5-3c8b2f7d1a64"
OPEN_TO_REQUESTS = (
    *(NOT_BOB, INVITE_BOB[1]),
    "update auth.users set raw_app_meta_data = jsonb_build_object('provider', 'email')"  # noqa: S608
    f" where id = '{BOB}'",
    "select public.set_access_requests('acme', true)",
)
REQUESTED = (
    *OPEN_TO_REQUESTS,
    "insert into tenancy.tenants_access_requests (id, schema_name, user_id, message)"  # noqa: S608
    f" values ('{REQUEST}', 'acme', '{BOB}', 'I work in your Berlin office.')",
)


@pytest.fixture(scope="module")
def project() -> Iterator[Address]:
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address.of(stack)


@pytest.fixture
def environment(project: Address) -> Iterator[Environment]:
    """Olga is the super_admin. Ann and Bob have no access yet."""
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
    environment.sql.execute(
        "update tenancy.platform_settings set pool_size = 0 where singleton"
    )
    environment.sql.execute("select public.refill_tenant_pool()")
    for row in environment.sql.execute("select schema_name from public.tenants").fetchall():
        environment.suspend(row["schema_name"])
        environment.sql.execute("select public.delete_tenant_schema(%s)", (row["schema_name"],))


# The examples ---------------------------------------------------------------------------

VARYING = {
    *("row_estimate", "total_bytes", "request_id", "head", "bytes", "cursor"),
    *("schema_version", "latest_version", "next_version", "version"),
    # Of a new invitation.
    "secret",
    # Of a new domain.
    "txt_value",
    # Its days depend on today.
    "growth",
    # What was measured, and how many locks the server has.
    *("cache_load", "cache_load_forecast", "dump_locks"),
    # The example of a list is one row, and real pages have more.
    "has_more",
}
VOLATILE = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"
    rf"|(?!{'|'.join([*PEOPLE, ORDER])})[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"
)


def as_user(environment: Environment, user_id: str, *statements: str) -> None:
    with environment.sql.transaction():
        environment.sql.execute(
            "select set_config('request.jwt.claims', %s, true)",
            (json.dumps({"sub": user_id, "role": "authenticated"}),),
        )
        environment.sql.execute("set local role authenticated")
        for statement in statements:
            environment.sql.execute(statement.encode())


ORDERS = "select public.create_table('acme', 'orders', '[{}]', 'What customers ordered.')"
CUSTOMER_ID = '{"name": "customer_id", "type": "uuid"}'
FOREIGN_KEY = "select public.add_foreign_key('acme', 'orders', 'customer_id', 'users')"
POOL = "update tenancy.platform_settings set pool_size = {} where singleton"
REGISTER = (
    "select tenancy.register_tenant_migration('2027012009000{0}', 'add_orders',"
    " 'create table added_{0} (id uuid)')"
)

# Changes that an example needs after `make_example`, as SQL of `postgres` or of a user.
BEFORE: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "create_tenant_schema": (
        OLGA,
        ("select public.suspend_tenant('acme')", "select public.delete_tenant_schema('acme')"),
    ),
    "register_tenant_schema": (None, ("create schema legacy",)),
    "activate_tenant": (OLGA, ("select public.suspend_tenant('acme')",)),
    "delete_tenant_schema": (OLGA, ("select public.suspend_tenant('acme', 'unpaid invoice')",)),
    "get_tenant_pool": (None, (POOL.format(1),)),
    "refill_tenant_pool": (None, (POOL.format(1),)),
    "ensure_user_profile": (None, ("delete from acme.users",)),
    "create_user_profile": (None, ("delete from acme.users",)),
    "refresh_user_emails": (None, ("update acme.users set email = null where id is not null",)),
    "invite_member": (None, (NOT_BOB,)),
    **dict.fromkeys(
        (
            *("accept_invitation", "decline_invitation"),
            *("list_invitations", "revoke_invitation"),
        ),
        (None, INVITE_BOB),
    ),
    "verify_tenant_domain": (None, (DOMAIN.format("null, null"),)),
    **dict.fromkeys(
        ("remove_tenant_domain", "list_tenant_domains"),
        (None, (VERIFIED,)),
    ),
    **dict.fromkeys(
        ("join_tenant", "list_joinable_tenants"),
        (None, (*INVITE_BOB, VERIFIED)),
    ),
    "request_access": (None, OPEN_TO_REQUESTS),
    **dict.fromkeys(
        ("withdraw_request", "decide_request", "list_access_requests"),
        (None, REQUESTED),
    ),
    "close_support_access": (
        OLGA,
        (
            "select public.open_support_access("
            "'acme', 'Ticket 4711: the totals of March are wrong.', 60, 'write')",
        ),
    ),
    **dict.fromkeys(
        ("list_staff", "revoke_admin"),
        (OLGA, (f"select public.promote_to_admin('{BOB}', 'viewer')",)),
    ),
    "create_table": (OLGA, ("select public.drop_table('acme', 'orders')",)),
    "add_column": (OLGA, ("select public.drop_table('acme', 'orders')", ORDERS.format(""))),
    "get_table_foreign_keys": (ANN, (FOREIGN_KEY,)),
    "drop_foreign_key": (ANN, (FOREIGN_KEY,)),
    "verify_audit_log": (OLGA, ("select public.seal_audit_log('acme')",)),
    "prune_audit_log": (OLGA, ("select public.seal_audit_log('acme')",)),
    "redact_audit_log": (OLGA, ("select public.seal_audit_log('acme')",)),
    "get_schema_drift": (None, ("alter table acme.settings alter value drop not null",)),
    "list_tenants_behind": (None, (REGISTER.format(0),)),
    "migrate_tenant": (None, (REGISTER.format(1),)),
    "withdraw_tenant_migration": (None, (REGISTER.format(2),)),
    "replace_tenant_migration": (
        None,
        (REGISTER.format(3), "select public.migrate_tenant('acme')"),
    ),
}
# Every tenant that is created later receives a registered migration, so these come last.
LAST = (
    *("list_tenants_behind", "migrate_tenant"),
    *("withdraw_tenant_migration", "replace_tenant_migration"),
)


def make_example(environment: Environment) -> None:
    """The tenant of the examples: Ann is its admin, and Bob is a member who writes."""
    delete_tenants(environment)
    environment.sql.execute("delete from public.admin_users where user_id = %s", (BOB,))
    environment.sql.execute("select tenancy.declare_permission('invoices.approve')")
    as_user(
        environment,
        OLGA,
        "select public.create_tenant_schema('acme', 'Acme Inc.')",
        f"select public.grant_schema_access('acme', '{ANN}', 'admin')",
        "select public.define_role('acme', 'accountant', '{invoices.approve}',"
        " 'Approves invoices.')",
        f"select public.grant_schema_access('acme', '{BOB}', 'write', null, '{{accountant}}')",
        ORDERS.format(CUSTOMER_ID),
    )
    as_user(
        environment,
        BOB,
        "select public.ensure_user_profile('acme', 'Bob')",
        "select public.update_user_profile('acme', metadata => '{\"language\": \"en\"}')",
        f"insert into acme.orders (id, customer_id) values ('{ORDER}', '{BOB}')",  # noqa: S608
    )


def caller_of(environment: Environment, name: str) -> Person:
    callers = set(catalogue()[name].callers)
    of_bob = {"anyone signed in", "user of a domain", "user with a confirmed address", "member"}
    if callers & of_bob:
        return Person(environment.token(BOB), BOB)
    # Staff do not see the names in the profiles.
    user_id = (
        ANN if callers <= {"tenant admin", "service key"} or name == "list_members" else OLGA
    )
    return Person(environment.token(user_id), user_id)


def lasting(value: Any) -> Any:
    """A reply without the values that differ from run to run."""
    match value:
        case dict():
            return {
                name: None
                # The id of an audit entry.
                if name in VARYING or (name == "id" and isinstance(member, int))
                else lasting(member)
                for name, member in value.items()
            }
        case list():
            return [lasting(element) for element in value]
        case str() if VOLATILE.fullmatch(value):
            return "…"
    return value


def test_every_example_is_a_real_call_with_its_reply(environment: Environment) -> None:
    shown = examples(environment)
    assert shown.keys() == GROUPS.keys()
    for name in sorted(shown, key=lambda name: name in LAST):
        request, expected = shown[name]
        make_example(environment)
        if name == "prune_audit_log":
            age_entries(environment.sql, "acme")
        user_id, statements = BEFORE.get(name, (None, ()))
        if user_id is None:
            for statement in statements:
                environment.sql.execute(statement.encode())
        else:
            as_user(environment, user_id, *statements)
        if name == "prune_audit_log":
            request = request | {"before": (datetime.now(UTC) - timedelta(days=91)).isoformat()}

        reply = environment.function(caller_of(environment, name), name, **request)

        assert reply.status_code == 200, f"{name}: {reply.text}"
        if isinstance(expected, list):
            # An example shows one row of a list.
            assert lasting(expected[0]) in lasting(reply.json()), name
        else:
            assert lasting(reply.json()) == lasting(expected), name


def examples(environment: Environment) -> dict[str, tuple[Any, Any]]:
    """The example request and reply of each operation in the OpenAPI document."""
    reply = environment.http.get("/functions/v1/openapi.json")
    return examples_of(reply.json())


# Generated requests ---------------------------------------------------------------------

KEPT = "as generated"
# Values that replace generated arguments, so that they name existing objects.
KNOWN: dict[str, list[Any]] = {
    "schema_name": ["acme"] * 5 + ["globex"] * 2 + [KEPT],
    "user_id": [OLGA, ANN, BOB, BOB, KEPT],
    "email": ["eve@example.com", "bob@example.com", KEPT],
    "secret": [SECRET, SECRET, KEPT],
    "invitation_id": [INVITATION, KEPT],
    "domain": ["example.com", "acme.example", KEPT],
    "txt_records": [None, [f"tenantry-verification={CHALLENGE}"], KEPT],
    "minutes": [60, KEPT],
    "access_level": ["read", "write", "admin"],
    "roles": [None, [], ["accountant"], KEPT],
    "role_name": ["accountant", KEPT],
    "permissions": [[], ["invoices.approve"], KEPT],
    "table_name": ["orders", "orders", "users", "tasks", "tasks", KEPT],
    "columns": [[], [{"name": "id", "type": "bigint"}], [{"name": "1", "type": "text"}]],
    "foreign_table": ["users", "orders", KEPT],
    "foreign_column": ["id", KEPT],
    "column_name": ["id", "buyer", "seller", "note", "x_note", KEPT],
    "column_type": ["uuid", "text", "text", "int", "regclass", KEPT],
    "constraint_name": ["orders_buyer_fkey", KEPT],
    "default_value": [None, KEPT],
    "default_expression": [None, "now()", KEPT],
    "is_nullable": [True, KEPT],
    "on_delete": ["CASCADE", "SET NULL", KEPT],
    "on_update": ["NO ACTION", KEPT],
}


def error_code_is_documented(_: object, reply: Any, case: Case[Any]) -> None:
    """The document allows other codes, because a trigger may give them. None does here."""
    if reply.status_code >= 400:
        documented = case.operation.definition.raw["responses"][str(reply.status_code)]
        assert f"`{reply.json()['code']}`: " in documented["description"]


# Bob, whose domain is verified, is platform staff. Olga, who could open support access, is a
# member of both tenants. There is no schema to adopt.
IMPOSSIBLE = {
    *("join_tenant", "open_support_access", "close_support_access"),
    "register_tenant_schema",
}
# Operations that change nothing, so the next one may use the same tenants.
READS = ("get_", "list_", "check_")
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    error_code_is_documented,
]


def use_known_values(case: Case[Any], known: dict[str, Any]) -> None:
    if isinstance(case.body, dict):
        for name, value in known.items():
            if name in case.body and value != KEPT:
                case.body[name] = value


def make_tenants(environment: Environment) -> None:
    """Creates both tenants again: Acme has a table, and Globex is suspended."""
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
    for statement in (*INVITE_BOB, VERIFIED, *REQUESTED):
        environment.sql.execute(statement.encode())
    environment.sql.execute("select tenancy.declare_permission('invoices.approve')")
    environment.sql.execute(
        "select public.define_role('acme', 'accountant', '{invoices.approve}')"
    )
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
        name: str,
        operation: APIOperation[Any, Any, Any, Any],
        mode: GenerationMode,
        session: requests.Session,
        round_: int = 0,
    ) -> None:
        @seed(round_)
        @settings(
            max_examples=200 if soak else 5,
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
                use_known_values(case, known)
            reply = case.call(session=session, headers={"Authorization": f"Bearer {token}"})
            seen[name, reply.status_code] += 1
            case.validate_response(reply, checks=CHECKS)

        send()

    with requests.Session() as session:
        is_fresh = False
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if not is_fresh:
                make_tenants(environment)
            name = str(schema.get_operation_id(operation))
            is_fresh = name.startswith(READS) or name.endswith("_health")
            # A health check has no arguments, so no request for it is invalid.
            modes = GenerationMode if operation.body else [GenerationMode.POSITIVE]
            for mode in modes:
                send_all(name, operation, mode, session)
            # A few random requests may all name what does not exist.
            for round_ in range(1, 9):
                if not seen[name, 200]:
                    send_all(name, operation, GenerationMode.POSITIVE, session, round_)

    assert seen.total() >= 10 * len(GROUPS)
    # Random arguments may never name the only column that can be dropped.
    succeeded = {name for name, status in seen if status == 200} & GROUPS.keys()
    possible = GROUPS.keys() - IMPOSSIBLE
    assert len(succeeded & possible) >= 0.9 * len(possible), possible - succeeded
