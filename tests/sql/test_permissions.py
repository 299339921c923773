"""Permissions: every RPC by every kind of caller, through both entry points.

This table is written by hand, and the comments of the RPCs are compared with it. A cell names
the outcome of a call while the tenant is active, and after the slash while it is suspended.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from support.audited_call import audited_call
from support.entry_points import ENTRY_POINTS
from support.environment import GROUPS, Address, Environment, Person
from tenantry.catalogue import catalogue

pytestmark = pytest.mark.long

OUTCOMES = {
    "ok": (200, None),
    "out": (401, "not_authenticated"),
    "no": (403, "forbidden"),
    "shut": (403, "tenant_suspended"),
    "none": (404, "tenant_not_found"),
    "gone": (404, "user_not_found"),
    "open": (409, "tenant_active"),
    "lost": (404, "migration_not_found"),
    "void": (404, "invitation_not_found"),
    "in": (409, "member_exists"),
    "unasked": (404, "request_not_found"),
}

# anon_key: the anon key sent as the token. expired: until a minute ago an admin of the tenant,
# and until a moment ago a super_admin.
TABLE = """
                       nobody anon_key stranger expired reader  writer  tenant_admin viewer admin super_admin service_key
create_tenant_schema   out    out      no       no      no      no      no           no     ok    ok          ok
register_tenant_schema out    out      no       no      no      no      no           no     no    ok          ok
rename_tenant          out    out      none     none    no      no      ok/shut      no     ok    ok          ok
suspend_tenant         out    out      none     none    no      no      no           no     ok    ok          ok
activate_tenant        out    out      none     none    no      no      no           no     ok    ok          ok
delete_tenant_schema   out    out      none     none    no      no      no           no     no    open/ok     open/ok
get_tenant_pool        out    out      no       no      no      no      no           ok     ok    ok          ok
refill_tenant_pool     out    out      no       no      no      no      no           no     ok    ok          ok
ensure_user_profile    out    out      none     none    ok/shut ok/shut ok/shut      no     no    no          no
create_user_profile    out    out      none     none    no      no      ok/shut      no     ok    ok          ok
get_user_profile       out    out      none     none    ok/shut ok/shut ok/shut      no     no    no          no
update_user_profile    out    out      none     none    ok/shut ok/shut ok/shut      no     no    no          no
refresh_user_emails    out    out      none     none    no      no      ok/shut      no     ok    ok          ok
grant_schema_access    out    out      none     none    no      no      ok/shut      no     ok    ok          ok
revoke_schema_access   out    out      none     none    no      no      ok/shut      no     ok    ok          ok
revoke_own_access      out    out      none     none    ok/shut ok/shut ok/shut      no     gone  gone        gone
invite_member          out    out      none     none    no      no      ok/shut      no     ok    ok          ok
accept_invitation      out    out      void     void    void    void    void         void   void  void        void
decline_invitation     out    out      void     void    void    void    void         void   void  void        void
list_invitations       out    out      none     none    no      no      ok/shut      no     ok    ok          ok
revoke_invitation      out    out      none     none    no      no      ok/shut      no     ok    ok          ok
add_tenant_domain      out    out      none     none    no      no      ok/shut      no     ok    ok          ok
verify_tenant_domain   out    out      none     none    no      no      no           no     ok    ok          ok
remove_tenant_domain   out    out      none     none    no      no      ok/shut      no     ok    ok          ok
list_tenant_domains    out    out      none     none    no      no      ok/shut      no     ok    ok          ok
join_tenant            out    out      none     none    in      in      in           none   none  none        none
list_joinable_tenants  out    out      ok       ok      ok      ok      ok           ok     ok    ok          ok
set_access_requests    out    out      none     none    no      no      ok/shut      no     ok    ok          ok
request_access         out    out      no       no      no      no      no           no     no    no          no
withdraw_request       out    out      unasked  unasked unasked unasked unasked      unasked unasked unasked  unasked
decide_request         out    out      none     none    no      no      ok/shut      no     ok    ok          ok
list_access_requests   out    out      none     none    no      no      ok/shut      no     ok    ok          ok
list_members           out    out      none     none    no      no      ok/shut      ok     ok    ok          ok
leave_tenant           out    out      none     none    ok/shut ok/shut ok/shut      no     no    no          no
transfer_admin         out    out      none     none    no      no      ok/shut      no     no    no          no
define_role            out    out      none     none    no      no      ok/shut      no     ok    ok          ok
drop_role              out    out      none     none    no      no      ok/shut      no     ok    ok          ok
list_roles             out    out      none     none    ok/shut ok/shut ok/shut      ok     ok    ok          ok
list_staff             out    out      no       no      no      no      no           ok     ok    ok          ok
open_support_access    out    out      none     none    no      no      no           no     ok    ok          no
close_support_access   out    out      none     none    no      no      ok/shut      no     ok    ok          ok
promote_to_admin       out    out      no       no      no      no      no           no     no    ok          ok
revoke_admin           out    out      no       no      no      no      no           no     no    ok          ok
check_tenant_status    out    out      none     none    ok      ok      ok           ok     ok    ok          ok
get_tenant_info        out    out      none     none    ok      ok      ok           ok     ok    ok          ok
list_my_tenants        out    out      ok       ok      ok      ok      ok           ok     ok    ok          ok
get_platform_health    out    out      no       no      no      no      no           ok     ok    ok          ok
list_tenants           out    out      no       no      no      no      no           ok     ok    ok          ok
get_schema_tables      out    out      none     none    ok/shut ok/shut ok/shut      ok     ok    ok          ok
get_table_columns      out    out      none     none    ok/shut ok/shut ok/shut      ok     ok    ok          ok
get_table_foreign_keys out    out      none     none    ok/shut ok/shut ok/shut      ok     ok    ok          ok
get_schema_summary     out    out      none     none    ok/shut ok/shut ok/shut      ok     ok    ok          ok
create_table           out    out      none     none    no      no      ok/shut      no     ok    ok          ok
drop_table             out    out      none     none    no      no      ok/shut      no     ok    ok          ok
add_column             out    out      none     none    no      no      ok/shut      no     ok    ok          ok
drop_column            out    out      none     none    no      no      ok/shut      no     ok    ok          ok
add_foreign_key        out    out      none     none    no      no      ok/shut      no     no    no          ok
drop_foreign_key       out    out      none     none    no      no      ok/shut      no     ok    ok          ok
get_audit_log          out    out      none     none    no      no      ok/shut      no     no    no          no
get_admin_audit_log    out    out      none     none    no      no      ok/shut      ok     ok    ok          ok
seal_audit_log         out    out      none     none    no      no      no           no     ok    ok          ok
verify_audit_log       out    out      none     none    no      no      ok/shut      no     ok    ok          ok
prune_audit_log        out    out      none     none    no      no      no           no     ok    ok          ok
redact_audit_log       out    out      none     none    no      no      no           no     ok    ok          ok
get_database_release   out    out      ok       ok      ok      ok      ok           ok     ok    ok          ok
get_migration_status   out    out      no       no      no      no      no           no     ok    ok          ok
list_tenants_behind    out    out      no       no      no      no      no           no     ok    ok          ok
list_tenant_drift      out    out      no       no      no      no      no           no     ok    ok          ok
migrate_tenant         out    out      none     none    no      no      no           no     ok    ok          ok
get_schema_drift       out    out      none     none    no      no      no           no     ok    ok          ok
withdraw_tenant_migration out out      no       no      no      no      no           no     no    lost        lost
replace_tenant_migration out  out      no       no      no      no      no           no     no    lost        lost
"""  # noqa: E501

# The rows whose name is not the name of an RPC.
OPERATIONS = {"revoke_own_access": "revoke_schema_access"}

LEVELS = {"reader": "read", "writer": "write", "tenant_admin": "admin"}

# The role in the audit log, if it differs from the name of the kind of caller.
ROLES = {
    "reader": "tenant_read",
    "writer": "tenant_write",
    "tenant_admin": "tenant_admin",
    "service_key": "service_role",
}


def rows() -> Iterator[tuple[str, str, str]]:
    """The table as (row, kind of caller, cell)."""
    header, *lines = TABLE.strip().splitlines()
    for line in lines:
        row, *cells = line.split()
        for kind, cell in zip(header.split(), cells, strict=True):
            yield row, kind, cell


def cases() -> Iterator[Any]:
    seen = set()
    for row, kind, cell in rows():
        active, _, suspended = cell.partition("/")
        for status, outcome in (("active", active), ("suspended", suspended or active)):
            # Whoever is not signed in is refused before the tenant is looked for.
            if (status, outcome) == ("suspended", "out"):
                continue
            # The functions pass the call and the answer on. So each answer of an operation is
            # compared once.
            entry_points = ENTRY_POINTS if (row, status, outcome) not in seen else ("rpc",)
            seen.add((row, status, outcome))
            yield pytest.param(
                row, kind, status, outcome, entry_points, id=f"{row}-{kind}-{status}"
            )


class Callers:
    """One caller of each kind, and two tenants: an active and a suspended one."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.people = {
            "nobody": environment.nobody,
            "anon_key": Person(environment.address.anon_key),
            "stranger": environment.person(),
            "expired": environment.staff("super_admin"),
            "reader": environment.person(),
            "writer": environment.person(),
            "tenant_admin": environment.person(),
            "viewer": environment.staff("viewer"),
            "admin": environment.staff("admin"),
            "super_admin": environment.staff("super_admin"),
            "service_key": environment.service,
        }
        environment.expire_role(self.people["expired"])
        self._tenants = {"active": environment.name(), "suspended": environment.name()}
        self._schema: str | None = None

    def tenant(self, status: str) -> str:
        """The tenant of this status. It is restored if the last call changed it."""
        name = self._tenants[status]
        found = self.environment.sql.execute(
            "select t.status::text,"
            " (select count(*) from public.user_schema_access a"
            "  join unnest(%s::uuid[], %s::text[]) m (id, level)"
            "   on m.id = a.user_id and m.level = a.access_level::text"
            "  where a.schema_name = t.schema_name) as members"
            " from public.tenants t where t.schema_name = %s",
            (
                [person.id for person in self._members().values()],
                [LEVELS[kind] for kind in self._members()],
                name,
            ),
        ).fetchone()
        if found is None:
            self.environment.sql.execute("select public.create_tenant_schema(%s)", (name,))
            past = datetime.now(UTC) - timedelta(minutes=1)
            self.environment.grant(name, self.people["expired"], "admin", past)
        if found is None or found["members"] < len(LEVELS):
            for kind, person in self._members().items():
                self.environment.grant(name, person, LEVELS[kind])
        # Staff who have opened support access would be members.
        self.environment.sql.execute(
            "delete from public.user_schema_access"
            " where schema_name = %s and support_reason is not null",
            (name,),
        )
        if found is None or found["status"] != status:
            (self.environment.suspend if status == "suspended" else self.environment.activate)(
                name
            )
        return name

    def schema(self) -> str:
        """A schema that is no tenant. A new one if the last call made it a tenant."""
        if (
            self._schema is not None
            and self.environment.sql.execute(
                "select from public.tenants where schema_name = %s", (self._schema,)
            ).fetchall()
        ):
            self._schema = None
        if self._schema is None:
            self._schema = self.environment.name()
            self.environment.sql.execute(
                SQL("create schema {}").format(Identifier(self._schema))
            )
        return self._schema

    def close(self) -> None:
        self.environment.close()
        if self._schema is not None:
            # The environment has removed the tenants.
            with psycopg.connect(self.environment.address.db_url) as session:
                session.execute(
                    SQL("drop schema if exists {}").format(Identifier(self._schema))
                )

    def _members(self) -> dict[str, Person]:
        return {kind: self.people[kind] for kind in LEVELS}

    def profile(self, schema_name: str, person: Person) -> Person:
        self.environment.sql.execute(
            SQL("insert into {}.users (id) values (%s) on conflict do nothing").format(
                Identifier(schema_name)
            ),
            (person.id,),
        )
        return person

    def without_profile(self, schema_name: str, person: Person) -> None:
        self.environment.sql.execute(
            SQL("delete from {}.users where id = %s").format(Identifier(schema_name)),
            (person.id,),
        )

    def member(self, schema_name: str) -> Person:
        return self.environment.member(schema_name, "read")


