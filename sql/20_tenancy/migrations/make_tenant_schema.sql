create function tenancy.make_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.build_tenant_schema(schema_name);
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        -- What the template needs was dropped or changed after the migration was registered.
        raise exception '%', rtrim(tenancy.one_line(sqlerrm), '.') || '.'
            using errcode = 'PT409', detail = 'template_broken',
                hint = 'Restore what this tenant migration needs, or replace it with replace_tenant_migration, or withdraw it with withdraw_tenant_migration. Until then no tenant can be created. tenantry doctor tells more.';
end;
$$;

comment on function tenancy.make_tenant_schema(text) is
    'Creates a tenant''s schema like build_tenant_schema, and says what to do if that fails (PT409 template_broken, 55P03).';
