"""SQL of the project's owner: who is calling within it, and how the audit log names it.

A function of the project that runs as postgres acts as the owner in a session of Auth's and in
one of postgres. In the request of a signed-in user it acts as the owner only through
`tenancy.as_owner`. Every test works in a transaction that is rolled back. What the README shows
is tried through Auth and the Data API in tests/operating.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.environment import Address, Environment, Person
from tenantry.catalogue import catalogue

# The owner's function, with a body that a test chooses.
FUNCTION = """
create function public.{name}({parameters}) returns {returns} security {security}
    set search_path = '' language plpgsql as $test$ begin {body} end $test$;
grant execute on function public.{name} to public
"""

AUTH = "supabase_auth_admin"


class Session:
    """A session whose user and role a test can switch."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection
        self.become("postgres")

    def become(
        self, session_user: str, role: str = "none", claims: dict[str, Any] | None = None
    ) -> None:
        self.connection.execute("reset session authorization")
        self.connection.execute(
            SQL("set local session authorization {}").format(Identifier(session_user))
        )
        self.connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            (role, json.dumps(claims) if claims else ""),
        )

    def sign_in(self, person: Person) -> None:
        """As PostgREST does."""
        self.become("authenticator", "authenticated", {"sub": person.id})

    def define(
        self,
        body: str,
        name: str = "act",
        parameters: str = "",
        returns: str = "void",
        security: str = "definer",
    ) -> None:
        """Creates a function of the owner's."""
        self.become("postgres")
        self.connection.execute(
            FUNCTION.format(
                name=name,
                parameters=parameters,
                returns=returns,
                security=security,
                body=body,
            ).encode()
        )

    def run(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def refusal(self, statement: str, *values: Any) -> str | None:
        """The code of the error, or its SQLSTATE; the transaction goes on."""
        try:
            with self.connection.transaction():
                self.run(statement, *values)
        except psycopg.Error as error:
            return error.diag.message_detail or error.sqlstate
        return None

    def entries(self, schema_name: str) -> list[dict[str, Any]]:
        """The entries about a tenant, oldest first."""
        self.become("postgres")
        return self.run(
            "select action, actor_id::text, actor_role, details - 'before' - 'after' as details"
            " from public.admin_audit_log where schema_name = %s order by id",
            schema_name,
        )


@pytest.fixture
def session(address: Address) -> Iterator[Session]:
    with psycopg.connect(address.admin_db_url, row_factory=psycopg.rows.dict_row) as connection:
        yield Session(connection)
        connection.rollback()


@pytest.fixture
def name() -> str:
    """The name of a tenant that a test creates and rolls back."""
    return f"test_{uuid.uuid4().hex[:12]}"


def create(name: str) -> str:
    return f"perform public.create_tenant_schema('{name}');"


def as_owner(operation: str, **arguments: Any) -> str:
    quoted = json.dumps(arguments).replace("'", "''")
    return f"perform tenancy.as_owner('{operation}', '{quoted}');"


# Sessions of Auth's and of postgres --------------------------------------------------------


def test_definer_function_in_a_session_of_auth_acts_as_the_owner(
    environment: Environment, session: Session, name: str
) -> None:
    person = environment.person()
    session.define(
        create(name) + f"perform public.grant_schema_access('{name}', '{person.id}', 'admin');"
        f"perform public.create_user_profile('{name}', '{person.id}');"
    )
    session.become(AUTH)

    session.run("select public.act()")

    entries = session.entries(name)
    assert [entry.pop("action") for entry in entries] == [
        "tenant.create",
        "access.grant",
        "profile.create",
    ]
    by = {"actor_id": None, "actor_role": "postgres", "details": {"by": "public.act()"}}
    assert entries == [by, by, by]
    assert session.run(
        SQL("select distinct actor_role from {}.audit_log").format(Identifier(name)).as_string()
    ) == [{"actor_role": "postgres"}]


@pytest.mark.parametrize("security", ["invoker", "definer"])
def test_auth_itself_cannot_execute_an_operation(
    session: Session, name: str, security: str
) -> None:
    session.define(create(name), security=security)
    session.become(AUTH)

    assert session.refusal("select public.create_tenant_schema(%s)", name) == "42501"
    assert session.refusal("select tenancy.as_owner('list_my_tenants')") == "42501"
    assert session.refusal("select public.act()") == (
        "42501" if security == "invoker" else None
    )


def test_no_function_of_ours_can_be_executed_by_auth(session: Session) -> None:
    executable = (
        "select p.proname::text as name from pg_catalog.pg_proc p"
        " where p.pronamespace in ('public'::regnamespace, 'tenancy'::regnamespace)"
        " and has_function_privilege('supabase_auth_admin', p.oid, 'execute')"
    )
    assert session.run(executable) == []

    session.run(f"grant execute on function public.suspend_tenant to {AUTH}")
    assert len(session.run(executable)) == 1


@pytest.mark.parametrize(
    ("session_user", "role", "refused"),
    [
        (AUTH, "none", None),
        (AUTH, "anon", "not_authenticated"),
        (AUTH, "authenticated", "not_authenticated"),
        ("postgres", "none", None),
        ("postgres", "anon", "not_authenticated"),
        ("postgres", "authenticated", "not_authenticated"),
        ("authenticator", "none", "not_authenticated"),
        ("authenticator", "anon", "not_authenticated"),
        ("authenticator", "authenticated", "not_authenticated"),
        ("authenticator", "service_role", None),
        ("somebody", "none", "not_authenticated"),
    ],
)
def test_owner_is_told_by_the_user_of_the_session_and_the_role(
    session: Session, name: str, session_user: str, role: str, refused: str | None
) -> None:
    session.define(create(name))
    if role != "none" and session_user == AUTH:
        session.run("reset session authorization")
        session.run(f"grant {role} to {AUTH}")
    if session_user == "somebody":
        session.run("reset session authorization")
        session.run("create role somebody login; grant usage on schema public to somebody")
    session.become(session_user, role)

    assert session.refusal("select public.act()") == refused


def test_claims_do_not_change_who_the_owner_is(
    environment: Environment, session: Session, name: str
) -> None:
    session.define(create(name))
    session.become(AUTH, claims={"sub": environment.person().id, "role": "authenticated"})

    session.run("select public.act()")

    assert session.entries(name)[0]["details"] == {"by": "public.act()"}


def test_job_in_a_session_of_postgres_needs_no_claims(session: Session, name: str) -> None:
    # pg_cron starts a job in such a session.
    session.define(create(name), "nightly")
    session.become("postgres")

    session.run("select public.nightly()")

    assert session.entries(name)[0]["details"] == {"by": "public.nightly()"}


# Requests of signed-in users ---------------------------------------------------------------


def test_operation_in_a_definer_function_is_called_by_the_user(
    environment: Environment, session: Session, name: str
) -> None:
    session.define(create(name))
    session.sign_in(environment.person())
    assert session.refusal("select public.act()") == "forbidden"

    admin = environment.staff("admin")
    session.sign_in(admin)
    session.run("select public.act()")

    [entry] = session.entries(name)
    assert (entry["actor_id"], entry["actor_role"]) == (admin.id, "admin")
    assert entry["details"] == {}


@pytest.mark.parametrize("who", ["user", "anon", "service_role"])
def test_function_acts_as_the_owner_through_as_owner(
    environment: Environment, session: Session, name: str, who: str
) -> None:
    person = environment.person()
    session.define(
        as_owner("create_tenant_schema", schema_name=name, display_name="Acme")
        + as_owner("grant_schema_access", schema_name=name, user_id=person.id)
        + as_owner(
            "create_user_profile", schema_name=name, user_id=person.id, metadata={"a": "ä'"}
        )
    )
    if who == "user":
        session.sign_in(person)
    else:
        session.become("authenticator", who)
    session.run("select public.act()")

    entries = session.entries(name)
    assert [entry.pop("action") for entry in entries] == [
        "tenant.create",
        "access.grant",
        "profile.create",
    ]
    details = {"by": "public.act()"}
    if who == "user":
        details["signed_in"] = str(person.id)
    by = {"actor_id": None, "actor_role": "postgres", "details": details}
    assert entries == [by, by, by]
    [profile] = session.run(
        SQL("select metadata from {}.users").format(Identifier(name)).as_string()
    )
    assert profile == {"metadata": {"a": "ä'"}}


def test_results_are_those_of_the_operations(session: Session, name: str) -> None:
    session.become("postgres")

    def result(operation: str, **arguments: Any) -> Any:
        [row] = session.run(
            "select tenancy.as_owner(%s, %s) as result", operation, json.dumps(arguments)
        )
        return row["result"]

    assert result("create_tenant_schema", schema_name=name)["schema_name"] == name
    assert result("check_tenant_status", schema_name=name) == {
        "schema_name": name,
        "status": "active",
    }
    tables = result("get_schema_tables", schema_name=name)
    assert [table["table_name"] for table in tables] == ["audit_log", "settings", "users"]
    assert result("list_my_tenants") == []
    assert result("list_my_tenants", page_size=1, after=None) == []


def test_every_operation_can_be_called_as_the_owner(session: Session) -> None:
    """Every call reaches the operation, which refuses the values."""
    for operation in catalogue().values():
        arguments = {
            parameter.name: False if parameter.type == "boolean" else None
            for parameter in operation.parameters
            if parameter.type not in ("integer", "boolean") or parameter.default is None
        }
        refused = session.refusal(
            "select tenancy.as_owner(%s, %s)", operation.name, json.dumps(arguments)
        )
        assert refused is None or (refused.islower() and refused != "busy"), operation.name


# Attacks on as_owner -----------------------------------------------------------------------

FORGE = "select set_config('tenancy.acting_as_owner', 'on', true), pg_current_xact_id()"
SUSPEND = "select public.suspend_tenant(%s)"


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_api_roles_cannot_execute_as_owner(
    environment: Environment, session: Session, role: str
) -> None:
    call = "select tenancy.as_owner('get_migration_status')"
    claims = {"sub": environment.person().id}
    session.become("authenticator", role, claims)
    assert session.refusal(call) == "42501"

    # A mistaken grant opens nothing: the role cannot write the row.
    session.become("postgres")
    session.run("grant execute on function tenancy.as_owner to public")
    session.become("authenticator", role, claims)
    assert session.refusal(call) == "42501"
    assert session.refusal("insert into tenancy.owner_calls default values") == "42501"

    session.become("postgres")
    assert session.refusal(call) is None


@pytest.fixture
def tenant(environment: Environment) -> str:
    return environment.tenant()


def test_parameter_alone_means_nothing(
    environment: Environment, session: Session, tenant: str
) -> None:
    session.sign_in(environment.member(tenant, "read"))
    session.run(FORGE)

    assert session.refusal(SUSPEND, tenant) == "forbidden"


@pytest.mark.parametrize("is_forged", [False, True], ids=["", "parameter set"])
@pytest.mark.parametrize(
    "body",
    [
        as_owner("list_my_tenants"),
        # An error within the call, which the function catches.
        "begin "
        + as_owner("create_tenant_schema", schema_name="No")
        + " exception when others then null; end;",
        # An error after the call.
        "begin "
        + as_owner("list_my_tenants")
        + " raise division_by_zero; exception when others then null; end;",
    ],
    ids=["success", "error within", "error after"],
)
def test_nothing_after_the_call_acts_as_the_owner(
    environment: Environment, session: Session, tenant: str, body: str, is_forged: bool
) -> None:
    """Neither the rest of the function nor a later statement of the same transaction."""
    forge = FORGE.replace("select", "perform") + ";" if is_forged else ""
    session.define(forge + body + forge)
    session.define(
        forge + body + forge + f"perform public.suspend_tenant('{tenant}');", "go_on"
    )
    session.sign_in(environment.member(tenant, "read"))

    session.run("select public.act()")
    assert session.refusal(SUSPEND, tenant) == "forbidden"
    assert session.refusal("select public.go_on()") == "forbidden"
    # In one statement, too, as a select list or GraphQL would call them.
    assert session.refusal("select public.act(), public.suspend_tenant(%s)", tenant) == (
        "forbidden"
    )

    session.become("postgres")
    assert session.run("select * from tenancy.owner_calls") == []


def test_row_of_another_transaction_means_nothing(
    environment: Environment, session: Session, tenant: str
) -> None:
    session.run("insert into tenancy.owner_calls (transaction_id) values ('3')")
    session.sign_in(environment.member(tenant, "read"))
    session.run(FORGE)

    assert session.refusal(SUSPEND, tenant) == "forbidden"

    # The positive control, which only the owner can arrange.
    session.become("postgres")
    session.run("insert into tenancy.owner_calls default values")
    session.sign_in(environment.member(tenant, "read"))
    assert session.refusal(SUSPEND, tenant) is None


def test_calls_can_be_nested(
    environment: Environment, session: Session, tenant: str, name: str
) -> None:
    person, reader = environment.person(), environment.member(tenant, "read")
    session.define(
        as_owner("create_tenant_schema", schema_name=name) + "return null;",
        "on_profile",
        returns="trigger",
    )
    session.run(
        f"create trigger on_profile after insert on {tenant}.users"
        " for each row execute function public.on_profile()"
    )
    session.define(as_owner("create_user_profile", schema_name=tenant, user_id=person.id))
    session.sign_in(person)

    # The operation logs after the trigger has run, still as the owner.
    session.run("select public.act()")

    for schema_name in (tenant, name):
        entry = session.entries(schema_name)[-1]
        assert entry["actor_role"] == "postgres"
        assert entry["details"] == {"by": "public.act()", "signed_in": person.id}
    session.sign_in(reader)
    assert session.refusal(SUSPEND, tenant) == "forbidden"


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("act", {}),
        ("caller", {}),
        ("no_such_operation", {}),
        ("list_my_tenants() f; drop table public.tenants; --", {}),
        ("list_my_tenants", {"page": 1}),
        # Null is no number, as over HTTP.
        ("list_my_tenants", {"page_size": None}),
        ("list_my_tenants", {'after" text); drop table public.tenants; --': 1}),
    ],
)
def test_only_operations_and_their_arguments_are_taken(
    session: Session, operation: str, arguments: dict[str, Any]
) -> None:
    session.define(create("never"))

    assert (
        session.refusal("select tenancy.as_owner(%s, %s)", operation, json.dumps(arguments))
        == "invalid_request"
    )


