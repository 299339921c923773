"""`tenantry functions`: all groups, their documents and the console, for any project."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

import tenantry
from tenantry_cli.emulator.bundle import copy_supabase_js
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.paths import DEFAULT_FUNCTIONS, FUNCTIONS
from tenantry_cli.emulator.proxies import functions_environment
from tenantry_cli.project import find_project
from tenantry_cli.target import public_options

_PACKAGE = Path(tenantry.__file__).parent
# Settings that the caller's environment may replace.
_DEFAULTS = {"TENANTRY_ALLOWED_ORIGINS": "*", "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "8"}


@click.command()
@click.option("--target", metavar="GROUP", help="Serve one group alone, such as tenant-status.")
@click.option(
    "--port",
    type=click.IntRange(1024, 65_535),
    default=8080,
    show_default=True,
    help="The port.",
)
@public_options
def functions(url: str, anon_key: str, target: str | None, port: int) -> None:
    """Serve the functions on this machine, until Ctrl-C.

    They work on the running emulator, or on the project of --url: a hosted one, or one of
    `supabase start`. functions/main.py of the project is served, or Tenantry's own.
    """
    project = find_project()
    components = install_components(Console(stderr=True, highlight=False))
    with suppress(OSError):
        # Only a deploy needs the copy: these functions get the path.
        copy_supabase_js(components, project)
    source = project.functions / "main.py"
    if not source.is_file():
        source = DEFAULT_FUNCTIONS
    address = f"http://127.0.0.1:{port}{FUNCTIONS}"
    environment = {
        **_DEFAULTS,
        "TENANTRY_FUNCTIONS_URL": address,
        **functions_environment(os.environ)[0],
        "SUPABASE_URL": url,
        "SUPABASE_ANON_KEY": anon_key,
        "PYTHONPATH": str(_PACKAGE.parent),
        "PYTHONUNBUFFERED": "1",
    }
    arguments = [
        *(sys.executable, "-m", "tenantry_cli.emulator.functions"),
        *("--port", str(port), "--source", str(source)),
        *("--swagger-ui", str(components.swagger_ui)),
        *("--supabase-js", str(components.supabase_js)),
        *(["--target", target.replace("-", "_")] if target else []),
    ]
    click.echo(f"{address} works on {url}. The documentation is at {address}/docs.")
    # The server takes the place of this process, so that Ctrl-C and signals reach it.
    os.execve(sys.executable, arguments, environment)  # noqa: S606  # nosec B606
