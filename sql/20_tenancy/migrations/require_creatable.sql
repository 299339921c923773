create function tenancy.require_creatable(version text, tried_tables text[] default null)
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
    select * into v_found from tenancy.renew_creation_script(version, tried_tables);
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
    cross join lateral tenancy.check_creatable(b.version, tried_tables) p;
    if v_before.problem is not null then
        raise warning 'Before this tenant migration there was a problem, too: %.%', left(v_before.problem, 1000), coalesce(' ' || v_before.hint, '')
            using detail = coalesce(v_before.details, '');
        return;
    end if;

    raise exception 'After tenant migration %, %.%', version, left(v_found.problem, 1000), coalesce(' ' || v_found.hint, '')
        using detail = coalesce(v_found.details, '');
end;
$$;

comment on function tenancy.require_creatable(text, text[]) is
    'Stores the creation script at this version, and refuses a tenant migration after which no tenant could be created; only warns if none could be created before it. tried_tables are the tables that members and strangers try; null for all.';
