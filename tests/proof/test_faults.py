"""`tenantry prove` finds faults, which are planted one at a time at full size."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.commands import tenantry
from support.faults import (
    FAULTS,
    GUARD_FAULTS,
    POLICY_FAULTS,
    Fault,
    definition,
    planted,
)
from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.campaign import prove
from tenantry_cli.proof.evidence import Finding, Verdict
from tenantry_cli.proof.identities import STANDARD_IDENTITIES
from tenantry_cli.proof.plan import Selection
from tenantry_cli.proof.rules import Level
from tenantry_cli.target import Target

# One fault for each kind of evidence: requests, the catalog, an audit log.
SAMPLE = (
    "users whom Auth has banned count",
    "an RPC is granted to anon",
    "grants of access are not logged",
)
SOAK = os.environ.get("TENANTRY_SOAK") == "1"
# Two parts, for two workers.
CHOSEN = (
    (FAULTS[::2], FAULTS[1::2])
    if SOAK
    else (tuple(fault for fault in FAULTS if fault.name in SAMPLE),)
)


LAYER_FAULTS = (*POLICY_FAULTS, *GUARD_FAULTS)
LEVELS = {
    (identity.name, letter): level
    for identity in STANDARD_IDENTITIES
    for letter, level in identity.levels.items()
}


@pytest.mark.soak
@pytest.mark.parametrize("faults", CHOSEN, ids=[f"part {n}" for n, _ in enumerate(CHOSEN, 1)])
def test_every_planted_fault_is_found_and_a_sound_project_is_proved(
    project: Target,
    database: psycopg.Connection[dict[str, Any]],
    clear: Callable[[], None],
    tmp_path: Path,
    faults: tuple[Fault, ...],
) -> None:
    missed = {}
    # A usual run plants its few faults at once, which takes one proof instead of three.
    for together in [(fault,) for fault in faults] if SOAK else [faults]:
        with ExitStack() as stack:
            for fault in together:
                stack.enter_context(planted(database, fault))
            found = _found(project, tmp_path / "proof.json")
        for fault in together:
            if (what := _missed(fault, found)) is not None:
                missed[fault.name] = what
        # A tenant on which other objects depend cannot be deleted while the fault is planted.
        clear()

    assert missed == {}

    killed = _killed_run(project)
    with planted_objects(database):
        # The faults were looked for at PostgREST's own port.
        sound = prove(dataclasses.replace(project, postgrest_url=None), Selection.BRIEF)
    assert sound.findings == []
    notes = " ".join(sound.notes)
    own = "/rpc/expose_schema, /rpc/get_tenant_info, /rpc/shop_hours"
    assert f"which the proof does not judge: {own}" in notes
    assert f"were killed, was removed: {killed}" in notes
    assert sound.attempts > 3000
    assert _remains(database) == {"tenants": 0, "users": 0}


def _found(project: Target, file: Path) -> list[Finding]:
    """Runs the command, and returns the findings of its report."""
    result = tenantry(project, "prove", "--json", str(file))

    assert result.exit_code == 1, result.output
    text = file.read_text()
    assert project.service_key not in result.output + text
    found = [
        Finding(**each | {"verdict": Verdict(each["verdict"])})
        for each in json.loads(text)["findings"]
    ]
    leaks = [finding for finding in found if finding.verdict is Verdict.LEAK]
    assert ("LEAKED" in result.output) == bool(leaks)
    for leak in leaks:
        # One that is no statement of SQL.
        if leak.verb == "GET" and leak.request and leak.request["method"] == "GET":
            assert leak.request["url"].startswith("http")
            assert ["Authorization", "…"] in leak.request["headers"]
            assert leak.excerpt
    return found


def _remains(database: psycopg.Connection[dict[str, Any]]) -> dict[str, Any] | None:
    return database.execute(
        "select (select count(*) from public.tenants) as tenants,"
        " (select count(*) from auth.users) as users"
    ).fetchone()


# The second function has the name of a helper, the third that of an RPC. The trigger's rows go
# with the account.
_OWN_OBJECTS = """
create function public.shop_hours() returns text language sql as $$ select '9 to 5' $$;
create function public.expose_schema(schema_name text) returns text language sql
    as $$ select 'a catalogue of schemas' $$;
