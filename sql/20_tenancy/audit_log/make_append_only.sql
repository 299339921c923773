create function tenancy.make_append_only(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'create trigger append_only before update or delete on %1$I.%2$I'
        ' for each row execute function tenancy.tg_audit_log__refuse();'
        'create trigger append_only_truncate before truncate on %1$I.%2$I'
        ' for each statement execute function tenancy.tg_audit_log__refuse();',
        schema_name, table_name
    );
end;
$$;

comment on function tenancy.make_append_only(text, text) is
    'Makes a table append-only: its triggers refuse update, delete and truncate.';
