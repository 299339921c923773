"""`python -m tenantry_cli`: the command by which a detached emulator starts itself."""

from tenantry_cli.main import main

main(prog_name="tenantry")
