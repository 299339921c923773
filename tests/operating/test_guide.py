"""The SQL of supabase/GUIDE.md does what the guide says, for each kind of caller.

The functions of its last part are tried through Auth and the Data API in test_owner_functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from support.databases import complete_database
from support.readme import GUIDE, block
from tenantry_cli.emulator.postgres import Postgres

MEMBERS = {"ann": "write", "bob": "write", "rita": "read", "olga": "admin"}
PEOPLE = (*MEMBERS, "stranger", "gus")
DENIED = psycopg.errors.InsufficientPrivilege
Rows = list[dict[str, Any]]


@dataclass
class Project:
    """The project of a reader who has applied the guide's blocks in their order."""

    session: psycopg.Connection[dict[str, Any]]
    ids: dict[str, str] = field(default_factory=dict)

    def run(self, statement: str, *values: Any) -> Rows:
        cursor = self.session.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def acting(self, name: str | None, role: str = "authenticated") -> Iterator[None]:
        """As PostgREST acts for a request. What is refused is rolled back."""
        claims = {"role": role} | ({"sub": self.ids[name]} if name else {})
        with self.session.transaction():
            self.run("select set_config('request.jwt.claims', %s::text, true)", Jsonb(claims))
            self.run("select set_config('role', %s, true)", role)
            yield
            self.run("reset role")
            self.run("select set_config('request.jwt.claims', '', true)")

    def ask(self, name: str | None, statement: str, *values: Any) -> Rows:
        with self.acting(name):
            return self.run(statement, *values)

    def grant(self, tenant: str, name: str, level: str) -> None:
        self.run("select public.grant_schema_access(%s, %s, %s)", tenant, self.ids[name], level)

    def add_note(self, name: str, body: str = "text", tenant: str = "acme") -> int:
        statement = "insert into acme.notes (body) values (%s) returning id"
        [row] = self.ask(name, statement.replace("acme", tenant), body)
        return int(row["id"])


@pytest.fixture(scope="module")
def applied(server: Postgres) -> Iterator[Project]:
    with (
        complete_database(server) as name,
        psycopg.connect(server.url(name), row_factory=dict_row) as session,
    ):
        project = Project(session)
        own, _ = GUIDE.split("## SQL of your own")
        project.run("select public.create_tenant_schema('behind')")
        for text in re.findall(r"^```sql\n(.*?)^```", own, re.DOTALL | re.MULTILINE):
            project.run(text)
        for tenant in ("acme", "globex"):
            project.run("select public.create_tenant_schema(%s)", tenant)
        for person in PEOPLE:
            [row] = project.run(
                "insert into auth.users (id, email, aud, role) values (gen_random_uuid(), %s,"
                " 'authenticated', 'authenticated') returning id::text",
                f"{person}@example.com",
            )
            project.ids[person] = row["id"]
        for person, level in MEMBERS.items():
            project.grant("acme", person, level)
        project.grant("globex", "gus", "write")
        session.commit()
        yield project


@pytest.fixture
def project(applied: Project) -> Iterator[Project]:
    with applied.session.transaction(force_rollback=True):
        yield applied


def test_guide_leaves_nothing_to_repair(project: Project) -> None:
    for _ in range(5):
        if not project.run("select * from public.list_tenants_behind()"):
            break
        [done] = project.run("select (public.migrate_tenant('behind')).*")
        assert done["outcome"] == "migrated", done
    for tenant in ("behind", "acme"):
        assert project.run("select * from public.get_schema_drift(%s)", tenant) == []
        assert project.run("select * from tenancy.tenant_findings(%s)", tenant) == []
    assert project.run("select * from tenancy.platform_findings()") == []


