"""The helpers in `sql/20_tenancy`: their folders, and with whose rights they run.

Each folder holds the helpers of one concern and can be read with the folders that it calls.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from typing import Any

import psycopg

from tenantry_cli.project import find_project

SQL = find_project().root / "sql"
HELPERS = SQL / "20_tenancy"

# A caller and the function it calls, by the folders of both.
Calls = dict[tuple[str, str], list[tuple[str, str]]]


def calls_between_folders(texts: dict[str, str], folders: dict[str, str]) -> Calls:
    """Calls from one folder into another; the keys of both arguments are full names."""
    calls: Calls = defaultdict(list)
    for caller, text in texts.items():
        code, _, _ = re.sub(r"--.*", "", text).partition("comment on function")
        for called in sorted(set(re.findall(r"\b(?:tenancy|public)\.\w+", code))):
            edge = folders[caller], folders.get(called, folders[caller])
            if edge[0] != edge[1]:
                calls[edge].append((caller, called))
    return calls


def calls_in_a_cycle(calls: Calls) -> list[str]:
    """The calls that make one cycle of folders, a line each; none if there is no cycle."""
    dependencies: dict[str, set[str]] = defaultdict(set)
    for caller, called in calls:
        dependencies[caller].add(called)
    try:
        TopologicalSorter(dependencies).prepare()
    except CycleError as error:
        # The error lists each folder after the folder that it calls.
        cycle = error.args[1]
        return [
            f"{caller} -> {called}: {caller_name} calls {called_name}"
            for called, caller in itertools.pairwise(cycle)
            for caller_name, called_name in calls[caller, called]
        ]
    return []


def functions() -> tuple[dict[str, str], dict[str, str]]:
    """The text and the folder of each function; the RPCs count as one folder."""
    files = {
        **{f"tenancy.{path.stem}": path for path in HELPERS.rglob("*.sql")},
        **{f"public.{path.stem}": path for path in (SQL / "30_rpc").rglob("*.sql")},
    }
    return (
        {name: path.read_text() for name, path in files.items()},
        {
            name: "30_rpc" if name.startswith("public.") else path.parent.name
            for name, path in files.items()
        },
    )


def test_folders_do_not_call_in_a_cycle() -> None:
    assert calls_in_a_cycle(calls_between_folders(*functions())) == []


def test_cycle_is_reported_with_the_calls_that_make_it() -> None:
    texts, folders = functions()
    texts["tenancy.printable"] += "\n-- tenancy.lock_users(null)"
    assert calls_in_a_cycle(calls_between_folders(texts, folders)) == []

    texts["tenancy.printable"] = "select tenancy.require_table(null, null);"
    found = calls_in_a_cycle(calls_between_folders(texts, folders))

    assert "errors -> catalog: tenancy.printable calls tenancy.require_table" in found
    assert "catalog -> errors: tenancy.require_table calls tenancy.printable" in found


def test_rpcs_call_helpers_and_no_helper_calls_an_rpc() -> None:
    calls = calls_between_folders(*functions())

    assert ("30_rpc", "access") in calls
    assert [edge for edge in calls if edge[1] == "30_rpc"] == []


def test_every_helper_is_in_the_folder_of_its_concern() -> None:
    folders = {path.parent for path in HELPERS.rglob("*.sql")}

    assert all(folder.parent == HELPERS for folder in folders)
    assert {path for path in HELPERS.iterdir() if path.is_dir()} == folders


def definers_that_only_the_owner_executes(
    database: psycopg.Connection[dict[str, Any]],
) -> set[str]:
    rows = database.execute(
        """
        select p.proname::text as name
        from pg_proc p
        where p.pronamespace = 'tenancy'::regnamespace
            and p.prosecdef
            and p.prorettype <> 'trigger'::regtype
            and not has_function_privilege('anon', p.oid, 'execute')
            and not has_function_privilege('authenticated', p.oid, 'execute')
        """
    )
    return {row["name"] for row in rows}


def test_helper_that_only_the_owner_executes_runs_as_its_caller(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    # These are definers, so that the reference schema belongs to their owner and not to the
    # role that pushes.
    registering = {
        *("add_tenant_migration", "register_tenant_migration"),
        *("register_tenant_backfill", "register_tenant_index"),
    }
    assert definers_that_only_the_owner_executes(database) == registering

    database.execute("alter function tenancy.platform_role() security definer")

    found = definers_that_only_the_owner_executes(database) - registering
    assert found == {"platform_role"}
