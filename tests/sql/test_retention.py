"""Retention: nobody covers their tracks by pruning, and the chain says what was pruned.

The tests of the platform's log and of the settings have a database of their own.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from support.aged_log import PLATFORM, age_entries, log_of, seal_everything
from support.audited_call import audited_call
from support.databases import complete_database
from support.environment import Environment
from tenantry_cli.emulator.postgres import Postgres

Row = dict[str, Any]

TENANT = "acme"


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@dataclass(frozen=True)
class Platform:
    """A project with one tenant and one person of each platform role, reached by SQL."""

    sql: psycopg.Connection[Row]
    admin: str
    super_admin: str

    def call(self, user_id: str | None, rpc: str, *arguments: Any) -> Row:
        """An RPC as a signed-in user, or as `postgres`."""
        with self.sql.transaction():
            if user_id is not None:
                claims = json.dumps({"sub": user_id, "role": "authenticated"})
                self.sql.execute(
                    "select set_config('request.jwt.claims', %s, true),"
                    " set_config('role', 'authenticated', true)",
                    (claims,),
                )
            places = SQL(", ").join([SQL("%s")] * len(arguments))
            row = self.sql.execute(
                SQL("select * from {}({})").format(Identifier("public", rpc), places), arguments
            ).fetchone()
        assert row is not None
        return row

    def refusal(self, user_id: str | None, rpc: str, *arguments: Any) -> tuple[str, str]:
        with pytest.raises(psycopg.Error) as refused:
            self.call(user_id, rpc, *arguments)
        return refused.value.sqlstate or "", refused.value.diag.message_detail or ""

    def seal(self, log: str = PLATFORM) -> str:
        return str(seal_everything(self.sql, log)["head"])

    def verify(self, head: str | None = None, log: str = PLATFORM) -> Row:
        return self.call(None, "verify_audit_log", None if log == PLATFORM else log, head)

    def prune(self, days: float = 91, log: str = PLATFORM) -> Row:
        arguments = (None if log == PLATFORM else log, ago(days))
        return self.call(self.super_admin, "prune_audit_log", *arguments)

    def pass_days(self, days: int, *logs: str) -> None:
        for log in logs or (PLATFORM, TENANT):
            age_entries(self.sql, log, days)

    def actions(self) -> list[str]:
        """The actions in the platform's log, oldest first."""
        found = self.sql.execute("select action from public.admin_audit_log order by id")
        return [row["action"] for row in found]

    def retain(self, days: int) -> None:
        self.sql.execute(
            "update tenancy.platform_settings set audit_retention_days = %s where singleton",
            (days,),
        )

    def rename(self, name: str) -> None:
        """An action on no access: its entry does not outlive the retention."""
        self.sql.execute(
            "select tenancy.log_action('tenant.suspend', t,"
            " jsonb_build_object('name', %s::text)) from public.tenants t",
            (name,),
        )


@pytest.fixture(scope="module")
def project(server: Postgres) -> Iterator[str]:
    """A database with all migrations, from which each test gets a copy."""
    with complete_database(server) as name:
        yield name


@contextmanager
def copied(server: Postgres, project: str) -> Iterator[Platform]:
    name = f"text_{secrets.token_hex(6)}"
    try:
        with psycopg.connect(server.admin_url("template1"), autocommit=True) as owner:
            owner.execute(
                SQL("create database {} template {}").format(
                    Identifier(name), Identifier(project)
                )
            )
            # A copy has the contents of a database, and not its privileges.
            owner.execute(
                SQL("grant create on database {} to postgres").format(Identifier(name))
            )
        with psycopg.connect(server.url(name), autocommit=True, row_factory=dict_row) as sql:
            people = [str(uuid.uuid4()) for _ in range(2)]
            for person in people:
                sql.execute("insert into auth.users (id) values (%s)", (person,))
            made = Platform(sql, *people)
            made.call(None, "promote_to_admin", made.admin, "admin")
            made.call(None, "promote_to_admin", made.super_admin, "super_admin")
            made.call(made.admin, "create_tenant_schema", TENANT)
            yield made
    finally:
        server.drop_database(name)


@pytest.fixture
def platform(server: Postgres, project: str) -> Iterator[Platform]:
    with copied(server, project) as platform:
        yield platform


# Covered tracks -------------------------------------------------------------------------


