create function tenancy.last_entry_id(log regclass)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_last bigint;
begin
    execute format(
        'select case when s.is_called then s.last_value else 0 end from %s s',
        pg_get_serial_sequence(log::text, 'id')
    )
    into v_last;

    return v_last;
end;
$$;

comment on function tenancy.last_entry_id(regclass) is
    'The highest entry id that a log has handed out so far; 0 if it has handed out none.';
