create function tenancy.tg_audit_log__refuse()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- prune_audit_log and redact_audit_log set this parameter for one statement of theirs, and
    -- both are logged.
    if tg_op <> 'TRUNCATE' and current_setting('tenancy.maintaining', true) = tg_relid::regclass::text then
        return case tg_op when 'DELETE' then old else new end;
    end if;

    perform tenancy.log_refusal('forbidden', tg_table_schema);
    raise exception 'An audit log is append-only: % is refused.', tg_op
        using errcode = '42501', detail = 'forbidden',
            hint = 'Use prune_audit_log for retention, or redact_audit_log to remove the values of a person; both are logged.';
end;
$$;

comment on function tenancy.tg_audit_log__refuse() is
    'Trigger function that keeps an audit log append-only: refuses update, delete and truncate to everybody, the owner included (42501 forbidden).';
