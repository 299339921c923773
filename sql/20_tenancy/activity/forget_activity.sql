create function tenancy.forget_activity(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A transaction that is writing the row may wait for this one. Its row stays, and means
    -- nothing to a later tenant of the name.
    if pg_try_advisory_xact_lock(hashtextextended('tenancy.activity.' || schema_name, 0)) then
        delete from tenancy.tenant_activity a where a.schema_name = forget_activity.schema_name;
    end if;
end;
$$;

comment on function tenancy.forget_activity(text) is 'Removes what note_activity has noted of a tenant, unless it is being noted right now. Never waits.';
