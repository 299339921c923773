"""Both audit logs: complete, in the same transaction, and every tampering is detected."""

from __future__ import annotations

import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from support.aged_log import age_entries
from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS
from support.environment import Address, Environment, Person
from support.waiting import is_known, until

Row = dict[str, Any]


@pytest.fixture
def tenant(environment: Environment) -> str:
    tenant = environment.tenant()
    until(lambda: is_known(environment, tenant, "settings"))
    return tenant


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    return environment.member(tenant, "admin")


def log(environment: Environment, tenant: str) -> list[Row]:
    """The tenant's audit log, oldest entry first."""
    query = SQL("select * from {}.audit_log order by id").format(Identifier(tenant))
    return environment.sql.execute(query).fetchall()


def fill(environment: Environment, tenant: str, rows: int) -> None:
    environment.sql.execute(
        SQL(
            "insert into {}.settings (key) select 'k' || n from generate_series(1, %s) n"
        ).format(Identifier(tenant)),
        (rows,),
    )


def seal(environment: Environment, tenant: str) -> Row:
    found = environment.sql.execute(
        "select * from public.seal_audit_log(%s)", (tenant,)
    ).fetchone()
    assert found
    return found


def seal_all(environment: Environment, tenant: str, entries: int) -> Row:
    """Seals until no entry is left: for a moment, older transactions of other tests may run."""
    sealed = seal(environment, tenant)
    while sealed["sealed_total"] < entries:
        sealed = seal(environment, tenant)
    return sealed


def verify(connection: psycopg.Connection[Row], tenant: str, head: str | None = None) -> Row:
    found = connection.execute(
        "select * from public.verify_audit_log(%s, %s)", (tenant, head)
    ).fetchone()
    assert found
    return found


def log_of_platform(environment: Environment, tenant: str) -> list[Row]:
    """The entries of admin_audit_log about the tenant, oldest first."""
    return environment.sql.execute(
        "select e.* from public.admin_audit_log e"
        " join public.tenants t on t.id = e.tenant_id"
        " where t.schema_name = %s order by e.id",
        (tenant,),
    ).fetchall()


# What is recorded -----------------------------------------------------------------------


def test_changes_through_the_data_api_name_their_user(
    environment: Environment, tenant: str, admin: Person
) -> None:
    environment.rows(admin, tenant, "settings", "POST", json={"key": "theme", "value": 1})
    environment.rows(
        admin, tenant, "settings", "PATCH", json={"value": 2}, params={"key": "eq.theme"}
    )
    environment.rows(
        admin, tenant, "settings", "PATCH", json={"value": 9}, params={"key": "eq.no"}
    )
    environment.rows(admin, tenant, "settings", "DELETE", params={"key": "eq.theme"})

    inserted, updated, deleted = log(environment, tenant)

    assert {entry["actor_id"] for entry in (inserted, updated, deleted)} == {
        uuid.UUID(admin.id)
    }
    assert {entry["actor_role"] for entry in (inserted, updated, deleted)} == {"user"}
    assert [entry["action"] for entry in log(environment, tenant)] == [
        "insert",
        "update",
        "delete",
    ]
    assert inserted["record_id"] == {"key": "theme"}
    assert inserted["old_values"] is None
    assert inserted["new_values"]["value"] == 1
    assert (
        updated["old_values"].keys() == updated["new_values"].keys() == {"value", "updated_at"}
    )
    assert (updated["old_values"]["value"], updated["new_values"]["value"]) == (1, 2)
    assert deleted["old_values"]["value"] == 2
    assert deleted["new_values"] is None


def test_service_key_and_sql_are_recorded_as_actors(
    environment: Environment, tenant: str
) -> None:
    environment.rows(environment.service, tenant, "settings", "POST", json={"key": "a"})
    fill(environment, tenant, 1)
    environment.sql.execute(SQL("truncate {}.settings").format(Identifier(tenant)))

    entries = log(environment, tenant)

    assert [(e["actor_id"], e["actor_role"], e["action"]) for e in entries] == [
        (None, "service_role", "insert"),
        (None, "postgres", "insert"),
        (None, "postgres", "truncate"),
    ]