def test_member_sees_own_rows_and_the_permission_all(project: Project) -> None:
    project.run("select public.define_role('acme', 'auditor', '{expenses.read_all}')")
    project.run(
        "select public.grant_schema_access('acme', %s, 'write', roles => '{auditor}')",
        project.ids["bob"],
    )
    add = "insert into acme.expenses (owner_id, amount) values (%s, 1) returning id"
    of_ann = project.ask("ann", add, project.ids["ann"])[0]["id"]
    of_rita = project.ask("bob", add, project.ids["rita"])[0]["id"]
    of_olga = project.ask("olga", add, project.ids["olga"])[0]["id"]

    def seen(name: str) -> list[int]:
        return [row["id"] for row in project.ask(name, "select id from acme.expenses")]

    assert {name: seen(name) for name in ("ann", "rita", "bob", "olga", "gus")} == {
        "ann": [of_ann],
        "rita": [of_rita],
        "bob": [of_ann, of_rita, of_olga],
        "olga": [of_ann, of_rita, of_olga],
        "gus": [],
    }
    for name in ("rita", "ann", "gus"):
        # To return a row, they would have to see it.
        with pytest.raises(DENIED):
            project.ask(name, add.removesuffix(" returning id"), project.ids["bob"])
    with pytest.raises(DENIED):
        # A reader writes nothing, not even a row of their own.
        project.ask("rita", add, project.ids["rita"])
    # Without a condition, PostgreSQL does not ask which rows the user sees.
    for name in ("rita", "ann", "gus"):
        project.ask(name, "update acme.expenses set amount = 2")
    with pytest.raises(DENIED):
        project.ask("ann", "update acme.expenses set owner_id = %s", project.ids["bob"])
    changed = project.run("select id from acme.expenses where amount = 2")
    assert [row["id"] for row in changed] == [of_ann]
    for name in ("rita", "ann", "gus"):
        project.ask(name, "delete from acme.expenses")
    assert seen("bob") == [of_rita, of_olga]
    project.ask("bob", "update acme.expenses set owner_id = %s", project.ids["bob"])
    project.ask("bob", "delete from acme.expenses where id = %s", of_olga)
    assert seen("bob") == [of_rita]


def test_writer_changes_own_rows_alone(project: Project) -> None:
    note = project.add_note("ann")
    for person in MEMBERS:
        assert len(project.ask(person, "select * from acme.notes")) == 1
    assert project.ask("gus", "select * from acme.notes") == []
    with pytest.raises(DENIED):
        project.ask(
            "ann",
            "insert into acme.notes (body, author) values ('forged', %s)",
            project.ids["bob"],
        )
    for person in ("rita", "stranger", "gus"):
        with pytest.raises(DENIED):
            project.add_note(person)

    change = "update acme.notes set body = %s where id = %s returning body"
    remove = "delete from acme.notes where id = %s returning id"
    for person in ("bob", "rita", "stranger", "gus"):
        assert project.ask(person, change, "forged", note) == []
        assert project.ask(person, remove, note) == []
    for person in ("ann", "olga"):
        assert project.ask(person, change, person, note) == [{"body": person}]
    with pytest.raises(DENIED):
        project.ask(
            "ann", "update acme.notes set author = %s where id = %s", project.ids["bob"], note
        )
    assert project.ask("olga", remove, note) == [{"id": note}]
    assert project.ask("ann", remove, project.add_note("ann")) != []


def test_policy_of_the_guide_without_restrictive_would_let_others_write(
    project: Project,
) -> None:
    note = project.add_note("ann")
    change = "update acme.notes set body = 'by bob' where id = %s returning body"
    assert project.ask("bob", change, note) == []

    project.run("drop policy update_own on acme.notes")
    project.run(
        "create policy update_own on acme.notes for update to authenticated"
        " using (author = (select auth.uid()))"
    )

    assert project.ask("bob", change, note) == [{"body": "by bob"}]


def test_restrictive_policy_for_select_hides_rows_from_updates(project: Project) -> None:
    note = project.add_note("ann")
    project.run(
        "create policy select_own on acme.notes as restrictive for select to authenticated"
        " using (author = (select auth.uid()))"
    )

    assert project.ask("olga", "select * from acme.notes") == []
    change = "update acme.notes set body = 'x' where id = %s"
    assert project.ask("olga", f"{change} returning 1 as one", note) == []
    assert project.ask("ann", f"{change} returning 1 as one", note) == [{"one": 1}]


def test_service_key_and_owner_ignore_policies(project: Project) -> None:
    note = project.add_note("ann")
    change = "update acme.notes set body = 'x' where id = %s returning 1 as one"
    with project.acting(None, "service_role"):
        assert project.run(change, note) == [{"one": 1}]
    assert project.run(change, note) == [{"one": 1}]


