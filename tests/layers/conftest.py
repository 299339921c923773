"""The programs that a test of the layers starts itself."""

from __future__ import annotations

import pytest
from rich.console import Console

from tenantry_cli.emulator.components import Components, install_components


@pytest.fixture
def components() -> Components:
    return install_components(Console(quiet=True))
