"""A process with an unusable setting names the setting and does not start."""

import pytest

from support.callers import Start, token

SERVICE_KEY = token(role="service_role")


@pytest.mark.parametrize(
    "name",
    [
        "SUPABASE_URL",
        "SUPABASE_ANON_KEY",
        "TENANTRY_ALLOWED_ORIGINS",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS",
    ],
)
def test_missing_setting_stops_the_start_with_its_name(
    start: Start,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    del variables[name]
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit, match=rf"^{name} is not set: [^.]+\.$"):
        start("tenant_status")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUPABASE_URL", "\t"),
        ("SUPABASE_URL", "project.supabase.co"),
        ("SUPABASE_URL", "https://"),
        ("SUPABASE_URL", "http://[::1"),
        ("SUPABASE_ANON_KEY", "\t"),
        ("SUPABASE_ANON_KEY", "clé"),
        ("SUPABASE_ANON_KEY", "sb_secret_0123456789"),
        ("SUPABASE_ANON_KEY", SERVICE_KEY),
        ("TENANTRY_UPSTREAM_TIMEOUT_SECONDS", "soon"),
        ("TENANTRY_UPSTREAM_TIMEOUT_SECONDS", "0.0"),
        ("TENANTRY_UPSTREAM_TIMEOUT_SECONDS", "nan"),
        ("TENANTRY_UPSTREAM_TIMEOUT_SECONDS", "inf"),
        ("TENANTRY_CACHE_WAIT_SECONDS", "soon"),
        ("TENANTRY_CACHE_WAIT_SECONDS", "-1"),
        ("TENANTRY_CACHE_WAIT_SECONDS", "inf"),
        ("TENANTRY_FUNCTIONS_URL", "example.com/functions"),
    ],
)
def test_unusable_setting_stops_the_start_with_its_name(
    start: Start, name: str, value: str
) -> None:
    with pytest.raises(SystemExit, match=f"^{name} ") as refusal:
        start("tenant_status", **{name: value})
    # The value may be a secret key, so the message must not show it.
    assert f" {value}" not in str(refusal.value)


@pytest.mark.parametrize("key", ["sb_publishable_0123456789", token(role="anon")])
def test_public_keys_start(start: Start, key: str) -> None:
    assert start("tenant_status", SUPABASE_ANON_KEY=key).get("/").status_code == 200
