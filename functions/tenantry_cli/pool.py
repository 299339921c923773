"""`tenantry pool`: shows and refills the pool of ready tenants."""

import json
import time
from typing import Any

import click
from rich.console import Console

from tenantry_cli.data_api import DataApi, project_options
from tenantry_cli.errors import TenantryError
from tenantry_cli.progress import progress_bar
from tenantry_cli.signals import INTERRUPTED, terminated_like_ctrl_c

# Between two calls while another session refills the pool.
_PAUSE_SECONDS = 1
# Another session that works makes a tenant within this time.
_PATIENCE_SECONDS = 60


@click.group()
def pool() -> None:
    """Show or refill the pool of ready tenants.

    `create_tenant_schema` without a name takes a tenant of the pool, which the Data API serves
    at once. The pool has the size of tenancy.platform_settings.pool_size.
    """


@pool.command()
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
@project_options
def status(as_json: bool, api: DataApi) -> None:
    """Show how many tenants the pool has."""
    _show(api.call("get_tenant_pool"), as_json)


@pool.command()
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
@project_options
@click.pass_context
def refill(context: click.Context, as_json: bool, api: DataApi) -> None:
    """Make the tenants that the pool lacks, and remove those that are too many.

    An interrupted run loses nothing, and the next one goes on. Exits 130 after Ctrl-C.
    """
    state = api.call("get_tenant_pool")
    made = removed = 0
    progress = progress_bar(
        Console(stderr=True, highlight=False),
        is_shown=bool(state["missing"] + state["surplus"]),
    )
    is_interrupted = False
    last_change = time.monotonic()
    with terminated_like_ctrl_c(), progress:
        task = progress.add_task("Refilling", total=state["missing"] + state["surplus"])
        try:
            while state["missing"] or state["surplus"]:
                state = api.call("refill_tenant_pool")
                made += state["made"]
                removed += state["removed"]
                progress.update(
                    task,
                    completed=made + removed,
                    total=made + removed + state["missing"] + state["surplus"],
                )
                if state["made"] or state["removed"]:
                    last_change = time.monotonic()
                elif state["missing"] or state["surplus"]:
                    if time.monotonic() - last_change > _PATIENCE_SECONDS:
                        raise TenantryError(
                            "Another session refills the pool, and has made nothing for a "
                            "minute. Run the command again later."
                        )
                    time.sleep(_PAUSE_SECONDS)
        except KeyboardInterrupt:
            is_interrupted = True
    _show(state | {"made": made, "removed": removed}, as_json)
    if is_interrupted:
        context.exit(INTERRUPTED)


def _show(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(state, indent=2))
        return
    if state["made"] or state["removed"]:
        click.echo(f"{state['made']} made, {state['removed']} removed.")
    click.echo(
        f"The pool should have {_counted(state['pool_size'], 'tenant', 'tenants')}. "
        f"{_counted(state['ready'], 'is', 'are')} ready"
        f"{_part(state['waiting'], 'waits', 'wait', 'until PostgREST has loaded its tables')}"
        f"{_part(state['behind'], 'lacks', 'lack', 'tenant migrations: tenantry migrate')}."
    )
    if state["missing"] or state["surplus"]:
        click.echo(
            f"{_counted(state['missing'], 'is', 'are')} missing, "
            f"{_counted(state['surplus'], 'is', 'are')} too many or unusable: "
            "tenantry pool refill"
        )
    if not state["pool_size"]:
        click.echo(
            "There is no pool. To have one, run for example: "
            "update tenancy.platform_settings set pool_size = 20 where true;"
        )


def _part(count: int, one: str, many: str, text: str) -> str:
    return f", {_counted(count, one, many)} {text}" if count else ""


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
