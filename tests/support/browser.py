"""A real browser: headless Chromium, driven through Selenium.

Each test has a new tab, without anything that earlier tests have stored. The browser can reach
this machine alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import psutil
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    # Containers give /dev/shm less than a page may need.
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--window-size=1280,900",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@pytest.fixture(scope="module")
def started_browser() -> Iterator[Chrome]:
    """The browser of a module, with a new profile. Starting it takes longer than a test."""
    chromium, chromedriver = _program("chromium"), _program("chromedriver")
    with tempfile.TemporaryDirectory(prefix="tenantry-browser-") as home:
        browser = Chrome(_options(chromium, home), _service(chromedriver, home))
        try:
            yield browser
        finally:
            _end(browser)


@pytest.fixture
def browser(started_browser: Chrome) -> Chrome:
    """A browser that knows nothing of earlier tests; `get_log("browser")` has its console."""
    renew(started_browser)
    return started_browser


def renew(browser: Chrome) -> None:
    """Replaces the tab, with its settings, and removes everything that pages have stored."""
    old = browser.window_handles
    browser.switch_to.new_window("tab")
    new = browser.current_window_handle
    for handle in old:
        browser.switch_to.window(handle)
        browser.close()
    browser.switch_to.window(new)
    browser.execute_cdp_cmd(
        "Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"}
    )
    browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.get_log("browser")  # type: ignore[no-untyped-call]


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    missing = f"{name} is not installed (Debian's packages: chromium and chromium-driver)."
    # In CI a skipped test must not count as passed.
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def _options(chromium: str, home: str) -> Options:
    options = Options()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={home}/profile"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        # Chromium has no sandbox for root.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return options


def _service(chromedriver: str, home: str) -> Service:
    # Chromium writes crash reports and caches to the home directory, not to the profile.
    private = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home}
    return Service(chromedriver, env={**os.environ, **private})


def _end(browser: Chrome) -> None:
    """Returns when the last process has ended. Until then it may write into the profile."""
    driver = psutil.Process(browser.service.process.pid)
    processes = driver.children(recursive=True)
    browser.quit()
    _, stubborn = psutil.wait_procs(processes, timeout=10)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=10)
