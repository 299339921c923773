create function tenancy.audited_value(value anyelement, largest integer)
    returns jsonb
    stable
    strict
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_json jsonb;
    v_text text;
begin
    -- No value of a row may stop its change from being logged, so every error is caught: the
    -- deepest documents, type json with escapes that jsonb does not have, types of extensions.
    begin
        v_json := to_jsonb(value);
        if greatest(pg_column_size(v_json), octet_length(v_json::text)) <= largest
            and not jsonb_path_exists(v_json, 'strict $.**{500}')
            and not v_json ? '$text'
        then
            return v_json;
        end if;
    exception
        when others then null;
    end;

    begin
        v_text := value::text;
        -- A control character takes six characters in JSON.
        if octet_length(v_text) <= largest / 8 then
            return jsonb_build_object('$text', v_text);
        end if;
        return jsonb_build_object(
            '$text', left(v_text, 1000),
            '$bytes', octet_length(v_text),
            '$sha256', encode(sha256(convert_to(v_text, 'UTF8')), 'hex')
        );
    exception
        when others then return jsonb_build_object('$text', null);
    end;
end;
$$;

comment on function tenancy.audited_value(anyelement, integer) is
    'A value as the audit log keeps it: as JSON, if that is at most 500 levels deep and not larger than a number of bytes, else as {"$text": …}. A text that is too long is cut, with the whole text''s $bytes and $sha256. A document that has a member $text itself is kept as text, too, so that nobody can imitate such a value.';
