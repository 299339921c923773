"""Backup, deletion and restoration of one tenant, with the commands of BACKUP.md."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from support.aged_log import seal_everything
from support.backup import Backup, programs
from support.environment import Environment, Person
from support.readme import block
from support.waiting import is_known, until
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database

Connection = psycopg.Connection[dict[str, Any]]

OLDER = Path("/usr/lib/postgresql/15/bin")

# Every object of the tenant with its owner, its comment and each privilege on it. The tests
# compare the rows separately.
CATALOG = """
with objects as (
    select 'schema' as kind, n.nspname::text as name, n.nspowner as owner, n.nspacl as acl,
        obj_description(n.oid, 'pg_namespace') as text
    from pg_namespace n where n.nspname = %(schema)s
    union all
    select 'relation ' || c.relkind::text, c.relname, c.relowner, c.relacl,
        concat_ws(' ', c.reloptions::text, c.relrowsecurity, obj_description(c.oid, 'pg_class'))
    from pg_class c where c.relnamespace = %(schema)s::regnamespace
    union all
    select 'routine', p.oid::regprocedure::text, p.proowner, p.proacl,
        concat_ws(' ', p.prosecdef, p.proconfig::text, p.prosrc)
    from pg_proc p where p.pronamespace = %(schema)s::regnamespace
    union all
    select 'trigger', format('%%s on %%s', t.tgname, c.relname), c.relowner, null,
        concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid))
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = %(schema)s::regnamespace and not t.tgisinternal
    union all
    select 'policy', format('%%s on %%s', p.polname, c.relname), c.relowner, null,
        concat_ws(' ', p.polcmd, p.polroles::regrole[]::text,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy p join pg_class c on c.oid = p.polrelid
    where c.relnamespace = %(schema)s::regnamespace
    union all
    select 'constraint', format('%%s on %%s', k.conname, c.relname), c.relowner, null,
        pg_get_constraintdef(k.oid)
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where c.relnamespace = %(schema)s::regnamespace
    union all
    select 'column', format('%%s.%%s', c.relname, a.attname), c.relowner, a.attacl,
        concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = %(schema)s::regnamespace and a.attnum > 0 and not a.attisdropped
)
select o.kind, o.name, o.owner::regrole::text as owner, o.text,
    array(
        select concat_ws(' ', a.privilege_type, a.grantee::regrole, a.grantor::regrole)
        from aclexplode(o.acl) a order by 1
    ) as privileges
from objects o order by 1, 2
"""


def catalog(sql: Connection, tenant: str) -> list[dict[str, Any]]:
    return sql.execute(CATALOG, {"schema": tenant}).fetchall()


def contents(sql: Connection, tenant: str, *tables: str) -> dict[str, list[Any]]:
    """All rows, and the last value of the audit log's identity."""
    rows = {
        table: sql.execute(
            SQL("select to_jsonb(t) as row from {} t order by 1").format(
                Identifier(tenant, table)
            )
        ).fetchall()
        for table in tables
    }
    last = SQL("select last_value, is_called from {}").format(
        Identifier(tenant, "audit_log_id_seq")
    )
    return {**rows, "sequence": sql.execute(last).fetchall()}


def registry(sql: Connection, tenant: str, *columns: str) -> dict[str, Any] | None:
    chosen = SQL(", ").join(map(Identifier, columns))
    query = SQL("select {} from public.tenants where schema_name = %s").format(chosen)
    return sql.execute(query, (tenant,)).fetchone()


def access(sql: Connection, tenant: str) -> list[dict[str, Any]]:
    return sql.execute(
        "select * from public.user_schema_access where schema_name = %s order by user_id",
        (tenant,),
    ).fetchall()


def verified(sql: Connection, tenant: str, head: str) -> dict[str, Any] | None:
    return sql.execute(
        "select is_intact, problem from public.verify_audit_log(%s, %s)", (tenant, head)
    ).fetchone()


def verification(sql: Connection, tenant: str, head: str) -> dict[str, Any]:
    found = sql.execute(
        "select * from public.verify_audit_log(%s, %s)", (tenant, head)
    ).fetchone()
    assert found is not None
    return found


