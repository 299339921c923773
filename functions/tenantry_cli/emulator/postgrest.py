"""PostgREST, set up as on hosted Supabase."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.ports import Ports
from tenantry_cli.emulator.process import Child


def start_postgrest(
    components: Components,
    *,
    ports: Ports,
    database_url: str,
    verifying_keys: str,
    api_url: str,
    log: Path,
    env: Mapping[str, str],
    schemas: Sequence[str] = ("public",),
    extra_search_path: Sequence[str] = ("public", "extensions"),
    max_rows: int = 1000,
    overrides: Mapping[str, str] | None = None,
) -> Child:
    settings = {
        "PGRST_DB_URI": database_url,
        "PGRST_DB_SCHEMAS": ", ".join(schemas),
        "PGRST_DB_EXTRA_SEARCH_PATH": ", ".join(extra_search_path),
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_DB_MAX_ROWS": str(max_rows),
        "PGRST_DB_POOL": "10",
        # Migrations expose schemas through the role's settings and a notification.
        "PGRST_DB_CONFIG": "true",
        "PGRST_DB_CHANNEL_ENABLED": "true",
        "PGRST_JWT_SECRET": verifying_keys,
        "PGRST_OPENAPI_SERVER_PROXY_URI": f"{api_url}/rest/v1",
        "PGRST_SERVER_HOST": "127.0.0.1",
        "PGRST_SERVER_PORT": str(ports.postgrest),
        "PGRST_ADMIN_SERVER_PORT": str(ports.postgrest_admin),
    }
    return Child(
        "PostgREST",
        [components.postgrest],
        log=log,
        env={**env, **settings, **(overrides or {})},
        cwd=log.parent,
    )
