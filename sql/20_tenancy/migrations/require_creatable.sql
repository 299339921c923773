create function tenancy.require_creatable(version text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_found record;
    v_before record;
begin
    select * into v_found from tenancy.check_creatable(version);
    if v_found.problem is null then
        return;
    end if;

    -- If creation was impossible before this migration, then this migration is not the cause
    -- and may even repair the problem.
    select p.* into v_before
    from (
        select m.version
        from tenancy.tenant_migrations m
        where m.position < (
            select c.position from tenancy.tenant_migrations c where c.version = require_creatable.version
        )
        order by m.position desc
        limit 1
    ) b
    cross join lateral tenancy.check_creatable(b.version) p;
    if v_before.problem is not null then
        raise warning 'Before this tenant migration no tenant could be created either: %.', left(v_before.problem, 1000)
            using detail = v_before.details, hint = v_before.hint;
        return;
    end if;

    raise exception 'After tenant migration % no tenant could be created: %.', version, left(v_found.problem, 1000)
        using detail = v_found.details, hint = v_found.hint;
end;
$$;

comment on function tenancy.require_creatable(text) is
    'Refuses a tenant migration after which no tenant could be created; only warns if none could be created before it.';
