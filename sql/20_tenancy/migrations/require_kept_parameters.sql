create function tenancy.require_kept_parameters(migration tenancy.tenant_migrations, parameters_before jsonb)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    -- A library, such as that of pgvector, defines its parameters when a session first uses it.
    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each_text(tenancy.session_parameters(migration.statements)) s
    left join pg_catalog.pg_settings p on p.name = s.key
    where case
        when parameters_before ? s.key then s.value is distinct from parameters_before ->> s.key
        else p.source = 'session'
    end
        -- A library has taken over a name that the text contains.
        and (p.name is null or p.source = 'session' or parameters_before ->> s.key <> '');
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %. Remove SET and set_config from it, or set the old value at its end: other requests use the same session afterwards.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_kept_parameters(tenancy.tenant_migrations, jsonb) is
    'Refuses a tenant migration that has changed parameters of the session, from what session_parameters reported before it (55000).';
