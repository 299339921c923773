"""Applies pending migrations to an emulator, and says what the emulator lacks for them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.rehearsal import Rehearsal, adapted_files, rehearse
from tenantry_cli.emulator.server_log import warnings_from_now
from tenantry_cli.emulator.supabase_cli import Push, push_migrations
from tenantry_cli.errors import TenantryError


def push_project(
    components: Components,
    postgres: Postgres,
    root: Path,
    *,
    env: Mapping[str, str],
    leave_out_missing: bool,
    log: Path,
) -> Push:
    """Pushes. `log` is that of the server, in which it writes its warnings."""
    rehearsal = (
        rehearse(postgres, root) if leave_out_missing else Rehearsal((), adapted_files(root))
    )
    # After the rehearsal, which has the same warnings.
    warnings = warnings_from_now(log)
    try:
        push = push_migrations(
            components,
            root=root,
            database_url=postgres.url(),
            env=env,
            replaced=rehearsal.replaced,
        )
    except TenantryError as error:
        if leave_out_missing or not (lacking := rehearse(postgres, root)).left_out:
            raise
        other = f"After them, another one fails: {lacking.failure}\n" if lacking.failure else ""
        raise TenantryError(
            f"{error}\nThe emulator lacks what these statements need:\n{lacking.list}\n{other}"
            "Apply them in a hosted project. `tenantry up --leave-out-missing` goes on without "
            "them."
        ) from error
    push = replace(push, server_warnings=warnings())
    if not rehearsal.left_out:
        return push
    return replace(
        push,
        left_out=(
            "The emulator lacks what these statements need. They were left out:\n"
            f"{rehearsal.list}"
        ),
    )