def test_search_path_does_not_choose_the_operation(session: Session, name: str) -> None:
    session.run(
        "create schema evil;"
        "create function evil.create_tenant_schema(schema_name text) returns text"
        " begin atomic select 'evil'; end;"
        "create function evil.to_jsonb(text) returns jsonb"
        " begin atomic select 'null'::jsonb; end;"
        "set local search_path = evil, pg_catalog"
    )

    [row] = session.run(
        "select tenancy.as_owner('create_tenant_schema', %s) ->> 'schema_name' as made",
        json.dumps({"schema_name": name}),
    )

    assert row == {"made": name}


@pytest.mark.parametrize("role", ["postgres", "service_role", "none"])
def test_definer_function_cannot_switch_the_role(
    environment: Environment, session: Session, name: str, role: str
) -> None:
    session.define(f"perform set_config('role', '{role}', true);" + create(name))
    session.sign_in(environment.person())

    assert session.refusal("select public.act()") == "42501"


# The name in the audit log -----------------------------------------------------------------


@pytest.mark.parametrize("session_user", ["postgres", AUTH])
def test_text_of_a_statement_cannot_forge_the_name(
    session: Session, name: str, session_user: str
) -> None:
    session.define(
        "execute format('select public.create_tenant_schema(%L, %L)', name, text);",
        "helper",
        "name text, text text",
    )
    session.define("perform public.helper(name, text);", "act", "name text, text text")
    session.become(session_user)

    session.run("select public.act(%s, null)", name)
    assert session.entries(name)[0]["details"] == {"by": "public.act(text,text)"}

    session.define(
        "execute format('select public.create_tenant_schema(%L) /* %s */', name, text);",
        "direct",
        "name text, text text",
    )
    session.become(session_user)
    session.run(
        "select public.direct(%s, %s)",
        f"{name}_2",
        "\nPL/pgSQL function public.trusted() line 1 at PERFORM\n",
    )
    assert session.entries(f"{name}_2")[0]["details"] == {"by": "public.direct(text,text)"}


