create view tenancy.current_tenant_admins as
    select a.schema_name, a.user_id, a.expires_at
    from public.user_schema_access a
    where a.access_level = 'admin'
        -- Not now(), which is the start of the transaction.
        and (a.expires_at is null or a.expires_at > statement_timestamp())
        and exists (
            select from tenancy.active_users u
            where u.id = a.user_id
        );

comment on view tenancy.current_tenant_admins is
    'The admins of each tenant who can act: their access is unexpired, and they are neither banned nor deleted in Auth.';
