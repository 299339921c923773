"""`python -m tenantry_cli`, which is how a detached emulator starts itself."""

from tenantry_cli.main import main

main(prog_name="tenantry")
