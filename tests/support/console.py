"""The console in a browser, used with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")
_MOST_TABS = 60


@dataclass(frozen=True)
class Console:
    browser: Chrome
    url: str

    def open(self, fragment: str = "") -> None:
        self.browser.get(self.url + fragment)

    def sign_in(self, email: str, password: str) -> None:
        self.until(lambda: self.title == "Sign in")
        self.write("Email", email)
        self.write("Password", password)
        self.press(Keys.ENTER)

    # Keys -------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def reach(self, name: str) -> WebElement:
        """Presses Tab until the element of that name has the focus, which must be visible."""
        passed = []
        for _ in range(_MOST_TABS):
            focused = self.browser.switch_to.active_element
            passed.append(focused.accessible_name)
            if passed[-1] == name and focused.tag_name != "h1":
                assert focused.value_of_css_property("outline-style") == "solid"
                return focused
            self.press(Keys.TAB)
        raise AssertionError(f"{name!r} is not reached, only {passed}")

    def write(self, name: str, text: str) -> None:
        self.reach(name)
        ActionChains(self.browser).key_down(Keys.CONTROL).send_keys("a").key_up(
            Keys.CONTROL
        ).send_keys(text).perform()

    def use(self, name: str) -> None:
        """Focuses a link or a button, and presses Enter."""
        self.reach(name)
        self.press(Keys.ENTER)

    # The page ---------------------------------------------------------------------------

    def until(self, seen: Callable[[], T]) -> T:
        wait = WebDriverWait(
            self.browser, 20, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        return wait.until(lambda _: seen())

    @property
    def title(self) -> str:
        return self.text("h1")

    def text(self, selector: str) -> str:
        return "\n".join(each.text for each in self.shown(selector))

    def shown(self, selector: str) -> list[WebElement]:
        found = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return [each for each in found if each.is_displayed()]

    def buttons(self) -> set[str]:
        return {each.text for each in self.shown("button")}

    def errors(self) -> list[str]:
        """The errors that the browser has logged, except replies with an error status."""
        return [entry["message"] for entry in self.log() if entry["source"] != "network"]

    def log(self) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return log

    def violations(self, axe: Path) -> list[str]:
        """The accessibility problems that axe-core finds in the present view."""
        # The library stays until another page is loaded. Without the elements that passed, its
        # report takes half the time.
        if not self.browser.execute_script("return 'axe' in window"):
            self.browser.execute_script(axe.read_text())
        found: list[dict[str, Any]] = self.browser.execute_async_script(
            "const done = arguments[0];"
            "axe.run({resultTypes: ['violations']}).then((report) => done(report.violations),"
            " (error) => done([{id: `${error}`, nodes: []}]));"
        )
        return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]

    def width(self, pixels: int) -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": pixels, "height": 844, "deviceScaleFactor": 1, "mobile": False},
        )

    def is_wider_than_the_screen(self) -> bool:
        return bool(
            self.browser.execute_script(
                "return document.documentElement.scrollWidth > window.innerWidth"
            )
        )
