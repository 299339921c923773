-- The migrations before that position have not changed, and so their recorded objects stay.
create function tenancy.rebuild_reference(first_position integer)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    perform tenancy.require_no_dependents('tenant_template');
    drop schema tenant_template cascade;
    perform tenancy.make_reference();

    for v_migration in
        select m.* from tenancy.tenant_migrations m order by m.position
    loop
        if v_migration.position < first_position then
            perform tenancy.apply_tenant_migration('tenant_template', v_migration);
        else
            delete from tenancy.tenant_template_objects o where o.version = v_migration.version;
            delete from tenancy.tenant_template_limits l where l.version = v_migration.version;
            perform tenancy.advance_reference(v_migration);
        end if;
    end loop;
    perform tenancy.apply_tenant_privileges('tenant_template');
    perform tenancy.require_creatable(tenancy.latest_tenant_version());
    perform tenancy.reload_schema_cache();
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if sqlstate like 'PT%' then
            raise;
        end if;
        if v_migration.position < first_position then
            raise exception 'The tenant template cannot be built: an earlier tenant migration, "%", fails now: %. Restore what it needs, or replace or withdraw it first.', v_migration.version, rtrim(tenancy.one_line(sqlerrm), '.')
                using errcode = 'PT422', detail = 'migration_refused',
                    hint = 'Nothing was changed. Restore what the earlier migration needs, or replace or withdraw it first.';
        end if;
        raise exception 'The tenant template cannot be built: %', tenancy.one_line(sqlerrm)
            using errcode = 'PT422', detail = 'migration_refused',
                hint = 'Nothing was changed. Correct the text, or the migrations that were registered after it.';
end;
$$;

comment on function tenancy.rebuild_reference(integer) is
    'Builds the reference schema again from all registered migrations, and records its objects from this position on (PT422 migration_refused). Only under lock_tenant_migration.';
