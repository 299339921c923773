create function tenancy.require_text(argument text, value text, longest integer, shortest integer default 0)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
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

comment on function tenancy.require_text(text, text, integer, integer) is
    'Refuses a text argument that is too short or too long, in characters; if shortest is above 0, also a blank or null one (PT422 invalid_request; the functions answer the same).';
