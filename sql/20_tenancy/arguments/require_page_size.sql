create function tenancy.require_page_size(page_size integer)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Cut down to what there is, a page would look like the last one to whoever counts its rows.
    if page_size between 1 and 1000 then
        return;
    end if;

    raise exception '"page_size" is %.', coalesce(page_size::text, 'null')
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'A page has 1 to 1,000 rows. Leave it out for 100.';
end;
$$;

comment on function tenancy.require_page_size(integer) is
    'Refuses a page of no rows, or of more than 1,000 (PT422 invalid_request, as the functions answer).';
