"""The copy of supabase-js that the console of a deployment loads. It comes from npm."""

import os
import tempfile
from pathlib import Path

from tenantry_cli.emulator.components import Components
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project


def copy_supabase_js(components: Components, project: Project) -> Path | None:
    """Copies supabase-js beside the page, if the project contains the package of the functions.

    Git ignores this copy, and a deploy uploads it.
    """
    page = project.functions / "tenantry" / "console_page"
    return _copy(components, page) if page.is_dir() else None


def bundle_supabase_js(components: Components, project: Project) -> Path:
    """Copies supabase-js to where the console of the deployed functions finds it."""
    if copied := copy_supabase_js(components, project):
        return copied
    if not (project.functions / "main.py").is_file():
        raise TenantryError(
            "This project has no functions to deploy: functions/main.py is missing. "
            "`tenantry init` adds Tenantry to this project."
        )
    # Beside main.py, where a deployed process works.
    folder = project.functions / "console"
    folder.mkdir(exist_ok=True)
    return _copy(components, folder)


def _copy(components: Components, page: Path) -> Path:
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
