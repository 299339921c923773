"""A page on another origin, in a real browser: what it may do, and which page may not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from clients.pages import Page, served
from functions.deployment import Deployment, Served
from stage import Stage
from walls.waiting import is_known, until


@pytest.fixture
def page(browser: Chrome, node_modules: Path) -> Iterator[Page]:
    browser.set_script_timeout(30)
    with served(node_modules) as origin:
        yield Page(browser, origin)


@pytest.fixture
def functions(deployment: Deployment, stage: Stage, page: Page) -> Iterator[Served]:
    """user-profiles as deployed for the page's origin and one more."""
    environment = {
        "SUPABASE_URL": stage.address.api_url,
        "SUPABASE_ANON_KEY": stage.address.anon_key,
        "TENANTRY_ALLOWED_ORIGINS": f"https://admin.example,{page.origin}",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "10",
    }
    with deployment.serve("user_profiles", environment) as served:
        yield served


def open_in(page: Page, stage: Stage, tenant: str, functions: str) -> None:
    page.open(
        url=stage.address.api_url,
        key=stage.address.anon_key,
        functions=functions,
        tenant=tenant,
    )


def sign_up(page: Page, stage: Stage, tenant: str) -> str:
    """Through the page; the new user gets write access to the tenant's settings."""
    email, password = f"{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(16)
    user_id: str = page.act("signUp", email, password)["result"]
    stage.adopt_person(user_id)
    stage.sql.execute("select public.grant_schema_access(%s, %s, 'admin')", (tenant, user_id))
    return user_id


def test_a_page_elsewhere_signs_up_calls_functions_and_reads_its_tenant(
    stage: Stage, page: Page
) -> None:
    tenant = stage.tenant()
    until(lambda: is_known(stage, tenant, "settings"))
    open_in(page, stage, tenant, f"{stage.address.api_url}/functions/v1/user-profiles")

    user_id = sign_up(page, stage, tenant)

    profile = {"status": 200, "requestId": "from-a-page", "id": user_id, "code": None}
    assert page.act("ensureProfile", "from-a-page") == {"result": profile}
    saved = [{"key": "theme", "value": "dark"}]
    assert page.act("save", "dark") == {"result": saved}
    assert page.act("rows") == {"result": saved}
    assert page.console() == ""


def test_a_refusal_reaches_the_page_as_a_reply(stage: Stage, page: Page) -> None:
    tenant = stage.tenant()
    until(lambda: is_known(stage, tenant, "settings"))
    open_in(page, stage, tenant, f"{stage.address.api_url}/functions/v1/user-profiles")
    user_id = sign_up(page, stage, tenant)
    stage.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, user_id))

    refused = page.act("ensureProfile", "refused")["result"]
    assert (refused["status"], refused["code"]) == (404, "tenant_not_found")
    assert refused["requestId"] == "refused"
    assert page.act("rows")["details"] == "forbidden"


def test_only_a_page_of_an_allowed_origin_may_call_a_deployed_function(
    stage: Stage, page: Page, functions: Served, node_modules: Path
) -> None:
    tenant = stage.tenant()
    with served(node_modules) as elsewhere:
        stranger = Page(page.browser, elsewhere)
        open_in(stranger, stage, tenant, functions.url)
        sign_up(stranger, stage, tenant)
        for action in ("ensureProfile", "health"):
            refused = stranger.act(action, "from-elsewhere")
            assert refused["error"] == "TypeError", refused
            console = stranger.console()
            assert f"from origin '{elsewhere}' has been blocked by CORS policy" in console

    # The browser asked, and sent no call after the answer.
    lines = [json.loads(line) for line in functions.logged()]
    assert [line["message"] for line in lines] == ["user-profiles/ 204", "user-profiles/ 200"]

    open_in(page, stage, tenant, functions.url)
    user_id = sign_up(page, stage, tenant)
    profile = {"status": 200, "requestId": "from-here", "id": user_id, "code": None}
    assert page.act("ensureProfile", "from-here") == {"result": profile}
    assert page.act("health") == {"result": 200}
    assert page.console() == ""
