"""The table of errors, the codes that SQL and Python raise, and the replies over HTTP agree."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call
from support.deployment import FUNCTIONS
from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person
from support.raised_errors import Error, answered_by_functions, raised, sources
from support.refusals import refusal
from tenantry.errors import ERROR_CODES


def catalogue() -> set[Error]:
    """Status and code of each row of the table."""
    return {(error.status, error.code) for error in ERROR_CODES}


def raised_by_functions() -> set[Error]:
    """Every error that the functions raise, from the sources."""
    classes = re.findall(
        r"^class \w+\(ServiceError\):\n(?:.*\n)*?    status = (\d+)\n    code = \"(\w+)\"",
        "\n".join(path.read_text() for path in sorted(FUNCTIONS.glob("tenantry/*.py"))),
        re.MULTILINE,
    )
    # Data that PostgreSQL rejected; its class has no status of its own.
    return {(400, "invalid_request"), *((int(status), code) for status, code in classes)}


def test_table_lists_exactly_what_sql_and_functions_raise() -> None:
    assert len(raised()) > 10
    assert len(raised_by_functions()) > 10
    assert raised() | raised_by_functions() == catalogue()
    assert len(ERROR_CODES) == len(catalogue())


def test_table_has_sentences_on_when_and_what_to_do() -> None:
    for error in ERROR_CODES:
        for sentence in (error.when, error.remedy):
            assert re.fullmatch(r"[A-Z].*\.", sentence), error
            # The sentence is in a cell of a table.
            assert "|" not in sentence, error


def test_every_error_has_a_code_and_says_what_to_do() -> None:
    # Errors that only a push, the doctor or a restore can raise need no code.
    for_operators = {
        *("This project already has", "Tenant migration %", "A tenant migration must"),
        'Tenant migration "%" fails',
        # The outcome of migrate_tenant.
        *("The backfill reaches no end", "A batch of one block of table"),
        "The backfill would change rows again",
        # compile_creation catches it: there is no script then.
        *("The template has a name that", "The template has a text with"),
        "It was cancelled after % seconds",
        *("After tenant migration %", "The tenant template does not"),
        "After the repair there would be",
        *("The migration would", "The tenant migration would", "The tenant would differ"),
        # share_table and unshare_table are called in a push alone, finish_restore by a restore.
        *("Table % cannot be shared", "Table % is still referenced by"),
        "The restored database has problems",
        # install_guard is called in a push and in a restore.
        "The pre-request function of this project",
        # enable_tenant_table is called in migrations.
        *('Table "%" gets rows', 'Table "%" has no column "%" of type'),
        # `tenantry split` is called by the owner alone.
        *("Table % does not fit the one of tenant", "Table % has been split for the value"),
        *("Rows are verified in a transaction", "The rows of table % with the value"),
        'Tenant "%" is suspended, so no row is moved',
        # Only the owner changes platform_settings.
        "% cannot be %: it must be from",
    }
    incomplete = {
        statement
        for text in sources()
        for statement in re.findall(r"raise exception\s+'(?:[^']|'')*'[^;]*;", text)
        if not all(part in statement for part in ("errcode = ", "detail = '", "hint = '"))
        and not any(start in statement for start in for_operators)
    }
    assert incomplete == set()


def test_comments_name_only_errors_that_the_sql_raises(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    found = database.execute(
        "select proname, obj_description(oid, 'pg_proc') as comment"
        " from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace"
    ).fetchall()
    codes = {code for _, code in raised()}

    for row in found:
        match = re.search(r"Errors: ([a-z_, ]+)\.$", row["comment"])
        assert match, row["proname"]
        named = match[1].split(", ")
        assert set(named) <= codes, row["proname"]
        assert {"not_authenticated", "busy"} <= set(named), row["proname"]


# Each error is provoked through both entry points ---------------------------------------


Provoke = Callable[[Environment, str], httpx.Response]


def invalid_schema_name(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "create_tenant_schema",
        entry_point=entry_point,
        schema_name="No",
    ).reply


def not_authenticated(environment: Environment, entry_point: str) -> httpx.Response:
    without_a_subject = Person(environment.token("", sub=None))
    return audited_call(
        environment, without_a_subject, "list_my_tenants", entry_point=entry_point
    ).reply


def forbidden(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.staff("viewer"),
        "suspend_tenant",
        entry_point=entry_point,
        schema_name=environment.tenant(),
    ).reply


def tenant_suspended(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    member = environment.member(name, "read")
    environment.suspend(name)
    return audited_call(
        environment, member, "ensure_user_profile", entry_point=entry_point, schema_name=name
    ).reply


def tenant_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "check_tenant_status",
        entry_point=entry_point,
        schema_name=environment.name(),
    ).reply


def user_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "grant_schema_access",
        entry_point=entry_point,
        schema_name=environment.tenant(),
        user_id=str(uuid.uuid4()),
    ).reply


def profile_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    member = environment.member(name, "read")
    return audited_call(
        environment, member, "get_user_profile", entry_point=entry_point, schema_name=name
    ).reply


def tenant_exists(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "create_tenant_schema",
        entry_point=entry_point,
        schema_name=environment.tenant(),
    ).reply


def schema_exists(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.name()
    environment.sql.execute(SQL("create schema {}").format(Identifier(name)))
    try:
        return audited_call(
            environment,
            environment.service,
            "create_tenant_schema",
            entry_point=entry_point,
            schema_name=name,
        ).reply
    finally:
        environment.sql.execute(SQL("drop schema {}").format(Identifier(name)))


def schema_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "register_tenant_schema",
        entry_point=entry_point,
        schema_name=environment.name(),
    ).reply


def schema_refused(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.name()
    users = SQL("create schema {0} create table {0}.users (id integer)").format(
        Identifier(name)
    )
    environment.sql.execute(users)
    try:
        return audited_call(
            environment,
            environment.service,
            "register_tenant_schema",
            entry_point=entry_point,
            schema_name=name,
        ).reply
    finally:
        environment.sql.execute(SQL("drop schema {} cascade").format(Identifier(name)))


def tenant_active(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "delete_tenant_schema",
        entry_point=entry_point,
        schema_name=environment.tenant(),
    ).reply


def profile_exists(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    member = environment.member(name, "read")
    audited_call(environment, member, "ensure_user_profile", schema_name=name).must_succeed()
    return audited_call(
        environment,
        environment.service,
        "create_user_profile",
        entry_point=entry_point,
        schema_name=name,
        user_id=member.id,
    ).reply


def own_grant(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    admin = environment.member(name, "admin")
    return audited_call(
        environment,
        admin,
        "grant_schema_access",
        entry_point=entry_point,
        schema_name=name,
        user_id=admin.id,
    ).reply


def invitation_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.person(),
        "accept_invitation",
        entry_point=entry_point,
        secret="inv_wrong",
    ).reply


def member_exists(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    return audited_call(
        environment,
        environment.service,
        "invite_member",
        entry_point=entry_point,
        schema_name=name,
        email=environment.member(name, "read").email,
    ).reply


def invitation_limit(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    environment.sql.execute(
        "insert into tenancy.tenants_invitations"
        " (schema_name, email, access_level, secret_hash, valid_until)"
        " select %s, n || '@example.com', 'read', sha256((%s || n)::bytea), 'infinity'"
        " from generate_series(1, 200) n",
        (name, name),
    )
    return audited_call(
        environment,
        environment.service,
        "invite_member",
        entry_point=entry_point,
        schema_name=name,
        email="one.more@example.com",
    ).reply


def last_tenant_admin(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    admin = environment.member(name, "admin")
    return audited_call(
        environment, admin, "leave_tenant", entry_point=entry_point, schema_name=name
    ).reply


def role(
    environment: Environment, entry_point: str, operation: str, **arguments: Any
) -> httpx.Response:
    name = environment.tenant()
    asked = {"schema_name": name, "role_name": "clerk"} | arguments
    return audited_call(
        environment, environment.service, operation, entry_point=entry_point, **asked
    ).reply


def role_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return role(environment, entry_point, "drop_role")


def permission_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return role(environment, entry_point, "define_role", permissions=["no.such"])


def role_exists(environment: Environment, entry_point: str) -> httpx.Response:
    name = f"r_{secrets.token_hex(6)}"
    environment.sql.execute(
        "insert into tenancy.template_roles (role_name, permissions) values (%s, '{}')", (name,)
    )
    try:
        return role(environment, entry_point, "define_role", role_name=name, permissions=[])
    finally:
        environment.sql.execute(
            "delete from tenancy.template_roles where role_name = %s", (name,)
        )


def role_limit(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    environment.sql.execute(
        "insert into tenancy.tenants_roles (schema_name, role_name, permissions)"
        " select %s, 'r' || n, '{}' from generate_series(1, 100) n",
        (name,),
    )
    return role(environment, entry_point, "define_role", schema_name=name, permissions=[])


def domain_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "remove_tenant_domain",
        entry_point=entry_point,
        schema_name=environment.tenant(),
        domain="no.example",
    ).reply


def domain_unproved(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    environment.sql.execute("select public.add_tenant_domain(%s, 'acme.example')", (name,))
    return audited_call(
        environment,
        environment.service,
        "verify_tenant_domain",
        entry_point=entry_point,
        schema_name=name,
        domain="acme.example",
        txt_records=["v=spf1 -all"],
    ).reply


def domain_limit(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    environment.sql.execute(
        "select public.add_tenant_domain(%s, n || '.acme.example')"
        " from generate_series(1, 100) n",
        (name,),
    )
    return audited_call(
        environment,
        environment.service,
        "add_tenant_domain",
        entry_point=entry_point,
        schema_name=name,
        domain="one.more.example",
    ).reply


def access_request(
    environment: Environment, entry_point: str, operation: str, before: str = "", **more: Any
) -> httpx.Response:
    """A call by a person with a confirmed address, on a tenant that takes requests."""
    name, guest = environment.tenant(), environment.person(confirmed=True)
    environment.sql.execute("select public.set_access_requests(%s, true)", (name,))
    if before:
        environment.sql.execute(
            "insert into tenancy.tenants_access_requests"
            " (schema_name, user_id, ended_at, is_refused)"
            f" select %s, %s, {before}".encode(),
            (name, guest.id),
        )
    return audited_call(
        environment, guest, operation, entry_point=entry_point, schema_name=name, **more
    ).reply


def request_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return access_request(environment, entry_point, "withdraw_request")


def request_exists(environment: Environment, entry_point: str) -> httpx.Response:
    return access_request(environment, entry_point, "request_access", "null, false")


def request_refused(environment: Environment, entry_point: str) -> httpx.Response:
    return access_request(environment, entry_point, "request_access", "now(), true")


def request_limit(environment: Environment, entry_point: str) -> httpx.Response:
    many = "now(), false from generate_series(1, 20)"
    return access_request(environment, entry_point, "request_access", many)


def ddl(
    environment: Environment, entry_point: str, operation: str, **arguments: Any
) -> httpx.Response:
    """A tenant with two tables, one of which points at the other and has a row."""
    name = environment.tenant()
    for table in ("orders", "items"):
        audited_call(
            environment,
            environment.service,
            "create_table",
            schema_name=name,
            table_name=table,
            columns=[{"name": "order_id", "type": "uuid"}, {"name": "n", "type": "uuid"}],
        ).must_succeed()
    environment.sql.execute(
        SQL("insert into {}.items (n) values (gen_random_uuid())").format(Identifier(name))
    )
    key = {"table_name": "items", "column_name": "order_id", "foreign_table": "orders"}
    audited_call(
        environment, environment.service, "add_foreign_key", schema_name=name, **key
    ).must_succeed()
    asked = {"schema_name": name, "table_name": "items"} | arguments
    return audited_call(
        environment, environment.service, operation, entry_point=entry_point, **asked
    ).reply


def invalid_identifier(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "create_table", table_name="No", columns=[])


def invalid_column_type(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "add_column", column_name="a", column_type="regclass")


def invalid_default(environment: Environment, entry_point: str) -> httpx.Response:
    column = {"column_name": "a", "column_type": "int", "default_value": "five"}
    return ddl(environment, entry_point, "add_column", **column)


def invalid_request(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "create_table", table_name="new", columns={})


def table_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "drop_table", table_name="nothing")


def column_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "drop_column", column_name="nothing")


def constraint_not_found(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "drop_foreign_key", constraint_name="nothing")


def table_exists(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "create_table", columns=[])


def column_exists(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "add_column", column_name="n", column_type="int")


def constraint_exists(environment: Environment, entry_point: str) -> httpx.Response:
    key = {"column_name": "order_id", "foreign_table": "orders"}
    return ddl(environment, entry_point, "add_foreign_key", **key)


def table_not_empty(environment: Environment, entry_point: str) -> httpx.Response:
    column = {"column_name": "a", "column_type": "int", "is_nullable": False}
    return ddl(environment, entry_point, "add_column", **column)


def protected_table(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "drop_table", table_name="users")


def has_dependents(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(environment, entry_point, "drop_table", table_name="orders")


def foreign_key_violation(environment: Environment, entry_point: str) -> httpx.Response:
    return ddl(
        environment, entry_point, "add_foreign_key", column_name="n", foreign_table="orders"
    )


def foreign_key_target(environment: Environment, entry_point: str) -> httpx.Response:
    key = {"column_name": "n", "foreign_table": "orders", "foreign_column": "n"}
    return ddl(environment, entry_point, "add_foreign_key", **key)


def default_limit(environment: Environment, entry_point: str) -> httpx.Response:
    column = {"column_name": "a", "column_type": "text", "default_value": "x" * 8_193}
    return ddl(environment, entry_point, "add_column", **column)


def unique_limit(environment: Environment, entry_point: str) -> httpx.Response:
    columns = [{"name": f"c{n}", "type": "int", "unique": True} for n in range(33)]
    return ddl(environment, entry_point, "create_table", table_name="new", columns=columns)


def retention_floor(environment: Environment, entry_point: str) -> httpx.Response:
    return audited_call(
        environment,
        environment.service,
        "prune_audit_log",
        entry_point=entry_point,
        schema_name=environment.tenant(),
        before=(datetime.now(UTC) - timedelta(days=89)).isoformat(),
    ).reply


def busy(environment: Environment, entry_point: str) -> httpx.Response:
    name = environment.tenant()
    with psycopg.connect(environment.address.db_url) as holder:
        holder.execute("select from public.tenants where schema_name = %s for update", (name,))
        return audited_call(
            environment,
            environment.service,
            "activate_tenant",
            entry_point=entry_point,
            schema_name=name,
        ).reply


PROVOKED: list[Provoke] = [
    invalid_schema_name,
    not_authenticated,
    forbidden,
    tenant_suspended,
    tenant_not_found,
    user_not_found,
    profile_not_found,
    tenant_exists,
    schema_exists,
    schema_not_found,
    schema_refused,
    tenant_active,
    profile_exists,
    own_grant,
    invitation_not_found,
    member_exists,
    invitation_limit,
    domain_not_found,
    domain_unproved,
    domain_limit,
    request_not_found,
    request_exists,
    request_refused,
    request_limit,
    last_tenant_admin,
    role_not_found,
    permission_not_found,
    role_exists,
    role_limit,
    invalid_identifier,
    invalid_column_type,
    invalid_default,
    invalid_request,
    table_not_found,
    column_not_found,
    constraint_not_found,
    table_exists,
    column_exists,
    constraint_exists,
    table_not_empty,
    protected_table,
    has_dependents,
    foreign_key_violation,
    foreign_key_target,
    default_limit,
    unique_limit,
    retention_floor,
    busy,
]

# test_empty_project.py provokes these errors: they need a project without other staff and with
# another limit of tables. test_withdrawing.py and test_sharing.py provoke those of tenant
# migrations, which concern all tenants.
ELSEWHERE = {
    *("last_super_admin", "table_limit"),
    *("column_limit", "index_limit", "foreign_key_limit", "text_limit"),
    *("migration_not_found", "migration_received", "migration_refused", "template_broken"),
}


def test_every_error_of_the_sql_is_provoked() -> None:
    provoked = {provoke.__name__ for provoke in PROVOKED}

    assert provoked | ELSEWHERE == {code for _, code in raised()}
    assert not provoked & ELSEWHERE


@pytest.mark.parametrize("provoke", PROVOKED, ids=lambda provoke: provoke.__name__)
def test_both_entry_points_answer_with_the_status_and_code_of_the_table(
    environment: Environment, provoke: Provoke
) -> None:
    # Both at the same time, because the error busy takes seconds.
    with ThreadPoolExecutor() as pool:
        function, rpc = pool.map(
            lambda entry_point: provoke(environment, entry_point), ENTRY_POINTS
        )

    for reply, answers in ((function, answered_by_functions()), (rpc, raised())):
        assert refusal(reply)[1] == provoke.__name__
        assert refusal(reply) in answers
        require_readable(reply)
    assert function.json().keys() == {"code", "message", "hint", "error", "request_id"}
    assert function.json()["request_id"] == function.headers["X-Request-Id"]
    assert rpc.json().keys() == {"code", "details", "hint", "message"}


def require_readable(reply: httpx.Response) -> None:
    """Requires a sentence for a person, and a hint about what to do."""
    body = reply.json()
    assert reply.headers["Content-Type"].startswith("application/json")
    for sentence in (body["message"], body["hint"]):
        assert re.fullmatch(r"[A-Z\"].*[.…\"]", sentence, re.DOTALL), sentence
