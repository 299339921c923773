create function tenancy.is_written_now(writer xid)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Uncommitted rows of others are not visible, so the writer in progress is this transaction,
    -- or a subtransaction of it. Its id is not older than that of the transaction.
    return age(writer) <= age(pg_current_xact_id()::xid)
        and pg_xact_status(tenancy.full_transaction_id(writer)) = 'in progress';
end;
$$;

comment on function tenancy.is_written_now(xid) is
    'Whether this transaction has written the row of the catalog whose xmin this is.';
