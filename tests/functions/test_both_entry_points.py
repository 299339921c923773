"""A function and the RPC of the same name give the same replies."""

from __future__ import annotations

import uuid

import httpx
import pytest
from psycopg.types.json import Jsonb

from support.environment import Environment, Person

# Values of numeric that no double has: too many digits, too large, too long for a Python int.
NUMBERS = ["123456789012345678.99", "9" * 400 + ".5", "-" + "9" * 5000]


def invoices(environment: Environment) -> tuple[str, Person]:
    """A tenant with a row for each of the numbers, and its admin."""
    tenant = environment.tenant()
    columns = [{"name": "total", "type": "numeric"}]
    environment.sql.execute(
        "select public.create_table(%s, 'invoices', %s)", (tenant, Jsonb(columns))
    )
    for number in NUMBERS:
        environment.sql.execute(f"insert into {tenant}.invoices (total) values ({number})")  # noqa: S608
    return tenant, environment.member(tenant, "admin")


def texts(
    environment: Environment, caller: Person, operation: str, **arguments: object
) -> list[str]:
    replies: list[httpx.Response] = [
        entry_point(caller, operation, **arguments)
        for entry_point in (environment.function, environment.rpc)
    ]
    assert [reply.status_code for reply in replies] == [200, 200]
    return [reply.text for reply in replies]


def test_function_and_rpc_return_identical_large_numbers(environment: Environment) -> None:
    tenant, admin = invoices(environment)
    function, rpc = texts(environment, admin, "get_audit_log", schema_name=tenant)
    assert function == rpc
    for number in NUMBERS:
        assert f'"total": {number}' in function


@pytest.mark.parametrize("operation", ["get_table_columns", "get_schema_tables"])
def test_function_and_rpc_return_identical_rows(
    environment: Environment, operation: str
) -> None:
    tenant, admin = invoices(environment)
    arguments = {"table_name": "invoices"} if operation == "get_table_columns" else {}
    function, rpc = texts(environment, admin, operation, schema_name=tenant, **arguments)
    assert function == rpc


def test_default_given_as_text_keeps_every_digit(environment: Environment) -> None:
    tenant, admin = invoices(environment)
    reply = environment.function(
        admin,
        "add_column",
        schema_name=tenant,
        table_name="invoices",
        column_name="rate",
        column_type="numeric",
        default_value="0.12345678901234567890",
    )
    assert reply.status_code == 200
    assert "0.12345678901234567890" in reply.json()["column_default"]


def test_token_of_a_role_that_does_not_exist_is_401(environment: Environment) -> None:
    person = environment.person()
    assert person.id is not None
    stranger = Person(environment.token(person.id, role="missing_role"), person.id)
    reply = environment.function(stranger, "list_my_tenants")
    assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
    assert "role that does not exist" in reply.json()["message"]
    assert environment.function(person, "list_my_tenants").status_code == 200


@pytest.mark.parametrize("subject", ["user_2abc", ""])
def test_token_whose_subject_is_no_uuid_names_no_user(
    environment: Environment, subject: str
) -> None:
    tenant = environment.tenant()
    reader = environment.member(tenant, "read")
    somebody = Person(environment.token(subject))
    for entry_point in (environment.function, environment.rpc):
        refused = entry_point(somebody, "get_tenant_info", schema_name=tenant)
        assert refused.status_code == 401
        assert refused.json()["message"] == "Sign in first."
        assert entry_point(reader, "get_tenant_info", schema_name=tenant).status_code == 200
    refused = environment.rows(somebody, tenant, "settings")
    assert (refused.status_code, refused.json()["details"]) == (401, "not_authenticated")
    assert environment.rows(reader, tenant, "settings").status_code == 200


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("grant_schema_access", {"access_level": "read"}),
        ("revoke_schema_access", {}),
        ("create_user_profile", {}),
        ("redact_audit_log", {}),
        ("promote_to_admin", {"role": "viewer"}),
        ("revoke_admin", {}),
    ],
)
def test_user_id_null_is_an_invalid_argument(
    environment: Environment, operation: str, more: dict[str, str]
) -> None:
    of_the_platform = operation in {"promote_to_admin", "revoke_admin"}
    where = {} if of_the_platform else {"schema_name": environment.tenant()}
    for entry_point, member in ((environment.function, "code"), (environment.rpc, "details")):
        refused = entry_point(environment.service, operation, user_id=None, **where, **more)
        assert (refused.status_code, refused.json()[member]) == (422, "invalid_request")
        assert '"user_id"' in refused.json()["message"]
        unknown = entry_point(
            environment.service, operation, user_id=str(uuid.uuid4()), **where, **more
        )
        assert unknown.status_code == (200 if operation == "redact_audit_log" else 404)


@pytest.mark.parametrize(
    ("operation", "is_of_a_tenant"),
    [
        *(("get_audit_log", True), ("list_members", True), ("list_invitations", True)),
        *(("get_admin_audit_log", False), ("list_tenants_behind", False)),
        *(("list_joinable_tenants", False), ("list_access_requests", True)),
        ("list_staff", False),
    ],
)
def test_page_size_is_accepted_or_refused(
    environment: Environment, operation: str, is_of_a_tenant: bool
) -> None:
    tenant = environment.tenant()
    admin = (
        environment.member(tenant, "admin")
        if is_of_a_tenant
        else environment.staff("super_admin")
    )
    where = {"schema_name": tenant} if is_of_a_tenant else {}
    for entry_point, member in ((environment.function, "code"), (environment.rpc, "details")):
        for page_size in (None, -1, 0, 1001):
            refused = entry_point(admin, operation, page_size=page_size, **where)
            assert (refused.status_code, refused.json()[member]) == (422, "invalid_request")
            assert "page_size" in refused.json()["message"]
        for page_size in (1, 1000):
            assert (
                entry_point(admin, operation, page_size=page_size, **where).status_code == 200
            )
