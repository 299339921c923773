create view tenancy.current_tenant_admins as
    select a.schema_name, a.user_id, a.expires_at
    from public.user_schema_access a
    where a.access_level = 'admin'
        and a.support_reason is null
        -- Not now(), which is the start of the transaction.
        and (a.expires_at is null or a.expires_at > statement_timestamp())
        and exists (
            select from tenancy.active_users u
            where u.id = a.user_id
        );

comment on view tenancy.current_tenant_admins is
    'The tenant''s own admins who can act: their access is unexpired and no support access, and they are neither banned nor deleted in Auth.';
