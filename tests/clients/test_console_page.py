"""Platform staff use the console in a real browser, with the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from support.console import Console
from support.deployment import Deployment
from support.entry_points import HOLD_TENANT, holding
from support.environment import Address, Environment, Person
from support.fleet import ServedFleet

pytestmark = pytest.mark.long

PASSWORD = "correct horse battery"
MARKUP = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture
def console(browser: Chrome, environment: Environment) -> Console:
    browser.set_script_timeout(30)
    # Only a window with the focus shows which of its elements has the focus.
    browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    return Console(browser, f"{environment.address.api_url}/functions/v1/console")


@pytest.fixture
def axe(node_modules: Path) -> Path:
    return node_modules / "axe-core" / "axe.min.js"


def staff(environment: Environment, role: str) -> Person:
    person = environment.sign_up(PASSWORD)
    environment.sql.execute("select public.promote_to_admin(%s, %s)", (person.id, role))
    return person


def signed_in(console: Console, person: Person) -> None:
    assert person.email is not None
    console.open()
    console.sign_in(person.email, PASSWORD)
    console.until(lambda: console.title == "Tenants")


def test_admin_manages_a_tenant_with_the_keyboard(
    environment: Environment, console: Console
) -> None:
    admin, tenant = staff(environment, "admin"), environment.name()
    signed_in(console, admin)

    console.use("New tenant")
    console.write("Display name", "Wayne & Sons")
    console.write("Schema name optional", tenant)
    console.press(Keys.ENTER)
    console.until(lambda: console.title == "Wayne & Sons")
    assert console.text("#notice") == "Wayne & Sons was created."
    assert "Nobody has access to this tenant yet." in console.text("main")
    assert console.text(".under .badge") == "active"

    console.use("Suspend …")
    console.press(Keys.ESCAPE)
    console.until(lambda: not console.shown("dialog"))
    assert console.browser.switch_to.active_element.text == "Suspend …"
    console.use("Suspend …")
    console.write("Reason", "unpaid invoice")
    console.use("Suspend tenant")
    console.until(lambda: console.text(".under .badge") == "suspended")
    assert "unpaid invoice" in console.text(".facts")
    assert console.text("#notice") == "Wayne & Sons is suspended."
    row = environment.sql.execute(
        "select status, suspension_reason from public.tenants where schema_name = %s", (tenant,)
    ).fetchone()
    assert row == {"status": "suspended", "suspension_reason": "unpaid invoice"}

    console.use("Activate")
    console.until(lambda: console.text(".under .badge") == "active")

    member = environment.member(tenant, "write")
    environment.grant(tenant, admin, "admin")
    console.browser.refresh()
    console.until(lambda: str(member.email) in console.text("table"))
    console.use("Tables")
    console.until(lambda: "settings" in console.text("table"))
    console.use("settings")
    console.until(lambda: "jsonb" in console.text("table"))
    console.use("Admin log")
    console.until(lambda: "tenant.activate" in console.text("table"))

    environment.sql.execute(f"insert into {tenant}.settings values ('theme', '1')")  # noqa: S608
    console.open(f"#/tenants/{tenant}/changes")
    console.until(lambda: "insert in settings" in console.text("table"))
    console.use("Show")
    console.until(lambda: '"theme"' in console.text("pre"))
    console.use("Sign out")
    console.until(lambda: console.title == "Sign in")
    assert console.log() == []


def test_viewer_sees_no_button_for_a_change_and_is_refused_a_change(
    environment: Environment, console: Console
) -> None:
    viewer, admin, tenant = (
        staff(environment, "viewer"),
        environment.staff("admin"),
        environment.tenant(),
    )
    signed_in(console, viewer)
    assert console.buttons() == {"Sign out", "Search"} | (console.buttons() & {"Show more"})
    console.open(f"#/tenants/{tenant}/log")
    console.until(lambda: "tenant.create" in console.text("table"))
    assert console.buttons() == {"Sign out"}
    assert console.text(".parts").split() == ["Members", "Roles", "Tables", "Admin", "log"]
    environment.member(tenant, "read")
    console.use("Members")
    console.until(lambda: "1 member." in console.text("main"))
    assert console.buttons() == {"Sign out", "Search"}

    forced = console.browser.execute_async_script(
        """
        const [url, schema_name, done] = arguments;
        import(`${url}/project.js`).then(async (project) => {
            await project.connect();
            await project.call('schema-management', 'suspend_tenant', {schema_name});
        }).catch((error) => done([error.code, error.message]));
        """,
        console.url,
        tenant,
    )
    assert forced[0] == "forbidden"
    assert environment.function(admin, "suspend_tenant", schema_name=tenant).status_code == 200


def test_user_without_a_role_sees_the_reason(
    environment: Environment, console: Console
) -> None:
    person = environment.sign_up(PASSWORD)
    assert person.email is not None
    console.open()
    console.sign_in(person.email, "wrong")
    wrong = "The email address or the password is wrong."
    console.until(lambda: wrong in console.text(".problem"))
    console.write("Password", PASSWORD)
    console.press(Keys.ENTER)
    console.until(lambda: console.title == "This console is for platform staff")
    assert not console.shown("#sections")
    assert console.errors() == []


def test_refusal_is_shown_with_its_hint_and_request_id(
    environment: Environment, console: Console
) -> None:
    tenant = environment.tenant()
    signed_in(console, staff(environment, "admin"))
    console.use("New tenant")
    console.write("Display name", "Again")
    console.write("Schema name optional", tenant)
    console.press(Keys.ENTER)
    shown = console.until(lambda: console.text("dialog .problem")).splitlines()
    assert shown[0] == f'There already is a tenant "{tenant}".'
    assert shown[1] == "Choose another name, or leave it out for a random one."
    assert shown[2].startswith("Request id: ")


def test_markup_in_names_and_reasons_is_shown_as_text(
    environment: Environment, console: Console
) -> None:
    tenant = environment.tenant()
    environment.sql.execute(
        "update public.tenants set display_name = %s where schema_name = %s", (MARKUP, tenant)
    )
    environment.sql.execute("select public.suspend_tenant(%s, %s)", (tenant, MARKUP))
    environment.sql.execute(
        "insert into tenancy.unfinished_migrations"
        " values (%s, 'tenantry_0001', '23514', %s, now(), now(), 1)",
        (tenant, MARKUP),
    )
    signed_in(console, staff(environment, "admin"))
    # A stuck tenant is shown with its reason, in the list and on its own page.
    stuck = console.text("[aria-labelledby=stuck]")
    assert tenant in stuck
    assert f"{MARKUP} (23514)" in stuck
    console.write("Name contains", f'({tenant},"%')
    console.press(Keys.ENTER)
    console.until(lambda: "No tenant matches." in console.text("main"))
    console.write("Name contains", "TITLE='TAKEN'\"")
    console.press(Keys.ENTER)
    console.until(lambda: console.text("#notice") == "1 tenant.")
    assert MARKUP in console.text("table")
    console.use(MARKUP)
    console.until(lambda: console.title == MARKUP)
    assert MARKUP in console.text(".facts")
    assert f"{MARKUP} (23514)" in console.text(".facts")
    console.open(f"#/tenants/{tenant}/log")
    console.until(lambda: console.shown("details"))
    assert console.browser.find_elements(By.CSS_SELECTOR, "main img, main script") == []
    assert "taken" not in console.browser.title.replace(MARKUP, "")
    assert console.log() == []


def test_next_page_of_rows_is_loaded_by_key(environment: Environment, console: Console) -> None:
    tenant = environment.tenant()
    for _ in range(53):
        environment.member(tenant, "read")
    signed_in(console, staff(environment, "viewer"))
    console.open(f"#/tenants/{tenant}/members")
    console.until(lambda: len(console.shown("tbody tr")) == 50)
    console.use("Show more")
    console.until(lambda: console.text("#notice") == "3 more, 53 in all.")
    addresses = [each.text for each in console.shown("tbody td:first-child")]
    assert len(set(addresses)) == 53
    assert addresses == sorted(addresses)
    assert "Show more" not in console.buttons()


def test_page_of_large_entries_has_a_next_page(
    environment: Environment, console: Console
) -> None:
    tenant, admin = environment.tenant(), staff(environment, "admin")
    environment.grant(tenant, admin, "admin")
    # Three entries do not fit into one page.
    environment.sql.execute(
        SQL(
            "insert into {}.settings (key, value)"
            " select n, to_jsonb(repeat('x', 1500000)) from generate_series(1, 3) n"
        ).format(Identifier(tenant))
    )
    signed_in(console, admin)
    console.open(f"#/tenants/{tenant}/changes")
    console.until(lambda: len(console.shown("tbody tr")) == 2)
    console.use("Show more")
    console.until(lambda: console.text("#notice") == "1 more, 3 in all.")
    assert "Show more" not in console.buttons()


# Members -------------------------------------------------------------------------------------


def grant_of(environment: Environment, tenant: str, person: Person) -> dict[str, Any] | None:
    return environment.sql.execute(
        "select access_level, roles, expires_at, support_reason from public.user_schema_access"
        " where schema_name = %s and user_id = %s",
        (tenant, person.id),
    ).fetchone()


def test_admin_changes_and_removes_a_member_by_address(
    environment: Environment, console: Console
) -> None:
    tenant, supporter = environment.tenant(), environment.staff("admin")
    bob = environment.person(f"bob-{tenant}@example.com")
    # The end has microseconds, which the page does not show.
    end = datetime.now(UTC).replace(microsecond=123456) + timedelta(days=3)
    environment.grant(tenant, bob, "read", end)
    environment.sql.execute("select public.define_role(%s, 'accountant', '{}')", (tenant,))
    opened = environment.function(
        supporter, "open_support_access", schema_name=tenant, reason=MARKUP, minutes=30
    )
    assert opened.status_code == 200
    signed_in(console, staff(environment, "admin"))
    console.open(f"#/tenants/{tenant}")
    console.until(lambda: "2 members." in console.text("main"))
    listed = console.text("table")
    assert str(bob.email) in listed
    assert str(bob.id) not in listed
    assert f"support access 30 min left\n{MARKUP}" in listed

    console.write("Address or name contains", "BOB-")
    console.press(Keys.ENTER)
    console.until(lambda: console.text("#notice") == "1 member.")
    assert str(supporter.email) not in console.text("table")
    console.use(f"Change {bob.email}")
    console.reach("Level")
    console.press("w")
    console.reach("accountant")
    console.press(Keys.SPACE)
    console.use("Save")
    console.until(lambda: console.text("#notice") == f"The access of {bob.email} was changed.")
    assert "write\naccountant" in "\n".join(each.text for each in console.shown("td"))
    assert grant_of(environment, tenant, bob) == {
        "access_level": "write",
        "roles": ["accountant"],
        "expires_at": end,
        "support_reason": None,
    }

    console.use(f"Remove {bob.email}")
    console.press(Keys.ESCAPE)
    console.until(lambda: not console.shown("dialog"))
    assert grant_of(environment, tenant, bob) is not None
    console.use(f"Remove {bob.email}")
    console.use("Remove")
    console.until(lambda: console.text("#notice") == f"{bob.email} was removed.")
    assert "No member matches." in console.text("main")
    assert grant_of(environment, tenant, bob) is None
    assert console.log() == []


def test_admin_invites_by_address_and_sees_the_secret_once(
    environment: Environment, console: Console
) -> None:
    tenant = environment.tenant()
    bob = environment.person(f"bob-{tenant}@example.com", confirmed=True)
    console.browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    signed_in(console, staff(environment, "admin"))
    console.open(f"#/tenants/{tenant}/invitations")
    console.until(lambda: "There is no open invitation." in console.text("main"))
    for address in (f"ann-{tenant}@example.com", bob.email):
        console.use("Invite …")
        console.write("Email", str(address))
        console.reach("Level")
        console.press("w")
        console.use("Invite")
        console.until(lambda: "shown this once" in console.text("dialog"))
        secret = console.reach("Secret of the invitation").get_attribute("value")
        console.use("Copy")
        console.until(lambda: "Copied." in console.text("dialog"))
        copied = console.browser.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0], arguments[0])"
        )
        assert copied == secret
        console.use("Done")
        console.until(lambda a=address: console.text("#notice") == f"{a} is invited.")  # type: ignore[misc]
        assert str(secret) not in console.browser.page_source
    assert len(console.shown("tbody tr")) == 2

    console.use(f"Revoke the invitation of ann-{tenant}@example.com")
    console.use("Revoke")
    console.until(lambda: "was revoked." in console.text("#notice"))
    assert [each.text for each in console.shown("tbody td:first-child")] == [bob.email]
    accepted = environment.function(bob, "accept_invitation", secret=secret)
    assert accepted.status_code == 200
    granted = grant_of(environment, tenant, bob)
    assert granted is not None
    assert (granted["access_level"], granted["expires_at"]) == ("write", None)
    assert console.log() == []


def test_admin_decides_requests_and_keeps_domains(
    environment: Environment, console: Console
) -> None:
    tenant = environment.tenant()
    domain = f"{tenant.replace('_', '-')}.example.com"
    environment.sql.execute("select public.set_access_requests(%s, true)", (tenant,))
    ann, bob = (
        environment.person(f"{name}-{tenant}@example.com", confirmed=True)
        for name in ("ann", "bob")
    )
    for person in (ann, bob):
        asked = environment.function(
            person, "request_access", schema_name=tenant, message=MARKUP
        )
        assert asked.status_code == 200
    signed_in(console, staff(environment, "admin"))
    console.open(f"#/tenants/{tenant}/requests")
    console.until(lambda: MARKUP in console.text("table"))
    console.use(f"Approve {ann.email}")
    console.use("Approve")
    console.until(lambda: console.text("#notice") == f"{ann.email} is a member now.")
    console.use(f"Refuse {bob.email}")
    console.use("Refuse")
    console.until(lambda: console.text("#notice") == f"{bob.email} was refused.")
    assert "There is no open request." in console.text("main")
    assert grant_of(environment, tenant, ann) is not None
    assert grant_of(environment, tenant, bob) is None

    console.use("Domains")
    console.until(lambda: "No domain lets anybody in." in console.text("main"))
    console.use("Add domain …")
    console.write("Domain", domain)
    console.press(Keys.ENTER)
    console.until(lambda: console.text("#notice") == f"{domain} was added.")
    [row] = environment.sql.execute(
        "select txt_name, txt_value from public.list_tenant_domains(%s)", (tenant,)
    ).fetchall()
    assert f"{row['txt_name']}\n{row['txt_value']}" in console.text("table")
    assert "not yet" in console.text("table")
    console.use(f"Vouch for {domain}")
    console.use("Vouch")
    console.until(lambda: console.text("#notice") == f"{domain} is verified.")
    assert "not yet" not in console.text("table")
    console.use(f"Remove {domain}")
    console.use("Remove")
    console.until(lambda: "No domain lets anybody in." in console.text("main"))
    assert console.log() == []


def test_support_access_counts_down_and_is_closed(
    environment: Environment, console: Console
) -> None:
    tenant, admin = environment.tenant(), staff(environment, "admin")
    signed_in(console, admin)
    console.open(f"#/tenants/{tenant}")

    def open_it() -> None:
        console.until(lambda: console.title == tenant)
        console.use("Open support access …")
        console.write("Reason", "Ticket 4711")
        console.write("Minutes", "30")
        console.use("Open support access")
        console.until(lambda: console.text("#notice") == "Support access is open.")

    open_it()
    assert "You have support access (read): 30 min left" in console.text(".banner")
    assert "Open support access …" not in console.buttons()
    granted = grant_of(environment, tenant, admin)
    assert granted is not None
    assert granted["support_reason"] == "Ticket 4711"
    assert timedelta(minutes=29) < granted["expires_at"] - datetime.now(UTC)
    console.use("Close support access")
    console.use("End support access")
    console.until(lambda: console.text("#notice") == "The support access has ended.")
    assert not console.shown(".banner")
    assert grant_of(environment, tenant, admin) is None

    open_it()
    environment.sql.execute(
        "update public.user_schema_access set expires_at = now() + interval '3 seconds'"
        " where schema_name = %s and user_id = %s",
        (tenant, admin.id),
    )
    console.browser.refresh()
    console.until(lambda: "s left" in console.text(".banner"))
    console.until(lambda: console.text("#notice") == "The support access has ended.")
    assert "Open support access …" in console.buttons()
    assert console.log() == []


# Health and the roll-out ---------------------------------------------------------------------


@pytest.fixture
def served(own_address: Address) -> Iterator[ServedFleet]:
    """A separate emulator: a registered migration concerns all tenants."""
    served = ServedFleet(own_address)
    try:
        yield served
    finally:
        served.close()


@pytest.fixture
def own_console(console: Console, served: ServedFleet) -> Console:
    return Console(console.browser, f"{served.address.api_url}/functions/v1/console")


def health(console: Console) -> str:
    console.open("#/nowhere")
    console.until(lambda: console.title == "There is nothing here")
    console.open("#/health")
    console.until(lambda: console.title == "Health")
    return console.text("main")


def test_health_shows_the_platform_and_rolls_out_with_canaries(
    served: ServedFleet, own_console: Console
) -> None:
    console = own_console
    signed_in(console, staff(served, "admin"))
    assert "There are no tenants yet." in health(console)
    [plot] = console.shown("svg")
    assert "0 at the start, 0 at the end, 0 at most." in (
        plot.get_attribute("aria-label") or ""
    )
    assert "Start roll-out" not in console.buttons()
    assert "Missing" in console.text("[aria-labelledby=pool]")

    tenants, table = served.tenants(4), served.table()
    served.suspend(tenants[2])
    served.sql.execute(
        SQL("create table {}.{} ()").format(*map(Identifier, (tenants[0], table)))
    )
    served.register(f"create table {table} (id bigint primary key)")
    shown = health(console)
    assert "Behind\n4" in shown
    assert "Suspended\n1" in shown
    assert "0 at the start, 4 at the end, 4 at most." in shown

    console.write("Canaries", "1")
    console.use("Start roll-out")
    console.until(lambda: "failed" in console.text("#notice"))
    assert console.text("#notice") == (
        "0 tenants are migrated. 1 failed. A canary failed, so no other was started."
    )
    assert tenants[0] in console.text("[aria-labelledby=stuck]")
    assert "Behind\n4" in console.text("main")

    # The failed one is left out until somebody has acted.
    console.use("Start roll-out")
    console.until(lambda: "3 tenants" in console.text("#notice"))
    assert console.text("#notice") == "3 tenants are migrated."
    assert "Up to date\n3" in console.text("main")
    assert {served.versions()[name] for name in tenants[1:]} == {served.latest()}
    assert console.errors() == []


def test_roll_out_stops_after_the_tenant_at_hand_and_goes_on(
    served: ServedFleet, own_console: Console
) -> None:
    console = own_console
    first, second, third = served.tenants(3)
    before = served.latest()
    version = served.register(f"create table {served.table()} (id bigint primary key)")
    signed_in(console, staff(served, "admin"))
    health(console)
    with holding(served.address, HOLD_TENANT, second):
        console.use("Start roll-out")
        console.until(lambda: second in console.text(".hint"))
        console.use("Stop")
        console.until(lambda: "stopped" in console.text("#notice"))
        assert console.text("#notice") == "1 tenant is migrated. The roll-out was stopped."
        assert served.versions() == {first: version, second: before, third: before}
    console.use("Start roll-out")
    console.until(lambda: "2 tenants are migrated." in console.text("#notice"))
    assert {*served.versions().values()} == {version}
    assert "Start roll-out" not in console.buttons()


def test_health_shows_how_many_tenants_fit(
    served: ServedFleet, own_console: Console, axe: Path
) -> None:
    console = own_console
    served.sql.execute("truncate tenancy.cache_load_measurements")
    served.tenants(1)
    signed_in(console, staff(served, "viewer"))
    health(console)
    shown = console.text("[aria-labelledby=room]")
    assert "not measured yet. tenantry doctor measures it." in shown
    assert "It runs out of them with about" in shown
    assert not console.shown("[aria-labelledby=room] table")

    measured = "insert into tenancy.cache_load_measurements values (now(), %s, %s, %s)"
    served.sql.execute(measured, (10, 30, 160))
    try:
        health(console)
        shown = console.text("[aria-labelledby=room]")
        assert "Load of the schema cache\n0.2 s" in shown
        assert "There is no forecast before a load was measured with 300 tables." in shown

        served.sql.execute(measured, (3000, 9000, 4000))
        health(console)
        shown = console.text("[aria-labelledby=room]")
        assert "Load of the schema cache\n4 s" in shown
        assert "It may take\n60 s" in shown
        assert "With tenants\n3,000" in shown
        [forecast] = served.query("get_platform_health")
        assert console.text("[aria-labelledby=room] tbody").splitlines() == [
            f"{row['seconds']} s {row['tenants']:,}" for row in forecast["cache_load_forecast"]
        ]
        for width in (390, 1280):
            console.width(width)
            assert not console.is_wider_than_the_screen(), width
            assert console.violations(axe) == [], width
    finally:
        served.sql.execute("truncate tenancy.cache_load_measurements")
    assert console.errors() == []


def test_roll_out_tells_the_rows_that_a_backfill_has_left(
    served: ServedFleet, own_console: Console
) -> None:
    console, table, [tenant] = own_console, served.table(), served.tenants(1)
    served.register(f"create table {table} (id bigint primary key, total bigint)")
    served.migrate(tenant)
    served.sql.execute(
        SQL("insert into {}.{} select generate_series(1, 500)").format(
            Identifier(tenant), Identifier(table)
        )
    )
    # About 0.5 s for the rows of a block: several calls.
    version = served.register_backfill(
        f"update {table} set total = id where total is null"  # noqa: S608
        " and ctid >= $1 and ctid < $2"
        " and case when total is null then pg_sleep(0.0025) is not null end",
        batch=1,
    )
    signed_in(console, staff(served, "admin"))
    health(console)
    console.browser.execute_script(
        "window.told = [];"
        "new MutationObserver(() => window.told.push(document.body.innerText))"
        ".observe(document.querySelector('[aria-labelledby=rollout]'),"
        " {childList: true, subtree: true});"
    )
    console.use("Start roll-out")
    console.until(lambda: "1 tenant is migrated." in console.text("#notice"))
    told = "\n".join(console.browser.execute_script("return window.told"))
    left = {int(rows) for rows in re.findall(rf"1 of 1: {tenant}, about (\d+) rows left", told)}
    assert max(left) > 0
    assert served.versions() == {tenant: version}
    assert console.errors() == []


def test_viewer_sees_the_health_and_starts_nothing(
    served: ServedFleet, own_console: Console
) -> None:
    served.tenants(1)
    served.register(f"create table {served.table()} (id bigint primary key)")
    signed_in(own_console, staff(served, "viewer"))
    assert "Behind\n1" in health(own_console)
    assert own_console.buttons() == {"Sign out"}


def test_list_of_many_tenants_is_sorted_and_comes_in_pages(
    served: ServedFleet, own_console: Console
) -> None:
    # Rows alone: creating as many tenants would take long.
    served.sql.execute(
        "insert into public.tenants (schema_name, display_name, schema_version, created_at)"
        " select 'row_' || i, 'Row ' || i, %s, now() - make_interval(hours => i)"
        " from generate_series(100, 152) i",
        (served.latest(),),
    )
    try:
        signed_in(own_console, staff(served, "viewer"))
        assert "53 tenants." in own_console.text("main")
        own_console.reach("Sort by")
        own_console.press("Oldest")
        own_console.use("Search")
        own_console.until(lambda: own_console.text("#notice") == "53 tenants.")
        names = [each.text for each in own_console.shown("tbody td:first-child")]
        assert names == [f"Row {number}" for number in range(152, 102, -1)]
        own_console.use("Show more")
        own_console.until(lambda: own_console.text("#notice") == "3 more, 53 in all.")
        names = [each.text for each in own_console.shown("tbody td:first-child")]
        assert names == [f"Row {number}" for number in range(152, 99, -1)]
    finally:
        served.sql.execute("delete from public.tenants where schema_name like 'row_%'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible_and_fits_a_phone(
    environment: Environment, console: Console, axe: Path, scheme: str
) -> None:
    tenant, admin = environment.tenant(), staff(environment, "admin")
    bob = environment.member(tenant, "read")
    environment.sql.execute("select public.define_role(%s, 'accountant', '{}')", (tenant,))
    environment.sql.execute("select public.set_access_requests(%s, true)", (tenant,))
    address = f"ann-{tenant}@example.com"
    for by, operation, given in (
        (
            admin,
            "open_support_access",
            {"reason": "Ticket 4711", "access_level": "admin"},
        ),
        (environment.service, "invite_member", {"email": address}),
        (environment.service, "add_tenant_domain", {"domain": "example.com"}),
        (environment.person(confirmed=True), "request_access", {}),
    ):
        reply = environment.function(by, operation, schema_name=tenant, **given)
        assert reply.status_code == 200, reply.text
    console.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    console.open()
    console.until(lambda: console.title == "Sign in")
    assert console.violations(axe) == []
    signed_in(console, admin)
    for view, seen in {
        "tenants": "table",
        f"tenants/{tenant}": "table",
        f"tenants/{tenant}/invitations": "table",
        f"tenants/{tenant}/requests": "table",
        f"tenants/{tenant}/domains": "table",
        f"tenants/{tenant}/roles": "table",
        f"tenants/{tenant}/tables/users": "h3",
        f"tenants/{tenant}/changes": ".empty, table",
        "tenants/no_such_tenant": ".problem",
        "health": "svg",
        "log": "table",
    }.items():
        # First another address, so that the previous view is gone.
        console.open("#/nowhere")
        console.until(lambda: console.title == "There is nothing here")
        console.open(f"#/{view}")
        console.until(lambda seen=seen: console.shown(seen))  # type: ignore[misc]
        for width in (1280, 390):
            console.width(width)
            assert not console.is_wider_than_the_screen(), (view, width)
            assert console.violations(axe) == [], (view, width)
    console.open(f"#/tenants/{tenant}")
    console.until(lambda: console.title == tenant)
    for opening in ("Suspend …", f"Change {bob.email}"):
        console.use(opening)
        assert console.violations(axe) == [], opening
        console.press(Keys.ESCAPE)
    assert console.errors() == []


def test_deployed_console_works_on_its_own_origin(
    environment: Environment, console: Console, deployment: Deployment
) -> None:
    variables = {
        "SUPABASE_URL": environment.address.api_url,
        "SUPABASE_ANON_KEY": environment.address.anon_key,
        "TENANTRY_ALLOWED_ORIGINS": "",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "10",
        "TENANTRY_FUNCTIONS_URL": f"{environment.address.api_url}/functions/v1",
    }
    tenant = environment.tenant()
    with deployment.serve("console", variables) as served:
        console = Console(console.browser, f"{served.url}/")
        signed_in(console, staff(environment, "viewer"))
        console.open(f"#/tenants/{tenant}/tables")
        console.until(lambda: "settings" in console.text("table"))
    assert console.log() == []
