-- The question of the policies. The guard asks a query of its own, in require_access. The two
-- share only the tables of the registry and calling_user, so that one mistake does not open both
-- layers. A view, because PostgreSQL plans it with the statement; a function would cost more than
-- this query. security_barrier, because API roles can read the view.
create view tenancy.open_tenants with (security_barrier = true) as
    select t.schema_name, a.access_level
    from tenancy.calling_user u
    inner join public.user_schema_access a on a.user_id = u.user_id
    inner join public.tenants t on t.schema_name = a.schema_name
    where t.status = 'active'
        and (a.expires_at is null or a.expires_at > statement_timestamp());

comment on view tenancy.open_tenants is
    'The active tenants on which the caller holds an unexpired grant, with the level. For policies: ask it in an uncorrelated subselect, so that it runs once a statement.';
