"""The copy of supabase-js that the console loads. It comes from npm, so git ignores it."""

import os
import tempfile
from pathlib import Path

from tenantry_cli.emulator.components import Components
from tenantry_cli.project import Project


def copy_supabase_js(components: Components, project: Project) -> Path | None:
    """Copies supabase-js into the folder that the console serves and a deploy uploads."""
    page = project.functions / "tenantry" / "console_page"
    if not page.is_dir():
        return None
    target, script = page / "supabase.js", components.supabase_js.read_bytes()
    if not target.is_file() or target.read_bytes() != script:
        # A rename is atomic: a server reads the old or the new file, never a part of one. It
        # works only within one file system, and .tenantry may be on another one.
        descriptor, draft = tempfile.mkstemp(dir=page, prefix=f".{target.name}")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(script)
            Path(draft).chmod(0o644)
            Path(draft).replace(target)
        finally:
            Path(draft).unlink(missing_ok=True)
    return target
