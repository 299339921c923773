"""A page of another origin in a real browser: allowed and refused calls."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from support.browser import renew
from support.deployment import Deployment, Served
from support.environment import Environment
from support.pages import Page, served
from support.waiting import is_known, until


@pytest.fixture
def page(browser: Chrome, node_modules: Path) -> Iterator[Page]:
    browser.set_script_timeout(30)
    with served(node_modules) as origin:
        yield Page(browser, origin)


@pytest.fixture
def functions(deployment: Deployment, environment: Environment, page: Page) -> Iterator[Served]:
    """user-profiles, deployed with two allowed origins: the page's and another one."""
    variables = {
        "SUPABASE_URL": environment.address.api_url,
        "SUPABASE_ANON_KEY": environment.address.anon_key,
        "TENANTRY_ALLOWED_ORIGINS": f"https://admin.example,{page.origin}",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "10",
    }
    with deployment.serve("user_profiles", variables) as served:
        yield served


def open_in(page: Page, environment: Environment, tenant: str, functions: str) -> None:
    page.open(
        url=environment.address.api_url,
        key=environment.address.anon_key,
        functions=functions,
        tenant=tenant,
    )


def sign_up(page: Page, environment: Environment, tenant: str) -> str:
    """Signs up through the page. The new user becomes an admin of the tenant."""
    email, password = f"{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(16)
    user_id: str = page.call("signUp", email, password)["result"]
    environment.adopt_person(user_id)
    environment.sql.execute(
        "select public.grant_schema_access(%s, %s, 'admin')", (tenant, user_id)
    )
    return user_id


def test_page_of_another_origin_uses_auth_functions_and_data_api(
    environment: Environment, page: Page
) -> None:
    tenant = environment.tenant()
    until(lambda: is_known(environment, tenant, "settings"))
    open_in(
        page, environment, tenant, f"{environment.address.api_url}/functions/v1/user-profiles"
    )

    user_id = sign_up(page, environment, tenant)

    profile = {"status": 200, "requestId": "from-a-page", "id": user_id, "code": None}
    assert page.call("ensureProfile", "from-a-page") == {"result": profile}
    saved = [{"key": "theme", "value": "dark"}]
    assert page.call("save", "dark") == {"result": saved}
    assert page.call("rows") == {"result": saved}
    assert page.console() == ""


def test_page_can_read_a_refusal(environment: Environment, page: Page) -> None:
    tenant = environment.tenant()
    until(lambda: is_known(environment, tenant, "settings"))
    open_in(
        page, environment, tenant, f"{environment.address.api_url}/functions/v1/user-profiles"
    )
    user_id = sign_up(page, environment, tenant)
    environment.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, user_id))

    refused = page.call("ensureProfile", "refused")["result"]
    assert (refused["status"], refused["code"]) == (404, "tenant_not_found")
    assert refused["requestId"] == "refused"
    assert page.call("rows")["details"] == "forbidden"


def test_only_pages_of_allowed_origins_can_call_a_deployed_function(
    environment: Environment, page: Page, functions: Served, node_modules: Path
) -> None:
    tenant = environment.tenant()
    with served(node_modules) as other_origin:
        stranger = Page(page.browser, other_origin)
        open_in(stranger, environment, tenant, functions.url)
        sign_up(stranger, environment, tenant)
        for action in ("ensureProfile", "health"):
            refused = stranger.call(action, "from-elsewhere")
            assert refused["error"] == "TypeError", refused
            console = stranger.console()
            assert f"from origin '{other_origin}' has been blocked by CORS policy" in console

    # After the reply to its preflight the browser sent no call.
    lines = functions.requests()
    assert [line["message"] for line in lines] == ["user-profiles/ 204", "user-profiles/ 200"]

    open_in(page, environment, tenant, functions.url)
    user_id = sign_up(page, environment, tenant)
    profile = {"status": 200, "requestId": "from-here", "id": user_id, "code": None}
    assert page.call("ensureProfile", "from-here") == {"result": profile}
    assert page.call("health") == {"result": 200}
    assert page.console() == ""


_PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
_STORE = """
    document.cookie = 'theme=dark'; localStorage.theme = 'dark'; sessionStorage.theme = 'dark';
    indexedDB.open('themes').onsuccess = arguments[0];
"""
_STORED = """
    const done = arguments[0];
    indexedDB.databases().then((found) => done([
        document.cookie, localStorage.length, sessionStorage.length, found.length]));
"""


def test_next_test_finds_nothing_that_pages_have_stored(page: Page) -> None:
    browser = page.browser
    browser.get(page.origin)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", _PHONE)
    browser.execute_async_script(_STORE)
    assert browser.execute_async_script(_STORED) == ["theme=dark", 1, 1, 1]
    assert browser.execute_script("return innerWidth") == _PHONE["width"]

    renew(browser)

    browser.get(page.origin)
    assert browser.execute_async_script(_STORED) == ["", 0, 0, 0]
    assert browser.execute_script("return innerWidth") != _PHONE["width"]
