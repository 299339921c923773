"""The people of a tenant, in a front end of one page that uses supabase-js alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import sql
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from support.environment import Environment
from support.pages import Page, served
from support.waiting import is_known, until


@dataclass(frozen=True)
class Account:
    email: str
    password: str

    @classmethod
    def new(cls) -> Account:
        return cls(f"{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(16))


@dataclass(frozen=True)
class People:
    """What a person does on the page, and sees there."""

    page: Page

    def find(self, selector: str) -> WebElement:
        return self.page.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def click(self, selector: str, said: str = "Done.") -> None:
        self.find(selector).click()
        self.wait(said)

    def wait(self, said: str = "Done.") -> None:
        until(lambda: self.text("#notice") == said)

    def fill(self, form: str, **values: str) -> None:
        for name, value in values.items():
            field = self.find(f"#{form} [name={name}]")
            field.clear()
            field.send_keys(value)

    def sign(self, way: str, account: Account, said: str = "Done.") -> None:
        self.fill("sign-in", email=account.email, password=account.password)
        self.click(f"#sign-in [value={way}]", said)

    def member(self, email: str) -> str:
        """The row of a member as a CSS selector."""
        rows = self.page.browser.find_elements(By.CSS_SELECTOR, "#members li")
        (place,) = [n for n, row in enumerate(rows, 1) if row.text.startswith(email)]
        return f"#members li:nth-child({place})"


@pytest.fixture
def people(browser: Chrome, node_modules: Path) -> Iterator[People]:
    with served(node_modules, page="people.html") as origin:
        yield People(Page(browser, origin))


@pytest.fixture
def permission(environment: Environment) -> Iterator[str]:
    name = f"invoices.approve_{secrets.token_hex(4)}"
    environment.sql.execute(
        "select tenancy.declare_permission(%s, 'Approve invoices.')", (name,)
    )
    yield name
    environment.close_tenants()
    environment.sql.execute("delete from tenancy.permissions where permission = %s", (name,))


def add_invoices(environment: Environment, tenant: str, permission: str) -> None:
    """A routine that asks for the permission, as a tenant migration of the project has it."""
    environment.sql.execute(
        sql.SQL(
            "create function {}.approve_invoice() returns boolean language plpgsql as"
            " $$ begin if not tenancy.has_permission({}, {}) then"
            " raise 'You may not approve invoices.'; end if; return true; end $$"
        ).format(sql.Identifier(tenant), tenant, permission)
    )
    environment.sql.execute(
        sql.SQL("grant execute on function {}.approve_invoice() to authenticated").format(
            sql.Identifier(tenant)
        )
    )
    until(lambda: is_known(environment, tenant, "rpc/approve_invoice"))


def adopt(environment: Environment, account: Account) -> str:
    row = environment.sql.execute(
        "select id::text from auth.users where email = %s", (account.email,)
    ).fetchone()
    assert row is not None
    environment.adopt_person(row["id"])
    return str(row["id"])


def test_person_is_invited_accepts_gets_a_role_and_is_removed(
    environment: Environment, people: People, permission: str
) -> None:
    tenant, ann, bob = environment.tenant(), Account.new(), Account.new()
    add_invoices(environment, tenant, permission)
    home = {
        "url": environment.address.api_url,
        "key": environment.address.anon_key,
        "tenant": tenant,
    }
    people.page.open(**home)
    people.wait()
    people.sign("signUp", ann)
    assert not people.find("#tenant").is_displayed()
    environment.sql.execute(
        "select public.grant_schema_access(%s, %s, 'admin')", (tenant, adopt(environment, ann))
    )
    people.page.browser.refresh()
    people.wait()

    # The admin invites Bob, who signs up behind the link.
    people.fill("invite", email=bob.email)
    people.click("#invite button")
    link = people.text("#link")
    people.fill("role", role_name="accountant", permission=permission)
    people.click("#role button")
    people.click("#sign-out")
    people.page.browser.get(link)
    people.wait()
    assert not people.find("#invited").is_displayed()
    people.sign("signUp", bob)
    adopt(environment, bob)
    assert not people.find("#tenant").is_displayed()
    people.click("#accept")
    assert people.text("#access") == "read"
    assert not people.find("#people").is_displayed()
    assert not people.find("#approve").is_displayed()
    people.click("#sign-out")

    people.sign("signInWithPassword", ann)
    assert people.find("#people").is_displayed()
    people.fill("role", role_name="accountant", permission=permission)
    people.click(f"{people.member(bob.email)} button:nth-of-type(1)")
    assert "read, accountant" in people.text(people.member(bob.email))
    people.click("#sign-out")
    people.sign("signInWithPassword", bob)
    assert people.text("#access") == "read, accountant"
    people.click("#approve")
    people.click("#sign-out")

    people.sign("signInWithPassword", ann)
    people.click(f"{people.member(bob.email)} button:nth-of-type(2)")
    assert bob.email not in people.text("#members")
    people.click("#sign-out")
    people.sign("signInWithPassword", bob)
    assert not people.find("#tenant").is_displayed()
    people.find("#accept").click()
    until(lambda: people.text("#notice") not in ("", "Done."))
    assert not people.find("#tenant").is_displayed()
    assert people.page.console().count("404") == 1