Arguments = dict[str, Any]
Arrange = Callable[[Callers, str, Person], Arguments]


def of_tenant(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant}


def with_new_name(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": callers.environment.name()}


def of_no_tenant(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": callers.schema()}


def with_new_display_name(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "display_name": secrets.token_hex(8)}


def without_a_profile(callers: Callers, tenant: str, caller: Person) -> Arguments:
    callers.without_profile(tenant, caller)
    return {"schema_name": tenant}


def with_a_profile(callers: Callers, tenant: str, caller: Person) -> Arguments:
    if caller.id is not None:
        callers.profile(tenant, caller)
    return {"schema_name": tenant, "display_name": secrets.token_hex(8)}


def about_a_profile(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {
        "schema_name": tenant,
        "user_id": callers.profile(tenant, callers.environment.person()).id,
    }


def with_a_stale_email(callers: Callers, tenant: str, caller: Person) -> Arguments:
    # Profiles that this class inserts have no address.
    callers.environment.sql.execute("select tenancy.refresh_emails(%s, 10000)", (tenant,))
    callers.profile(tenant, callers.environment.person())
    return {"schema_name": tenant}


def about_a_newcomer(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "user_id": callers.environment.person().id}


def about_a_member(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "user_id": callers.member(tenant).id}


def beside_an_admin(callers: Callers, tenant: str, caller: Person) -> Arguments:
    # The last admin could not leave.
    callers.environment.member(tenant, "admin")
    return {"schema_name": tenant}


def about_oneself(callers: Callers, tenant: str, caller: Person) -> Arguments:
    callers.environment.member(tenant, "admin")
    return {"schema_name": tenant, "user_id": caller.id or str(uuid.uuid4())}


def for_a_reason(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "reason": "The totals are wrong."}


def about_a_supporter(callers: Callers, tenant: str, caller: Person) -> Arguments:
    supporter = callers.environment.staff("admin")
    callers.environment.sql.execute(
        "select from tenancy.give_support_access("
        " (select t from public.tenants t where t.schema_name = %s), %s, 'why', 5, 'read')",
        (tenant, supporter.id),
    )
    return {"schema_name": tenant, "user_id": supporter.id}


def with_the_viewer_alone(callers: Callers, tenant: str, caller: Person) -> Arguments:
    # Other tests appoint staff meanwhile.
    return {"search": callers.people["viewer"].email}


def to_a_viewer(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"user_id": callers.environment.person().id, "role": "viewer"}


def from_a_viewer(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"user_id": callers.environment.staff("viewer").id}


def with_a_table(callers: Callers, tenant: str, caller: Person, *columns: str) -> Arguments:
    """Creates a new table for each call, with these columns."""
    name = f"t_{secrets.token_hex(4)}"
    callers.environment.sql.execute(
        "select from public.create_table(%s, %s, %s)",
        (tenant, name, Jsonb([{"name": column, "type": "uuid"} for column in columns])),
    )
    return {"schema_name": tenant, "table_name": name}


def with_a_new_table(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "table_name": f"t_{secrets.token_hex(4)}", "columns": []}


def with_a_new_column(callers: Callers, tenant: str, caller: Person) -> Arguments:
    table = with_a_table(callers, tenant, caller)
    return table | {"column_name": "a", "column_type": "int"}


def with_a_column(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return with_a_table(callers, tenant, caller, "a") | {"column_name": "a"}


def with_a_new_key(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return with_a_column(callers, tenant, caller) | {"foreign_table": "users"}


def with_a_key(callers: Callers, tenant: str, caller: Person) -> Arguments:
    table = with_a_table(callers, tenant, caller, "a")
    callers.environment.sql.execute(
        "select from public.add_foreign_key(%s, %s, 'a', 'users')",
        (tenant, table["table_name"]),
    )
    return table | {"constraint_name": f"{table['table_name']}_a_fkey"}


def of_settings(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "table_name": "settings"}


def before_long_ago(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "before": "2020-01-01T00:00:00Z"}


def with_this_tenant_alone(callers: Callers, tenant: str, caller: Person) -> Arguments:
    # Other tests create and delete tenants meanwhile.
    return {"search": tenant}


def with_the_page_of_this_tenant(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"after_schema_name": tenant[:-1], "page_size": 1}


def nothing(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {}


# A real migration would concern all tenants of the tests. test_withdrawing.py has the calls
# that succeed.
def of_no_migration(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"version": "no_such_version"}


def of_no_text(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"version": "no_such_version", "statements": "select 1"}


def to_a_new_address(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "email": f"{secrets.token_hex(8)}@example.com"}


def about_an_invitation(callers: Callers, tenant: str, caller: Person) -> Arguments:
    # By SQL, because a suspended tenant takes no invitation of its admin's.
    row = callers.environment.sql.execute(
        "select id::text from public.invite_member(%s, %s)",
        (tenant, f"{secrets.token_hex(8)}@example.com"),
    ).fetchone()
    assert row is not None
    return {"schema_name": tenant, "invitation_id": row["id"]}


def with_a_new_role(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {
        "schema_name": tenant,
        "role_name": f"r_{secrets.token_hex(4)}",
        "permissions": [],
    }


def about_a_role(callers: Callers, tenant: str, caller: Person) -> Arguments:
    arguments = with_a_new_role(callers, tenant, caller)
    # By SQL, because a suspended tenant takes no role of its admin's.
    callers.environment.sql.execute(
        "select public.define_role(%(schema_name)s, %(role_name)s, %(permissions)s::text[])",
        arguments,
    )
    del arguments["permissions"]
    return arguments


# Whoever accepted a real invitation would be another kind of caller. test_invitations.py has
# the calls that succeed.
def with_a_wrong_secret(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"secret": "inv_" + secrets.token_hex(32)}


def about_a_new_domain(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "domain": f"{secrets.token_hex(8)}.example"}


def about_a_domain(callers: Callers, tenant: str, caller: Person) -> Arguments:
    domain = f"{secrets.token_hex(8)}.example"
    callers.environment.sql.execute("select public.add_tenant_domain(%s, %s)", (tenant, domain))
    return {"schema_name": tenant, "domain": domain}


def with_a_setting(callers: Callers, tenant: str, caller: Person) -> Arguments:
    return {"schema_name": tenant, "enabled": False}


def about_a_request(callers: Callers, tenant: str, caller: Person) -> Arguments:
    person = callers.environment.person(confirmed=True)
    callers.environment.sql.execute(
        "insert into tenancy.tenants_access_requests (schema_name, user_id) values (%s, %s)",
        (tenant, person.id),
    )
    return {"schema_name": tenant, "user_id": person.id, "approve": True}


# Prepares a call so that it can succeed, and returns its arguments.
ARRANGE: dict[str, Arrange] = {
    "create_tenant_schema": with_new_name,
    "register_tenant_schema": of_no_tenant,
    "rename_tenant": with_new_display_name,
    "suspend_tenant": of_tenant,
    "activate_tenant": of_tenant,
    "delete_tenant_schema": of_tenant,
    "get_tenant_pool": nothing,
    "refill_tenant_pool": nothing,
    "ensure_user_profile": without_a_profile,
    "create_user_profile": about_a_newcomer,
    "get_user_profile": about_a_profile,
    "update_user_profile": with_a_profile,
    "refresh_user_emails": with_a_stale_email,
    "grant_schema_access": about_a_newcomer,
    "revoke_schema_access": about_a_member,
    "revoke_own_access": about_oneself,
    "invite_member": to_a_new_address,
    "accept_invitation": with_a_wrong_secret,
    "decline_invitation": with_a_wrong_secret,
    "list_invitations": of_tenant,
    "revoke_invitation": about_an_invitation,
    "list_members": of_tenant,
    "leave_tenant": beside_an_admin,
    "transfer_admin": about_a_member,
    "define_role": with_a_new_role,
    "drop_role": about_a_role,
    "list_roles": of_tenant,
    "add_tenant_domain": about_a_new_domain,
    "verify_tenant_domain": about_a_domain,
    "remove_tenant_domain": about_a_domain,
    "list_tenant_domains": of_tenant,
    # test_joining.py has the users of a domain.
    "join_tenant": of_tenant,
    "list_joinable_tenants": nothing,
    "set_access_requests": with_a_setting,
    # These people have no confirmed address. test_access_requests.py has those who have one.
    "request_access": of_tenant,
    "withdraw_request": of_tenant,
    "decide_request": about_a_request,
    "list_access_requests": of_tenant,
    "open_support_access": for_a_reason,
    "close_support_access": about_a_supporter,
    "list_staff": with_the_viewer_alone,
    "promote_to_admin": to_a_viewer,
    "revoke_admin": from_a_viewer,
    "check_tenant_status": of_tenant,
    "get_tenant_info": of_tenant,
    "list_my_tenants": nothing,
    "get_platform_health": nothing,
    "list_tenants": with_this_tenant_alone,
    "get_schema_tables": of_tenant,
    "get_table_columns": of_settings,
    "get_table_foreign_keys": of_settings,
    "get_schema_summary": of_tenant,
    "create_table": with_a_new_table,
    "drop_table": with_a_table,
    "add_column": with_a_new_column,
    "drop_column": with_a_column,
    "add_foreign_key": with_a_new_key,
    "drop_foreign_key": with_a_key,
    "get_audit_log": of_tenant,
    "get_admin_audit_log": of_tenant,
    "seal_audit_log": of_tenant,
    "verify_audit_log": of_tenant,
    "prune_audit_log": before_long_ago,
    "redact_audit_log": about_a_member,
    "get_database_release": nothing,
    "get_migration_status": nothing,
    "list_tenants_behind": nothing,
    "list_tenant_drift": with_the_page_of_this_tenant,
    "migrate_tenant": of_tenant,
    "get_schema_drift": of_tenant,
    "withdraw_tenant_migration": of_no_migration,
    "replace_tenant_migration": of_no_text,
}


@pytest.fixture(scope="module")
def callers(address: Address) -> Iterator[Callers]:
    callers = Callers(Environment(address))
    try:
        yield callers
    finally:
        callers.close()


@pytest.mark.parametrize(("row", "kind", "status", "outcome", "entry_points"), [*cases()])
def test_entry_points_answer_as_the_table_says(
    callers: Callers,
    row: str,
    kind: str,
    status: str,
    outcome: str,
    entry_points: Sequence[str],
) -> None:
    operation = OPERATIONS.get(row, row)
    caller = callers.people[kind]
    expected_status, expected_code = OUTCOMES[outcome]
    answers = []

    for entry_point in entry_points:
        arguments = ARRANGE[row](callers, callers.tenant(status), caller)
        done = audited_call(
            callers.environment, caller, operation, entry_point=entry_point, **arguments
        )
        if expected_code is None:
            assert done.reply.status_code == expected_status, done.reply.text
            for entry in done.entries:
                assert entry["actor_role"] == ROLES.get(kind, kind)
                assert entry["actor_id"] == caller.id
        else:
            assert done.refusal == (expected_status, expected_code), done.reply.text
        answers.append(comparable(done.reply.json(), arguments))

    if outcome != "out":
        assert all(answer == answers[0] for answer in answers)


def comparable(body: Any, arguments: Arguments) -> Any:
    """An answer without the parts that differ between calls or between entry points."""
    if isinstance(body, list):
        return [comparable(element, arguments) for element in body]
    if "hint" in body:
        message = body["message"]
        for argument in arguments.values():
            message = message.replace(str(argument), "…")
        return message, body["hint"]
    varying = {"id", "user_id", "email", "display_name", "constraint_name", "role_name"}
    # The secret and the end of a new invitation.
    varying |= {"secret", "valid_until"}
    # The record of a new domain.
    varying |= {"domain", "txt_name", "txt_value"}
    # The first call seals the entries, so the second call finds nothing to seal.
    varying |= {"sealed_now", "sealed_total", "head", "checked"}
    # What depends on all tenants: concurrent tests create and delete tenants.
    varying |= {"has_more", "tenant_count", "up_to_date", "behind", "pooled_behind", "stuck"}
    varying |= {"stuck_tenants", "warnings", "active", "suspended", "versions"}
    varying |= {"total_bytes", "largest_tenants", "growth", "dump_locks"}
    return {
        name: value is not None if name.endswith("_at") else value
        for name, value in body.items()
        if name not in varying and value not in arguments.values()
    } | {"names": sorted(body)}


def test_the_table_covers_exactly_the_functions_in_public(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    found = database.execute(
        "select proname from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace"
    ).fetchall()

    in_public = [row["proname"] for row in found]
    assert sorted(in_public) == sorted({OPERATIONS.get(row, row) for row, _, _ in rows()})
    assert sorted(in_public) == sorted(GROUPS)


# The terms for callers in the comments that include a kind of caller: for an active tenant, and
# for a suspended one.
_SIGNED_IN = {"anyone signed in"}
_MEMBER = ({"member"}, {"member of a suspended tenant"})
_STAFF = {"platform viewer", "platform admin"}
_INCLUDING: dict[str, tuple[set[str], set[str]]] = {
    "nobody": (set(), set()),
    "anon_key": (set(), set()),
    "stranger": (_SIGNED_IN, _SIGNED_IN),
    "expired": (_SIGNED_IN, _SIGNED_IN),
    "reader": (_SIGNED_IN | _MEMBER[0], _SIGNED_IN | _MEMBER[1]),
    "writer": (_SIGNED_IN | _MEMBER[0], _SIGNED_IN | _MEMBER[1]),
    "tenant_admin": (_SIGNED_IN | _MEMBER[0] | {"tenant admin"}, _SIGNED_IN | _MEMBER[1]),
    "viewer": (_SIGNED_IN | {"platform viewer"},) * 2,
    "admin": (_SIGNED_IN | _STAFF | {"signed-in platform admin"},) * 2,
    "super_admin": (_SIGNED_IN | _STAFF | {"signed-in platform admin", "super_admin"},) * 2,
    "service_key": (_SIGNED_IN | _STAFF | {"super_admin", "service key"},) * 2,
}
# The outcomes after the check of the permission.
_PERMITTED = {"lost", "ok", "open", "gone", "void", "unasked"}


@pytest.mark.parametrize("row", dict.fromkeys(row for row, _, _ in rows()))
def test_callers_of_a_comment_are_those_of_the_table(row: str) -> None:
    callers = set(catalogue()[OPERATIONS.get(row, row)].callers)
    for _, kind, cell in (each for each in rows() if each[0] == row):
        active, _, suspended = cell.partition("/")
        outcomes = (active, suspended or active)
        own = {"oneself"} if row == "revoke_own_access" and kind in LEVELS else set()
        for outcome, included, more in zip(
            outcomes, _INCLUDING[kind], (own, set()), strict=True
        ):
            expected = not callers.isdisjoint(included | more)
            assert (outcome in _PERMITTED) == expected, (kind, outcome)


@pytest.mark.parametrize(
    ("row", "callers"),
    [
        ("rename_tenant", ("tenant admin",)),
        ("suspend_tenant", ("platform viewer",)),
        ("check_tenant_status", ("member", "platform viewer")),
        ("revoke_own_access", ("tenant admin", "platform admin")),
    ],
)
def test_comment_with_wrong_callers_is_detected(
    row: str, callers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = OPERATIONS.get(row, row)
    changed = dataclasses.replace(catalogue()[name], callers=callers)
    monkeypatch.setitem(catalogue(), name, changed)

    with pytest.raises(AssertionError):
        test_callers_of_a_comment_are_those_of_the_table(row)


def test_every_refusal_of_the_table_is_named_in_the_comment_of_its_function(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    found = database.execute(
        "select proname, obj_description(oid, 'pg_proc') as comment"
        " from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace"
    ).fetchall()
    comments = {row["proname"]: row["comment"] for row in found}

    unnamed = {
        (row, code)
        for row, _, cell in rows()
        for outcome in cell.split("/")
        if (code := OUTCOMES[outcome][1])
        and not re.search(rf"Errors: .*\b{code}\b", comments[OPERATIONS.get(row, row)])
    }
    assert unnamed == set()


ABOUT_ONE_TENANT = [row for row in ARRANGE if {c for r, _, c in rows() if r == row} & {"none"}]


@pytest.mark.parametrize("row", ABOUT_ONE_TENANT)
@pytest.mark.parametrize("kind", ["stranger", "expired"])
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_stranger_cannot_distinguish_a_tenant_from_a_missing_one(
    callers: Callers, row: str, kind: str, entry_point: str
) -> None:
    caller = callers.people[kind]
    operation = OPERATIONS.get(row, row)
    missing_name = "test_" + secrets.token_hex(6)
    replies = []

    for tenant, name in (
        (callers.tenant("active"), None),
        (callers.tenant("suspended"), None),
        (callers.tenant("active"), missing_name),
    ):
        arguments = ARRANGE[row](callers, tenant, caller)
        arguments["schema_name"] = name or tenant
        reply = audited_call(
            callers.environment, caller, operation, entry_point=entry_point, **arguments
        ).reply
        body = reply.json() | {"request_id": None, "error": None}
        body["message"] = body["message"].replace(arguments["schema_name"], "…")
        replies.append((reply.status_code, body))

    assert replies[0] == replies[1] == replies[2]
