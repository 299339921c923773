create function tenancy.audited_summary(value anyelement, largest integer)
    returns jsonb
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
    if v_text is null or octet_length(v_text) <= 2048 then
        return tenancy.audited_value(value, largest);
    end if;

    return jsonb_build_object(
        '$text', left(v_text, 1000),
        '$bytes', octet_length(v_text),
        '$sha256', encode(sha256(convert_to(v_text, 'UTF8')), 'hex')
    );
end;
$$;

comment on function tenancy.audited_summary(anyelement, integer) is
    'A value that an update has written, as the audit log keeps it: like audited_value, but of a value with more than 2 KB of text only the first 1,000 characters, with the whole text''s $bytes and $sha256. Nothing is lost: the value is in the row, and the entry of the next change of it keeps what that change replaces.';
