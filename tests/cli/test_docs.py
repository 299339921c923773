"""The page that shows the OpenAPI document loads nothing from another host."""

from __future__ import annotations

import re

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from support.console import Console
from support.environment import GROUPS, Environment

DOCS = "/functions/v1/docs"


def test_page_and_its_files_come_from_the_emulator(environment: Environment) -> None:
    page = environment.http.get(DOCS)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(named) == 6
    for path in named:
        assert path.startswith(f"{DOCS}/")
        assert environment.http.get(path).status_code == 200
    script = environment.http.get(f"{DOCS}/docs.js").text
    assert "//" not in re.sub(r"^ *// .*$", "", script, flags=re.MULTILINE)


def test_policy_forbids_the_browser_to_load_from_another_host(environment: Environment) -> None:
    policy = environment.http.get(DOCS).headers["Content-Security-Policy"]

    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert "default-src 'none'" in policy
    assert sources == {
        *("'none'", "'self'", "'unsafe-inline'", "data:", "http://127.0.0.1:*"),
        environment.address.api_url,
    }
    assert "script-src 'self';" in policy


def test_page_reads_the_document_of_all_groups(environment: Environment) -> None:
    script = environment.http.get(f"{DOCS}/docs.js").text
    (path,) = re.findall(r'url: "([^"]*)"', script)

    whole = environment.http.get(path).json()

    assert whole["servers"] == [{"url": f"{environment.address.api_url}/functions/v1"}]
    own = environment.http.get("/functions/v1/tenant-status/openapi.json").json()
    assert own["servers"] == [
        {"url": f"{environment.address.api_url}/functions/v1/tenant-status"}
    ]
    for operation, group in GROUPS.items():
        assert f"/{group}/{operation}" in whole["paths"]


@pytest.mark.parametrize("path", ["nothing.js", "../package.json", "%2e%2e/package.json"])
def test_other_files_are_not_served(environment: Environment, path: str) -> None:
    url = httpx.URL(environment.address.api_url).copy_with(raw_path=f"{DOCS}/{path}".encode())
    refused = environment.http.get(url)
    assert refused.status_code == 404
    assert refused.json()["code"] in {"not_found", "operation_not_found"}


def test_person_signs_in_and_calls_on_a_phone_without_the_internet(
    environment: Environment, browser: Chrome
) -> None:
    page = Console(browser, f"{environment.address.api_url}{DOCS}")
    page.width(360)
    page.open()
    page.until(lambda: page.shown("#sign-in"))
    ids: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('.opblock')].map((element) => element.id);"
    )
    assert {f"operations-{group}-{name}" for name, group in GROUPS.items()} <= {*ids}
    assert cut_off(browser) == []

    person = environment.sign_up("correct horse battery")
    sign_in(page, str(person.email), "wrong")
    page.until(lambda: page.text("#problem") == "Invalid login credentials")
    sign_in(page, str(person.email), "correct horse battery")
    page.until(lambda: page.text("#who") == person.email)
    assert page.text("#problem") == ""

    # The tab keeps the session.
    page.open("#/tenant-status/list_my_tenants")
    browser.refresh()
    page.until(lambda: page.text("#who") == person.email)
    click(page, ".try-out__btn")
    assert call(page) == "200"
    assert cut_off(browser) == []

    click(page, "#sign-out")
    page.until(lambda: page.shown("#sign-in"))
    assert call(page) == "401"
    assert "not_authenticated" in page.text(".live-responses-table")
    assert cut_off(browser) == []


def sign_in(page: Console, email: str, password: str) -> None:
    for name, text in (("email", email), ("password", password)):
        field = page.browser.find_element(By.NAME, name)
        field.clear()
        field.send_keys(text)
    click(page, "#sign-in button")


def click(page: Console, selector: str) -> None:
    (button,) = page.until(lambda: page.shown(selector))
    button.click()


def call(page: Console) -> str:
    """Sends the shown call, and returns the status of the reply."""
    for button in page.shown(".btn-clear"):
        button.click()
    click(page, ".execute")
    replies = page.until(lambda: page.shown(".live-responses-table td.response-col_status"))
    return replies[0].text.split()[0]


def cut_off(browser: Chrome) -> list[str]:
    """What reaches beyond the right edge of the page, unless its own box can be scrolled."""
    found: list[str] = browser.execute_script(
        """
        const scrolls = (element) => element && element !== document.body
            && (getComputedStyle(element).overflowX !== 'visible'
                || scrolls(element.parentElement));
        const { clientWidth, scrollWidth } = document.documentElement;
        return [...document.querySelectorAll('body *')].filter((element) =>
            element.getClientRects().length && !scrolls(element.parentElement)
            && (element.getBoundingClientRect().right > clientWidth + 1
                || (scrollWidth > clientWidth && element.scrollWidth > element.clientWidth))
        ).map((element) => `${element.tagName}.${element.className}`);
        """
    )
    return found
