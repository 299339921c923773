"""The components of the emulator: the platforms that have them."""

import platform

import pytest
from rich.console import Console

from tenantry_cli.emulator.components import install_components
from tenantry_cli.errors import TenantryError


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [("Darwin", "arm64", "darwin-arm64"), ("Linux", "aarch64", "linux-arm64")],
)
def test_unsupported_platform_is_refused_before_any_download(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, name: str
) -> None:
    console = Console(quiet=True)
    assert install_components(console).postgrest.exists()
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    with pytest.raises(TenantryError, match=f"this is {name}"):
        install_components(console)