def is_sealed(sql: Connection, tenant: str) -> bool:
    """Seals the tenant's audit log. Returns whether the seal covers all entries."""
    query = SQL(
        "select sealed_total = (select count(*) from {}) as is_sealed"
        " from public.seal_audit_log(%s)"
    )
    row = sql.execute(query.format(Identifier(tenant, "audit_log")), (tenant,)).fetchone()
    return row is not None and row["is_sealed"]


# What a backup must not change of the registry row.
LASTING = ("id", "display_name", "schema_version", "created_at")
INTACT = {"is_intact": True, "problem": None}


def exists(sql: Connection, tenant: str) -> bool:
    found = sql.execute("select to_regnamespace(%s) as schema", (tenant,)).fetchone()
    return found is not None and found["schema"] is not None


def status_of(environment: Environment, person: Person, tenant: str) -> int:
    return environment.rows(person, tenant, "orders").status_code


def destroy(environment: Environment, tenant: str) -> None:
    environment.suspend(tenant)
    environment.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))
    until(lambda: status_of(environment, environment.service, tenant) == 406)


def activate(environment: Environment, tenant: str, head: str) -> None:
    """The last block of BACKUP.md: two checks, and the activation."""
    statements = block("sql", "get_schema_drift").replace("acme", tenant)
    drift, verification, activation = statements.replace("<head>", head).strip().splitlines()
    assert environment.sql.execute(drift.encode()).fetchall() == []
    verified = environment.sql.execute(verification.encode()).fetchone()
    assert verified is not None
    assert (verified["is_intact"], verified["problem"]) == (True, None)
    environment.sql.execute(activation.encode())


class Acme:
    """A tenant with every kind of object, and its people."""

    tables = ("audit_log", "hidden", "orders", "settings", "users")

    def __init__(self, environment: Environment) -> None:
        self.name = environment.tenant()
        self.admin = environment.member(self.name, "admin")
        self.reader = environment.member(self.name, "read")
        self.former = environment.member(self.name, "read", "2026-01-01")
        self.leaver = environment.member(self.name, "write")
        self.stranger = environment.person()
        environment.rpc(
            self.admin,
            "create_table",
            schema_name=self.name,
            table_name="orders",
            description="What was ordered.",
            columns=[
                {"name": "id", "type": "uuid", "primary_key": True},
                {"name": "customer", "type": "uuid"},
                {"name": "note", "type": "text", "default": "it's \\N \t new\nline"},
            ],
        ).raise_for_status()
        environment.rpc(
            self.admin,
            "add_foreign_key",
            schema_name=self.name,
            table_name="orders",
            column_name="customer",
            foreign_table="users",
        ).raise_for_status()
        environment.rpc(
            self.admin,
            "add_column",
            schema_name=self.name,
            table_name="users",
            column_name="x_team",
            column_type="text",
        ).raise_for_status()
        environment.sql.execute(
            SQL(
                "create table {hidden} (secret text); insert into {hidden} values ('hidden');"
            ).format(hidden=Identifier(self.name, "hidden"))
        )
        for person in (self.admin, self.leaver):
            environment.rpc(
                person, "ensure_user_profile", schema_name=self.name
            ).raise_for_status()
        until(lambda: is_known(environment, self.name, "orders"))
        for note in ("first", 'se"cond\\'):
            self.order(environment, self.admin, note).raise_for_status()
        # While older transactions of other tests run, a seal leaves entries out.
        until(lambda: is_sealed(environment.sql, self.name))
        # Rows that stay refer to a user who will be deleted.
        environment.sql.execute(
            "update public.tenants set created_by = %s where schema_name = %s",
            (self.leaver.id, self.name),
        )
        environment.sql.execute(
            "update public.user_schema_access set granted_by = %s"
            " where schema_name = %s and user_id = %s",
            (self.leaver.id, self.name, self.reader.id),
        )

    def order(self, environment: Environment, person: Person, note: str) -> httpx.Response:
        row = {"id": str(uuid.uuid4()), "customer": self.admin.id, "note": note}
        return environment.rows(person, self.name, "orders", "POST", json=row)

    def order_when_known(
        self, environment: Environment, person: Person, note: str
    ) -> httpx.Response:
        """Repeats a write while it gets 404, until PostgREST has reloaded its schema cache."""
        replies: list[httpx.Response] = []

        def is_answered() -> bool:
            replies.append(self.order(environment, person, note))
            return replies[-1].status_code != 404

        until(is_answered)
        return replies[-1]


