"""The baseline migration: `sql/` in one file, which `supabase db push` applies."""

import os
from collections.abc import Mapping
from pathlib import Path

from tenantry import __version__
from tenantry_cli.migration_files import next_migration_version, released_checksums
from tenantry_cli.project import Project
from tenantry_cli.release import named_in_public
from tenantry_cli.sources import source_texts

_HEADER = """\
-- Tenantry {version}. Written from sql/ by `tenantry generate`: edit sql/, then run it again.

-- A function may call another that is created later in this file.
set check_function_bodies = off;

-- PostgreSQL's own message would not say what to do.
do $$
declare
    v_taken text;
begin
    select string_agg(o.title, ', ' order by o.title) into v_taken
    from (
        -- Each table and each view has a type of its name.
        select t.typname, 'public.' || t.typname
        from pg_catalog.pg_type t
        where t.typnamespace = 'public'::regnamespace
        union
        -- A second function of a name makes calls through the Data API ambiguous.
        select p.proname, format('function public.%s', p.proname)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'public'::regnamespace
        union
        -- A table that was renamed keeps the names of its indexes.
        select c.relname, format('index public.%s', c.relname)
        from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('i', 'I')
        union
        select n.nspname, format('schema %s', n.nspname)
        from pg_catalog.pg_namespace n
        where n.nspname in ('tenancy', 'tenant_template')
    ) o (name, title)
    where o.name in (
        'tenancy',
        'tenant_template',
        {names}
    );
    if v_taken is not null then
        raise exception 'This project already has %. Tenantry makes objects with these names. '
            'Rename yours by SQL, or in a migration whose file stands before this one; then '
            'push again. Nothing was changed.', v_taken;
    end if;
end;
$$;
"""
_FOOTER = """\

reset check_function_bodies;
"""


def baseline_path(project: Project) -> Path | None:
    """The file of the unreleased version; None once that version is released.

    It keeps its timestamp as long as it exists.
    """
    suffix = f"_tenantry_{__version__.replace('.', '_')}.sql"
    existing = sorted(project.migrations.glob(f"*{suffix}"))
    released = released_checksums(project)
    if released:
        return None
    if existing:
        return existing[0]
    return project.migrations / f"{next_migration_version(project)}{suffix}"


def present_sources(project: Project, generated: Mapping[Path, str]) -> Mapping[str, str]:
    """The texts of `sql/` in their order; generated files count with their new text."""
    sources = dict(source_texts(project))
    for file, text in generated.items():
        path = file.relative_to(project.root).as_posix()
        if path.startswith("sql/") and path.endswith(".sql"):
            sources[path] = text
    return {path: sources[path] for path in sorted(sources, key=os.fsencode)}


def baseline_text(sources: Mapping[str, str]) -> str:
    objects = (f"\n-- {path}\n\n{text.strip()}\n" for path, text in sources.items())
    names = sorted({name for text in sources.values() for _, name in named_in_public(text)})
    header = _HEADER.format(
        version=__version__, names=(",\n" + " " * 8).join(f"'{name}'" for name in names)
    )
    return "".join((header, *objects, _FOOTER))
