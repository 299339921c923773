"""The RPCs by name: their grants, and the list by which the doctor knows them."""

from collections.abc import Iterable
from pathlib import Path

from tenantry.catalogue import CatalogueEntry
from tenantry_cli.project import Project

_TEXT = """\
-- Written by `tenantry generate` from sql/30_rpc: edit the RPCs, then run it again.

-- Each RPC decides what its caller may do. Only signed-in callers and the service key may call
-- an RPC at all. The default privileges of a hosted project may include anon, so the revoke
-- names anon, too.

revoke all on function
{functions}
    from public, anon, authenticated, service_role;

grant execute on function
{functions}
    to authenticated, service_role;
"""
_SIGNATURES = """\
-- Written by `tenantry generate` from sql/30_rpc: edit the RPCs, then run it again.
create function tenancy.rpc_signatures()
    returns text[]
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select array[
{signatures}
    ];
$$;

comment on function tenancy.rpc_signatures() is
    'The RPCs with their argument types. Every other routine in public belongs to the project.';
"""


def privileges_path(project: Project) -> Path:
    return project.root / "sql" / "90_privileges" / "rpcs.sql"


def privileges_text(entries: Iterable[CatalogueEntry]) -> str:
    functions = ",\n".join(f"    {entry.signature}" for entry in entries)
    return _TEXT.format(functions=functions)


def signatures_path(project: Project) -> Path:
    return project.root / "sql" / "50_checks" / "rpc_signatures.sql"


def signatures_text(entries: Iterable[CatalogueEntry]) -> str:
    signatures = ",\n".join(f"        '{entry.signature}'" for entry in entries)
    return _SIGNATURES.format(signatures=signatures)
