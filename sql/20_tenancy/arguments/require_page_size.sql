create function tenancy.require_page_size(page_size integer)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A wrong size is refused and not reduced, because a client that gets fewer rows than it
    -- asked for takes the page for the last one.
    if page_size between 1 and 1000 then
        return;
    end if;

    raise exception '"page_size" is %.', coalesce(page_size::text, 'null')
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Send a number from 1 to 1,000, or leave it out for the default.';
end;
$$;

comment on function tenancy.require_page_size(integer) is
    'Refuses a page size below 1 or above 1,000 (PT422 invalid_request; the functions answer the same).';
