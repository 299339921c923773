"""The console's copy of supabase-js: it comes from npm, so git does not keep it."""

import os
import tempfile
from pathlib import Path

from tenantry_cli.emulator.components import Components
from tenantry_cli.project import Project


def place_supabase_js(components: Components, project: Project) -> Path | None:
    """Puts it where the console serves it from and a deploy uploads it."""
    page = project.functions / "tenantry" / "console_page"
    if not page.is_dir():
        return None
    place, script = page / "supabase.js", components.supabase_js.read_bytes()
    if not place.is_file() or place.read_bytes() != script:
        # Whoever serves it while it is replaced has the old or the new one, whole.
        descriptor, draft = tempfile.mkstemp(dir=project.state)
        with os.fdopen(descriptor, "wb") as file:
            file.write(script)
        Path(draft).chmod(0o644)
        Path(draft).replace(place)
    return place
