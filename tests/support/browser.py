"""A real browser: headless Chromium, driven through Selenium.

Every test has one to itself, with a profile that is gone after it, and one that reaches
nothing beyond this machine.
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


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """A browser of the test's own; `browser.get_log("browser")` is its console."""
    chromium, chromedriver = _program("chromium"), _program("chromedriver")
    with tempfile.TemporaryDirectory(prefix="tenantry-browser-") as home:
        browser = Chrome(_options(chromium, home), _service(chromedriver, home))
        try:
            yield browser
        finally:
            _end(browser)


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    missing = f"{name} is not installed (Debian's packages: chromium and chromium-driver)."
    # Where work is judged, what was not tried has not passed.
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def _options(chromium: str, home: str) -> Options:
    options = Options()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={home}/profile"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        # Chromium's sandbox cannot be had by root.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return options


def _service(chromedriver: str, home: str) -> Service:
    # Crash reports and caches go to the home directory, whatever the profile is.
    private = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home}
    return Service(chromedriver, env={**os.environ, **private})


def _end(browser: Chrome) -> None:
    """Returns when the last process is gone, and cannot write into the profile any more."""
    driver = psutil.Process(browser.service.process.pid)
    processes = driver.children(recursive=True)
    browser.quit()
    _, stubborn = psutil.wait_procs(processes, timeout=10)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=10)
