create function tenancy.tg_audit_log__refuse()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Set, for their own statement, by the two operations that write down what they did.
    if tg_op <> 'TRUNCATE' and current_setting('tenancy.maintaining', true) = tg_relid::regclass::text then
        return case tg_op when 'DELETE' then old else new end;
    end if;

    perform tenancy.log_refusal('forbidden', tg_table_schema);
    raise exception 'An audit log is append-only: % is refused.', tg_op
        using errcode = '42501', detail = 'forbidden',
            hint = 'Retention is for prune_audit_log, requests of persons are for redact_audit_log; both are logged.';
end;
$$;

comment on function tenancy.tg_audit_log__refuse() is
    'Keeps what an audit log says: refuses update, delete and truncate to everybody, its owner included.';
