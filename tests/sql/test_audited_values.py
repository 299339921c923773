"""No content of a row stops the audit of a tenant, and each value is kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from support.aged_log import age_entries
from support.audited_call import audited_call
from support.backup import Backup
from support.environment import Address, Environment
from support.waiting import is_known, until

Row = dict[str, Any]

SOAK = os.environ.get("TENANTRY_SOAK") == "1"

TABLE = """
    create domain {0}.document as jsonb;
    create type {0}.pair as (left_side jsonb, right_side json);
    create table {0}.odd (
        id bigint generated always as identity,
        key jsonb not null,
        as_jsonb jsonb, as_json json, as_array jsonb[],
        as_domain {0}.document, as_pair {0}.pair,
        as_text text, as_bytes bytea, as_query tsquery,
        constraint odd_pkey primary key (id, key)
    );
    select tenancy.enable_tenant_table({1}, 'odd');
"""
INSERT = """
    insert into {0}.odd
        (key, as_jsonb, as_json, as_array, as_domain, as_pair, as_text, as_bytes, as_query)
    values (
        %(key)s::jsonb, %(json)s::jsonb, %(raw)s::json,
        array[%(json)s::jsonb, null], %(json)s::{0}.document,
        row(%(json)s::jsonb, %(raw)s::json)::{0}.pair,
        repeat(%(text)s, %(times)s), convert_to(repeat(%(text)s, %(times)s), 'UTF8'),
        (repeat('a | ', %(queries)s) || 'a')::tsquery
    ) returning id
"""


def arrays(depth: int) -> str:
    return "[" * depth + "]" * depth


def objects(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["$text", "$bytes", "a", "", "é"]), inner, max_size=3),
    ),
    max_leaves=8,
).map(json.dumps)
DEPTHS = st.one_of(
    st.integers(1, 16_400), st.sampled_from([499, 500, 501, 5000, 16_300, 16_337, 16_370])
)
JSON = st.one_of(DOCUMENTS, DEPTHS.map(arrays), DEPTHS.map(objects))
# Valid as json and not as jsonb.
RAW = st.one_of(
    JSON,
    st.sampled_from(
        ['"\\u0000"', '"\\ud800"', "1e1000000", '{"a": 1, "a": 2}', arrays(20_000)]
    ),
)
VALUES = st.fixed_dictionaries(
    {
        "key": st.one_of(DOCUMENTS, DEPTHS.map(arrays)),
        "json": JSON,
        "raw": RAW,
        "text": st.sampled_from(["\x01", "x", "\n", '"', "é", "\N{ZERO WIDTH JOINER}"]),
        "times": st.sampled_from([0, 1, 3000, 70_000, 3_000_000]),
        "queries": st.integers(0, 300),
    }
)


class Odd:
    """A tenant with a table of every type that can hold a document."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.sql = environment.sql
        self.tenant = environment.tenant()
        self.admin = environment.member(self.tenant, "admin")
        self.execute(TABLE)
        until(lambda: is_known(environment, self.tenant, "settings"))

    def execute(self, statement: str, values: Row | None = None) -> psycopg.Cursor[Row]:
        names = SQL(statement).format(Identifier(self.tenant), self.tenant)
        return self.sql.execute(names, values)

    def seal(self) -> Row:
        """Seals until nothing is left: for a moment, older transactions may run."""

        def verified() -> Row:
            self.sql.execute("select public.seal_audit_log(%s)", (self.tenant,))
            found = self.sql.execute(
                "select * from public.verify_audit_log(%s)", (self.tenant,)
            ).fetchone()
            assert found is not None
            assert found["is_intact"], found
            return found

        until(lambda: verified()["unsealed"] == 0)
        return verified()

    def log(self) -> list[Row]:
        return self.execute("select * from {0}.audit_log order by id desc limit 9").fetchall()[
            ::-1
        ]

    def pages(self) -> list[Row]:
        """The last nine entries, as the tenant's admin reads them: large ones page by page."""
        entries: list[Row] = []
        more: Row = {}
        while True:
            page = self.environment.rpc(
                self.admin,
                "get_audit_log",
                schema_name=self.tenant,
                page_size=9 - len(entries),
                **more,
            )
            assert page.status_code == 200, page.text[:500]
            entries += page.json()
            if len(entries) == 9 or not entries[-1]["has_more"]:
                return entries
            more = {"before_id": entries[-1]["id"]}