def test_change_of_a_key_is_recorded_as_deletion_and_insertion(
    environment: Environment, tenant: str
) -> None:
    fill(environment, tenant, 1)
    environment.sql.execute(
        SQL("update {}.settings set key = 'new' where key = 'k1'").format(Identifier(tenant))
    )

    _, deletion, insertion = sorted(
        log(environment, tenant), key=lambda e: (e["id"] > 1, e["action"])
    )

    assert (deletion["action"], deletion["record_id"]) == ("delete", {"key": "k1"})
    assert (insertion["action"], insertion["record_id"]) == ("insert", {"key": "new"})


def test_update_that_changes_nothing_leaves_no_entry(
    environment: Environment, tenant: str
) -> None:
    environment.sql.execute(
        SQL("create table {0}.notes (id int primary key, n numeric)").format(Identifier(tenant))
    )
    environment.sql.execute("select tenancy.enable_tenant_table(%s, 'notes')", (tenant,))
    notes = SQL("{}.notes").format(Identifier(tenant))
    environment.sql.execute(SQL("insert into {} values (1, 1.0)").format(notes))
    environment.sql.execute(SQL("update {} set n = 1.0 where id = 1").format(notes))
    environment.sql.execute(SQL("update {} set n = 1.00 where id = 1").format(notes))

    assert [entry["action"] for entry in log(environment, tenant)] == ["insert", "update"]


def test_upserts_and_cascades_are_recorded(environment: Environment, tenant: str) -> None:
    for table, columns in (("orders", []), ("items", [{"name": "order_id", "type": "uuid"}])):
        environment.sql.execute(
            "select from public.create_table(%s, %s, %s)", (tenant, table, Jsonb(columns))
        )
    environment.sql.execute(
        "select from public.add_foreign_key("
        "%s, 'items', 'order_id', 'orders', on_delete => 'CASCADE')",
        (tenant,),
    )
    name = Identifier(tenant)
    environment.sql.execute(
        SQL(
            "with o as (insert into {0}.orders default values returning id)"
            " insert into {0}.items (order_id) select id from o, generate_series(1, 3)"
        ).format(name)
    )
    environment.sql.execute(SQL("delete from {}.orders where true").format(name))
    for value in (1, 2):
        environment.sql.execute(
            SQL(
                "insert into {}.settings (key, value) values ('k', %s) on conflict (key)"
                " do update set value = excluded.value where settings.key = excluded.key"
            ).format(name),
            (Jsonb(value),),
        )

    found = sorted((entry["table_name"], entry["action"]) for entry in log(environment, tenant))

    assert found == sorted(
        [("orders", "insert"), ("orders", "delete")]
        + 3 * [("items", "insert"), ("items", "delete")]
        + [("settings", "insert"), ("settings", "update")]
    )


def test_transaction_that_is_rolled_back_leaves_no_entry(
    environment: Environment, address: Address, tenant: str
) -> None:
    with psycopg.connect(address.db_url) as connection:
        connection.execute(
            SQL("insert into {}.settings (key) values ('a')").format(Identifier(tenant))
        )
        connection.rollback()
        connection.execute(
            SQL("insert into {}.settings (key) values ('b')").format(Identifier(tenant))
        )

    assert [entry["record_id"] for entry in log(environment, tenant)] == [{"key": "b"}]


