"""Joining a tenant by a domain, and requesting access: who gets in, and who does not.

The attempts depend on one another, so they are made one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantry_cli.proof.attempts import Attempt
from tenantry_cli.proof.environment import PUBLIC_DOMAIN, Environment
from tenantry_cli.proof.identities import (
    ADMIN_A,
    ADMIN_B,
    DOMAIN_USER,
    JOINED,
    NOT_YET_REMOVED,
    PUBLIC_DOMAIN_USER,
    REMOVED,
    STRANGER,
    SUBDOMAIN_USER,
    UNCONFIRMED,
    WRITER,
)
from tenantry_cli.proof.plan import Plan
from tenantry_cli.proof.relations import RELATIONS
from tenantry_cli.proof.rules import Identity, Tenant, may_join

GROUP = "joining"
_NOTES = next(each for each in RELATIONS if each.name == "proof_notes")


def joining_attempts(environment: Environment, plan: Plan) -> Iterator[Attempt]:
    """Each attempt has to be made before the next one is asked for."""
    a, domain = environment.a, environment.run.domain

    def read(identity: Identity, tenant: Tenant = a) -> Attempt:
        names = (tenant.name,)
        return plan.row_attempt(
            identity, tenant, _NOTES, "GET", plan.entry_points[-1], GROUP, names, names
        )

    def call(
        identity: Identity, name: str, *, may: bool, tenant: Tenant = a, **arguments: Any
    ) -> Attempt:
        return plan.call_attempt(identity, tenant, name, GROUP, may, **arguments)

    def join(identity: Identity, tenant: Tenant = a, *, may: bool | None = None) -> Attempt:
        allowed = may_join(identity, tenant) if may is None else may
        return call(identity, "join_tenant", may=allowed, tenant=tenant)

    # Nobody has verified the domain yet.
    environment.rpc("add_tenant_domain", schema_name=a.name, domain=domain)
    yield join(DOMAIN_USER, may=False)
    environment.rpc("verify_tenant_domain", schema_name=a.name, domain=domain)
    environment.rpc("add_tenant_domain", schema_name=environment.s.name, domain=domain)
    environment.rpc("verify_tenant_domain", schema_name=environment.s.name, domain=domain)

    outsiders = [STRANGER, SUBDOMAIN_USER, PUBLIC_DOMAIN_USER]
    if environment.has_sql:
        environment.unconfirm_address()
        outsiders.append(UNCONFIRMED)
    for identity in outsiders:
        yield join(identity)
        yield read(identity)
    # As ADMIN_A, who may tie other domains.
    yield call(ADMIN_A, "add_tenant_domain", may=True, domain=f"office.{domain}")
    yield call(ADMIN_A, "add_tenant_domain", may=False, domain=PUBLIC_DOMAIN)
    yield call(ADMIN_A, "add_tenant_domain", may=False, domain=domain, access_level="admin")

    for tenant in (environment.b, environment.s, environment.m, a):
        yield join(DOMAIN_USER, tenant)
    for tenant in environment.tenants:
        yield read(JOINED, tenant)
    yield join(JOINED)
    yield call(JOINED, "leave_tenant", may=True)
    yield read(DOMAIN_USER)

    yield join(NOT_YET_REMOVED)
    environment.rpc(
        "revoke_schema_access", schema_name=a.name, user_id=environment.ids[REMOVED]
    )
    yield join(REMOVED)
    yield read(REMOVED)

    yield call(SUBDOMAIN_USER, "request_access", may=False)
    environment.rpc("set_access_requests", schema_name=a.name, enabled=True)
    if environment.has_sql:
        yield call(UNCONFIRMED, "request_access", may=False)
    yield call(SUBDOMAIN_USER, "request_access", may=True)
    yield read(SUBDOMAIN_USER)
    user_id = environment.ids[SUBDOMAIN_USER]
    for identity in (SUBDOMAIN_USER, WRITER, ADMIN_B):
        yield call(identity, "decide_request", may=False, user_id=user_id, approve=True)
        yield read(SUBDOMAIN_USER)
    yield call(ADMIN_A, "decide_request", may=True, user_id=user_id, approve=False)
    yield read(SUBDOMAIN_USER)
    yield call(SUBDOMAIN_USER, "request_access", may=False)
    environment.rpc("set_access_requests", schema_name=a.name, enabled=False)