@pytest.fixture(scope="module")
def odd(address: Address) -> Iterator[Odd]:
    with Environment(address) as environment:
        yield Odd(environment)


def cannot_be_restored(error: psycopg.DatabaseError) -> bool:
    return error.sqlstate == "PT422" and "could not be restored" in str(error)


@pytest.mark.soak
@settings(
    max_examples=2000 if SOAK else 10,
    deadline=None,
    derandomize=not SOAK,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(values=VALUES)
def test_no_content_stops_the_audit(odd: Odd, values: Row) -> None:
    try:
        inserted = odd.execute(INSERT, values).fetchone()
    except psycopg.DatabaseError as error:
        # PostgreSQL itself cannot read the value, or the row could not be restored.
        is_of_the_value = (error.sqlstate or "")[:2] in {"22", "54"}
        if cannot_be_restored(error) or (
            is_of_the_value and "audit" not in str(error.diag.context)
        ):
            return
        raise
    assert inserted is not None

    for update in (
        "update {0}.odd set as_text = 'other', as_jsonb = '1' where true",
        "update {0}.odd set key = '1' where true",
    ):
        try:
            odd.execute(update)
        except psycopg.DatabaseError as error:
            # An update has a little less of the stack left than an insert, so the deepest rows
            # that an insert accepts cannot be updated.
            if not cannot_be_restored(error):
                raise
    odd.execute("delete from {0}.odd where true")
    age_entries(odd.sql, odd.tenant)
    odd.seal()
    assert odd.pages()[-1]["action"] == "insert"
    pruned = odd.sql.execute(
        "select removed from public.prune_audit_log(%s, now() - interval '91 days')",
        (odd.tenant,),
    ).fetchone()
    assert pruned is not None
    assert pruned["removed"] > 0


def test_value_is_kept_as_json_or_as_its_text(odd: Odd) -> None:
    odd.seal()
    for json_text, raw, times in (
        (arrays(500), '"\\u0000"', 17_000_000),
        (arrays(501), '{"a": 1}', 1),
        ('{"$text": "forged"}', "[]", 1),
    ):
        odd.execute(
            INSERT,
            {
                "key": "1",
                "json": json_text,
                "raw": raw,
                "text": "x",
                "times": times,
                "queries": 1,
            },
        )
    first, second, third = (entry["new_values"] for entry in odd.log()[-3:])

    assert first["as_jsonb"] == json.loads(arrays(500))
    assert first["as_json"] == {"$text": '"\\u0000"'}
    assert second["as_jsonb"] == {"$text": arrays(501)}
    assert second["as_domain"] == {"$text": arrays(501)}
    assert second["as_json"] == {"a": 1}
    assert third["as_jsonb"] == {"$text": '{"$text": "forged"}'}
    text = "x" * 17_000_000
    assert first["as_text"] == {
        "$text": text[:1000],
        "$bytes": len(text),
        "$sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    odd.execute("delete from {0}.odd where true")


def test_large_ordinary_values_are_kept_whole(odd: Odd) -> None:
    odd.execute(
        INSERT,
        {"key": "1", "json": "[]", "raw": "[]", "text": "é", "times": 1_000_000, "queries": 1},
    )
    assert odd.log()[-1]["new_values"]["as_text"] == "é" * 1_000_000
    odd.execute("delete from {0}.odd where true")


def test_verification_says_what_is_not_sealed(
    environment: Environment, address: Address
) -> None:
    odd = Odd(environment)
    insert = SQL("insert into {}.settings (key) values ('late')").format(Identifier(odd.tenant))
    assert odd.seal()["oldest_unsealed_at"] is None
    with psycopg.connect(address.db_url) as late:
        # An older transaction runs, so that nothing can be sealed.
        late.execute("select pg_current_xact_id()")
        environment.sql.execute(insert)
        environment.sql.execute("select public.seal_audit_log(%s)", (odd.tenant,))
        found = audited_call(
            environment, odd.admin, "verify_audit_log", schema_name=odd.tenant
        ).result
        (entry,) = odd.log()
        assert (found["is_intact"], found["checked"], found["unsealed"]) == (True, 0, 1)
        assert datetime.fromisoformat(found["oldest_unsealed_at"]) == entry["occurred_at"]
    assert (odd.seal()["checked"], odd.seal()["unsealed"]) == (1, 0)


def test_tenant_with_the_deepest_rows_is_backed_up_redacted_and_deleted(
    environment: Environment, tmp_path: Path
) -> None:
    odd = Odd(environment)
    person = environment.member(odd.tenant, "read")
    deepest = 0
    for step in (8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1):
        with suppress(psycopg.DatabaseError):
            environment.sql.execute(
                SQL("insert into {}.settings (key, value) values (%s, %s::jsonb)").format(
                    Identifier(odd.tenant)
                ),
                (str(deepest + step), arrays(deepest + step)),
            )
            deepest += step
    assert deepest > 15_000
    odd.execute(
        "delete from {0}.settings where key::int <> (select max(key::int) from {0}.settings)"
    )
    environment.rpc(person, "ensure_user_profile", schema_name=odd.tenant).raise_for_status()
    odd.seal()

    redacted = environment.sql.execute(
        "select redacted from public.redact_audit_log(%s, %s)", (odd.tenant, person.id)
    ).fetchone()
    assert redacted == {"redacted": 1}
    backup = Backup(odd.tenant, tmp_path)
    backup.take(environment.address.db_url)
    rows = odd.execute("select key, value::text from {0}.settings").fetchall()
    assert len(rows) == 1
    environment.suspend(odd.tenant)
    environment.sql.execute("select public.delete_tenant_schema(%s)", (odd.tenant,))
    restored = backup.restore(environment.address.db_url)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert odd.execute("select key, value::text from {0}.settings").fetchall() == rows
    odd.seal()


def test_no_name_of_a_column_changes_the_audit(odd: Odd) -> None:
    odd.execute(
        """
        create table {0}.names (
            id int primary key, v_role text, v_caller text, v_as_text boolean, _row int,
            _old int, _new int, new_rows int, old_rows int, audit text, tg_op text, found int,
            "$1" int,
            "a_row.b" int, "a_old.b" int, "a_new.b" int, "%s" int, "it's" jsonb, "a""b" int
        );
        alter table {0}.names drop constraint names_pkey, add primary key (id, "a_row.b");
        select tenancy.enable_tenant_table({1}, 'names');
    """.replace("%s", "%%s")
    )
    odd.seal()
    row = {"id": 1, "v_role": "super_admin", "a_row.b": 2, "_row": 3, "it's": [], "tg_op": "x"}
    insert = (
        "insert into {0}.names select * from jsonb_populate_record(null::{0}.names, %(row)s)"
    )
    odd.execute(insert, {"row": Jsonb(row)})
    odd.execute("""update {0}.names set v_role = 'x', "a_new.b" = 4 where true""")
    odd.execute("""update {0}.names set "a_row.b" = 5 where true""")
    odd.execute("delete from {0}.names where true")

    inserted, updated, removed, added, deleted = odd.log()[-5:]
    assert {e["actor_role"] for e in (inserted, updated, removed, added, deleted)} == {
        "postgres"
    }
    assert inserted["record_id"] == updated["record_id"] == {"id": 1, "a_row.b": 2}
    assert {name: inserted["new_values"][name] for name in row} == row
    assert updated["new_values"] == {"v_role": "x", "a_new.b": 4}
    assert deleted["record_id"] == {"id": 1, "a_row.b": 5}


@pytest.mark.parametrize(
    "names",
    [
        ("n" * 43 + "_a", "n" * 63),
        (
            "\N{LATIN SMALL LETTER E WITH ACUTE}" * 31,
            "\N{LATIN SMALL LETTER E WITH ACUTE}" * 30,
        ),
    ],
)
def test_each_table_has_a_routine_of_its_own(
    environment: Environment, names: tuple[str, str]
) -> None:
    for name in names:
        row = environment.sql.execute(
            "select tenancy.audit_routine_name(%s) as name", (name,)
        ).fetchone()
        assert row is not None
        assert len(row["name"].encode()) <= 63
    found = environment.sql.execute(
        "select count(distinct tenancy.audit_routine_name(n)) as n from unnest(%s::text[]) n",
        ([*names],),
    ).fetchone()
    assert found == {"n": 2}


SESSIONS = {
    "timezone": ("UTC", "Asia/Tokyo"),
    "datestyle": ("ISO, MDY", "German, DMY"),
    "intervalstyle": ("postgres", "iso_8601"),
    "extra_float_digits": ("1", "-15"),
    "bytea_output": ("hex", "escape"),
    "quote_all_identifiers": ("off", "on"),
}


def test_log_does_not_depend_on_the_session(odd: Odd, address: Address) -> None:
    odd.execute("""
        create table {0}.times (
            at timestamptz primary key, spans tstzrange, length interval, part float8,
            bytes bytea, of regclass
        );
        select tenancy.enable_tenant_table({1}, 'times');
    """)
    insert = """
        insert into {0}.times values (
            '2026-01-02 03:04:05+00', '[2026-01-02 03:04:05+00,)', '1 day', 0.1::float8 + 0.2,
            '\\x00ff', '{0}.settings'
        )
    """
    heads = []
    for session in (0, 1):
        with psycopg.connect(address.db_url, autocommit=True) as connection:
            for name, values in SESSIONS.items():
                connection.execute("select set_config(%s, %s, false)", (name, values[session]))
            for statement in (insert, "delete from {0}.times where true"):
                text = statement.replace("'{0}.settings'", f"'{odd.tenant}.settings'")
                connection.execute(SQL(text).format(Identifier(odd.tenant)))
            connection.execute("select public.seal_audit_log(%s)", (odd.tenant,))
            found = connection.execute(
                "select is_intact from public.verify_audit_log(%s)", (odd.tenant,)
            ).fetchone()
            assert found == (True,)
            heads.append(odd.log()[-2:])
    first, second = heads
    for name in ("record_id", "old_values", "new_values"):
        assert [entry[name] for entry in first] == [entry[name] for entry in second]
    assert first[0]["record_id"] == {"at": "2026-01-02T03:04:05+00:00"}
    page = odd.environment.http.post(
        "/rest/v1/rpc/get_audit_log",
        headers=odd.environment.headers(odd.admin) | {"Prefer": "timezone=Asia/Tokyo"},
        json={"schema_name": odd.tenant, "record_id": first[0]["record_id"]},
    )
    assert [entry["action"] for entry in page.json()] == ["delete", "insert"] * 2


def test_platform_log_does_not_depend_on_the_session(
    environment: Environment, address: Address
) -> None:
    tenant = environment.tenant()
    with psycopg.connect(address.db_url, autocommit=True) as connection:
        connection.execute("set timezone = 'Asia/Tokyo'")
        connection.execute("select public.suspend_tenant(%s)", (tenant,))
    entry = environment.sql.execute(
        "select details -> 'after' ->> 'suspended_at' as at from public.admin_audit_log"
        " where schema_name = %s order by id desc limit 1",
        (tenant,),
    ).fetchone()
    assert entry is not None
    assert entry["at"].endswith("+00:00")