create function public.get_tenant_info(tenant_number integer) returns text language sql
    as $$ select 'the tenants of our houses' $$;
grant execute on function public.shop_hours(), public.expose_schema(text),
    public.get_tenant_info(integer) to anon, authenticated;
create table public.customers (
    id uuid primary key references auth.users (id) on delete cascade
);
create function public.add_customer() returns trigger security definer set search_path = ''
    language plpgsql as $$
begin
    insert into public.customers values (new.id);
    return null;
end
$$;
create trigger add_customer after insert on auth.users
    for each row execute function public.add_customer();
"""
_REMOVE_OWN_OBJECTS = """
drop function public.add_customer() cascade;
drop function public.shop_hours(), public.expose_schema(text), public.get_tenant_info(integer);
drop table public.customers;
"""


@contextmanager
def planted_objects(database: psycopg.Connection[dict[str, Any]]) -> Iterator[None]:
    """Functions, a table and a sign-up trigger of the project itself, in public."""
    database.execute(_OWN_OBJECTS)
    database.execute("notify pgrst, 'reload schema'")
    try:
        yield
    finally:
        database.execute(_REMOVE_OWN_OBJECTS)


def _killed_run(project: Target) -> str:
    """Begins a run in another process, which is killed. Returns the id of the run."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TARGET": json.dumps(dataclasses.asdict(project)),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


_KILLED = """
import json, os, signal
from tenantry_cli.proof.environment import Environment
from tenantry_cli.target import Target

environment = Environment(Target(**json.loads(os.environ["TARGET"])))
environment.create_tenants()
environment.create_users()
print(environment.run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_project_whose_accounts_cannot_be_removed_is_refused(
    project: Target, database: psycopg.Connection[dict[str, Any]]
) -> None:
    with planted_objects(database):
        database.execute(
            "alter table public.customers drop constraint customers_id_fkey,"
            " add constraint customers_id_fkey foreign key (id) references auth.users (id)"
        )
        with pytest.raises(TenantryError, match=r"a row of public\.customers refers to it"):
            prove(project, Selection.BRIEF)

    assert _remains(database) == {"tenants": 0, "users": 0}


def test_at_least_seventy_faults_have_unique_names() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 70


def test_every_fault_can_still_be_planted(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    """A run plants a few faults only. All of them must fit the functions that they change."""
    lost = []
    for fault in FAULTS:
        texts: dict[str, str] = {}
        for edit in fault.edits:
            text = texts.get(edit.object) or definition(database, edit.object)
            if edit.right not in text:
                lost.append(fault.name)
            texts[edit.object] = text.replace(edit.right, edit.wrong)
    assert lost == []


def _crosses(leak: Finding) -> bool:
    """Whether an identity got past both layers.

    The guard alone protects the OpenAPI page, which has no rows. The guard asks for the level
    `read` or `write` only: the level that a single table needs is up to its policies.
    """
    if leak.group == "past the guard" or leak.object == "OpenAPI page":
        return False
    needs = Level.READ if leak.verb in ("GET", "HEAD") else Level.WRITE
    return LEVELS.get((leak.identity, leak.tenant), 0) < needs


def _missed(fault: Fault, found: list[Finding]) -> str | None:
    """Why the report misses the fault, or None."""
    leaks = [finding for finding in found if finding.verdict is Verdict.LEAK]
    # Only the layer tests, which take the other layers away, may show the fault of one layer.
    crossed = list(filter(_crosses, leaks)) if fault in LAYER_FAULTS else []
    if crossed:
        return f"a row crossed: {crossed[0]}"
    named = leaks if fault.leaks else found
    if fault.leaks and not leaks:
        return f"no leak among {[finding.why for finding in found][:5]}"
    if not any(fault.object in finding.object for finding in named):
        return f"{fault.object} is not among {sorted({finding.object for finding in named})}"
    return None
