-- The question of the policies. The guard asks a query of its own, in guard_request. The two
-- share only the tables of the registry and calling_user, so that one mistake does not open both
-- layers. A view, because PostgreSQL plans it with the statement; a function would cost more than
-- this query. security_barrier, because API roles can read the view. Subselects and no joins: they
-- keep the plan small, and the same with any number of tenants.
create view tenancy.open_tenants with (security_barrier = true) as
    select a.schema_name, a.access_level, a.permissions
    from public.user_schema_access a
    where a.user_id = (select u.user_id from tenancy.calling_user u)
        and (a.expires_at <= statement_timestamp()) is not true
        and (
            select t.status
            from public.tenants t
            where t.schema_name = a.schema_name
        ) = 'active';

comment on view tenancy.open_tenants is
    'The active tenants on which the caller holds an unexpired grant, with the level and the permissions of its roles. For policies: ask it in an uncorrelated subselect, so that it runs once a statement.';
