"""The `tenantry` command."""

from importlib import import_module
from typing import Any

import click

from tenantry_cli.errors import TenantryError, describe_os_error
from tenantry_cli.installer import install_line
from tenantry_cli.signals import INTERRUPTED

# The module of each command, which is imported when the command runs: importing the emulator
# and the proof takes longer than most commands take to run.
_SECTIONS = {
    "Your project": {
        "init": "tenantry_cli.installation.init",
        "new": "tenantry_cli.new",
        "upgrade": "tenantry_cli.installation.upgrade",
        "uninstall": "tenantry_cli.installation.uninstall",
        "diff": "tenantry_cli.emulator.diff",
    },
    "This machine": {
        "up": "tenantry_cli.emulator.command",
        "down": "tenantry_cli.emulator.status",
        "status": "tenantry_cli.emulator.status",
        "reset": "tenantry_cli.emulator.command",
        "push": "tenantry_cli.emulator.cli_command",
        "supabase": "tenantry_cli.emulator.cli_command",
        "functions": "tenantry_cli.functions",
    },
    "A running project": {
        "demo": "tenantry_cli.demo.command",
        "tenants": "tenantry_cli.tenants",
        "migrate": "tenantry_cli.migrate",
        "pool": "tenantry_cli.pool",
        "drift": "tenantry_cli.drift",
        "adopt": "tenantry_cli.adopt",
        "split": "tenantry_cli.splitting.command",
        "doctor": "tenantry_cli.doctor.command",
        "prove": "tenantry_cli.proof.command",
        "restore": "tenantry_cli.restore",
    },
    "The development of Tenantry": {
        "generate": "tenantry_cli.generate.command",
        "draft": "tenantry_cli.draft",
        "bundle": "tenantry_cli.emulator.command",
    },
}
_COMMANDS = {name: module for each in _SECTIONS.values() for name, module in each.items()}
_INSTALLATION = install_line("tenantry[local]")


class _Commands(click.Group):
    """Prints a TenantryError, and an error of the system, as a sentence without a stack
    trace."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for section, names in _SECTIONS.items():
            rows = [
                (f"{name:{width}}", command.get_short_help_str(formatter.width - width - 6))
                for name in names
                if (command := self.get_command(ctx, name)) is not None
            ]
            with formatter.section(section):
                formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        try:
            module = import_module(_COMMANDS[cmd_name])
        except ModuleNotFoundError as missing:
            return _command_without_packages(cmd_name, missing)
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TenantryError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as missing:
            # A command that needs a package for some of its options imports it late.
            raise _needs_packages(ctx.invoked_subcommand, missing) from missing
        except KeyboardInterrupt as error:
            # Not 1, with which a command says what it found.
            click.echo(str(error) or "Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read the output has ended, as `tenantry drift | head` does.
            raise
        except OSError as error:
            raise click.ClickException(str(describe_os_error(error))) from error


def _command_without_packages(name: str, missing: ModuleNotFoundError) -> click.Command:
    """Stands in the list of commands, and says what it needs when it is called."""

    def refuse() -> None:
        raise _needs_packages(name, missing)

    return click.Command(
        name,
        callback=refuse,
        short_help=f"Needs more packages: {_INSTALLATION}",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _needs_packages(command: str | None, missing: ModuleNotFoundError) -> click.ClickException:
    return click.ClickException(
        f"`tenantry {command}` needs packages that are not installed ({missing.name} is "
        f"missing). Install them: {_INSTALLATION}"
    )


@click.group(cls=_Commands)
@click.version_option(package_name="tenantry")
def main() -> None:
    """Schema-per-tenant multi-tenancy for Supabase."""
