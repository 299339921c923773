-- Before the constraint, whose error would be its name alone.
create function tenancy.tg_platform_settings__require_possible()
    returns trigger
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_wrong record;
begin
    select s.* into v_wrong
    from (values
        ('pool_size', new.pool_size, 1000),
        ('pool_wait_seconds', new.pool_wait_seconds, 86400),
        ('audit_retention_days', new.audit_retention_days, 36500),
        ('invitation_days', new.invitation_days, 365),
        ('max_roles', new.max_roles, 500),
        ('max_domains', new.max_domains, 1000)
    ) s (name, value, largest)
    where s.value < 0 or s.value > s.largest
    limit 1;
    if found then
        raise exception '% cannot be %: it must be from 0 to %.', v_wrong.name, v_wrong.value, v_wrong.largest
            using errcode = 'check_violation',
                hint = format('Nothing was changed. Set %s to a number from 0 to %s.', v_wrong.name, v_wrong.largest);
    end if;

    return new;
end;
$$;

comment on function tenancy.tg_platform_settings__require_possible() is
    'Trigger function that refuses impossible numbers in platform_settings with a sentence (23514).';
