"""Invitations that many answer at once, and inviters who lose the right meanwhile."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from support.entry_points import (
    ENTRY_POINTS,
    HOLD_TENANT,
    EntryPoint,
    at_once,
    holding,
    waiter,
)
from support.environment import Environment, Person
from support.refusals import refusal

ACCEPTORS = 32
NOT_FOUND = (404, "invitation_not_found")
# What a call may get that comes too late, or whose turn does not come in time.
LATE = {NOT_FOUND, (409, "member_exists"), (429, "busy"), (503, "busy")}


def invited(environment: Environment, tenant: str, inviter: Person, guest: Person) -> str:
    reply = environment.rpc(inviter, "invite_member", schema_name=tenant, email=guest.email)
    secret: str = reply.raise_for_status().json()["secret"]
    return secret


def is_member(environment: Environment, tenant: str, person: Person) -> bool:
    found = environment.sql.execute(
        "select from public.user_schema_access where schema_name = %s and user_id = %s",
        (tenant, person.id),
    ).fetchall()
    return found != []


def entries(environment: Environment, tenant: str, action: str) -> list[dict[str, Any]]:
    return environment.sql.execute(
        "select id, details from public.admin_audit_log"
        " where schema_name = %s and action = %s order by id",
        (tenant, action),
    ).fetchall()


@pytest.mark.soak
def test_one_of_many_answers_to_an_invitation_wins(
    environment: Environment, soak: bool
) -> None:
    for _ in range(1000 if soak else 3):
        tenant = environment.tenant()
        inviter, guest = environment.member(tenant, "admin"), environment.person(confirmed=True)
        secret = invited(environment, tenant, inviter, guest)
        answers = itertools.cycle(
            itertools.product(
                ENTRY_POINTS.values(),
                ("accept_invitation", "accept_invitation", "decline_invitation"),
            )
        )

        replies = at_once(
            *(
                partial(entry_point, environment, guest, answer, secret=secret)
                for entry_point, answer in itertools.islice(answers, ACCEPTORS)
            )
        )

        won = [reply for reply in replies if reply.is_success]
        assert len(won) == 1, [reply.text for reply in replies]
        assert {refusal(reply) for reply in replies if reply.is_error} <= LATE
        has_accepted = "display_name" in won[0].json()
        assert is_member(environment, tenant, guest) == has_accepted
        ended = entries(environment, tenant, "invitation.decline")
        given = [
            entry
            for entry in entries(environment, tenant, "access.grant")
            if "invitation" in entry["details"]
        ]
        assert (len(given), len(ended)) == ((1, 0) if has_accepted else (0, 1))


@pytest.mark.soak
def test_acceptors_of_several_invitations_of_a_tenant_all_get_in(
    environment: Environment, soak: bool
) -> None:
    for _ in range(50 if soak else 1):
        tenant = environment.tenant()
        inviter = environment.member(tenant, "admin")
        guests = [environment.person(confirmed=True) for _ in range(4)]
        tokens = [invited(environment, tenant, inviter, guest) for guest in guests]
        calls = [
            # Everybody tries every secret.
            (guest, secret)
            for guest in guests
            for secret in tokens
        ] * 2

        replies = at_once(
            *(
                partial(environment.rpc, guest, "accept_invitation", secret=secret)
                for guest, secret in calls
            )
        )

        for index, guest in enumerate(guests):
            own = [
                reply
                for (caller, secret), reply in zip(calls, replies, strict=True)
                if caller == guest and secret == tokens[index]
            ]
            foreign = [
                reply
                for (caller, secret), reply in zip(calls, replies, strict=True)
                if caller == guest and secret != tokens[index]
            ]
            assert {refusal(reply) for reply in foreign} == {NOT_FOUND}
            assert [reply.status_code for reply in own].count(200) == 1
            assert is_member(environment, tenant, guest)


@pytest.mark.soak
def test_nobody_gets_in_by_an_inviter_who_is_revoked_at_the_same_moment(
    environment: Environment, soak: bool
) -> None:
    for number in range(1000 if soak else 8):
        tenant = environment.tenant()
        inviter, guest = environment.member(tenant, "admin"), environment.person(confirmed=True)
        # The last admin of a tenant cannot leave.
        environment.member(tenant, "admin")
        secret = invited(environment, tenant, inviter, guest)
        accept = partial(environment.rpc, guest, "accept_invitation", secret=secret)
        revoke = partial(
            environment.rpc,
            inviter,
            "revoke_schema_access",
            schema_name=tenant,
            user_id=inviter.id,
        )

        replies = at_once(accept, revoke) if number % 2 else at_once(revoke, accept)

        accepted, revoked = replies if number % 2 else replies[::-1]
        assert revoked.is_success, revoked.text
        assert is_member(environment, tenant, guest) == accepted.is_success
        if accepted.is_success:
            # It was given before the right to give it ended.
            (given,) = (
                entry
                for entry in entries(environment, tenant, "access.grant")
                if "invitation" in entry["details"]
            )
            (taken,) = entries(environment, tenant, "access.revoke")
            assert given["id"] < taken["id"]
        else:
            assert refusal(accepted) in LATE
        again = environment.rpc(guest, "accept_invitation", secret=secret)
        assert refusal(again) == NOT_FOUND


ENDS_OF_AN_INVITER = {
    "tenant admin revoked": (
        HOLD_TENANT,
        "delete from public.user_schema_access where user_id = %s",
    ),
    "tenant admin demoted": (
        HOLD_TENANT,
        "update public.user_schema_access set access_level = 'write' where user_id = %s",
    ),
    "platform admin revoked": (None, "delete from public.admin_users where user_id = %s"),
    "platform admin demoted": (
        None,
        "update public.admin_users set role = 'viewer' where user_id = %s",
    ),
    "platform admin expired": (
        None,
        "update public.admin_users set expires_at = now() where user_id = %s",
    ),
    "user deleted": (None, "delete from auth.users where id = %s"),
}


@pytest.mark.parametrize("end", ENDS_OF_AN_INVITER)
@pytest.mark.parametrize("commits", [True, False], ids=["committed", "rolled back"])
def test_inviter_who_loses_the_right_during_the_wait_lets_nobody_in(
    environment: Environment,
    entry_point: EntryPoint,
    caller: ThreadPoolExecutor,
    end: str,
    commits: bool,
) -> None:
    hold, statement = ENDS_OF_AN_INVITER[end]
    tenant, guest = environment.tenant(), environment.person(confirmed=True)
    inviter = (
        environment.staff("admin")
        if end.startswith("platform")
        else environment.member(tenant, "admin")
    )
    secret = invited(environment, tenant, inviter, guest)

    with holding(environment.address, *((hold, tenant) if hold else ("select 1",))) as holder:
        holder.execute(statement.encode(), (inviter.id,))
        call = caller.submit(
            entry_point, environment, guest, "accept_invitation", secret=secret
        )
        waiter(environment, holder.info.backend_pid, call)
        if commits:
            holder.commit()
        else:
            holder.rollback()

    reply = call.result()
    assert reply.is_success is not commits, reply.text
    assert reply.is_success or refusal(reply) == NOT_FOUND
    assert is_member(environment, tenant, guest) is not commits


def test_invitation_that_is_revoked_during_the_wait_lets_nobody_in(
    environment: Environment, entry_point: EntryPoint, caller: ThreadPoolExecutor
) -> None:
    tenant, guest = environment.tenant(), environment.person(confirmed=True)
    inviter = environment.member(tenant, "admin")
    secret = invited(environment, tenant, inviter, guest)

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        call = caller.submit(
            entry_point, environment, guest, "accept_invitation", secret=secret
        )
        waiter(environment, holder.info.backend_pid, call)
        holder.execute(
            "update tenancy.tenants_invitations set ended_at = now() where schema_name = %s",
            (tenant,),
        )
        holder.commit()

    assert refusal(call.result()) == NOT_FOUND
    assert not is_member(environment, tenant, guest)
