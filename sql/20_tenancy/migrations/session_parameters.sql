-- pg_settings does not list a parameter that nobody has defined, such as app.tenant. So the names
-- come from the text, and those on which a protection depends are always read.
create function tenancy.session_parameters(statements text)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select jsonb_object_agg(s.name, s.setting)
    from (
        select s.name, s.setting from pg_catalog.pg_settings s
        union all
        select n.name, coalesce(current_setting(n.name, true), '')
        from (
            select distinct lower(m[1]) as name
            from regexp_matches(statements, '([a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)+)', 'gi') m
            union
            select unnest(array[
                'tenancy.acting_as_owner', 'tenancy.maintaining', 'request.jwt.claims', 'request.jwt.claim.sub',
                'request.headers', 'request.method', 'request.path'
            ])
        ) n
        where not exists (select from pg_catalog.pg_settings s where s.name = n.name)
    ) s;
$$;

comment on function tenancy.session_parameters(text) is
    'Every parameter of this session with its value, and of those without a definition the ones that these statements name or that Tenantry reads.';
