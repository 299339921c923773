create function tenancy.is_page_full(page_size integer, rows_before integer, bytes bigint)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The functions read replies of up to 8 MB. A row that is larger than a page is a page alone.
    return rows_before >= page_size or (rows_before > 0 and bytes > 4194304);
end;
$$;

comment on function tenancy.is_page_full(integer, integer, bigint) is
    'Whether a row has no place any more on a page that has rows_before rows. bytes is the size of the page with this row; a page has at most page_size rows, and 4 MB if it has more than one.';