@pytest.fixture
def acme(environment: Environment) -> Acme:
    return Acme(environment)


def test_restored_tenant_equals_the_backed_up_one(
    environment: Environment, acme: Acme, tmp_path: Path
) -> None:
    backup = Backup(acme.name, tmp_path)
    head = backup.take(environment.address.db_url)
    was_catalog = catalog(environment.sql, acme.name)
    was_contents = contents(environment.sql, acme.name, *acme.tables)
    was_registry = registry(environment.sql, acme.name, *LASTING)
    was_access = access(environment.sql, acme.name)
    destroy(environment, acme.name)
    environment.sql.execute("delete from auth.users where id = %s", (acme.leaver.id,))

    restored = backup.restore(environment.address.db_url)
    assert (restored.returncode, restored.stderr) == (0, "")

    # The tenant is restored as suspended: closed to everybody.
    until(lambda: status_of(environment, acme.admin, acme.name) == 403)
    for person in (acme.reader, acme.stranger, environment.service):
        assert status_of(environment, person, acme.name) == 403
    privileges = str([row["privileges"] for row in catalog(environment.sql, acme.name)])
    assert "postgres" in privileges
    assert not any(role in privileges for role in ("anon", "authenticated", "service_role"))
    assert registry(
        environment.sql, acme.name, "status", "suspension_reason", "created_by"
    ) == {
        "status": "suspended",
        "suspension_reason": "restored from a backup",
        "created_by": None,
    }

    activate(environment, acme.name, head)

    assert catalog(environment.sql, acme.name) == was_catalog
    assert contents(environment.sql, acme.name, *acme.tables) == was_contents
    assert registry(environment.sql, acme.name, *LASTING) == was_registry
    assert access(environment.sql, acme.name) == [
        row | ({"granted_by": None} if str(row["granted_by"]) == acme.leaver.id else {})
        for row in was_access
        if str(row["user_id"]) != acme.leaver.id
    ]
    assert acme.leaver.id in {str(row["granted_by"]) for row in was_access}


