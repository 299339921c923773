create function tenancy.require_short_default(value text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_default_bytes from tenancy.platform_settings s);
begin
    if octet_length(value) > v_limit then
        raise exception 'The default has % bytes, and % are allowed.', octet_length(value), v_limit
            using errcode = 'PT409', detail = 'default_limit',
                hint = 'Use a shorter default, and write long values into the rows.';
    end if;
end;
$$;

comment on function tenancy.require_short_default(text) is
    'Refuses a default that is longer than the platform allows (PT409 default_limit).';
