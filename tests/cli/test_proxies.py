"""The proxy variables that the functions get."""

from __future__ import annotations

import os

import pytest

from tenantry_cli.emulator.proxies import functions_environment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://proxy.example:1080"),
        ("NO_PROXY", "[::1]"),
        ("http_proxy", "htp://proxy.example"),
    ],
)
def test_proxy_that_httpx_refuses_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv(name, value)

    environment, (warning,) = functions_environment(os.environ)

    assert not [each for each in environment if each.lower().endswith("_proxy")]
    assert environment["PATH"] == os.environ["PATH"]
    assert "without a proxy" in warning
    assert name in warning


def test_proxy_is_used_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", "intranet.example")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")

    environment, warnings = functions_environment(os.environ)

    assert warnings == ()
    assert environment["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert environment["no_proxy"] == environment["NO_PROXY"] == "intranet.example,127.0.0.1"