def test_admin_who_looks_inside_cannot_remove_the_trace(platform: Platform) -> None:
    platform.seal()
    platform.call(platform.admin, "open_support_access", TENANT, "why", 60, "admin")
    platform.call(platform.admin, "ensure_user_profile", TENANT)
    platform.call(platform.admin, "revoke_schema_access", TENANT, platform.admin)
    heads = {log: platform.seal(log) for log in (PLATFORM, TENANT)}

    now = datetime.now(UTC)
    assert platform.refusal(platform.admin, "prune_audit_log", None, now) == (
        "42501",
        "forbidden",
    )
    assert platform.refusal(platform.admin, "prune_audit_log", TENANT, now) == (
        "PT409",
        "retention_floor",
    )
    # Nor does a super_admin, the service key or SQL remove it for them.
    for caller in (platform.super_admin, None):
        for log in (None, TENANT):
            refused = platform.refusal(caller, "prune_audit_log", log, now)
            assert refused == ("PT409", "retention_floor")
    # The positive control: both calls succeed for entries that are old enough.
    platform.call(platform.super_admin, "prune_audit_log", None, ago(91))
    platform.call(platform.admin, "prune_audit_log", TENANT, ago(91))

    assert platform.actions()[-3:] == ["support.open", "profile.create", "support.close"]
    for log, head in heads.items():
        found = platform.verify(head, log)
        assert (found["is_intact"], found["pruned"], found["prunings"]) == (True, 0, [])


def test_trace_of_access_outlives_the_retention(platform: Platform) -> None:
    platform.call(platform.admin, "open_support_access", TENANT, "why", 60, "admin")
    platform.call(platform.admin, "ensure_user_profile", TENANT)
    platform.call(platform.admin, "revoke_schema_access", TENANT, platform.admin)
    platform.pass_days(100)
    heads = {log: platform.seal(log) for log in (PLATFORM, TENANT)}

    pruned = {log: platform.prune(log=log) for log in (PLATFORM, TENANT)}

    assert {log: row["removed"] for log, row in pruned.items()} == {PLATFORM: 2, TENANT: 1}
    assert platform.actions() == [
        *("admin.promote", "admin.promote", "support.open", "support.close"),
        *("audit.prune", "audit.prune"),
    ]
    platform.seal()
    for log, head in heads.items():
        found = platform.verify(head, log)
        assert (found["is_intact"], found["pruned"]) == (True, pruned[log]["removed"])
        (pruning,) = found["prunings"]
        assert (
            pruning.items()
            >= {
                "actor_id": platform.super_admin,
                "actor_role": "super_admin",
                "removed": pruned[log]["removed"],
            }.items()
        )
        assert pruning["head"] == pruned[log]["head"] == head
        assert platform.verify("0" * 64, log)["problem"] == "head_not_found"


def test_platforms_log_is_pruned_by_super_admins_alone(platform: Platform) -> None:
    platform.pass_days(100)
    platform.seal()

    refused = platform.refusal(platform.admin, "prune_audit_log", None, ago(91))
    assert refused == ("42501", "forbidden")
    assert "tenant.create" in platform.actions()

    done = platform.call(platform.super_admin, "prune_audit_log", None, ago(91))
    assert done["removed"] == 1
    assert "tenant.create" not in platform.actions()


# The floor ------------------------------------------------------------------------------


def test_refusal_names_the_earliest_moment_and_that_moment_is_accepted(
    platform: Platform,
) -> None:
    with pytest.raises(psycopg.Error, match="keep their entries for 90 days") as refused:
        platform.call(platform.admin, "prune_audit_log", TENANT, ago(89))

    moment = str(refused.value.diag.message_primary).split('"')[3]
    assert abs(datetime.fromisoformat(moment) - ago(90)) < timedelta(minutes=1)
    platform.call(platform.admin, "prune_audit_log", TENANT, moment)


def test_floor_does_not_depend_on_the_time_zone(platform: Platform) -> None:
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin"):
        platform.sql.execute("select set_config('timezone', %s, false)", (zone,))
        refused = platform.refusal(platform.admin, "prune_audit_log", TENANT, ago(89.99))
        assert refused == ("PT409", "retention_floor")
        platform.call(platform.admin, "prune_audit_log", TENANT, ago(90.01))


def allowed(platform: Platform) -> int:
    """The age in days that entries must have to be pruned."""
    row = platform.sql.execute("select tenancy.audit_retention_days() as days").fetchone()
    assert row is not None
    return int(row["days"])


