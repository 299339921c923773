"""The policies and the guard decide independently, and decide the same.

Their answers are compared with each other and with the rule, for every combination of caller,
grant, state in Auth, status of the tenant and level. `tenancy.caller()`, which both depend on,
has tests of its own. Then one condition of one layer is changed at a time: the other layers
must still refuse every attack, and the test that takes them away must notice.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.attacked_tenant import LAYERS, AttackedTenant, cells, entry_point, entry_points
from support.environment import Address, Environment
from support.faults import GUARD_FAULTS, POLICY_FAULTS, Fault, planted
from support.separate_data_api import separate_data_api
from tenantry_cli.emulator.postgres import Postgres

pytestmark = pytest.mark.long

Database = psycopg.Connection[dict[str, Any]]

LEVELS = ("read", "write", "admin")
EXPIRIES = {None: True, "infinity": True, "1 hour": True, "0": False, "-1 hour": False}
# The state in Auth, and whether such a user is somebody.
STATES = {
    "active": True,
    "ban is over": True,
    "banned": False,
    "banned for ever": False,
    "deleted": False,
    "deleted and banned": False,
}
# banned_until and deleted_at. In a transaction, "now" is the moment at which it began.
UPDATES = {
    "active": (None, None),
    "ban is over": ("now", None),
    "banned": ("tomorrow", None),
    "banned for ever": ("infinity", None),
    "deleted": (None, "now"),
    "deleted and banned": ("infinity", "now"),
}


@dataclass(frozen=True)
class Question:
    """A tenant with one row in each of three tables, which need the levels in their names."""

    database: Database
    tenant: str
    user_id: str

    def become(self, role: str, claims: str | None) -> None:
        self.database.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('role', %s, true)",
            (claims or "", role),
        )

    def set_state(self, state: str) -> None:
        banned_until, deleted_at = UPDATES[state]
        self.database.execute(
            "update auth.users set banned_until = %s, deleted_at = %s where id = %s",
            (banned_until, deleted_at, self.user_id),
        )

    def set_status(self, status: str) -> None:
        self.database.execute(
            "update public.tenants set status = %s, suspended_at = case when %s then now() end"
            " where schema_name = %s",
            (status, status == "suspended", self.tenant),
        )

    def answers(self, role: str, claims: str | None, level: str) -> tuple[bool, bool]:
        """What the policies and what the guard say."""
        self.become(role, claims)
        table = sql.Identifier(self.tenant, f"for_{level}")
        found = self.database.execute(sql.SQL("select from {}").format(table)).rowcount
        passed = False
        try:
            with self.database.transaction():
                self.database.execute(
                    "select tenancy.guard_request(%s, %s)", (self.tenant, level)
                )
            passed = True
        except psycopg.DatabaseError as refusal:
            # PT401 has no class of its own.
            if refusal.sqlstate not in ("42501", "PT401"):
                raise
        self.become("none", None)
        return found == 1, passed


@pytest.fixture(scope="module")
def tenant_and_user(address: Address) -> Iterator[tuple[str, str]]:
    """The tenant and the user of all questions. A test changes them in its transaction only."""
    with Environment(address) as environment:
        name, user = environment.tenant(), environment.person()
        assert user.id is not None
        for level in LEVELS:
            table = sql.Identifier(name, f"for_{level}")
            for statement in (
                "create table {table} (id integer)",
                "insert into {table} values (1)",
            ):
                environment.sql.execute(sql.SQL(statement).format(table=table))
            environment.sql.execute(
                "select tenancy.enable_tenant_table(%s, %s, reads => %s)",
                (name, f"for_{level}", level),
            )
        yield name, user.id


@pytest.fixture
def question(tenant_and_user: tuple[str, str], database: Database) -> Question:
    name, user_id = tenant_and_user
    # Only grants that the layers do not share: anon has them, too.
    for statement in (
        "grant select on all tables in schema {schema} to anon, authenticated, service_role",
        "grant usage on schema {schema} to anon, authenticated, service_role",
    ):
        database.execute(sql.SQL(statement).format(schema=sql.Identifier(name)))
    return Question(database, name, user_id)


def claims(**values: Any) -> str:
    return json.dumps({"role": "authenticated", **values})


@pytest.mark.parametrize("status", ["active", "suspended", "pooled"])
@pytest.mark.parametrize("state", STATES)
def test_policies_and_guard_agree_about_users(
    question: Question, state: str, status: str
) -> None:
    database = question.database
    question.set_state(state)
    question.set_status(status)
    wrong, yes = [], 0
    for granted, expiry in product((None, *LEVELS), EXPIRIES):
        database.execute(
            "delete from public.user_schema_access where user_id = %s", (question.user_id,)
        )
        if granted is not None:
            database.execute(
                "insert into public.user_schema_access"
                " (user_id, schema_name, access_level, expires_at) values (%s, %s, %s,"
                " case when %s = 'infinity' then 'infinity'"
                " else statement_timestamp() + %s::interval end)",
                (
                    question.user_id,
                    question.tenant,
                    granted,
                    expiry,
                    None if expiry == "infinity" else expiry,
                ),
            )
        for level in LEVELS:
            right = (
                STATES[state]
                and status == "active"
                and granted is not None
                and LEVELS.index(granted) >= LEVELS.index(level)
                and EXPIRIES[expiry]
            )
            found = question.answers("authenticated", claims(sub=question.user_id), level)
            yes += right
            if found != (right, right):
                wrong.append((granted, expiry, level, found))

    assert wrong == []
    assert bool(yes) is (STATES[state] and status == "active")


# The subject, and whether it names the user of the test.
SUBJECTS = {
    "the user": ("{id}", True),
    "in capitals": ("{ID}", True),
    "another user": (str(uuid.UUID(int=1)), False),
    "in braces": ("{{{id}}}", False),
    "without hyphens": ("{hex}", False),
    "with a space before": (" {id}", False),
    "with a line break after": ("{id}\n", False),
    "hyphens in wrong places": ("12345678-1234-1234-12345-67812345678", False),
    "only hyphens": ("-" * 36, False),
    "36 digits": ("1" * 36, False),
    "no UUID": ("auth0|12345", False),
    "wildcards": ("________-____-____-____-____________", False),
    "wide digits": ("\uff11" * 8 + "-1234-1234-1234-123456789012", False),
    "empty": ("", False),
}


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_policies_and_guard_agree_about_subjects(
    question: Question, role: str, subject: str
) -> None:
    _grant(question)
    text, is_user = SUBJECTS[subject]
    user_id = question.user_id
    value = text.format(id=user_id, ID=user_id.upper(), hex=uuid.UUID(user_id).hex)
    right = is_user and role == "authenticated"

    assert question.answers(role, claims(sub=value), "read") == (right, right)
    assert _caller(question, role, claims(sub=value)) == (
        ("user", user_id) if right else ("nobody", None)
    )


@pytest.mark.parametrize(
    "token",
    [
        None,
        "{}",
        "null",
        '"text"',
        "[]",
        '{"role": "service_role"}',
        '{"sub": null}',
        '{"sub": 1}',
        '{"sub": {"sub": "x"}}',
        '{"sub": ["x"]}',
        '{"user_id": "x", "SUB": "x"}',
    ],
)
@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_token_without_a_subject_is_nobody(
    question: Question, role: str, token: str | None
) -> None:
    _grant(question)
    token = token and token.replace('"x"', f'"{question.user_id}"')

    assert question.answers(role, token, "read") == (False, False)
    assert _caller(question, role, token) == ("nobody", None)
    assert question.answers("authenticated", claims(sub=question.user_id), "read") == (
        True,
        True,
    )


@pytest.mark.parametrize("status", ["active", "suspended"])
def test_guard_stops_the_service_key_at_suspended_tenants_alone(
    question: Question, status: str
) -> None:
    question.set_status(status)

    # service_role passes the policies, because it bypasses row level security.
    for level in LEVELS:
        assert question.answers("service_role", None, level) == (True, status == "active")


@pytest.mark.parametrize("role", ["service_role", "postgres", "none"])
def test_privileged_callers_follow_from_the_role_alone(question: Question, role: str) -> None:
    kind = "postgres" if role == "none" else role

    assert _caller(question, role, claims(sub=question.user_id)) == (kind, None)
    assert _caller(question, role, None) == (kind, None)


@pytest.mark.parametrize("state", STATES)
def test_users_whom_auth_has_banned_or_deleted_are_nobody(
    question: Question, state: str
) -> None:
    question.set_state(state)

    assert _caller(question, "authenticated", claims(sub=question.user_id)) == (
        ("user", question.user_id) if STATES[state] else ("nobody", None)
    )


def test_session_of_an_api_role_without_a_switch_is_nobody(question: Question) -> None:
    _grant(question)
    with psycopg.connect(
        question.database.info.dsn, user="authenticator", password="postgres"
    ) as connection:
        connection.execute("set role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', %s, true)",
            (claims(sub=question.user_id),),
        )
        assert connection.execute("select (tenancy.caller()).kind").fetchone() == ("user",)
        connection.execute("reset role")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select (tenancy.caller()).kind")


def _grant(question: Question) -> None:
    question.database.execute(
        "insert into public.user_schema_access (user_id, schema_name, access_level)"
        " values (%s, %s, 'admin')",
        (question.user_id, question.tenant),
    )


def _caller(question: Question, role: str, token: str | None) -> tuple[str, str | None]:
    # anon may not execute caller() itself. A definer function may, whoever calls it.
    question.database.execute(
        "create or replace function public.who_calls() returns tenancy.caller"
        " stable security definer set search_path = '' begin atomic"
        " select tenancy.caller(); end;"
    )
    question.become(role, token)
    row = question.database.execute(
        "select kind, user_id::text from public.who_calls()"
    ).fetchone()
    question.become("none", None)
    assert row is not None
    return row["kind"], row["user_id"]


def test_policies_and_guard_share_only_the_registry_and_the_caller(database: Database) -> None:
    relations = database.execute(
        "select distinct d.refobjid::regclass::text as name from pg_rewrite r"
        " join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid"
        " where r.ev_class = 'tenancy.open_tenants'::regclass"
        " and d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class order by 1"
    ).fetchall()
    assert [row["name"] for row in relations] == [
        "tenancy.calling_user",
        "tenants",
        "user_schema_access",
    ]
    functions = database.execute(
        "select distinct d.refobjid::regproc::text as name from pg_rewrite r"
        " join pg_depend d on d.objid = r.oid and d.refclassid = 'pg_proc'::regclass"
        " where r.ev_class in ('tenancy.open_tenants'::regclass,"
        " 'tenancy.calling_user'::regclass, 'tenancy.active_users'::regclass)"
    ).fetchall()
    assert functions == []
    users = database.execute(
        "select p.proname as name from pg_proc p where p.prosrc like '%open_tenants%'"
        " and p.pronamespace in ('tenancy'::regnamespace, 'public'::regnamespace) order by 1"
    ).fetchall()
    # policy_test and permission_test alone write conditions that read the view, and
    # has_permission asks it for routines. The doctor checks the privileges on the view. The
    # other two find the policies that policy_test wrote, by their text.
    assert [row["name"] for row in users] == [
        "check_helper_grants",
        "drop_trial_hurdles",
        "has_permission",
        "permission_test",
        "policy_test",
        "unclosed_policies",
    ]


# One wrong condition -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def second(server: Postgres, address: Address) -> Iterator[Environment]:
    """A second database, because faults in the shared one would affect other tests."""
    with (
        separate_data_api(server, address) as separate,
        Environment(separate, removes="never") as environment,
    ):
        yield environment


# Each case takes 7 s, so a short run has every third one.
STEP = 1 if os.environ.get("TENANTRY_SOAK") == "1" else 3


@pytest.mark.soak
@pytest.mark.parametrize(
    ("fault", "layer"),
    [
        *(pytest.param(fault, "RLS", id=fault.name) for fault in POLICY_FAULTS[::STEP]),
        *(pytest.param(fault, "guard", id=fault.name) for fault in GUARD_FAULTS[::STEP]),
    ],
)
def test_one_wrong_condition_leaks_nothing_and_is_found_without_the_other_layers(
    second: Environment, fault: Fault, layer: str
) -> None:
    with planted(second.sql, fault):
        tenant = AttackedTenant.build(second)
        second.member(tenant.name, "admin")
        names = [attack for attack, column, mark in cells() if column == layer and mark]
        with entry_point(tenant, guarded=True) as send:
            for name in names:
                for each in tenant.attacks()[name]():
                    for request in each.requests:
                        before = tenant.contents()
                        reply = send(each.who, request)
                        assert not reply.is_success or reply.json() == [], (name, request)
                        assert tenant.contents() == before
                second.activate(tenant.name)

        leaks = []
        alone = [AttackedTenant.build(second) for _ in names]
        attacks = []
        for name, attacked in zip(names, alone, strict=True):
            # Somebody else's access must not count for the attackers.
            second.member(attacked.name, "admin")
            attacks.append(attacked.attacks()[name]())
            for other in {*LAYERS} - {layer}:
                attacked.disable(other)
        with entry_points(alone, guarded=layer == "guard") as senders:
            for name, attacked, send, each_attack in zip(
                names, alone, senders, attacks, strict=True
            ):
                for each in each_attack:
                    for request in each.requests:
                        reply = send(each.who, request)
                        if reply.is_success and reply.json() != []:
                            leaks.append((name, request.method))
                            attacked.reset()
        assert leaks
