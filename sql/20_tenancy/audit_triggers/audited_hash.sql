create function tenancy.audited_hash(value anyelement)
    returns bytea
    stable
    strict
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_text text;
begin
    begin
        v_text := value::text;
    exception
        when others then null;
    end;

    return case when octet_length(v_text) > 2048 then sha256(convert_to(v_text, 'UTF8')) end;
end;
$$;

comment on function tenancy.audited_hash(anyelement) is
    'SHA-256 of a value with more than 2 KB of text; null for any other value.';