def test_concurrent_changes_of_many_users_are_each_recorded_once(
    environment: Environment, address: Address, tenant: str, soak: bool
) -> None:
    """Each worker counts the rows that it changed. The log must have the same counts."""
    users = [environment.member(tenant, "admin") for _ in range(4)]
    settings = SQL("{}.settings").format(Identifier(tenant))

    def work(user: Person) -> dict[str, int]:
        chance = random.Random(user.id)  # noqa: S311
        done = {"insert": 0, "update": 0, "delete": 0}
        with psycopg.connect(address.db_url, autocommit=True) as connection:
            connection.execute("select set_config('role', 'authenticated', false)")
            connection.execute(
                "select set_config('request.jwt.claims', %s, false)",
                (f'{{"sub": "{user.id}"}}',),
            )
            for _ in range(400 if soak else 25):
                keys = [f"{user.id}-{chance.randrange(400)}" for _ in range(60)]
                done["insert"] += connection.execute(
                    SQL(
                        "insert into {} (key) select distinct unnest(%s::text[])"
                        " on conflict do nothing"
                    ).format(settings),
                    (keys,),
                ).rowcount
                done["update"] += connection.execute(
                    SQL("update {} set value = %s where key = any (%s)").format(settings),
                    (Jsonb(chance.random()), keys[:40]),
                ).rowcount
                done["delete"] += connection.execute(
                    SQL("delete from {} where key = any (%s)").format(settings), (keys[30:],)
                ).rowcount
        return done

    with ThreadPoolExecutor() as pool:
        done = dict(zip([user.id for user in users], pool.map(work, users), strict=True))

    recorded: dict[str | None, dict[str, int]] = {
        user.id: dict.fromkeys(("insert", "update", "delete"), 0) for user in users
    }
    for entry in log(environment, tenant):
        assert entry["record_id"]["key"].startswith(str(entry["actor_id"]))
        recorded[str(entry["actor_id"])][entry["action"]] += 1
    assert recorded == done
    assert sum(sum(kinds.values()) for kinds in done.values()) > (100_000 if soak else 5000)


# Who reads; nobody writes ---------------------------------------------------------------


def test_only_admins_of_the_tenant_read_its_log(
    environment: Environment, tenant: str, admin: Person
) -> None:
    fill(environment, tenant, 1)
    writer, other = environment.member(tenant, "write"), environment.tenant()
    stranger = environment.member(other, "admin")

    assert len(environment.rows(admin, tenant, "audit_log").json()) == 1
    assert (
        len(audited_call(environment, admin, "get_audit_log", schema_name=tenant).result) == 1
    )
    assert environment.rows(writer, tenant, "audit_log").json() == []
    assert (
        audited_call(environment, writer, "get_audit_log", schema_name=tenant).refusal[0] == 403
    )
    assert environment.rows(stranger, tenant, "audit_log").status_code == 403
    assert (
        audited_call(environment, stranger, "get_audit_log", schema_name=tenant).refusal[0]
        == 404
    )
    for staff in (environment.staff("viewer"), environment.staff("super_admin")):
        assert (
            audited_call(environment, staff, "get_audit_log", schema_name=tenant).refusal[0]
            == 403
        )