def test_members_read_the_shared_table_and_embed_it(project: Project) -> None:
    project.run("insert into public.products values (1, 'hammer', false), (2, 'secret', true)")
    project.ask("ann", "insert into acme.orders values (gen_random_uuid(), 1)")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        project.ask("ann", "insert into acme.orders values (gen_random_uuid(), 9)")

    embedded = "select p.name from acme.orders o join acme.products p on p.id = o.product_id"
    assert project.ask("rita", embedded) == [{"name": "hammer"}]
    assert project.ask("gus", embedded) == []
    for person in ("rita", "stranger"):
        found = project.ask(person, "select name from public.products")
        assert found == [{"name": "hammer"}]
        with pytest.raises(DENIED):
            project.ask(person, "update public.products set name = 'forged'")
    with pytest.raises(DENIED), project.acting(None, "anon"):
        project.run("select * from public.products")


def test_view_shows_what_its_caller_may_read(project: Project) -> None:
    project.add_note("ann")
    assert project.ask("rita", "select notes from acme.note_counts") == [{"notes": 1}]
    assert project.ask("gus", "select notes from acme.note_counts") == []
    text = block("sql", "note_counts").replace("20270303090000", "20270303090001")
    with pytest.raises(psycopg.Error, match="security_invoker"), project.session.transaction():
        project.run(
            text.replace("note_counts", "open_counts").replace(
                " with (security_invoker = true)", ""
            )
        )


def test_view_in_public_without_invoker_is_reported(project: Project) -> None:
    findings = (
        "select object from tenancy.platform_findings() where kind <> 'warning: tenants behind'"
    )
    view = "create view public.all_notes {} as select * from acme.notes"
    for options, expected in (("with (security_invoker = true)", 0), ("", 1)):
        with project.session.transaction(force_rollback=True):
            project.run(view.replace("{}", options))
            project.run("grant select on public.all_notes to authenticated")
            assert len(project.run(findings)) == expected
            project.add_note("ann")
            shown = project.ask("gus", "select * from public.all_notes")
            assert len(shown) == expected


def test_named_routine_of_the_tenant_can_be_called(project: Project) -> None:
    project.add_note("ann", "Invoice 7")
    project.add_note("ann", "Lunch")
    search = "select body from acme.search_notes('invoice')"

    for person in ("ann", "rita"):
        assert project.ask(person, search) == [{"body": "Invoice 7"}]
    assert project.ask("gus", search) == []
    # Not named in the last argument.
    [row] = project.run(
        "select has_function_privilege('authenticated', 'acme.stamp_note()', 'execute') as may"
    )
    assert row == {"may": False}
    project.run("select public.suspend_tenant('acme')")
    with pytest.raises(DENIED):
        project.ask("ann", search)


def test_rpc_of_the_project_reads_what_its_caller_may_read(project: Project) -> None:
    project.grant("globex", "ann", "write")
    for tenant in ("acme", "globex"):
        project.add_note("ann", f"of {tenant}", tenant)
    project.add_note("gus", "of gus", "globex")
    notes = "select * from public.my_notes() order by 1"

    assert project.ask("ann", notes) == [
        {"tenant": tenant, "body": f"of {tenant}"} for tenant in ("acme", "globex")
    ]
    assert project.ask("gus", notes) == [{"tenant": "globex", "body": "of gus"}]
    assert project.ask("stranger", notes) == []
    with pytest.raises(DENIED), project.acting(None, "anon"):
        project.run(notes)
    project.run("select public.suspend_tenant('acme')")
    assert project.ask("ann", notes) == [{"tenant": "globex", "body": "of globex"}]


def test_trigger_stamps_rows_of_each_tenant_and_the_audit_log(project: Project) -> None:
    for person, tenant in (("ann", "acme"), ("gus", "globex")):
        note = project.add_note(person, tenant=tenant)
        stamped = "select changed_at is not null as stamped from acme.notes where id = %s"
        logged = (
            "select new_values ->> 'changed_at' is not null as stamped from acme.audit_log"
            " where table_name = 'notes'"
        )
        [row] = project.ask(person, stamped.replace("acme", tenant), note)
        assert row == {"stamped": True}
        [entry] = project.run(logged.replace("acme", tenant))
        assert entry == {"stamped": True}
