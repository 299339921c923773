"""release/objects.json: what `sql/` makes. The doctor compares each database with it."""

import json
from pathlib import Path

from psycopg import Connection

from tenantry import __version__
from tenantry_cli.project import Project
from tenantry_cli.release_objects import OBJECTS_FILE, present_objects

# The database had nothing in public before.
_NAMES = """
    select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace
    union
    select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
    union
    select t.typname::text from pg_type t where t.typnamespace = 'public'::regnamespace
"""


def objects_path(project: Project) -> Path:
    return project.functions / OBJECTS_FILE


def objects_text(session: Connection) -> str:
    names = (name for (name,) in session.execute(_NAMES))
    objects = present_objects(session, names)
    content = {"release": __version__, "objects": objects}
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