@pytest.mark.parametrize("log_table", ["audit_log of the tenant", "public.admin_audit_log"])
def test_nobody_changes_a_log(environment: Environment, tenant: str, log_table: str) -> None:
    fill(environment, tenant, 1)
    table = (
        SQL("public.admin_audit_log")
        if log_table.startswith("public")
        else SQL("{}.audit_log").format(Identifier(tenant))
    )
    statements = (
        "update {} set action = 'x' where true",
        "delete from {} where true",
        "truncate {}",
    )
    for statement in statements:
        # postgres owns the table and is refused by a trigger; the API roles lack the privilege.
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            environment.sql.execute(SQL(statement).format(table))
        for role in ("anon", "authenticated", "service_role"):
            environment.sql.execute(SQL("set role {}").format(Identifier(role)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                environment.sql.execute(SQL(statement).format(table))
            environment.sql.execute("reset role")


def test_filters_and_pages(environment: Environment, tenant: str, admin: Person) -> None:
    fill(environment, tenant, 5)
    environment.rows(admin, tenant, "settings", "POST", json={"key": "mine"})

    def keys(**filters: Any) -> list[str]:
        entries = audited_call(
            environment, admin, "get_audit_log", schema_name=tenant, **filters
        ).result
        return [entry["record_id"]["key"] for entry in entries]

    assert keys() == ["mine", "k5", "k4", "k3", "k2", "k1"]
    assert keys(actor_id=admin.id) == ["mine"]
    assert keys(action="delete") == []
    assert keys(table_name="users") == []
    assert keys(record_id={"key": "k2"}) == ["k2"]
    assert keys(occurred_to="2020-01-01T00:00:00Z") == []
    assert len(keys(occurred_from="2020-01-01T00:00:00Z")) == 6
    first = audited_call(
        environment, admin, "get_audit_log", schema_name=tenant, page_size=4
    ).result
    assert keys(page_size=4, before_id=first[-1]["id"]) == ["k2", "k1"]


# Tamper evidence ------------------------------------------------------------------------

TAMPERINGS = {
    "changed": "update {log} set {field} where id = {id}",
    "removed": "delete from {log} where id = {id}",
    "inserted": "insert into {log} (id, actor_role, action, table_name)"
    " overriding system value values (-{id}, 'user', 'insert', 'settings')",
}
FIELDS = (
    "actor_id = gen_random_uuid()",
    "occurred_at = occurred_at + interval '1 second'",
    "action = action || 'x'",
    "record_id = '{}'",
    "new_values = null",
    "old_values = '{\"a\": 1}'",
)


def test_every_random_tampering_with_a_sealed_log_is_found(
    environment: Environment, database: psycopg.Connection[Row], soak: bool
) -> None:
    tenant = environment.tenant()
    fill(environment, tenant, 60)
    head = seal_all(environment, tenant, 60)["head"]
    assert verify(database, tenant, head)["is_intact"]
    name = Identifier(tenant)
    chance = random.Random(7)  # noqa: S311

    for _ in range(1000 if soak else 60):
        kind = chance.choice(list(TAMPERINGS))
        entry = chance.randint(1, 60)
        with database.transaction(force_rollback=True):
            database.execute(SQL("alter table {}.audit_log disable trigger user").format(name))
            database.execute(
                TAMPERINGS[kind]
                .format(log=f"{tenant}.audit_log", id=entry, field=chance.choice(FIELDS))
                .encode()
            )
            found = verify(database, tenant, head)
        expected = -entry if kind == "inserted" else entry
        assert (found["is_intact"], found["problem"], found["entry_id"]) == (
            False,
            kind,
            expected,
        )

    assert verify(database, tenant, head)["is_intact"]


def test_rebuilt_chain_does_not_contain_the_kept_head(
    environment: Environment, database: psycopg.Connection[Row]
) -> None:
    tenant = environment.tenant()
    fill(environment, tenant, 5)
    head = seal_all(environment, tenant, 5)["head"]

    name = Identifier(tenant)
    database.execute(SQL("alter table {}.audit_log disable trigger user").format(name))
    database.execute(SQL("update {}.audit_log set action = 'x' where id = 2").format(name))
    database.execute("delete from tenancy.audit_seals where schema_name = %s", (tenant,))
    database.execute("delete from tenancy.audit_seal_runs where schema_name = %s", (tenant,))
    database.execute(SQL("insert into {}.settings (key) values ('later')").format(name))
    database.execute("select public.seal_audit_log(%s)", (tenant,))

    assert verify(database, tenant)["is_intact"]
    found = verify(database, tenant, head)
    assert (found["is_intact"], found["problem"]) == (False, "head_not_found")


def test_seal_ends_in_time_and_the_next_one_goes_on(environment: Environment) -> None:
    """A call that cannot seal everything in time seals a part, so that a later one ends."""
    tenant = environment.tenant()
    fill(environment, tenant, 5)
    seals: list[Row] = []

    def is_sealed() -> bool:
        seals.extend(
            environment.sql.execute(
                "select * from tenancy.seal_audit_log(%s, at_most => '0')", (tenant,)
            )
        )
        found = verify(environment.sql, tenant, seals[-1]["head"])
        assert found["is_intact"]
        assert found["unsealed"] == 5 - found["checked"]
        return bool(found["checked"] == 5)

    until(is_sealed)

    # An older transaction of another test can make a call seal nothing.
    assert [row["sealed_total"] for row in seals if row["sealed_now"]] == [1, 2, 3, 4, 5]
    assert seal(environment, tenant)["sealed_now"] == 0


def test_verification_does_not_compare_each_new_entry_with_each_seal(
    environment: Environment, database: psycopg.Connection[Row]
) -> None:
    """50 million comparisons would take longer than the limit, and 5,000 entries do not."""
    tenant = environment.tenant()
    fill(environment, tenant, 5000)
    database.execute(
        "insert into tenancy.audit_seal_runs"
        " select %s, -n, now(), '5', 0, '5', '', '' from generate_series(1, 10000) n",
        (tenant,),
    )
    database.execute("set local statement_timeout = '2s'")

    assert verify(database, tenant)["unsealed"] == 5000


@pytest.mark.parametrize("at_most", ["20 s", "0"])
def test_untampered_log_is_intact_under_concurrent_writers(
    environment: Environment, address: Address, soak: bool, at_most: str
) -> None:
    tenant = environment.tenant()
    settings = SQL("{}.settings").format(Identifier(tenant))
    seals = 1000 if soak else 60
    heads: list[str] = []
    # Verifying a longer log takes longer, so the number of writes between two seals is limited.
    turns = threading.Semaphore(30)

    def write(worker: int) -> int:
        """Transactions of different lengths, some rolled back: entries commit out of order."""
        chance = random.Random(worker)  # noqa: S311
        written = 0
        with psycopg.connect(address.db_url) as connection:
            while len(heads) < seals:
                if not turns.acquire(timeout=0.1):
                    continue
                rows = chance.randint(1, 5)
                for _ in range(rows):
                    connection.execute(
                        SQL("insert into {} (key) values (%s)").format(settings),
                        (str(uuid.uuid4()),),
                    )
                if chance.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()
                    written += rows
        return written

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write, worker) for worker in range(3)]
        with psycopg.connect(address.db_url, autocommit=True, row_factory=dict_row) as judge:
            while len(heads) < seals:
                sealed = judge.execute(
                    "select * from tenancy.seal_audit_log(%s, %s)", (tenant, at_most)
                ).fetchone()
                assert sealed
                found = verify(judge, tenant, sealed["head"])
                assert found["is_intact"], found
                # Nothing is sealed yet while an older transaction of another test runs.
                if sealed["head"]:
                    heads.append(sealed["head"])
                    turns.release(6)
        written = sum(writer.result() for writer in writers)

    assert seal_all(environment, tenant, written)["sealed_total"] == written
    with psycopg.connect(address.db_url, row_factory=dict_row) as judge:
        assert verify(judge, tenant, heads[0])["is_intact"]