def test_function_in_sql_and_block_are_named(session: Session, name: str) -> None:
    session.run(
        "create function public.act(name text) returns void security definer"
        " set search_path = '' language sql"
        " as 'select public.create_tenant_schema(name)'"
    )
    session.run("select public.act(%s)", name)
    session.run(f"do $$ begin {create(name + '_2')} end $$")
    session.run(
        f"do $$ begin {as_owner('create_tenant_schema', schema_name=name + '_3')} end $$"
    )

    assert session.entries(name)[0]["details"] == {"by": "act"}
    for each in (f"{name}_2", f"{name}_3"):
        assert session.entries(each)[0]["details"] == {"by": "inline_code_block"}


def test_direct_call_names_no_function(session: Session, name: str) -> None:
    session.run("select public.create_tenant_schema(%s)", name)
    session.run(
        "select tenancy.as_owner('suspend_tenant', %s)", json.dumps({"schema_name": name})
    )

    assert [entry["details"] for entry in session.entries(name)] == [{}, {}]


def test_function_called_with_the_service_key_is_logged_as_the_service_key(
    session: Session, name: str
) -> None:
    session.define(create(name))
    session.become("authenticator", "service_role")
    session.run("select public.act()")

    [entry] = session.entries(name)
    assert (entry["actor_role"], entry["details"]) == ("service_role", {})
