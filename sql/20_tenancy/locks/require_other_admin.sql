-- Nobody else can take a tenant's last admin: an admin who changes or takes the access of another
-- one stays. Admins who leave at the same moment take turns at the lock of the tenant, and the
-- second one finds the result of the first.
create function tenancy.require_other_admin(schema_name text, user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- They can appoint another admin at any time.
    if tenancy.platform_role() >= 'admin' then
        return;
    end if;

    if exists (
            select from tenancy.current_tenant_admins a
            where a.schema_name = require_other_admin.schema_name
                and a.user_id = require_other_admin.user_id
        )
        and not exists (
            select from tenancy.current_tenant_admins a
            where a.schema_name = require_other_admin.schema_name
                and a.user_id <> require_other_admin.user_id
        )
    then
        perform tenancy.log_refusal('last_tenant_admin', schema_name);
        raise exception 'This is the last admin of tenant "%".', schema_name
            using errcode = 'PT409', detail = 'last_tenant_admin',
                hint = 'Make another member admin with transfer_admin first. If your own access expires, ask an admin of the platform.';
    end if;
end;
$$;

comment on function tenancy.require_other_admin(text, uuid) is
    'Refuses to end the access of a tenant''s last active admin, unless a platform admin calls. Only under a lock of the tenant (PT409 last_tenant_admin).';