def test_entries_of_running_transactions_are_sealed_later(
    environment: Environment, address: Address
) -> None:
    tenant = environment.tenant()
    with psycopg.connect(address.db_url) as late:
        late.execute(
            SQL("insert into {}.settings (key) values ('late')").format(Identifier(tenant))
        )
        fill(environment, tenant, 3)
        assert seal(environment, tenant)["sealed_total"] == 0
    assert seal_all(environment, tenant, 4)["sealed_total"] == 4
    assert verify(environment.sql, tenant)["is_intact"]


# Pruning, redaction, deletion -----------------------------------------------------------


def test_pruned_log_stays_verifiable_and_pruning_is_logged(
    environment: Environment, tenant: str
) -> None:
    admin = environment.staff("admin")
    fill(environment, tenant, 3)
    age_entries(environment.sql, tenant)
    seal_all(environment, tenant, 3)
    environment.rows(environment.service, tenant, "settings", "POST", json={"key": "young"})
    before = (datetime.now(UTC) - timedelta(days=91)).isoformat()

    pruned = audited_call(
        environment,
        admin,
        "prune_audit_log",
        schema_name=tenant,
        before=before,
    )

    assert pruned.result["removed"] == 3
    assert pruned.entry["action"] == "audit.prune"
    assert pruned.entry["details"]["removed"] == 3
    assert [entry["record_id"] for entry in log(environment, tenant)] == [{"key": "young"}]
    head = seal_all(environment, tenant, 4)["head"]
    found = verify(environment.sql, tenant, head)
    (pruning,) = found.pop("prunings")
    assert pruning.pop("pruned_at")
    assert datetime.fromisoformat(pruning.pop("removed_before")) == datetime.fromisoformat(
        before
    )
    assert pruning == {
        "actor_id": admin.id,
        "actor_role": "admin",
        "removed": 3,
        "missing": 0,
        "head": pruned.result["head"],
    }
    assert found == {
        "is_intact": True,
        "checked": 1,
        "head": head,
        "problem": None,
        "entry_id": None,
        "unsealed": 0,
        "oldest_unsealed_at": None,
        "pruned": 3,
    }


