create function tenancy.session_settings()
    returns jsonb
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (select jsonb_object_agg(s.name, s.setting) from pg_catalog.pg_settings s);
end;
$$;

comment on function tenancy.session_settings() is 'Every parameter and its value, as this session has it.';
