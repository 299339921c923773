create function tenancy.require_text(
    argument text,
    value text,
    longest integer,
    shortest integer default 0,
    has_lines boolean default false
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- People read the text in lists and logs, where a control character makes another line, and
    -- a bidirectional one makes a name look like another name.
    if translate(value, case when has_lines then E'\t\n\r' else '' end, '')
        ~ '[\u0001-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]'
    then
        raise exception '"%" contains a control character or a bidirectional character.', argument
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Remove that character.';
    end if;

    -- If an empty text is allowed, null is too.
    if char_length(value) between shortest and longest and (shortest = 0 or value ~ '[^\s\u00A0\u200B-\u200D\u2060\uFEFF]')
        or (value is null and shortest = 0)
    then
        return;
    end if;

    raise exception '"%" has to have %.', argument,
        case
            when shortest = 0 then format('at most %s characters', longest)
            else format('%s to %s characters that are not all spaces', shortest, longest)
        end
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a text of that length.';
end;
$$;

comment on function tenancy.require_text(text, text, integer, integer, boolean) is
    'Refuses a text argument that is too short or too long, in characters; if shortest is above 0, also a blank or null one, and one with control characters or bidirectional characters; has_lines allows line breaks and tabs (PT422 invalid_request; the functions answer the same).';
