"""The accounts of the proof in a project whose rows per account do not go with the account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.environment import Environment
from tenantry_cli.proof.identities import SUPER_ADMIN
from tenantry_cli.target import Target

_PROFILES = """
create table public.proof_profiles (id uuid primary key references auth.users (id));
create function public.proof_profile() returns trigger
    security definer set search_path = '' language plpgsql as $$
begin
    insert into public.proof_profiles (id) values (new.id);
    return new;
end;
$$;
create trigger proof_profile after insert on auth.users
    for each row execute function public.proof_profile();
"""
_EMAILS = "select email from auth.users where email like 'proof-' || %s || '-%%'"


@pytest.fixture
def profiles(database: psycopg.Connection[dict[str, Any]]) -> Iterator[None]:
    database.execute(_PROFILES)
    yield
    database.execute("select extensions.drop_auth_trigger('proof_profile', 'users', false)")
    database.execute("drop table public.proof_profiles; drop function public.proof_profile()")
    database.execute("delete from auth.users where email like 'proof-%'")


@pytest.fixture(params=["sql", "auth"])
def target(request: pytest.FixtureRequest, project: Target) -> Target:
    return project if request.param == "sql" else replace(project, db_url=None)


@pytest.mark.usefixtures("profiles")
def test_accounts_that_must_stay_are_refused_unless_the_person_allows_it(
    target: Target, database: psycopg.Connection[dict[str, Any]]
) -> None:
    with pytest.raises(TenantryError, match="with --keep-accounts"):
        Environment(target).check_accounts()

    environment = Environment(target, keeps_accounts=True)
    environment.check_accounts()
    environment.create_users()
    environment.promote(SUPER_ADMIN, "super_admin")
    left = environment.remove()

    run = [environment.run.id]
    assert sorted(left.accounts) == sorted(
        row["email"] for row in database.execute(_EMAILS, run)
    )
    assert f"proof-{environment.run.id}-trial@example.com" in left.accounts
    # Without a database, the last super_admin cannot lose the role.
    admins = database.execute("select user_id from public.admin_users").rowcount
    assert (admins, len(left.failures)) == ((0, 0) if target.db_url else (1, 1))
    assert all("is the only super_admin" in each for each in left.failures)
