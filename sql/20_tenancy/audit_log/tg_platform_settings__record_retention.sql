create function tenancy.tg_platform_settings__record_retention()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before integer;
begin
    select f.days into v_before
    from tenancy.retention_floors f
    order by f.id desc
    limit 1;

    if new.audit_retention_days is distinct from v_before then
        insert into tenancy.retention_floors (days) values (new.audit_retention_days);
        perform tenancy.log_action(
            'audit.retention', null,
            jsonb_build_object('before', v_before, 'after', new.audit_retention_days)
        );
    end if;

    return null;
end;
$$;

comment on function tenancy.tg_platform_settings__record_retention() is
    'Trigger function that records and logs each change of platform_settings.audit_retention_days.';