def test_redaction_removes_the_values_of_a_person_and_keeps_the_chain(
    environment: Environment, tenant: str
) -> None:
    person = environment.member(tenant, "read")
    audited_call(
        environment, person, "ensure_user_profile", schema_name=tenant, display_name="Ann"
    ).must_succeed()
    seal_all(environment, tenant, 1)

    done = audited_call(
        environment,
        environment.service,
        "redact_audit_log",
        schema_name=tenant,
        user_id=person.id,
    )

    assert done.result["redacted"] == 1
    (entry,) = log(environment, tenant)
    assert (entry["record_id"], entry["new_values"]) == ({"id": person.id}, None)
    assert verify(environment.sql, tenant)["is_intact"]
    details = environment.sql.execute(
        "select details::text as details from public.admin_audit_log"
        " where tenant_id = (select id from public.tenants where schema_name = %s)",
        (tenant,),
    ).fetchall()
    assert details
    assert not any(
        "Ann" in row["details"] or str(person.email) in row["details"] for row in details
    )
    again = audited_call(
        environment,
        environment.service,
        "redact_audit_log",
        schema_name=tenant,
        user_id=person.id,
    )
    assert again.result["redacted"] == 0


@pytest.mark.parametrize("before", [None, "infinity"])
def test_pruning_needs_a_time_in_the_past(
    environment: Environment, tenant: str, before: str | None
) -> None:
    fill(environment, tenant, 3)
    seal_all(environment, tenant, 3)

    refused = audited_call(
        environment,
        environment.staff("admin"),
        "prune_audit_log",
        schema_name=tenant,
        before=before,
    )

    assert refused.refusal == (422, "invalid_request")
    assert len(log(environment, tenant)) == 3
    past = {"schema_name": tenant, "before": "2020-01-01T00:00:00Z"}
    assert (
        audited_call(environment, environment.staff("admin"), "prune_audit_log", **past).result[
            "removed"
        ]
        == 0
    )


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_only_super_admins_prune_the_log_of_the_platform(
    environment: Environment, entry_point: str
) -> None:
    past = {"schema_name": None, "before": "2020-01-01T00:00:00Z"}

    def pruned_by(role: str) -> AuditedCall:
        person = environment.staff(role)
        return audited_call(
            environment, person, "prune_audit_log", entry_point=entry_point, **past
        )

    assert pruned_by("admin").refusal == (403, "forbidden")
    assert pruned_by("super_admin").result["removed"] == 0


def test_deletion_of_a_tenant_records_the_final_head(environment: Environment) -> None:
    tenant = environment.tenant()
    fill(environment, tenant, 3)
    # The deletion cannot seal the entries while an older transaction of another test runs.
    seal_all(environment, tenant, 3)
    environment.suspend(tenant)

    deleted = audited_call(
        environment,
        environment.staff("super_admin"),
        "delete_tenant_schema",
        schema_name=tenant,
    )

    seal_of_log = deleted.entry["details"]["audit_log"]
    assert seal_of_log["sealed_total"] == 3
    assert len(seal_of_log["head"]) == 64
    left = environment.sql.execute(
        "select count(*) as n from tenancy.audit_seals where schema_name = %s", (tenant,)
    ).fetchone()
    assert left == {"n": 0}


def test_entries_of_a_deleted_user_keep_the_users_id(
    environment: Environment, tenant: str, admin: Person
) -> None:
    environment.rows(admin, tenant, "settings", "POST", json={"key": "a"})

    environment.sql.execute("delete from auth.users where id = %s", (admin.id,))

    (entry,) = log(environment, tenant)
    assert str(entry["actor_id"]) == admin.id


def test_platform_log_is_sealed_and_verified(environment: Environment) -> None:
    admin = environment.staff("admin")
    environment.tenant()

    sealed = audited_call(environment, admin, "seal_audit_log").result
    found = audited_call(
        environment, admin, "verify_audit_log", expected_head=sealed["head"]
    ).result

    assert found["is_intact"], found
    assert found["checked"] > 0
