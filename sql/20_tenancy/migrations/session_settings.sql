create function tenancy.session_settings()
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select jsonb_object_agg(s.name, s.setting) from pg_catalog.pg_settings s;
$$;

comment on function tenancy.session_settings() is 'Every parameter of this session with its value.';