def test_longer_retention_applies_at_once(platform: Platform) -> None:
    platform.retain(365)

    refused = platform.refusal(platform.admin, "prune_audit_log", TENANT, ago(364))
    assert refused == ("PT409", "retention_floor")
    platform.call(platform.admin, "prune_audit_log", TENANT, ago(366))


def test_shorter_retention_waits_as_long_as_the_longer_one(platform: Platform) -> None:
    platform.retain(7)

    refused = platform.refusal(platform.admin, "prune_audit_log", TENANT, ago(89))
    assert refused == ("PT409", "retention_floor")

    def after(days: int) -> int:
        """What applies that many days later. The transaction is rolled back."""
        with platform.sql.transaction(force_rollback=True):
            platform.sql.execute("alter table tenancy.retention_floors disable trigger user")
            platform.sql.execute(
                "update tenancy.retention_floors f"
                " set set_at = f.set_at - make_interval(days => %s) where true",
                (days,),
            )
            return allowed(platform)

    assert after(89) == 90
    assert after(91) == 7
    # In between it is raised and lowered again: the longer time begins anew.
    platform.retain(60)
    platform.retain(0)
    assert (after(59), after(61), after(89), after(91)) == (90, 90, 90, 0)
    with platform.sql.transaction(force_rollback=True):
        platform.retain(365)
        platform.retain(0)
        assert (after(364), after(366)) == (365, 0)


def test_change_of_the_retention_is_logged_and_recorded(platform: Platform) -> None:
    platform.retain(30)
    platform.retain(30)
    platform.sql.execute("update tenancy.platform_settings set max_tables = 9 where singleton")
    # Deleting the row of settings is no way around the trigger.
    platform.sql.execute("delete from tenancy.platform_settings where singleton")
    assert allowed(platform) == 90
    platform.sql.execute(
        "insert into tenancy.platform_settings (audit_retention_days) values (5)"
    )
    assert allowed(platform) == 90

    entries = platform.sql.execute(
        "select actor_role, details from public.admin_audit_log"
        " where action = 'audit.retention' order by id"
    ).fetchall()
    assert entries == [
        {"actor_role": "postgres", "details": {"before": 90, "after": 30}},
        {"actor_role": "postgres", "details": {"before": 30, "after": 5}},
    ]
    for days in (-1, 36501):
        with pytest.raises(psycopg.errors.CheckViolation):
            platform.retain(days)


