"""Realistic mistakes, each planted alone in a separate project.

Most faults are planted in the helpers that create tenants and check callers, so that the
tenants of `tenantry prove` have them too. The others are changes of the database itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

Database = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Edit:
    """Replaces the right text of a function or of a view by a wrong one."""

    # Full name; that of a function has its argument types.
    object: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Fault:
    name: str
    # The object that the report has to name.
    object: str
    edits: tuple[Edit, ...] = ()
    plant: str = ""
    undo: str = ""
    # The role that plants the fault.
    role: str = "postgres"
    # Whether an attempt leaks. If not, other layers refuse it, and the catalog shows the fault.
    leaks: bool = True


PRIVILEGES = "tenancy.apply_tenant_privileges(text)"
OPEN = "tenancy.open_tenants"
POLICY = "tenancy.policy_test(text,tenancy.access_level)"
ENABLE = (
    "tenancy.enable_tenant_table(text,text,tenancy.access_level,tenancy.access_level,boolean,"
    "text,text,text)"
)
OWN_ROWS = "tenancy.limit_to_own_rows(text,text,text,text,text,boolean)"
GRANTED = "    if v_statements is not null then\n        execute v_statements;\n    end if;\n"
DIFFERENCES = "tenancy.grant_differences(schema_name) g\n"
GUARD = "tenancy.guard_request(text,tenancy.access_level)"
GET_AUDIT_LOG = (
    "public.get_audit_log(text,uuid,text,text,jsonb,timestamptz,timestamptz,bigint,integer)"
)
ADMINISTERED = "tenancy.administered_tenants()"
AUDITED = "tenancy.audit_routine_source(text,text)"


def in_active_tenants(statements: str) -> tuple[Edit, ...]:
    """Statements that run for each active tenant after its privileges have been set."""
    active = (
        "    if exists (select from public.tenants t where t.status = 'active'"
        " and t.schema_name = apply_tenant_privileges.schema_name) then\n"
    )
    return (Edit(PRIVILEGES, GRANTED, f"{GRANTED}{active}{statements}    end if;\n"),)


def kept_grants(condition: str) -> tuple[Edit, ...]:
    """Grants that should be revoked, but are kept."""
    keeps = f"{DIFFERENCES}        where not (g.expected is null and {condition})\n"
    return (Edit(PRIVILEGES, DIFFERENCES, keeps),)


def in_every_tenant(statement: str) -> tuple[Edit, ...]:
    """A statement that runs for each active tenant. `%1$I` is its schema."""
    return in_active_tenants(f"    execute format($fault$ {statement} $fault$, schema_name);\n")


def in_the_template(before: str, after: str) -> str:
    return (
        "update tenancy.tenant_migrations set statements = "  # noqa: S608
        f"replace(statements, $t${before}$t$, $t${after}$t$) where version = 'tenantry_0001'"
    )


GUARD_OUT = (
    "alter role authenticator in database postgres reset pgrst.db_pre_request;"
    "notify pgrst, 'reload config'"
)
GUARD_IN = (
    "alter role authenticator in database postgres set pgrst.db_pre_request = "
    "'tenancy.guard_request'; notify pgrst, 'reload config'"
)
# Another tenant, or the tenant itself while there is no other.
ANOTHER = (
    "coalesce((select t.schema_name from public.tenants t "
    "where t.schema_name <> policy_test.schema_name order by t.created_at desc limit 1), "
    "schema_name)"
)

READ_TEST_TOO = Edit(ENABLE, " v_write_test\n", " v_write_test, v_read_test\n")

# One wrong condition in the question of the policies. The guard, which asks a question of its
# own, has to refuse over the Data API what the policies let through.
POLICY_FAULTS = (
    Fault(
        "policies ignore expiry",
        "open_tenants",
        (
            # PostgreSQL 15 writes `a.` before the columns.
            Edit(
                OPEN,
                "<= statement_timestamp()) IS NOT TRUE)",
                "<= statement_timestamp()) IS NOT TRUE OR true)",
            ),
        ),
    ),
    Fault(
        "policies ignore suspension",
        "open_tenants",
        (Edit(OPEN, ") = 'active'::tenancy.tenant_status", ") is not null"),),
    ),
    Fault(
        "policies let strangers in",
        "open_tenants",
        (
            Edit(
                OPEN,
                "user_id = ( SELECT u.user_id",
                "user_id is not null or user_id = ( SELECT u.user_id",
            ),
        ),
    ),
    Fault(
        "policies take access to one tenant for access to all",
        "open_tenants",
        (
            Edit(
                OPEN,
                "FROM user_schema_access a",
                "FROM (select t.schema_name, g.access_level, g.permissions, g.user_id,"
                " g.expires_at"
                " from public.user_schema_access g, public.tenants t) a",
            ),
        ),
    ),
    Fault(
        "policies ignore the tenant",
        "proof_notes",
        (Edit(POLICY, "o.schema_name = %L and", "%L is not null and"),),
    ),
    Fault(
        "policies have the levels in the wrong order: readers write",
        "proof_notes",
        (Edit(POLICY, "o.access_level >= %L", "o.access_level <= %L"),),
    ),
    Fault(
        "policies let users in whom Auth has banned",
        "open_tenants",
        (Edit(OPEN, "tenancy.calling_user u", "(select auth.uid() as user_id) u"),),
    ),
    Fault(
        "policies ignore levels",
        "proof_notes",
        (Edit(POLICY, "o.access_level >= %L", "%L is not null"),),
    ),
    Fault(
        "policies let readers insert",
        "proof_notes",
        (
            Edit(
                ENABLE,
                "for insert to authenticated with check (%6$s)",
                "for insert to authenticated with check (%7$s)",
            ),
            READ_TEST_TOO,
        ),
    ),
    Fault(
        "policies let readers update",
        "proof_notes",
        (
            Edit(
                ENABLE,
                "for update to authenticated using (%6$s) with check (%6$s)",
                "for update to authenticated using (%7$s) with check (%7$s)",
            ),
            READ_TEST_TOO,
        ),
    ),
    Fault(
        "policies let everybody delete what they can read",
        "proof_notes",
        (
            Edit(
                ENABLE,
                "for delete to authenticated using (%6$s)",
                "for delete to authenticated using (true)",
            ),
        ),
    ),
)

# The same for the guard. The policies have to refuse what it lets pass.
GUARD_FAULTS = (
    Fault(
        "the guard ignores expiry",
        "guard_request",
        (
            Edit(
                GUARD,
                "coalesce(a.expires_at, 'infinity') > statement_timestamp()",
                "true",
            ),
        ),
    ),
    Fault(
        "the guard ignores suspension",
        "guard_request",
        (
            Edit(
                GUARD,
                "\n        and t.status = 'active'",
                "",
            ),
        ),
    ),
    Fault(
        "the guard lets the service into suspended tenants",
        "guard_request",
        (
            Edit(
                GUARD,
                "('service_role', 'postgres') and v_status = 'active'",
                "('service_role')",
            ),
        ),
    ),
    Fault(
        "the guard lets strangers in",
        "guard_request",
        (
            Edit(
                GUARD,
                "and a.user_id = (select u.user_id from tenancy.calling_user u)",
                "",
            ),
        ),
    ),
    Fault(
        "the guard takes access to one tenant for access to all",
        "guard_request",
        (
            Edit(
                GUARD,
                "a.schema_name = v_schema\n        and a.user_id = (",
                "a.user_id = (",
            ),
        ),
    ),
    Fault(
        "the guard ignores levels: readers write",
        "guard_request",
        (Edit(GUARD, "and a.access_level >= v_level", ""),),
    ),
    Fault(
        "the guard lets nobody pass as the service",
        "guard_request",
        (
            Edit(
                GUARD,
                "in ('service_role', 'postgres')",
                "in ('service_role', 'postgres', 'nobody')",
            ),
        ),
    ),
    Fault(
        "the guard takes every schema for the project's own",
        "guard_request",
        (Edit(GUARD, "if not found then", "if true then"),),
    ),
    Fault(
        "the guard lets users in whom Auth has banned",
        "guard_request",
        (Edit(GUARD, "(select u.user_id from tenancy.calling_user u)", "auth.uid()"),),
    ),
    Fault(
        "the guard does not check calls of routines",
        "guard_request",
        (
            Edit(
                GUARD,
                "if v_schema = 'public' then",
                "if v_schema = 'public' or current_setting('request.path', true) like '/rpc/%' "
                "then",
            ),
        ),
    ),
    Fault(
        "the guard takes writes for reads",
        "guard_request",
        (Edit(GUARD, "in ('GET', 'HEAD')", "in ('GET', 'HEAD', 'POST', 'PATCH', 'DELETE')"),),
    ),
    Fault(
        "the guard lets anon pass",
        "guard_request",
        (
            Edit(
                GUARD,
                "if v_schema = 'public' then",
                "if v_schema = 'public' or current_setting('role', true) = 'anon' then",
            ),
        ),
    ),
)

FAULTS = (
    # Policies
    Fault(
        "a policy names the wrong tenant",
        "settings",
        (
            Edit(
                POLICY,
                "schema_name, level\n",
                f"{ANOTHER}, level\n",
            ),
        ),
    ),
    Fault(
        "policies let everybody read",
        "proof_notes",
        (
            Edit(
                ENABLE,
                "for select to authenticated using (%4$s)",
                "for select to authenticated using (true)",
            ),
        ),
    ),
    Fault(
        "policies let everybody insert",
        "proof_notes",
        (
            Edit(
                ENABLE,
                "for insert to authenticated with check (%6$s)",
                "for insert to authenticated with check (true)",
            ),
        ),
    ),
    Fault(
        "one more policy on settings, for everybody",
        "settings",
        in_every_tenant(
            "drop policy if exists open on %1$I.settings;"
            "create policy open on %1$I.settings to public using (true)"
        ),
    ),
    Fault(
        "RLS is off on one table",
        "settings",
        in_every_tenant(
            "alter table %1$I.settings disable row level security;"
            "grant select, insert, update, delete on %1$I.settings to authenticated,"
            " service_role"
        ),
    ),
    Fault(
        "the guard is not installed, and RLS is off on one table",
        "settings",
        in_every_tenant(
            "alter table %1$I.settings disable row level security;"
            "grant select, insert, update, delete on %1$I.settings to authenticated,"
            " service_role"
        ),
        plant=GUARD_OUT,
        undo=GUARD_IN,
    ),
    Fault(
        "writers may write what is for admins",
        "settings",
        plant=in_the_template(
            "'settings', reads => 'read', writes => 'admin'",
            "'settings', reads => 'read', writes => 'write'",
        ),
        undo=in_the_template(
            "'settings', reads => 'read', writes => 'write'",
            "'settings', reads => 'read', writes => 'admin'",
        ),
    ),
    Fault(
        "members may read the audit log",
        "audit_log",
        plant=in_the_template("'audit_log', reads => 'admin'", "'audit_log', reads => 'read'"),
        undo=in_the_template("'audit_log', reads => 'read'", "'audit_log', reads => 'admin'"),
    ),
    Fault(
        "members may write the audit log",
        "audit_log",
        in_every_tenant(
            "drop policy if exists forge on %1$I.audit_log;"
            "create policy forge on %1$I.audit_log for insert to authenticated with"
            " check (true);"
            "grant insert on %1$I.audit_log to authenticated"
        ),
    ),
    Fault(
        "members may write profiles",
        "users",
        in_every_tenant(
            "drop policy if exists forge on %1$I.users;"
            "create policy forge on %1$I.users for update to authenticated using (true);"
            "grant update on %1$I.users to authenticated"
        ),
    ),
    *POLICY_FAULTS,
    *GUARD_FAULTS,
    # Who is calling
    Fault(
        "a token without a user counts as the service",
        "guard_request",
        (
            Edit(
                "tenancy.caller()",
                "row('nobody', null)",
                "row('service_role', null)",
            ),
        ),
    ),
    Fault(
        "users whom Auth has banned count",
        "proof_notes",
        (
            Edit(
                "tenancy.active_users",
                "((banned_until > statement_timestamp()) IS NOT TRUE)",
                "true",
            ),
        ),
    ),
    Fault(
        "users whom Auth has soft-deleted count",
        "proof_notes",
        (Edit("tenancy.active_users", "(deleted_at IS NULL)", "true"),),
    ),
    Fault(
        "RPCs do not ask whether Auth has banned the caller",
        "get_tenant_info",
        (
            Edit(
                "tenancy.caller()",
                "select u.user_id into v_user_id from tenancy.calling_user u;",
                "v_user_id := auth.uid();",
            ),
        ),
    ),
    Fault(
        "banned staff keep their platform role",
        "tenants",
        (
            Edit(
                "tenancy.platform_role()",
                "s.user_id = v_caller.user_id",
                "s.user_id = auth.uid()",
            ),
        ),
    ),
    Fault(
        "users whom Auth has banned are given access and roles",
        "grant_schema_access to a banned user",
        (
            Edit(
                "tenancy.require_user(uuid)",
                "or not exists (select from tenancy.active_users u"
                " where u.id = require_user.user_id)",
                "",
            ),
        ),
    ),
    # The guard
    Fault("the guard is not installed", "OpenAPI page", plant=GUARD_OUT, undo=GUARD_IN),
    Fault(
        "the guard lets everything pass",
        "OpenAPI page",
        (Edit(GUARD, "if v_schema = 'public' then", "if true then"),),
    ),
    Fault(
        "the guard trusts the profile headers",
        "OpenAPI page",
        (
            Edit(
                GUARD,
                "split_part(path, ',', 1)",
                "coalesce(current_setting('request.headers', true)::json ->> 'accept-profile', "
                "'public')",
            ),
        ),
    ),
    # Grants
    Fault(
        "anon may use the schema and read a table",
        "settings",
        in_every_tenant(
            "grant usage on schema %1$I to anon; grant select on %1$I.settings to anon"
        ),
        leaks=False,
    ),
    Fault(
        "anon may read a table, and a policy lets it",
        "settings",
        in_every_tenant(
            "grant usage on schema %1$I to anon; grant select on %1$I.settings to anon;"
            "drop policy if exists open on %1$I.settings;"
            "create policy open on %1$I.settings for select to anon using (true)"
        ),
    ),
    Fault(
        "a table is granted to PUBLIC",
        "settings",
        in_every_tenant("grant select on %1$I.settings to public"),
        leaks=False,
    ),
    Fault(
        "one column is granted to anon",
        "users.email",
        in_every_tenant("grant select (email) on %1$I.users to anon"),
        leaks=False,
    ),
    Fault(
        "all tables are granted, registered or not",
        "proof_unregistered",
        in_every_tenant(
            "grant select on all tables in schema %1$I to authenticated, service_role"
        ),
    ),
    Fault(
        "default privileges are left on",
        "proof_",
        in_every_tenant(
            "alter default privileges in schema %1$I grant all on tables to authenticated"
        ),
        leaks=False,
    ),
    Fault(
        "a table belongs to the role of the service key",
        "settings",
        in_every_tenant(
            "grant create on schema %1$I to service_role;"
            "alter table %1$I.settings owner to service_role;"
            "revoke create on schema %1$I from service_role"
        ),
        leaks=False,
    ),
    Fault(
        "the role that PostgREST logs in with has a privilege",
        "proof_",
        in_every_tenant("grant select on %1$I.settings to authenticator"),
        leaks=False,
    ),
    Fault(
        "members may truncate a table",
        "settings",
        in_every_tenant("grant truncate on %1$I.settings to authenticated"),
        leaks=False,
    ),
    Fault(
        "members may create objects in the schema",
        "proof_",
        in_every_tenant("grant create on schema %1$I to authenticated"),
        leaks=False,
    ),
    Fault(
        "anon may use sequences",
        "proof_unregistered_number_seq",
        in_every_tenant("grant usage on all sequences in schema %1$I to anon"),
        leaks=False,
    ),
    Fault(
        "members may write one column of profiles",
        "users.display_name",
        in_every_tenant("grant update (display_name) on %1$I.users to authenticated"),
        leaks=False,
    ),
    Fault(
        "a helper is granted",
        "apply_tenant_privileges",
        plant="grant execute on function tenancy.apply_tenant_privileges(text)"
        " to authenticated",
        undo="revoke execute on function tenancy.apply_tenant_privileges(text)"
        " from authenticated",
        leaks=False,
    ),
    Fault(
        "the seals are granted to the service key",
        "audit_seals",
        plant="grant select on tenancy.audit_seals to service_role",
        undo="revoke select on tenancy.audit_seals from service_role",
        leaks=False,
    ),
    Fault(
        "default privileges are on for new helpers",
        "tenancy",
        plant="alter default privileges in schema tenancy"
        " grant execute on functions to authenticated",
        undo="alter default privileges in schema tenancy"
        " revoke execute on functions from authenticated",
        leaks=False,
    ),
    Fault(
        "anon inherits the privileges of signed-in users",
        "anon",
        plant="grant authenticated to anon",
        undo="revoke authenticated from anon",
        role="supabase_admin",
        leaks=False,
    ),
    Fault(
        "signed-in users bypass row level security",
        "proof_notes",
        plant="alter role authenticated bypassrls",
        undo="alter role authenticated nobypassrls",
        role="supabase_admin",
    ),
    # Suspension
    Fault(
        "suspension forgets the service role",
        "settings",
        kept_grants("g.grantee = 'service_role'"),
    ),
    Fault(
        "suspension revokes nothing",
        "settings",
        kept_grants("g.grantee in ('authenticated', 'service_role')"),
    ),
    Fault(
        "suspension forgets sequences",
        "proof_unregistered_number_seq",
        kept_grants("g.object_kind = 'sequence'"),
        leaks=False,
    ),
    Fault(
        "suspension forgets routines",
        "proof_invoker_function",
        kept_grants("g.object_kind = 'routine' and g.grantee <> 'public'"),
        leaks=False,
    ),
    Fault(
        "suspension forgets one table",
        "settings",
        kept_grants("g.object_name like '%settings' and g.grantee = 'authenticated'"),
        leaks=False,
    ),
    # Other objects in a tenant schema
    Fault(
        "a definer routine keeps its default EXECUTE",
        "proof_definer_function",
        kept_grants("g.object_kind = 'routine'"),
    ),
    Fault(
        "a view without security_invoker is granted",
        "proof_definer_view",
        (
            Edit(
                "tenancy.grant_differences(text)",
                "c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions)",
                "c.relkind = 'v'",
            ),
        ),
    ),
    Fault(
        "a view is granted and loses security_invoker afterwards",
        "proof_invoker_view",
        in_every_tenant(
            "alter view if exists %1$I.proof_invoker_view set (security_invoker = false)"
        ),
    ),
    Fault(
        "a materialized view is granted",
        "proof_materialized_view",
        in_active_tenants(
            "    execute coalesce((select format('grant select on %s to authenticated',"
            " c.oid::regclass) from pg_catalog.pg_class c where c.relkind = 'm'"
            " and c.relnamespace = to_regnamespace(quote_ident(schema_name)) limit 1),"
            " 'select 1');\n"
        ),
    ),
    Fault(
        "a foreign key points into another tenant",
        "settings",
        in_active_tenants(
            "    execute coalesce((select format('alter table %I.settings add column"
            " if not exists x_other uuid references %I.users (id)',"
            " apply_tenant_privileges.schema_name, t.schema_name)"
            " from public.tenants t where t.schema_name <>"
            " apply_tenant_privileges.schema_name"
            " limit 1), 'select 1');\n"
        ),
        leaks=False,
    ),
    Fault(
        "the audit trigger is disabled",
        "settings",
        in_every_tenant("alter table %1$I.settings disable trigger audit_update"),
        leaks=False,
    ),
    Fault(
        "a tenant table is published to Realtime",
        "settings",
        in_every_tenant("alter publication faulty set table %1$I.settings"),
        plant="create publication faulty",
        undo="drop publication faulty",
        leaks=False,
    ),
    Fault(
        "a view in public reads a tenant's rows with its owner's rights",
        "all_settings",
        in_every_tenant(
            "create or replace view public.all_settings as select * from %1$I.settings;"
            "grant select on public.all_settings to authenticated"
        ),
        undo="drop view if exists public.all_settings",
        leaks=False,
    ),
    Fault(
        "a function with its owner's rights has no search_path",
        "get_tenant_info",
        plant="alter function public.get_tenant_info(text) reset search_path",
        undo="alter function public.get_tenant_info(text) set search_path = ''",
        leaks=False,
    ),
    Fault(
        "the view of the policies has no security_barrier",
        "open_tenants",
        plant="alter view tenancy.open_tenants reset (security_barrier)",
        undo="alter view tenancy.open_tenants set (security_barrier = true)",
        leaks=False,
    ),
    # Audit logs
    Fault(
        "the audit triggers are missing on new tables",
        "proof_notes",
        (Edit(ENABLE, "if audited then", "if false then"),),
        leaks=False,
    ),
    Fault(
        "a tenant's audit log does not say who",
        "proof_notes",
        (Edit(AUDITED, "audit.v_caller.user_id, audit.v_role'", "null::uuid, audit.v_role'"),),
        leaks=False,
    ),
    Fault(
        "a tenant's audit log does not have deletions",
        "proof_notes",
        (
            Edit(
                AUDITED,
                "elsif tg_op = 'DELETE' then\n        %5$s;",
                "elsif tg_op = 'DELETE' then\n        null;",
            ),
        ),
        leaks=False,
    ),
    Fault(
        "grants of access are not logged",
        "access.grant",
        (
            Edit(
                "public.grant_schema_access(text,uuid,tenancy.access_level,timestamptz,text[])",
                "perform tenancy.log_action(",
                "perform pg_catalog.jsonb_build_array(",
            ),
        ),
        leaks=False,
    ),
    Fault(
        "the platform's audit log does not say who",
        "access.revoke",
        (
            Edit(
                "tenancy.log_action(text,public.tenants,jsonb,text)",
                "values (\n        v_caller.user_id,",
                "values (\n        null,",
            ),
        ),
        leaks=False,
    ),
    Fault(
        "the platform's audit log is not append-only",
        "admin_audit_log",
        plant="drop trigger append_only on public.admin_audit_log;"
        "drop trigger append_only_truncate on public.admin_audit_log",
        undo="select tenancy.make_append_only('public', 'admin_audit_log')",
    ),
    Fault(
        "the triggers of the audit logs refuse nothing",
        "audit_log",
        (
            Edit(
                "tenancy.tg_audit_log__refuse()",
                "if tg_op <> 'TRUNCATE' and current_setting('tenancy.maintaining', true)"
                " = tg_relid::regclass::text then",
                "if tg_op <> 'TRUNCATE' then",
            ),
        ),
    ),
    Fault(
        "the seals do not cover a column",
        "audit_log",
        (
            Edit(
                "tenancy.audit_entry_hash(text)",
                "'record_id', 'old_values', 'new_values']",
                "'record_id', 'old_values']",
            ),
        ),
        leaks=False,
    ),
    Fault(
        "the verification does not compare entries",
        "verify_audit_log",
        (
            Edit(
                "tenancy.verify_audit_log(text,text)",
                "when v_link.found_hash <> coalesce(v_link.redacted_hash, v_link.entry_hash)"
                " then 'changed'",
                "when false then 'changed'",
            ),
        ),
    ),
    Fault(
        "audit logs have no retention",
        "prune_audit_log",
        (
            Edit(
                "tenancy.require_past_retention(timestamptz)",
                "if before > v_allowed then",
                "if false then",
            ),
        ),
    ),
    Fault(
        "a shorter retention applies at once",
        "prune_audit_log",
        (
            Edit(
                "tenancy.audit_retention_days()",
                "where f.ended_at is null or f.ended_at + f.days * interval '24 hours' > now()",
                "where f.ended_at is null",
            ),
        ),
    ),
    Fault(
        "a platform admin may prune the platform's audit log",
        "prune_audit_log",
        (
            Edit(
                "public.prune_audit_log(text,timestamptz)",
                "tenancy.require_platform_role('super_admin')",
                "tenancy.require_platform_role('admin')",
            ),
        ),
    ),
    # Limits
    Fault(
        "the budgets of a tenant are off",
        "more text than the budget",
        (
            Edit(
                "tenancy.require_within_budgets(text,jsonb)",
                "where (v_after ->> b.kind)::bigint >"
                " greatest(b.allowed, (before ->> b.kind)::bigint)",
                "where false",
            ),
        ),
    ),
    Fault(
        "the limit on unique columns is off",
        "too many unique columns",
        (
            Edit(
                "tenancy.require_few_unique_columns(jsonb)",
                "if v_unique > v_limit then",
                "if false then",
            ),
        ),
    ),
    Fault(
        "the limit on defaults is off",
        "a default that is too long",
        (
            Edit(
                "tenancy.require_short_default(text)",
                "if octet_length(value) > v_limit then",
                "if false then",
            ),
        ),
    ),
    # The registry
    Fault(
        "RLS is off on the registry",
        "tenants",
        plant="alter table public.tenants disable row level security",
        undo="alter table public.tenants enable row level security",
    ),
    Fault(
        "RLS is off on the platform's audit log",
        "admin_audit_log",
        plant="alter table public.admin_audit_log disable row level security",
        undo="alter table public.admin_audit_log enable row level security",
    ),
    Fault(
        "every member sees who has access",
        "user_schema_access",
        (Edit(ADMINISTERED, "and a.access_level = 'admin'", ""),),
    ),
    Fault(
        "admins see who has access after their grant has expired",
        "user_schema_access",
        (
            Edit(
                ADMINISTERED,
                "and (a.expires_at is null or a.expires_at > statement_timestamp())",
                "",
            ),
        ),
    ),
    Fault(
        "admins see the actions on a suspended tenant",
        "admin_audit_log",
        (Edit(ADMINISTERED, "and t.status = 'active'", ""),),
    ),
    Fault(
        "everybody counts as staff in the registry",
        "admin_users",
        (Edit("tenancy.is_platform_staff()", "tenancy.platform_role() is not null", "true"),),
    ),
    Fault(
        "everybody may read the registry",
        "tenants",
        plant="create policy everybody on public.tenants"
        " for select to authenticated using (true)",
        undo="drop policy everybody on public.tenants",
    ),
    Fault(
        "everybody may write grants of access",
        "user_schema_access",
        plant="grant insert, update, delete on public.user_schema_access to authenticated;"
        "create policy forge on public.user_schema_access to authenticated"
        " using (true) with check (true)",
        undo="drop policy forge on public.user_schema_access;"
        "revoke insert, update, delete on public.user_schema_access from authenticated",
    ),
    Fault(
        "everybody may appoint staff",
        "admin_users",
        plant="grant insert on public.admin_users to authenticated;"
        "create policy forge on public.admin_users for insert to authenticated with"
        " check (true)",
        undo="drop policy forge on public.admin_users;"
        "revoke insert on public.admin_users from authenticated",
    ),
    Fault(
        "everybody may write the platform's audit log",
        "admin_audit_log",
        plant="grant insert on public.admin_audit_log to authenticated;"
        "create policy forge on public.admin_audit_log for insert to authenticated with"
        " check (true)",
        undo="drop policy forge on public.admin_audit_log;"
        "revoke insert on public.admin_audit_log from authenticated",
    ),
    Fault(
        "expired members count as members",
        "get_tenant_info",
        (
            Edit(
                "tenancy.access_level(text)",
                "and (a.expires_at is null or a.expires_at > statement_timestamp())",
                "",
            ),
        ),
    ),
    Fault(
        "the list of the caller's tenants contains all tenants",
        "tenants",
        (Edit("tenancy.member_tenants()", "where a.user_id = v_user_id", "where true"),),
    ),
    # RPCs
    Fault(
        "a definer RPC without its check",
        "get_schema_tables",
        (
            Edit(
                "public.get_schema_tables(text)",
                "perform tenancy.require_permission(schema_name, platform => 'viewer',"
                " member => 'read');",
                "",
            ),
        ),
    ),
    Fault(
        "list_my_tenants lists all tenants",
        "list_my_tenants",
        (Edit("public.list_my_tenants(integer,text)", "a.user_id = v_caller.user_id", "true"),),
    ),
    Fault(
        "get_audit_log does not check its caller",
        "get_audit_log",
        (
            Edit(
                GET_AUDIT_LOG,
                "perform tenancy.require_permission(schema_name, platform => null,"
                " member => 'admin');",
                "",
            ),
        ),
    ),
    Fault(
        "get_admin_audit_log does not check its caller",
        "get_admin_audit_log",
        (
            Edit(
                "public.get_admin_audit_log(text,uuid,text,timestamptz,timestamptz,bigint,integer)",
                "if tenancy.platform_role() is null then",
                "if false then",
            ),
        ),
    ),
    Fault(
        "RPCs answer members of suspended tenants",
        "get_schema_tables",
        (
            Edit(
                "tenancy.require_permission(text,tenancy.platform_role,tenancy.access_level,boolean,"
                "boolean)",
                "if v_status = 'active' or even_suspended then",
                "if true then",
            ),
        ),
    ),
    Fault(
        "RPCs that change a tenant do not check their caller",
        "suspend_tenant",
        (
            Edit(
                "tenancy.lock_tenant_first(text,tenancy.platform_role)",
                "perform tenancy.require_permission(schema_name, platform, member => null);",
                "",
            ),
            Edit(
                "tenancy.lock_tenant(text,tenancy.platform_role,tenancy.access_level,boolean)",
                "perform tenancy.require_permission(schema_name, platform, member,"
                " even_pooled => even_pooled);",
                "",
            ),
        ),
    ),
    Fault(
        "a viewer may prune a tenant's audit log",
        "prune_audit_log",
        (
            Edit(
                "public.prune_audit_log(text,timestamptz)",
                "platform => 'admin', member => null",
                "platform => 'viewer', member => null",
            ),
        ),
    ),
    Fault(
        "a tenant's admin may redact its audit log",
        "redact_audit_log",
        (
            Edit(
                "public.redact_audit_log(text,uuid)",
                "platform => 'admin', member => null",
                "platform => 'admin', member => 'admin'",
            ),
        ),
    ),
    Fault(
        "members may verify the audit log",
        "verify_audit_log",
        (
            Edit(
                "public.verify_audit_log(text,text)",
                "platform => 'admin', member => 'admin'",
                "platform => 'admin', member => 'read'",
            ),
        ),
    ),
    Fault(
        "a platform admin may appoint a super_admin",
        "promote_to_admin",
        (
            Edit(
                "public.promote_to_admin(uuid,tenancy.platform_role,timestamptz)",
                "require_platform_role('super_admin')",
                "require_platform_role('admin')",
            ),
        ),
    ),
    Fault(
        "a platform admin may dismiss staff",
        "revoke_admin",
        (
            Edit(
                "public.revoke_admin(uuid)",
                "require_platform_role('super_admin')",
                "require_platform_role('admin')",
            ),
            # Which asks again under its locks.
            Edit(
                "tenancy.require_other_super_admin(uuid)",
                "require_platform_role('super_admin')",
                "require_platform_role('admin')",
            ),
        ),
    ),
    Fault(
        "a viewer may create tenants",
        "create_tenant_schema",
        (
            Edit(
                "public.create_tenant_schema(text,text)",
                "require_platform_role('admin')",
                "require_platform_role('viewer')",
            ),
        ),
    ),
    Fault(
        "members may revoke the access of others",
        "revoke_schema_access",
        (
            Edit(
                "tenancy.lock_tenant_to_revoke(text,uuid)",
                "case when v_is_own then 'read'::tenancy.access_level else 'admin' end",
                "'read'::tenancy.access_level",
            ),
        ),
    ),
    Fault(
        "an unverified domain lets users in",
        "join_tenant",
        (
            Edit(
                "tenancy.verified_domains",
                "verified_at IS NOT NULL",
                "verified_at IS NOT NULL OR true",
            ),
        ),
    ),
    Fault(
        "an unconfirmed address counts for joining",
        "join_tenant",
        (Edit("tenancy.own_domain()", "when u.email_confirmed_at is not null", "when true"),),
    ),
    Fault(
        "a subdomain counts as the domain",
        "join_tenant",
        (
            Edit(
                "tenancy.joinable_tenants()",
                "where d.domain = v_domain",
                "where v_domain like '%' || d.domain",
            ),
        ),
    ),
    Fault(
        "a suspended tenant can be joined",
        "join_tenant",
        (Edit("tenancy.joinable_tenants()", "t.status = 'active'", "t.status <> 'pooled'"),),
    ),
    Fault(
        "removed members are forgotten",
        "join_tenant",
        (
            Edit(
                "tenancy.end_access(text,uuid)",
                "if v_before.user_id is not null then",
                "if v_left then",
            ),
        ),
    ),
    Fault(
        "public mail domains can be tied to a tenant",
        "add_tenant_domain",
        (Edit("tenancy.require_private_domain(text)", "if exists (", "if false and exists ("),),
    ),
    Fault(
        "joining is not logged",
        "access.join",
        (
            Edit(
                "public.join_tenant(text)",
                "perform tenancy.log_action(",
                "perform jsonb_build_array(",
            ),
        ),
        leaks=False,
    ),
    Fault(
        "requests are taken where no admin turned them on",
        "request_access",
        (
            Edit(
                "tenancy.require_requestable(text)",
                "if not exists (",
                "if false and not exists (",
            ),
        ),
    ),
    Fault(
        "members may decide requests for access",
        "decide_request",
        tuple(
            Edit(
                "public.decide_request(text,uuid,boolean,tenancy.access_level,timestamptz)",
                f"tenancy.{check}(schema_name, platform => 'admin', member => 'admin')",
                f"tenancy.{check}(schema_name, platform => 'admin', member => 'read')",
            )
            for check in ("require_permission", "lock_tenant")
        ),
    ),
    Fault(
        "a refused request can be repeated at once",
        "request_access",
        (Edit("tenancy.require_no_request(text)", "and r.is_refused", "and false"),),
    ),
    Fault(
        "members may invite",
        "invite_member",
        tuple(
            Edit(
                "public.invite_member(text,text,tenancy.access_level,text[],timestamptz)",
                f"tenancy.{check}(schema_name, platform => 'admin', member => 'admin')",
                f"tenancy.{check}(schema_name, platform => 'admin', member => 'read')",
            )
            for check in ("require_permission", "lock_tenant")
        ),
    ),
    Fault(
        "everybody may list the invitations of a tenant",
        "list_invitations",
        (
            Edit(
                "public.list_invitations(text,integer,text)",
                "perform tenancy.require_permission(schema_name, platform => 'admin',"
                " member => 'admin');",
                "",
            ),
        ),
    ),
    Fault(
        "members may revoke invitations",
        "revoke_invitation",
        (
            Edit(
                "public.revoke_invitation(text,uuid)",
                "member => 'admin'",
                "member => 'read'",
            ),
        ),
    ),
    *(
        Fault(
            f"members may {operation.replace('_', ' ')}s",
            operation,
            tuple(
                Edit(
                    signature,
                    f"tenancy.{check}(schema_name, platform => 'admin', member => 'admin')",
                    f"tenancy.{check}(schema_name, platform => 'admin', member => 'read')",
                )
                for check in ("require_permission", "lock_tenant")
            ),
        )
        for operation, signature in (
            ("define_role", "public.define_role(text,text,text[],text)"),
            ("drop_role", "public.drop_role(text,text)"),
        )
    ),
    Fault(
        "strangers may list the roles of a tenant",
        "list_roles",
        (
            Edit(
                "public.list_roles(text)",
                "perform tenancy.require_permission(schema_name, platform => 'viewer',"
                " member => 'read');",
                "",
            ),
        ),
    ),
    Fault(
        "readers may list members",
        "list_members",
        (
            Edit(
                "public.list_members(text,text,text,integer,text)",
                "platform => 'viewer', member => 'admin'",
                "platform => 'viewer', member => 'read'",
            ),
        ),
    ),
    Fault(
        "the list of members shows profiles to platform staff",
        "list_members",
        (
            Edit(
                "tenancy.is_row_reader(text)",
                "tenancy.access_level(schema_name) is not null",
                "tenancy.platform_role() is not null",
            ),
        ),
    ),
    Fault(
        "readers may make others admin",
        "transfer_admin",
        (
            Edit(
                "public.transfer_admin(text,uuid)",
                "perform tenancy.require_permission(schema_name, platform => null,"
                " member => 'admin');",
                "",
            ),
            Edit(
                "public.transfer_admin(text,uuid)",
                "lock_tenant(schema_name, platform => null, member => 'admin')",
                "lock_tenant(schema_name, platform => null, member => 'read')",
            ),
        ),
    ),
    Fault(
        "readers may drop tables",
        "drop_table",
        (Edit("public.drop_table(text,text)", "member => 'admin'", "member => 'read'"),),
    ),
    Fault(
        "an RPC asks for too little",
        "rename_tenant",
        (
            Edit(
                "public.rename_tenant(text,text)",
                "platform => 'admin', member => 'admin'",
                "platform => 'admin', member => 'read'",
            ),
        ),
    ),
    Fault(
        "a viewer may suspend",
        "suspend_tenant",
        (
            Edit(
                "public.suspend_tenant(text,text)",
                "platform => 'admin'",
                "platform => 'viewer'",
            ),
        ),
    ),
    Fault(
        "an admin may delete",
        "delete_tenant_schema",
        (
            Edit(
                "public.delete_tenant_schema(text)",
                "platform => 'super_admin'",
                "platform => 'admin'",
            ),
        ),
    ),
    Fault(
        "a tenant's admin may migrate it",
        "migrate_tenant",
        (
            Edit(
                "public.migrate_tenant(text)",
                "platform => 'admin', member => null",
                "platform => 'admin', member => 'admin'",
            ),
        ),
    ),
    Fault(
        "everybody may become super_admin",
        "promote_to_admin",
        (
            Edit(
                "public.promote_to_admin(uuid,tenancy.platform_role,timestamptz)",
                "perform tenancy.require_platform_role('super_admin');",
                "",
            ),
        ),
    ),
    Fault(
        "an admin may change their own grant",
        "grant_schema_access to oneself",
        (
            Edit(
                "tenancy.require_grantable(text,uuid,tenancy.access_level,timestamptz)",
                "if user_id = v_caller.user_id then",
                "if false then",
            ),
        ),
    ),
    Fault(
        "staff give themselves access",
        "grant_schema_access to oneself",
        (
            Edit(
                "tenancy.require_grantable(text,uuid,tenancy.access_level,timestamptz)",
                "if user_id = v_caller.user_id then",
                "if user_id = v_caller.user_id and tenancy.platform_role() is null then",
            ),
            Edit(
                "tenancy.require_given_by_tenant(text,uuid,tenancy.access_level,timestamptz,uuid)",
                "if giver is null",
                "if user_id = giver or giver is null",
            ),
        ),
    ),
    Fault(
        "expired support access still opens",
        "proof_notes",
        (
            Edit(
                "tenancy.open_tenants",
                "IS NOT TRUE)",
                "IS NOT TRUE OR a.support_reason IS NOT NULL)",
            ),
            Edit(
                GUARD,
                "and coalesce(a.expires_at, 'infinity') > statement_timestamp()",
                "and (a.support_reason is not null"
                " or coalesce(a.expires_at, 'infinity') > statement_timestamp())",
            ),
        ),
    ),
    Fault(
        "an expired staff role still works",
        "list_staff",
        (
            Edit(
                "tenancy.current_staff",
                "<= statement_timestamp()) IS NOT TRUE)",
                "<= statement_timestamp()) IS NOT TRUE OR true)",
            ),
        ),
    ),
    Fault(
        "closing leaves the support access",
        "proof_notes",
        (
            Edit(
                "public.close_support_access(text,uuid)",
                "tenancy.end_logged_access(v_tenant, v_user_id, v_actor_role)",
                "(select a from public.user_schema_access a where a.user_id = v_user_id"
                " and a.schema_name = close_support_access.schema_name)",
            ),
        ),
    ),
    Fault(
        "a viewer may open support access",
        "open_support_access",
        tuple(
            Edit(
                "public.open_support_access(text,text,integer,tenancy.access_level)",
                f"tenancy.{check}(schema_name, platform => 'admin', member => null)",
                f"tenancy.{check}(schema_name, platform => 'viewer', member => null)",
            )
            for check in ("require_permission", "lock_tenant")
        ),
    ),
    Fault(
        "support access is not logged",
        "support.open",
        (
            Edit(
                "tenancy.give_support_access(public.tenants,uuid,text,integer,"
                "tenancy.access_level)",
                "perform tenancy.log_action(",
                "perform pg_catalog.jsonb_build_array(",
            ),
        ),
        leaks=False,
    ),
    Fault(
        "staff without support access add foreign keys",
        "add_foreign_key",
        (
            Edit(
                "public.add_foreign_key(text,text,text,text,text,text,text)",
                "perform tenancy.require_access_to_values(schema_name);",
                "",
            ),
        ),
    ),
    Fault(
        "readers may read the audit log of a tenant",
        "get_audit_log",
        (
            Edit(
                GET_AUDIT_LOG,
                "member => 'admin'",
                "member => 'read'",
            ),
        ),
    ),
    Fault(
        "the platform's audit log contains profiles",
        "admin_audit_log",
        (
            Edit(
                "public.create_user_profile(text,uuid,text,text,jsonb)",
                "jsonb_build_object('id', v_profile.id)",
                "to_jsonb(v_profile)",
            ),
        ),
    ),
    # Roles and rows of one member
    Fault(
        "a policy asks for another permission",
        "proof_owned",
        (
            Edit(
                OWN_ROWS,
                "tenancy.permission_test(schema_name, all_rows)",
                "tenancy.permission_test(schema_name, replace(all_rows, 'all_rows', 'other'))",
            ),
        ),
    ),
    Fault(
        "rows of one member have no test of the owner",
        "proof_owned",
        (Edit(OWN_ROWS, "%I = (select auth.uid()) or %s", "%I is not null or %s"),),
    ),
    Fault(
        "members may add rows of others",
        "proof_owned",
        (
            Edit(
                OWN_ROWS,
                "for insert to authenticated with check (%3$s)",
                "for insert to authenticated with check (true)",
            ),
        ),
    ),
    Fault(
        "a role that was narrowed still gives what it gave",
        "proof_owned",
        (
            Edit(
                "tenancy.refresh_permissions(text,text)",
                "and a.permissions <> d.permissions;",
                "and false;",
            ),
        ),
    ),
    Fault(
        "has_permission ignores expiry and suspension",
        "has_permission",
        (
            Edit(
                "tenancy.has_permission(text,text)",
                "from tenancy.open_tenants o\n                where",
                "from public.user_schema_access o\n                where"
                " o.user_id = (tenancy.caller()).user_id and",
            ),
        ),
    ),
    Fault(
        "an RPC is granted to anon",
        "get_tenant_info",
        plant="grant execute on function public.get_tenant_info(text) to anon",
        undo="revoke execute on function public.get_tenant_info(text) from anon",
        leaks=False,
    ),
    Fault(
        "everybody may execute a definer function of the product",
        "count_tenants",
        plant="create function public.count_tenants() returns bigint stable security definer"
        " set search_path = '' begin atomic select count(*) from public.tenants; end",
        undo="drop function public.count_tenants()",
        leaks=False,
    ),
    # Exposure
    Fault(
        "the schema of Auth is exposed",
        "auth",
        plant="select tenancy.expose_schema('auth')",
        undo="select tenancy.unexpose_schema('auth')",
        leaks=False,
    ),
    Fault(
        "the private schema is exposed",
        "helper guard_request",
        plant="select tenancy.expose_schema('tenancy')",
        undo="select tenancy.unexpose_schema('tenancy')",
    ),
    Fault(
        "the reference schema is exposed and granted",
        "schema tenant_template",
        plant="grant usage on schema tenant_template to authenticated;"
        "grant select on all tables in schema tenant_template to authenticated;"
        "select tenancy.expose_schema('tenant_template')",
        undo="select tenancy.unexpose_schema('tenant_template');"
        "select tenancy.apply_tenant_privileges('tenant_template')",
    ),
)


def definition(database: Database, name: str) -> str:
    """The statement that creates the function or the view again."""
    query = "select pg_get_functiondef(%s::regprocedure) as text"
    if "(" not in name:
        query = (
            "select format('create or replace view %%s%%s as %%s', c.oid::regclass,"
            " ' with (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))"
            " as text from pg_class c where c.oid = %s::regclass"
        )
    row = database.execute(query.encode(), (name,)).fetchone()
    assert row is not None
    return str(row["text"])


@contextmanager
def planted(database: Database, fault: Fault) -> Iterator[None]:
    """Plants the fault, and removes it at the end."""
    before: dict[str, str] = {}
    try:
        for edit in fault.edits:
            text = definition(database, edit.object)
            before.setdefault(edit.object, text)
            assert edit.right in text, f"{edit.object} has changed"
            database.execute(text.replace(edit.right, edit.wrong).encode())
        if fault.plant:
            _execute(database, fault.role, fault.plant)
        yield
    finally:
        for text in before.values():
            database.execute(text.encode())
        if fault.undo:
            _execute(database, fault.role, fault.undo)


def _execute(database: Database, role: str, text: str) -> None:
    if role == "postgres":
        database.execute(text.encode())
        return
    with psycopg.connect(database.info.dsn, user=role, password="postgres") as connection:
        connection.execute(text.encode())
