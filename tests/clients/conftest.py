"""supabase-js and other packages from npm, installed as the emulator's components are."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tenantry_cli.emulator.components import install_packages


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The `node_modules` of this folder's lock file, downloaded if they are not here yet."""
    console = Console(stderr=True, quiet=True)
    return install_packages(Path(__file__).parent, console, "the packages of the client tests")
