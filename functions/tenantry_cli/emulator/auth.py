"""Auth: the GoTrue-compatible server of Supabase Lite. Only /auth/v1 of it is used."""

import json
from collections.abc import Mapping
from pathlib import Path

from tenantry_cli.configuration import AuthSettings, Site
from tenantry_cli.emulator.components import NODE, Components
from tenantry_cli.emulator.process import Child

_DRIVER = Path(__file__).resolve().with_name("auth_driver.mjs")


def start_auth(
    components: Components,
    *,
    port: int,
    database_url: str,
    jwt_secret: str,
    api_url: str,
    site: Site,
    settings: AuthSettings,
    directory: Path,
    log: Path,
    env: Mapping[str, str],
) -> Child:
    """Starts Auth, which creates the tables of the schema `auth` before it answers."""
    config = directory / "supabase" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)
    allowed = (site.url, f"{site.url.rstrip('/')}/**", *site.also)
    # A JSON string is a TOML string too.
    config.write_text(
        f"""\
project_id = "tenantry"

[api]
port = {port}

[db]
driver = "postgres"
url = {json.dumps(database_url)}

# The Supabase CLI keeps the migration history, as `postgres`.
[db.migrations]
enabled = false

[auth]
enabled = true
enable_signup = {json.dumps(settings.enable_signup)}
enable_anonymous_sign_ins = {json.dumps(settings.enable_anonymous_sign_ins)}
jwt_expiry = {settings.jwt_expiry}
minimum_password_length = {settings.minimum_password_length}
# The links in the mails of its log begin with this address. The gateway leads on to the site.
site_url = {json.dumps(api_url)}
additional_redirect_urls = {json.dumps(allowed)}
jwt_secret = {json.dumps(jwt_secret)}

[auth.email]
enable_signup = true
enable_confirmations = false
"""
    )
    # Without --no-admin, requests without a key would be served as service_role.
    return Child(
        "Auth",
        [NODE, "--import", _DRIVER.as_uri(), components.auth, "start", "--no-admin"],
        log=log,
        # Node keeps the compiled modules for the next start.
        env={**env, "NODE_COMPILE_CACHE": str(components.compiled)},
        cwd=directory,
    )