def test_nobody_changes_the_history_of_the_retention(platform: Platform) -> None:
    for statement in (
        "update tenancy.retention_floors set days = 0 where true",
        "delete from tenancy.retention_floors where true",
        "truncate tenancy.retention_floors",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            platform.sql.execute(statement.encode())
    tables = ("retention_floors", "audit_prunings", "platform_settings", "audit_seal_runs")
    for role in ("anon", "authenticated", "service_role"):
        for table in tables:
            for privilege in ("select", "insert", "update", "delete", "truncate"):
                found = platform.sql.execute(
                    "select has_table_privilege(%s, %s, %s) as has",
                    (role, f"tenancy.{table}", privilege),
                ).fetchone()
                assert found == {"has": False}, (role, table, privilege)
        found = platform.sql.execute(
            "select has_sequence_privilege(%s, 'tenancy.retention_floors_id_seq',"
            " 'usage, select, update') as has",
            (role,),
        ).fetchone()
        assert found == {"has": False}, role


def test_without_any_setting_ninety_days_apply(platform: Platform) -> None:
    with platform.sql.transaction(force_rollback=True):
        platform.sql.execute("alter table tenancy.retention_floors disable trigger user")
        platform.sql.execute("delete from tenancy.retention_floors where true")
        platform.sql.execute("delete from tenancy.platform_settings where true")
        assert allowed(platform) == 90


# The chain around what stays ------------------------------------------------------------


def test_every_head_is_found_after_many_prunings(platform: Platform) -> None:
    """Lasting entries and others alternate; some prunings end at a lasting entry."""
    heads: list[str] = []
    removed = 0
    for step in range(12):
        if step % 3:
            platform.rename(f"step {step}")
        if step % 4:
            level = "read" if step % 2 else "write"
            platform.call(None, "grant_schema_access", TENANT, platform.admin, level)
        if step % 5 == 4:
            platform.rename("another")
        platform.pass_days(100 - step, PLATFORM)
        heads.append(platform.seal())
        if step % 3 == 2:
            pruned = platform.prune(91 if step < 9 else 90.5)
            removed += pruned["removed"]
            heads.append(pruned["head"])
            platform.pass_days(100 - step, PLATFORM)
            heads.append(platform.seal())
        for head in heads:
            found = platform.verify(head)
            assert found["is_intact"], (step, heads.index(head), found)
            assert found["pruned"] == removed
    assert removed > 5
    left = platform.sql.execute("select count(*) as n from public.admin_audit_log").fetchone()
    assert left == {"n": found["checked"]}
    assert sum(pruning["removed"] for pruning in found["prunings"]) == removed
    links = platform.sql.execute(
        "select count(*) as n from tenancy.audit_seals where schema_name = 'public'"
    ).fetchone()
    # One link for each entry, and the anchor.
    assert links is not None
    assert links["n"] - found["checked"] in (0, 1)


@pytest.fixture(scope="module")
def pruned(server: Postgres, project: str) -> Iterator[tuple[Platform, str, str]]:
    """A platform with kept and removed entries, and a head from before and after."""
    with copied(server, project) as platform:
        platform.rename("first")
        platform.call(None, "grant_schema_access", TENANT, platform.admin, "read")
        platform.rename("second")
        platform.call(None, "grant_schema_access", TENANT, platform.admin, "write")
        platform.rename("third")
        platform.pass_days(100, PLATFORM)
        before = platform.seal()
        assert platform.prune()["removed"] == 4
        platform.rename("fourth")
        yield platform, before, platform.seal()


TAMPERINGS = {
    "kept entry changed": (
        "update public.admin_audit_log set details = '{{}}' where id = {kept}",
        "changed",
    ),
    "kept entry removed": ("delete from public.admin_audit_log where id = {kept}", "removed"),
    "kept entry and its link removed": (
        "delete from public.admin_audit_log where id = {kept};"
        "delete from tenancy.audit_seals where schema_name = 'public' and entry_id = {kept}",
        "seal_changed",
    ),
    "kept entry said to be pruned": (
        "delete from public.admin_audit_log where id = {kept};"
        "delete from tenancy.audit_seals where schema_name = 'public' and entry_id = {kept};"
        "update tenancy.audit_prunings set removed = removed + 1 where schema_name = 'public'",
        "seal_changed",
    ),
    "link of a kept entry no longer lasting": (
        "update tenancy.audit_seals set is_lasting = false, hash = ''"
        " where schema_name = 'public' and entry_id = {kept}",
        "seal_changed",
    ),
    "hash of the lasting chain changed": (
        "update tenancy.audit_seals set lasting_hash = sha256(lasting_hash)"
        " where schema_name = 'public' and entry_id = {kept}",
        "seal_changed",
    ),
    "anchor changed": (
        "update tenancy.audit_seals set hash = sha256(hash)"
        " where schema_name = 'public' and is_anchor",
        "seal_changed",
    ),
    "anchor removed": (
        "delete from tenancy.audit_seals where schema_name = 'public' and is_anchor",
        "seal_changed",
    ),
    "another anchor": (
        "update tenancy.audit_seals set is_anchor = true"
        " where schema_name = 'public' and entry_id = {kept}",
        "seal_changed",
    ),
    "record of the pruning removed": (
        "delete from tenancy.audit_prunings where schema_name = 'public'",
        "seal_changed",
    ),
    "record of the pruning changed": (
        "update tenancy.audit_prunings set removed = 1 where schema_name = 'public'",
        "seal_changed",
    ),
    "removed entry written again": (
        "insert into public.admin_audit_log (id, actor_role, action) overriding system value"
        " select s.entry_id, 'postgres', 'tenant.create' from tenancy.audit_seals s"
        " where s.schema_name = 'public' and s.is_anchor",
        "inserted",
    ),
    "removed entry in the middle written again": (
        "insert into public.admin_audit_log (id, actor_role, action) overriding system value"
        " values ({kept} + 1, 'postgres', 'tenant.create')",
        "inserted",
    ),
    "the whole lasting chain rewritten": (
        "delete from public.admin_audit_log where id = {kept};"
        "delete from tenancy.audit_seals where schema_name = 'public' and entry_id = {kept};"
        "update tenancy.audit_prunings set removed = removed + 1 where schema_name = 'public';"
        "do $$ declare s record; l bytea := ''; begin"
        "  for s in select * from tenancy.audit_seals where schema_name = 'public'"
        "    order by place loop"
        "    if s.is_lasting then l := sha256(l || s.entry_hash); end if;"
        "    update tenancy.audit_seals set lasting_hash = l"
        "      where schema_name = 'public' and place = s.place;"
        "  end loop;"
        "end $$",
        "head_not_found",
    ),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_every_tampering_around_a_pruning_is_found(
    pruned: tuple[Platform, str, str], kind: str
) -> None:
    platform, *heads = pruned
    statement, problem = TAMPERINGS[kind]
    kept = platform.sql.execute(
        "select min(id) as id from public.admin_audit_log where action = 'access.grant'"
    ).fetchone()
    assert kept is not None

    for head in heads:
        assert platform.verify(head)["is_intact"]
        with platform.sql.transaction(force_rollback=True):
            platform.sql.execute("alter table public.admin_audit_log disable trigger user")
            platform.sql.execute(statement.format(kept=kept["id"]).encode())
            found = platform.verify(head)
        assert (found["is_intact"], found["problem"]) == (False, problem)


def test_forged_pruning_needs_a_forged_record(platform: Platform) -> None:
    """Whoever moves the anchor by hand has to say in a record that they pruned."""
    platform.rename("hidden")
    platform.seal()
    with platform.sql.transaction(force_rollback=True):
        platform.sql.execute(
            "alter table public.admin_audit_log disable trigger user;"
            "delete from public.admin_audit_log where action = 'tenant.suspend';"
            "update tenancy.audit_seals s set is_anchor = true where schema_name = 'public'"
            " and place = (select max(place) from tenancy.audit_seals"
            " where schema_name = 'public');"
            "update tenancy.audit_seals s set hash = null where schema_name = 'public'"
            " and is_lasting and not is_anchor;"
            "delete from tenancy.audit_seals where schema_name = 'public'"
            " and not is_lasting and not is_anchor"
        )
        found = platform.verify()
    assert (found["is_intact"], found["problem"]) == (False, "seal_changed")


def test_pruning_says_how_many_entries_were_gone_before(platform: Platform) -> None:
    for name in ("first", "second", "third"):
        platform.rename(name)
    platform.pass_days(100, PLATFORM)
    head = platform.seal()
    platform.sql.execute(
        "begin; alter table public.admin_audit_log disable trigger user;"
        "delete from public.admin_audit_log where details ->> 'name' = 'second';"
        "alter table public.admin_audit_log enable trigger user; commit"
    )
    assert platform.verify(head)["problem"] == "removed"

    platform.prune()

    platform.seal()
    found = platform.verify(head)
    assert (found["is_intact"], found["pruned"]) == (True, 3)
    assert (found["prunings"][0]["removed"], found["prunings"][0]["missing"]) == (3, 1)


def test_pruning_that_removes_nothing_changes_nothing(platform: Platform) -> None:
    head = platform.seal()

    for _ in range(2):
        assert platform.prune() == {"schema_name": "public", "removed": 0, "head": None}

    found = platform.verify(head)
    assert (found["is_intact"], found["prunings"], found["head"]) == (True, [], head)
    assert "audit.prune" not in platform.actions()


# Other ways in which an entry can go ----------------------------------------------------


def test_deletion_of_a_tenant_keeps_what_its_log_was(platform: Platform) -> None:
    platform.call(None, "grant_schema_access", TENANT, platform.admin, "admin")
    platform.call(platform.admin, "ensure_user_profile", TENANT)
    platform.pass_days(100, TENANT)
    platform.seal(TENANT)
    platform.prune(log=TENANT)
    for name in ("second", "third"):
        platform.call(platform.admin, "update_user_profile", TENANT, name)
    head = platform.seal(TENANT)
    platform.call(platform.super_admin, "suspend_tenant", TENANT)
    platform.call(platform.super_admin, "delete_tenant_schema", TENANT)
    platform.pass_days(100, PLATFORM)
    platform.seal()

    platform.prune()

    assert "tenant.suspend" not in platform.actions()
    kept = platform.sql.execute(
        "select actor_id::text, details -> 'audit_log' as log from public.admin_audit_log"
        " where action = 'tenant.delete'"
    ).fetchall()
    counts = {"sealed_total": 3, "pruned": 1, "entries": 2, "unsealed": 0}
    assert kept == [{"actor_id": platform.super_admin, "log": {"head": head, **counts}}]
    for table in ("audit_seals", "audit_seal_runs", "audit_prunings"):
        left = platform.sql.execute(
            SQL("select from tenancy.{} where schema_name = %s").format(Identifier(table)),
            (TENANT,),
        ).fetchall()
        assert left == [], table
    # A new tenant of the same name begins a new chain.
    platform.call(platform.admin, "create_tenant_schema", TENANT)
    platform.seal(TENANT)
    assert platform.verify(log=TENANT)["is_intact"]


def test_adoption_of_a_schema_outlives_the_retention(platform: Platform) -> None:
    platform.sql.execute("create schema old")
    platform.call(platform.super_admin, "register_tenant_schema", "old")
    platform.call(platform.admin, "rename_tenant", TENANT, "New")
    platform.pass_days(100, PLATFORM)
    platform.seal()

    platform.prune()

    assert "tenant.adopt" in platform.actions()
    assert "tenant.rename" not in platform.actions()


def test_entries_that_are_not_sealed_are_counted_when_a_tenant_is_deleted(
    environment: Environment,
) -> None:
    tenant = environment.tenant()
    environment.sql.execute(
        SQL("insert into {}.settings (key) values ('a'), ('b')").format(Identifier(tenant))
    )
    environment.suspend(tenant)
    with psycopg.connect(environment.address.db_url) as late:
        # An older transaction runs, so that nothing can be sealed.
        late.execute("select pg_current_xact_id()")
        environment.sql.execute(
            SQL("insert into {}.settings (key) values ('c')").format(Identifier(tenant))
        )
        deleted = audited_call(
            environment,
            environment.staff("super_admin"),
            "delete_tenant_schema",
            schema_name=tenant,
        )
    log = deleted.entry["details"]["audit_log"]
    assert log["entries"] == 3
    assert 1 <= log["unsealed"] == 3 - log["sealed_total"]


@pytest.mark.parametrize(
    "statement",
    [
        "drop trigger append_only on audit_log",
        "alter table audit_log disable trigger append_only_truncate",
        "alter table audit_log disable trigger user",
        "alter table audit_log enable replica trigger append_only",
        "alter table audit_log rename to old_audit_log; create table audit_log (id bigint)",
        "drop table audit_log",
    ],
)
def test_no_tenant_migration_opens_the_audit_logs(platform: Platform, statement: str) -> None:
    with pytest.raises(psycopg.Error, match="does not keep audit_log append-only"):
        register(platform, statement)
    # The positive control: a migration may add what does not weaken the log.
    register(platform, "create index audit_log_own_idx on audit_log (occurred_at)")


def register(platform: Platform, statement: str) -> None:
    platform.sql.execute(
        "select tenancy.register_tenant_migration('own_change', 'change', %s)", (statement,)
    )


def test_no_tenant_migration_deletes_entries(platform: Platform) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        register(platform, "truncate audit_log")


def test_nobody_redacts_what_they_wrote_themselves(environment: Environment) -> None:
    tenant = environment.tenant()
    olga, other = environment.staff("admin"), environment.staff("admin")
    environment.grant(tenant, olga, "admin")
    ann = environment.member(tenant, "read")
    about_ann: dict[str, Any] = {"schema_name": tenant, "user_id": ann.id}
    audited_call(environment, olga, "create_user_profile", **about_ann).must_succeed()
    audited_call(
        environment, ann, "update_user_profile", schema_name=tenant, display_name="Ann"
    ).must_succeed()
    seal_everything(environment.sql, tenant)

    def values() -> list[Any]:
        found = environment.sql.execute(
            SQL("select new_values from {} order by id").format(log_of(tenant))
        )
        return [row["new_values"] for row in found]

    mine = audited_call(environment, olga, "redact_audit_log", **about_ann).result
    assert (mine["redacted"], mine["withheld"]) == (1, 1)
    inserted, updated = values()
    assert (inserted["email"], updated) == (ann.email, None)

    # The positive control: another admin may.
    theirs = audited_call(environment, other, "redact_audit_log", **about_ann).result
    assert (theirs["redacted"], theirs["withheld"]) == (1, 0)
    assert values() == [None, None]
    found = environment.rpc(other, "verify_audit_log", schema_name=tenant).json()
    assert found["is_intact"], found


def test_old_entries_are_redacted_by_whoever_wrote_them(environment: Environment) -> None:
    tenant = environment.tenant()
    olga = environment.staff("admin")
    ann = environment.member(tenant, "read")
    about_ann: dict[str, Any] = {"schema_name": tenant, "user_id": ann.id}
    audited_call(environment, olga, "create_user_profile", **about_ann).must_succeed()
    age_entries(environment.sql, tenant)
    seal_everything(environment.sql, tenant)

    done = audited_call(environment, olga, "redact_audit_log", **about_ann).result

    assert (done["redacted"], done["withheld"]) == (1, 0)
