"""Other designs: one table for all tenants, whose policies ask for membership.

The SQL is written for this measurement, after the documentation of each project. Every design has
the tables of `bare` with a column that names the tenant, ten tenants, and an index for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .databases import Database

_TENANT = "00000000-0000-4000-8000-000000000001"

# What a client adds to each request.
CONDITION = f"tenant_id=eq.{_TENANT}"
COLUMNS = {"tenant_id": _TENANT}


@dataclass(frozen=True)
class Design:
    schema: str
    words: str
    # The functions that the policies call, and the conditions for reading and for inserting.
    functions: str
    reads: str
    writes: str
    # The pre-request function that the documentation tells to install.
    guard: str | None = None
    is_published: bool = True


DESIGNS = (
    Design(
        "plain",
        "a shared table, policy with a subquery of memberships",
        "",
        "tenant_id in (select m.tenant_id from plain.members m where m.user_id = (select auth.uid()))",
        "tenant_id in (select m.tenant_id from plain.members m"
        " where m.user_id = (select auth.uid()) and m.role = 'owner')",
        is_published=False,
    ),
    Design(
        "basejump_list",
        "Basejump, policy with the list of the user's accounts",
        """
        create function basejump_list.get_accounts_with_role(passed_in_role text default null)
            returns setof uuid stable security definer set search_path = public language sql
        as $$
            select m.tenant_id from basejump_list.members m
            where m.user_id = auth.uid() and (m.role = passed_in_role or passed_in_role is null)
        $$;
        """,
        "tenant_id in (select basejump_list.get_accounts_with_role())",
        "tenant_id in (select basejump_list.get_accounts_with_role('owner'))",
    ),
    Design(
        "basejump_role",
        "Basejump, policy that asks for the role on each row's account",
        """
        create function basejump_role.has_role_on_account(account_id uuid, account_role text default null)
            returns boolean stable security definer set search_path = public language sql
        as $$
            select exists (
                select 1 from basejump_role.members m
                where m.user_id = auth.uid()
                    and m.tenant_id = has_role_on_account.account_id
                    and (m.role = has_role_on_account.account_role
                        or has_role_on_account.account_role is null)
            )
        $$;
        """,
        "basejump_role.has_role_on_account(tenant_id)",
        "basejump_role.has_role_on_account(tenant_id, 'owner')",
    ),
    Design(
        "tenant_rbac",
        "supabase-tenant-rbac, policy that asks for membership or the role in each row's group",
        # All functions set search_path, so PostgreSQL calls each of them for each row.
        """
        create table tenant_rbac.user_claims (
            user_id uuid primary key references auth.users (id) on delete cascade,
            claims jsonb not null default '{}'
        );
        insert into tenant_rbac.user_claims
            select m.user_id,
                jsonb_object_agg(
                    m.tenant_id,
                    jsonb_build_object('roles', jsonb_build_array(m.role), 'permissions', '[]'::jsonb)
                )
            from tenant_rbac.members m group by m.user_id;
        alter table tenant_rbac.user_claims enable row level security;
        create policy own_claims on tenant_rbac.user_claims for select to authenticated
            using (user_id = (select auth.uid()));
        grant select on tenant_rbac.user_claims to authenticated;
        create function tenant_rbac.db_pre_request() returns void
            stable set search_path = tenant_rbac language plpgsql
        as $$
        declare
            v_claims jsonb := '{}';
        begin
            select c.claims into v_claims from user_claims c where c.user_id = auth.uid();
            perform set_config('request.groups', v_claims::text, true);
        end $$;
        create function tenant_rbac.stored_claims() returns jsonb
            stable set search_path = tenant_rbac language sql
        as $$
            select c.claims from user_claims c where c.user_id = auth.uid()
        $$;
        create function tenant_rbac.get_claims() returns jsonb
            stable set search_path = tenant_rbac language sql
        as $$
            select case
                when current_setting('request.groups', true) <> ''
                    then current_setting('request.groups', true)::jsonb
                else stored_claims()
            end
        $$;
        create function tenant_rbac.is_expired() returns boolean
            stable set search_path = tenant_rbac language plpgsql
        as $$
        begin
            return coalesce(to_timestamp((auth.jwt() ->> 'exp')::bigint) < now(), true);
        end $$;
        create function tenant_rbac.is_member(group_id uuid) returns boolean
            stable set search_path = tenant_rbac language plpgsql
        as $$
        declare
            v_caller constant text := auth.role();
        begin
            if v_caller = 'authenticated' then
                if is_expired() then
                    raise exception 'The token has expired.';
                end if;
                return get_claims() ? group_id::text;
            end if;
            return v_caller = 'service_role' or session_user = 'postgres';
        end $$;
        create function tenant_rbac.has_role(group_id uuid, role text) returns boolean
            stable set search_path = tenant_rbac language plpgsql
        as $$
        declare
            v_caller constant text := auth.role();
        begin
            if v_caller = 'authenticated' then
                if is_expired() then
                    raise exception 'The token has expired.';
                end if;
                return get_claims() #> array[group_id::text, 'roles'] ? has_role.role;
            end if;
            return v_caller = 'service_role' or session_user = 'postgres';
        end $$;
        """,
        "tenant_rbac.is_member(tenant_id)",
        "tenant_rbac.has_role(tenant_id, 'owner')",
        guard="tenant_rbac.db_pre_request",
    ),
)

# `%(schema)s` and so on are replaced as text: all of it is ours.
_TABLES = """
create schema %(schema)s;
grant usage on schema %(schema)s to authenticated;
create table %(schema)s.members (
    user_id uuid not null references auth.users (id) on delete cascade,
    tenant_id uuid not null,
    role text not null,
    primary key (user_id, tenant_id)
);
alter table %(schema)s.members enable row level security;
create policy own on %(schema)s.members for select to authenticated
    using (user_id = (select auth.uid()));
create table %(schema)s.settings (
    tenant_id uuid not null,
    key text not null,
    value jsonb,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    primary key (tenant_id, key)
);
create table %(schema)s.events (
    tenant_id uuid not null,
    key text not null,
    primary key (tenant_id, key)
);
insert into %(schema)s.members
    select '%(user)s', ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'owner'
    from generate_series(1, 5) i;
insert into %(schema)s.settings (tenant_id, key, value)
    select ('00000000-0000-4000-8000-' || lpad(t::text, 12, '0'))::uuid, 'key_' || i,
        to_jsonb(md5(i::text))
    from generate_series(1, 10) t, generate_series(1, 1000) i;
%(functions)s
grant select on %(schema)s.members to authenticated;
grant select, insert on %(schema)s.settings, %(schema)s.events to authenticated;
grant execute on all functions in schema %(schema)s to authenticated;
alter table %(schema)s.settings enable row level security;
alter table %(schema)s.events enable row level security;
create policy reads on %(schema)s.settings for select to authenticated using (%(reads)s);
create policy writes on %(schema)s.events for insert to authenticated with check (%(writes)s);
"""


def prepare(few: Database, user_id: str) -> None:
    """Makes every design, each in its schema, with the user as an owner in five tenants."""
    for design in DESIGNS:
        text = _TABLES
        for name, value in {
            "schema": design.schema,
            "user": user_id,
            "functions": design.functions,
            "reads": design.reads,
            "writes": design.writes,
        }.items():
            text = text.replace(f"%({name})s", value)
        few.sql.execute(text.encode())