def test_restored_and_activated_tenant_is_usable(
    environment: Environment, acme: Acme, tmp_path: Path
) -> None:
    backup = Backup(acme.name, tmp_path)
    head = backup.take(environment.address.db_url)
    destroy(environment, acme.name)
    assert backup.restore(environment.address.db_url).returncode == 0
    activate(environment, acme.name, head)
    # Everybody has the access of before, and nothing more.
    for person in (acme.stranger, acme.former):
        assert status_of(environment, person, acme.name) == 403
    for person in (acme.reader, acme.leaver, acme.admin, environment.service):
        assert status_of(environment, person, acme.name) == 200
    assert acme.order_when_known(environment, acme.leaver, "third").status_code == 201
    assert acme.order_when_known(environment, acme.reader, "forged").status_code == 403
    notes = environment.rows(acme.reader, acme.name, "orders").json()
    assert sorted(row["note"] for row in notes) == ["first", 'se"cond\\', "third"]
    hidden = environment.rows(environment.service, acme.name, "hidden")
    assert (hidden.status_code, hidden.json()["code"]) == (403, "42501")

    # The audit log continues, and is append-only as before.
    log = Identifier(acme.name, "audit_log")
    for statement in ("delete from {}", "update {} set action = 'forged'", "truncate {}"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            environment.sql.execute(SQL(statement).format(log))
    until(lambda: is_sealed(environment.sql, acme.name))
    assert verified(environment.sql, acme.name, head) == INTACT
    entries = environment.rpc(
        environment.service, "get_admin_audit_log", schema_name=acme.name
    ).json()
    assert [entry["action"] for entry in entries][:3] == [
        "tenant.activate",
        "tenant.restore",
        "tenant.delete",
    ]


def test_restored_log_still_says_what_was_pruned(
    environment: Environment, tmp_path: Path
) -> None:
    name = environment.tenant()
    pruning = "select removed from public.prune_audit_log(%s, now() - interval '91 days')"
    entry = SQL(
        "insert into {} (occurred_at, actor_role, action, table_name)"
        " values (now() - interval '100 days', 'postgres', 'insert', 'settings')"
    ).format(Identifier(name, "audit_log"))
    environment.sql.execute(entry)
    old_head = seal_everything(environment.sql, name)["head"]
    environment.sql.execute(entry)
    seal_everything(environment.sql, name)
    assert environment.sql.execute(pruning, (name,)).fetchone() == {"removed": 2}
    environment.sql.execute(
        SQL("insert into {}.settings (key) values ('young')").format(Identifier(name))
    )
    seal_everything(environment.sql, name)
    backup = Backup(name, tmp_path)
    head = backup.take(environment.address.db_url)
    before = verification(environment.sql, name, old_head)
    assert (before["is_intact"], before["pruned"]) == (True, 2)
    destroy(environment, name)

    assert backup.restore(environment.address.db_url).returncode == 0

    assert verification(environment.sql, name, old_head) == before
    assert verified(environment.sql, name, head) == INTACT
    # The log continues: new entries are sealed, and a head of them is found.
    environment.sql.execute(
        SQL("insert into {}.settings (key) values ('later')").format(Identifier(name))
    )
    later = seal_everything(environment.sql, name)["head"]
    assert verification(environment.sql, name, later)["checked"] == 2
    for each in (old_head, head, later):
        assert verified(environment.sql, name, each) == INTACT


def test_both_files_of_a_backup_have_one_snapshot(
    environment: Environment, acme: Acme, tmp_path: Path
) -> None:
    # During the backup a row is written, access is granted, and the log is sealed.
    concurrent = """psql "$DB_URL" -qX -v ON_ERROR_STOP=1 -o /dev/null <<'SQL'
        insert into acme.settings (key) values (gen_random_uuid()::text);
        select public.grant_schema_access('acme', 'the-stranger', 'read');
        select public.seal_audit_log('acme');
    """
    concurrent = f"{concurrent.strip()}\nSQL\n".replace("acme", acme.name)
    concurrent = concurrent.replace("the-stranger", str(acme.stranger.id))
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    pg_dump = overlay / "pg_dump"
    pg_dump.write_text(
        f'#!/bin/sh\nset -e\n{concurrent}"{programs()}/pg_dump" "$@"\n{concurrent}'
    )
    pg_dump.chmod(0o755)
    backup = Backup(acme.name, tmp_path, overlay)
    head = backup.take(environment.address.db_url)
    assert len(contents(environment.sql, acme.name, "settings")["settings"]) == 2
    destroy(environment, acme.name)

    assert backup.restore(environment.address.db_url).returncode == 0
    assert contents(environment.sql, acme.name, "settings")["settings"] == []
    assert verified(environment.sql, acme.name, head) == INTACT
    assert acme.stranger.id not in {
        str(row["user_id"]) for row in access(environment.sql, acme.name)
    }


def test_failed_dump_leaves_no_backup(
    environment: Environment, acme: Acme, tmp_path: Path
) -> None:
    (tmp_path / f"{acme.name}.dump").mkdir()
    with pytest.raises(AssertionError, match="There is no backup: pg_dump failed"):
        Backup(acme.name, tmp_path).take(environment.address.db_url)
    assert not (tmp_path / f"{acme.name}.rows").exists()


@pytest.mark.skipif(not OLDER.is_dir(), reason="PostgreSQL 15's programs are not there")
def test_older_programs_are_refused(
    environment: Environment, acme: Acme, tmp_path: Path
) -> None:
    """The older pg_dump refuses the server, and the older psql has no variable for that."""
    with pytest.raises(AssertionError, match="There is no backup: pg_dump failed"):
        Backup(acme.name, tmp_path, OLDER).take(environment.address.db_url)


def test_restore_is_complete_or_changes_nothing(
    environment: Environment, acme: Acme, tmp_path: Path
) -> None:
    backup = Backup(acme.name, tmp_path)
    backup.take(environment.address.db_url)

    # Restoring over an existing tenant fails and changes nothing.
    acme.order(environment, acme.admin, "after the backup").raise_for_status()
    before = (
        catalog(environment.sql, acme.name),
        contents(environment.sql, acme.name, *acme.tables),
    )
    assert backup.restore(environment.address.db_url).returncode != 0
    after = (
        catalog(environment.sql, acme.name),
        contents(environment.sql, acme.name, *acme.tables),
    )
    assert after == before
    assert status_of(environment, acme.admin, acme.name) == 200

    # Restoring from damaged files fails and leaves nothing.
    destroy(environment, acme.name)
    dump, rows = backup.dump.read_bytes(), backup.rows.read_bytes()
    for damage in (
        lambda: backup.rows.unlink(),
        lambda: backup.rows.write_bytes(rows[: len(rows) // 2].rstrip(b"\n")),
        lambda: backup.dump.unlink(),
        lambda: backup.dump.write_bytes(dump[: len(dump) - 200]),
    ):
        backup.dump.write_bytes(dump)
        backup.rows.write_bytes(rows)
        damage()
        assert backup.restore(environment.address.db_url).returncode != 0
        assert not exists(environment.sql, acme.name)
        assert registry(environment.sql, acme.name, "id") is None

    backup.dump.write_bytes(dump)
    assert backup.restore(environment.address.db_url).returncode == 0
    assert exists(environment.sql, acme.name)


def test_restore_into_another_project_keeps_access_of_known_users(
    environment: Environment, acme: Acme, tmp_path: Path, other_project: str
) -> None:
    backup = Backup(acme.name, tmp_path)
    head = backup.take(environment.address.db_url)
    with psycopg.connect(other_project, autocommit=True, row_factory=dict_row) as there:
        there.execute("insert into auth.users (id) values (%s)", (acme.reader.id,))
        restored = backup.restore(other_project)
        assert (restored.returncode, restored.stderr) == (0, "")

        there.execute("select public.activate_tenant(%s)", (acme.name,))
        assert catalog(there, acme.name) == catalog(environment.sql, acme.name)
        assert contents(there, acme.name, *acme.tables) == contents(
            environment.sql, acme.name, *acme.tables
        )
        assert [str(row["user_id"]) for row in access(there, acme.name)] == [acme.reader.id]
        assert verified(there, acme.name, head) == INTACT
        exposed = there.execute("select tenancy.exposed_schemas() as names").fetchone()
        assert exposed is not None
        assert acme.name in exposed["names"]


def test_restore_follows_the_order_of_the_other_project(
    server: Postgres, tmp_path: Path
) -> None:
    behind, latest = (
        Backup("moving", tmp_path / "behind"),
        Backup("moving", tmp_path / "latest"),
    )
    names = ("order_of_the_backup", "another_order")
    try:
        here_url, there_url = (server.create_database(name) for name in names)
        for url in (here_url, there_url):
            build_database(find_project(), url)
        with (
            psycopg.connect(here_url, autocommit=True) as here,
            psycopg.connect(there_url, autocommit=True) as there,
        ):
            register(here, "notes")
            here.execute("select public.create_tenant_schema('moving')")
            here.execute("insert into moving.settings (key) values ('kept')")
            # Sealing leaves out what is younger than a transaction of another test.
            with psycopg.connect(here_url, autocommit=True, row_factory=dict_row) as sealer:
                until(lambda: is_sealed(sealer, "moving"))
            take(behind, here_url)
            register(here, "labels")
            here.execute("select public.migrate_tenant('moving')")
            take(latest, here_url)
            register(there, "labels")
            register(there, "notes")

            # The tenant has notes and lacks labels, which no version there stands for.
            refused = behind.restore(there_url)
            assert refused.returncode != 0
            assert "received exactly the migrations of this backup" in refused.stderr
            assert there.execute("select count(*) from public.tenants").fetchone() == (0,)

            # With both it is at own_labels here, and at own_notes there.
            restored = latest.restore(there_url)
            assert (restored.returncode, restored.stderr) == (0, "")
            versions = "select t.schema_version from public.tenants t"
            assert here.execute(versions).fetchone() == ("own_labels",)
            assert there.execute(versions).fetchone() == ("own_notes",)
            assert not there.execute("select public.get_schema_drift('moving')").fetchall()
            assert not there.execute("select public.list_tenants_behind()").fetchall()
    finally:
        for name in names:
            server.drop_database(name)


def register(database: psycopg.Connection, table: str) -> None:
    database.execute(
        "select tenancy.register_tenant_migration(%s, 'test', %s)",
        (f"own_{table}", f"create table {table} (id int primary key)"),
    )


def take(backup: Backup, db_url: str) -> None:
    backup.folder.mkdir()
    backup.take(db_url)
