"""What a tenant migration grants and revokes: every tenant keeps it, or the push is refused."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from support.environment import Person
from support.fleet import Fleet, ServedFleet


class Staff:
    """Tables with revoked privileges, a view that is written, and a routine."""

    def __init__(self, fleet: ServedFleet) -> None:
        self.fleet = fleet
        self.table, self.notes = fleet.table(), fleet.table()
        self.view, self.plain = f"{self.table}_view", f"{self.table}_plain"
        self.routine = f"{self.table}_count"
        self.statements = f"""
            create table {self.table} (id bigint primary key, name text, salary int);
            revoke all on {self.table} from authenticated;
            grant select (id, name), insert, update (name) on {self.table} to authenticated;
            create table {self.notes} (id bigint primary key, body text);
            revoke delete on {self.notes} from authenticated, service_role;
            create view {self.view} with (security_invoker = true)
                as select id, upper(body) as body from {self.notes};
            create function {self.view}_insert() returns trigger language plpgsql as $f$
            begin
                execute format('insert into %I.{self.notes} values ($1, $2)', tg_table_schema)
                    using new.id, new.body;
                return new;
            end $f$;
            create trigger write instead of insert on {self.view}
                for each row execute function {self.view}_insert();
            grant insert on {self.view} to authenticated;
            create view {self.plain} with (security_invoker = true)
                as select id, body from {self.notes};
            grant update on {self.plain} to authenticated;
            revoke delete on {self.plain} from authenticated, service_role;
            create function {self.routine}() returns bigint language sql stable
                as 'select 1::bigint';
        """  # noqa: S608

    def status(
        self, person: Person, tenant: str, relation: str, method: str = "GET", **request: Any
    ) -> int:
        headers = {"Prefer": "return=minimal"}
        return self.fleet.rows(
            person, tenant, relation, method, headers=headers, **request
        ).status_code

    def require_limits(self, tenant: str, writer: Person, key: int) -> None:
        named = {"params": {"id": f"eq.{key}"}}

        def status(relation: str, method: str = "GET", **request: Any) -> int:
            return self.status(writer, tenant, relation, method, **request)

        row = {"id": key, "name": "Ann", "salary": 9}
        assert status(self.table, "POST", json=row) == 201
        assert status(self.table, params={"select": "id,name"}) == 200
        assert status(self.table, params={"select": "salary"}) == 403
        assert status(self.table) == 403
        assert status(self.table, "PATCH", json={"name": "Bob"}, **named) == 204
        assert status(self.table, "PATCH", json={"salary": 1}, **named) == 403
        assert status(self.table, "DELETE", **named) == 403
        assert status(self.notes, "POST", json={"id": key, "body": "a"}) == 201
        assert status(self.notes, "DELETE", **named) == 403
        assert status(self.view, "POST", json={"id": -key, "body": "b"}) == 201
        assert status(self.plain, "PATCH", json={"body": "c"}, **named) == 204
        assert status(self.plain, "DELETE", **named) == 403
        # The service key was only refused what was revoked from it.
        assert self.status(self.fleet.service, tenant, self.table) == 200
        assert self.status(self.fleet.service, tenant, self.notes, "DELETE", **named) == 403


def findings(fleet: Fleet, tenant: str) -> list[Any]:
    return fleet.sql.execute(
        "select kind, object, detail from tenancy.tenant_findings(%s)", (tenant,)
    ).fetchall()


def test_revoked_privileges_stay_revoked_in_every_tenant(served: ServedFleet) -> None:
    staff = Staff(served)
    behind, suspended = served.tenant(), served.tenant()
    served.suspend(suspended)
    served.register(staff.statements, staff.routine)
    for tenant in (behind, suspended):
        assert served.migrate(tenant)["outcome"] == "migrated"
    fresh = served.tenant()
    served.activate(suspended)
    writers = {name: served.member(name, "write") for name in (behind, suspended, fresh)}
    served.wait_until_served(fresh, staff.view, "id")

    for tenant, writer in writers.items():
        staff.require_limits(tenant, writer, 1)
        assert served.drift(tenant) == []
        assert findings(served, tenant) == []
    served.suspend(fresh)
    served.activate(fresh)
    staff.require_limits(fresh, writers[fresh], 2)

    # Strangers are still refused by the policies, where there is no guard.
    with psycopg.connect(served.address.db_url) as session:
        session.execute("set role authenticated")
        found = session.execute(
            SQL("select id from {}").format(Identifier(fresh, staff.view))
        ).fetchall()
        assert found == []

    # Drift and doctor see a privilege that came back, and the repair takes it away again.
    table = Identifier(fresh, staff.table)
    served.sql.execute(SQL("grant select on {} to authenticated").format(table))
    [difference] = served.drift(fresh)
    assert (difference["object_kind"], difference["difference"]) == ("grant", "different")
    served.sql.execute(SQL("grant select (salary) on {} to authenticated").format(table))
    # Revoking a privilege on the table revokes it on its columns, too. Round two grants it.
    for _ in range(2):
        for finding in findings(served, fresh):
            served.sql.execute(
                "select tenancy.repair_findings(%s, %s, %s)",
                (fresh, finding["kind"], finding["object"]),
            )
    assert findings(served, fresh) == served.drift(fresh) == []
    staff.require_limits(fresh, writers[fresh], 3)

    # A column that the tenant adds is readable, and a later migration widens what it says.
    served.rpc(
        served.service,
        "add_column",
        schema_name=fresh,
        table_name=staff.table,
        column_name="x_team",
        column_type="text",
    ).raise_for_status()
    assert (
        staff.status(writers[fresh], fresh, staff.table, params={"select": "id,x_team"}) == 200
    )
    served.register(
        f"grant select on {staff.table} to authenticated;"  # noqa: S608
        f"revoke execute on function {staff.routine}() from authenticated, service_role;"
        f"create policy delete_nobody on {staff.notes} for delete to authenticated"
        " using (false)"
    )
    called = f"/rest/v1/rpc/{staff.routine}"
    headers = served.headers(writers[fresh]) | {"Content-Profile": fresh}
    assert served.http.post(called, headers=headers, json={}).status_code == 200
    assert served.migrate(fresh)["outcome"] == "migrated"
    assert staff.status(writers[fresh], fresh, staff.table) == 200
    assert served.http.post(called, headers=headers, json={}).status_code == 403
    assert served.drift(fresh) == findings(served, fresh) == []


UNKEEPABLE = (
    ("create table {0} (id int); grant select on {0} to anon", "to anon"),
    ("create table {0} (id int); grant select (id) on {0} to public", "to PUBLIC"),
    (
        "create function {0}() returns int language sql as 'select 1';"
        " grant execute on function {0}() to authenticated",
        "Name the routine in the fourth argument instead, array['{0}']",
    ),
    (
        "create view {0} with (security_invoker) as select 1 as id;"
        "create function {0}_w() returns trigger security definer language plpgsql"
        " as 'begin return new; end';"
        "create trigger w instead of insert on {0} for each row"
        " execute function {0}_w()",
        "past every policy. Make the function security invoker",
    ),
)


def test_grant_that_no_tenant_can_keep_fails_the_push(fleet: Fleet) -> None:
    latest = fleet.latest()
    for statements, reason in UNKEEPABLE:
        table = fleet.table()
        message = ""
        try:
            fleet.register(statements.replace("{0}", table))
        except psycopg.errors.ObjectNotInPrerequisiteState as refused:
            message = str(refused)
        assert reason.replace("{0}", table) in message, statements
        assert fleet.latest() == latest, statements

    # The same without such a grant is registered.
    table = fleet.table()
    fleet.register(f"create table {table} (id int); grant select on {table} to authenticated")
