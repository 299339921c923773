"""Joining a tenant by a domain: who ties a domain, who verifies it, and who gets in."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS, HOLD_TENANT, holding
from support.environment import Environment, Person
from support.refusal_times import assert_refusals_take_the_same_time

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
NOT_FOUND = (404, "tenant_not_found")
INVALID = (422, "invalid_request")
MEMBER = (409, "member_exists")


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    """An admin of the tenant, without an expiry."""
    return environment.member(tenant, "admin")


@pytest.fixture
def domain() -> str:
    return f"{secrets.token_hex(8)}.example"


def call(environment: Environment, by: Person, operation: str, **arguments: Any) -> AuditedCall:
    return audited_call(environment, by, operation, **arguments)


def tie(environment: Environment, tenant: str, domain: str, level: str = "read") -> None:
    """A domain for which the owner of the database vouches."""
    environment.sql.execute(
        "select public.add_tenant_domain(%s, %s, %s)", (tenant, domain, level)
    )
    environment.sql.execute("select public.verify_tenant_domain(%s, %s)", (tenant, domain))


def user_of(environment: Environment, domain: str, *, confirmed: bool = True) -> Person:
    return environment.person(f"{secrets.token_hex(8)}@{domain}", confirmed=confirmed)


def sso_user(environment: Environment, provider: str, domain: str) -> Person:
    """A user as Auth stores one who signs in by SSO."""
    person = user_of(environment, domain)
    environment.sql.execute(
        "update auth.users set is_sso_user = true,"
        " raw_app_meta_data = jsonb_build_object('provider', %s::text) where id = %s",
        (provider, person.id),
    )
    return person


def join(environment: Environment, person: Person, tenant: str, **more: Any) -> AuditedCall:
    return call(environment, person, "join_tenant", schema_name=tenant, **more)


def joinable(environment: Environment, person: Person, **more: Any) -> list[Any]:
    rows: list[Any] = call(environment, person, "list_joinable_tenants", **more).result
    return rows


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_user_of_a_domain_that_dns_proves_joins(
    environment: Environment, tenant: str, admin: Person, domain: str, entry_point: str
) -> None:
    def calls(by: Person, operation: str, **arguments: Any) -> AuditedCall:
        return call(
            environment,
            by,
            operation,
            entry_point=entry_point,
            schema_name=tenant,
            **arguments,
        )

    added = calls(
        admin, "add_tenant_domain", domain=f" {domain.upper()}.", access_level="write"
    )
    record = added.result["txt_name"], added.result["txt_value"]
    assert (added.result["domain"], added.result["verified_at"]) == (domain, None)
    assert record[0] == f"_tenantry.{domain}"
    assert len(record[1].removeprefix("tenantry-verification=")) == 32
    assert added.entry["action"] == "access.add_domain"
    assert added.entry["details"] == {"before": None, "after": added.result}
    again = calls(admin, "add_tenant_domain", domain=domain, access_level="write")
    assert (again.result, again.entries) == (added.result, [])
    person = user_of(environment, domain.upper())
    assert calls(person, "join_tenant").refusal == NOT_FOUND

    for records in ([], ["v=spf1 -all", record[1] + "0"]):
        refused = calls(
            environment.service, "verify_tenant_domain", domain=domain, txt_records=records
        )
        assert refused.refusal == (409, "domain_unproved")
    verified = calls(
        environment.service,
        "verify_tenant_domain",
        domain=domain,
        txt_records=["v=spf1 -all", f'"{record[1]}"'],
    )
    assert verified.result["verified_at"]
    assert verified.entry["action"] == "access.verify_domain"
    assert verified.entry["details"] == {"after": verified.result, "proof": "txt"}
    assert calls(admin, "list_tenant_domains").result.count(verified.result) == 1

    shown = {"schema_name": tenant, "access_level": "write"}
    assert [row | {"display_name": ""} for row in joinable(environment, person)] == [
        shown | {"display_name": ""}
    ]
    done = calls(person, "join_tenant")

    assert (done.result["access_level"], done.result["user_id"]) == ("write", person.id)
    assert (done.result["granted_by"], done.result["expires_at"]) == (None, None)
    assert (done.entry["action"], done.entry["actor_id"], done.entry["actor_role"]) == (
        *("access.join", person.id, "user"),
    )
    assert done.entry["details"] == {"after": done.result, "domain": domain}
    assert environment.rows(person, tenant, "settings").json() == []
    assert calls(person, "join_tenant").refusal == MEMBER
    assert joinable(environment, person) == []

    removed = calls(admin, "remove_tenant_domain", domain=domain.upper())
    assert removed.entry["action"] == "access.remove_domain"
    assert removed.entry["details"] == {"before": verified.result}
    assert calls(user_of(environment, domain), "join_tenant").refusal == NOT_FOUND
    assert environment.rows(person, tenant, "settings").json() == []
    assert calls(admin, "remove_tenant_domain", domain=domain).refusal == (
        *(404, "domain_not_found"),
    )


def test_to_everybody_else_the_tenant_is_missing(
    environment: Environment, admin: Person, domain: str
) -> None:
    tenant, unverified, suspended, pooled = (environment.tenant() for _ in range(4))
    provider = f"sso:{uuid.uuid4()}"
    for name in (tenant, suspended, pooled):
        tie(environment, name, domain)
        tie(environment, name, f"office.{domain}")
    environment.sql.execute("select public.add_tenant_domain(%s, %s)", (unverified, domain))
    environment.suspend(suspended)
    right = user_of(environment, domain)
    removed, expired, banned = (user_of(environment, domain) for _ in range(3))
    environment.grant(tenant, removed, "admin")
    environment.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, removed.id))
    environment.grant(tenant, expired, "read", NOW - timedelta(hours=1))
    anonymous = user_of(environment, domain)
    environment.sql.execute(
        "update auth.users set is_anonymous = true where id = %s", (anonymous.id,)
    )
    environment.set_auth_state(banned, "banned_until", "infinity")
    strangers = {
        "unconfirmed address": user_of(environment, domain, confirmed=False),
        "subdomain": user_of(environment, f"mail.{domain}"),
        "domain above": user_of(environment, domain.partition(".")[2]),
        "longer name": user_of(environment, f"x{domain}"),
        "other end": user_of(environment, f"{domain}.example"),
        "part of the address": environment.person(f"{domain}@{domain}.test", confirmed=True),
        "anonymous": anonymous,
        "sso user with an address of the domain": sso_user(environment, provider, domain),
        "removed": removed,
        "expired": expired,
        "platform admin": environment.staff("admin"),
        "service key": environment.service,
        "admin of another tenant": admin,
    }

    def reply(person: Person, name: str) -> Any:
        done = join(environment, person, name)
        assert done.entries == []
        return done.reply.status_code, done.reply.json() | {
            "message": done.reply.json()["message"].replace(name, "…")
        }

    missing = reply(right, "test_" + secrets.token_hex(6))
    assert (missing[0], missing[1]["details"]) == NOT_FOUND
    assert {name: reply(person, tenant) for name, person in strangers.items()} == (
        dict.fromkeys(strangers, missing)
    )
    for person in strangers.values():
        assert tenant not in {row["schema_name"] for row in joinable(environment, person)}
    assert reply(banned, tenant)[0] == 401
    environment.put_into_pool(pooled)
    try:
        for name in (unverified, suspended, pooled):
            assert reply(right, name) == missing
        [shown] = joinable(environment, right)
    finally:
        environment.take_from_pool(pooled)
    assert shown["schema_name"] == tenant

    # The positive controls.
    join(environment, right, tenant).must_succeed()
    join(environment, user_of(environment, f"office.{domain}"), tenant).must_succeed()
    join(environment, right, pooled).must_succeed()
    environment.activate(suspended)
    join(environment, right, suspended).must_succeed()
    environment.sql.execute("select public.verify_tenant_domain(%s, %s)", (unverified, domain))
    join(environment, right, unverified).must_succeed()


def test_missing_tenant_takes_as_long_as_one_that_the_caller_cannot_join(
    environment: Environment, tenant: str, domain: str
) -> None:
    tie(environment, tenant, domain)

    assert_refusals_take_the_same_time(
        environment,
        user_of(environment, f"mail.{domain}"),
        "select public.join_tenant(%s)",
        {"missing": "test_000000000000", "existing": tenant},
        "tenant_not_found",
    )


def test_whoever_cannot_join_does_not_wait(
    environment: Environment, tenant: str, domain: str
) -> None:
    tie(environment, tenant, domain)

    with holding(environment.address, HOLD_TENANT, tenant):
        refused = join(environment, user_of(environment, f"mail.{domain}"), tenant)
        waited = join(environment, user_of(environment, domain), tenant)

    assert refused.refusal == NOT_FOUND
    assert waited.refusal == (429, "busy")


def test_sso_user_joins_by_the_provider_that_a_platform_admin_verified(
    environment: Environment, tenant: str, admin: Person, domain: str
) -> None:
    provider = f"sso:{uuid.uuid4()}"
    person = sso_user(environment, provider, domain)
    others = sso_user(environment, f"sso:{uuid.uuid4()}", domain), user_of(environment, domain)

    added = call(
        environment,
        admin,
        "add_tenant_domain",
        schema_name=tenant,
        domain=provider.upper(),
    ).result
    assert (added["domain"], added["txt_name"], added["txt_value"]) == (provider, None, None)
    about = {"schema_name": tenant, "domain": provider}
    assert join(environment, person, tenant).refusal == NOT_FOUND
    staff = environment.staff("admin")
    refused = call(environment, staff, "verify_tenant_domain", **about, txt_records=[])
    assert refused.refusal == INVALID
    done = call(environment, staff, "verify_tenant_domain", **about)
    assert done.entry["details"]["proof"] == "vouched"
    assert done.result["verified_by"] == staff.id

    assert [join(environment, other, tenant).refusal for other in others] == [NOT_FOUND] * 2
    assert join(environment, person, tenant).entry["details"]["domain"] == provider


@pytest.mark.parametrize("again", ["grant", "invitation"])
def test_removed_member_comes_back_only_by_somebody_who_gives_them_access(
    environment: Environment, tenant: str, admin: Person, domain: str, again: str
) -> None:
    tie(environment, tenant, domain, "write")
    person = user_of(environment, domain)
    join(environment, person, tenant).must_succeed()
    about = {"schema_name": tenant, "user_id": person.id}
    call(environment, admin, "revoke_schema_access", **about).must_succeed()
    assert join(environment, person, tenant).refusal == NOT_FOUND

    if again == "grant":
        call(environment, admin, "grant_schema_access", **about).must_succeed()
    else:
        secret = call(
            environment, admin, "invite_member", schema_name=tenant, email=person.email
        ).result["secret"]
        call(environment, person, "accept_invitation", secret=secret).must_succeed()
        # What they left with is remembered, and not that they were removed before.
    call(environment, person, "leave_tenant", schema_name=tenant).must_succeed()

    [shown] = joinable(environment, person)
    assert (shown["schema_name"], shown["access_level"]) == (tenant, "read")
    assert join(environment, person, tenant).result["access_level"] == "read"


def test_leaving_and_joining_again_gives_no_more_than_before(
    environment: Environment, tenant: str, domain: str
) -> None:
    tie(environment, tenant, domain, "write")
    person = user_of(environment, domain)
    for level, expires_at, given in (
        ("admin", None, "write"),
        ("write", TOMORROW, "write"),
        ("read", TOMORROW, "read"),
    ):
        environment.grant(tenant, person, level, expires_at)
        for leave in ("leave_tenant", "revoke_schema_access"):
            own = {"user_id": person.id} if leave == "revoke_schema_access" else {}
            environment.member(tenant, "admin")
            call(environment, person, leave, schema_name=tenant, **own).must_succeed()
            back = join(environment, person, tenant).result
            assert back["access_level"] == given
            ends = back["expires_at"] and datetime.fromisoformat(back["expires_at"])
            assert ends == expires_at

    call(environment, person, "leave_tenant", schema_name=tenant).must_succeed()
    environment.sql.execute(
        "update tenancy.tenants_former_members set expires_at = now() where user_id = %s",
        (person.id,),
    )
    assert join(environment, person, tenant).refusal == NOT_FOUND


def test_text_that_is_no_domain_is_refused(
    environment: Environment, tenant: str, admin: Person, domain: str
) -> None:
    def add(text: str | None) -> AuditedCall:
        return call(environment, admin, "add_tenant_domain", schema_name=tenant, domain=text)

    label = "a" * 63
    for text in (
        *("", ".", "localhost", "example..com", ".example.com", "-a.example", "a-.example"),
        *("*.example.com", "ann@example.com", "https://example.com", "a_b.example"),
        *("192.168.0.1", f"a{label}.example", f"{label}.{label}.{label}.{label}.example"),
        *("example.com\n_tenantry.example.com", "sso:", f"sso:{domain}", None),
    ):
        assert add(text).refusal == INVALID, text
    for text in (f"b\u00fccher.{domain}", f"\u212aelvin.{domain}"):
        refused = add(text)
        assert refused.refusal == INVALID
        assert "ASCII" in refused.reply.json()["message"]
    for text in (f"xn--bcher-kva.{domain}", f"{label}.{domain}", f"1.{domain}"):
        assert add(text).result["domain"] == text


def test_public_mail_domains_let_nobody_in(
    environment: Environment, tenant: str, domain: str
) -> None:
    def verify(name: str) -> AuditedCall:
        return call(
            environment,
            environment.service,
            "verify_tenant_domain",
            schema_name=tenant,
            domain=name,
        )

    for name in ("gmail.com", "GMX.de.", "mail.gmail.com"):
        refused = call(
            environment,
            environment.service,
            "add_tenant_domain",
            schema_name=tenant,
            domain=name,
        )
        assert refused.refusal == INVALID
    for name in (domain, f"mail.{domain}", f"x{domain}"):
        tie(environment, tenant, name)
    # The owner of the database learns of another one.
    environment.sql.execute(
        "insert into tenancy.public_mail_domains (domain) values (%s)", (domain,)
    )
    try:
        for name in (domain, f"mail.{domain}"):
            assert join(environment, user_of(environment, name), tenant).refusal == NOT_FOUND
            assert verify(name).refusal == INVALID
        join(environment, user_of(environment, f"x{domain}"), tenant).must_succeed()
    finally:
        environment.sql.execute(
            "delete from tenancy.public_mail_domains where domain = %s", (domain,)
        )
    join(environment, user_of(environment, domain), tenant).must_succeed()


def test_domain_gives_read_or_write_to_those_who_join_later(
    environment: Environment, tenant: str, admin: Person, domain: str
) -> None:
    def add(by: Person, level: str | None) -> AuditedCall:
        return call(
            environment,
            by,
            "add_tenant_domain",
            schema_name=tenant,
            domain=domain,
            access_level=level,
        )

    tie(environment, tenant, domain)
    first, second = user_of(environment, domain), user_of(environment, domain)
    join(environment, first, tenant).must_succeed()
    for level in ("admin", None):
        assert add(admin, level).refusal == INVALID
    expiring = environment.member(tenant, "admin", TOMORROW)
    assert add(expiring, "write").refusal == (403, "forbidden")

    changed = add(admin, "write")

    assert changed.result["verified_at"]
    assert changed.entry["details"] == {
        "before": changed.result | {"access_level": "read"},
        "after": changed.result,
    }
    assert join(environment, second, tenant).result["access_level"] == "write"
    assert join(environment, first, tenant).refusal == MEMBER


def test_domain_belongs_to_the_tenants_and_not_to_who_added_it(
    environment: Environment, domain: str
) -> None:
    tenants = sorted(environment.tenant() for _ in range(2))
    person, admin = user_of(environment, domain), environment.person()
    values = set()
    for tenant in tenants:
        environment.grant(tenant, admin, "admin")
        values.add(
            call(
                environment, admin, "add_tenant_domain", schema_name=tenant, domain=domain
            ).result["txt_value"]
        )
        environment.sql.execute("select public.verify_tenant_domain(%s, %s)", (tenant, domain))
    assert len(values) == 2
    environment.sql.execute("delete from auth.users where id = %s", (admin.id,))

    pages = (
        joinable(environment, person, page_size=1),
        joinable(environment, person, page_size=1, after=tenants[0]),
    )
    assert [[row["schema_name"] for row in page] for page in pages] == [
        [tenant] for tenant in tenants
    ]
    assert joinable(environment, person, after=tenants[1]) == []
    environment.suspend(tenants[0])
    environment.sql.execute("select public.delete_tenant_schema(%s)", (tenants[0],))
    assert join(environment, person, tenants[0]).refusal == NOT_FOUND
    join(environment, person, tenants[1]).must_succeed()
