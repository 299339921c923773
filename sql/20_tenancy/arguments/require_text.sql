create function tenancy.require_text(argument text, value text, longest integer, shortest integer default 0)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Where an empty text would do, none does.
    if char_length(value) between shortest and longest and (shortest = 0 or value ~ '[^\s\u00A0\u200B-\u200D\u2060\uFEFF]')
        or (value is null and shortest = 0)
    then
        return;
    end if;

    raise exception '"%" is to have %.', argument,
        case
            when shortest = 0 then format('at most %s characters', longest)
            else format('%s to %s characters that are not all spaces', shortest, longest)
        end
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a text of that length.';
end;
$$;

comment on function tenancy.require_text(text, text, integer, integer) is
    'Refuses a text of an argument that is too short or too long, in characters, or blank where it is to have some (PT422 invalid_request, as the functions answer).';
