create function tenancy.require_restorable(table_name text, row_to_store anyelement)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_text text;
begin
    begin
        if not jsonb_path_exists(to_jsonb(row_to_store), 'strict $.**{5000}') then
            return;
        end if;
    exception
        when others then null;
    end;

    -- Read the row from its text, as a restore does. A restore has more of the stack left than
    -- a trigger.
    begin
        v_text := row_to_store::text;
        if octet_length(v_text) <= 268435455 then
            execute format('select $1::%s', pg_typeof(row_to_store)) using v_text;
            return;
        end if;
    exception
        when others then null;
    end;

    raise exception 'A row for table "%" could not be restored from a backup.', table_name
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was written. A document in the row is nested too deep, or the row is larger than 256 MB.';
end;
$$;

comment on function tenancy.require_restorable(text, anyelement) is
    'Refuses a row that a backup could not write as text or read again (PT422 invalid_request).';
