"""`tenantry demo`."""

from __future__ import annotations

from contextlib import closing

import click
from rich.console import Console

from tenantry_cli.demo.project import DemoProject
from tenantry_cli.demo.story import tell
from tenantry_cli.target import Target, target_options


@click.command()
@click.option("--remove", is_flag=True, help="Remove what the demo has made, and nothing else.")
@target_options
def demo(target: Target, remove: bool) -> None:
    """Show what Tenantry does, with three users and two tenants.

    The demo makes three users and two tenants in the running emulator, or in the project of
    --url. A repeat uses them again. The service key is not sent to the functions.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not remove:
        tell(target, console)
        return
    with closing(DemoProject(target)) as project:
        for sentence in project.remove():
            console.print(sentence, markup=False)
