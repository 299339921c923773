-- A lock that is taken and given back at once. An exclusive lock that another session holds or
-- waits for makes the attempt fail, and the rollback of the block ends a lock that was taken.
create function tenancy.is_closing(schema_name text)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_free boolean;
begin
    begin
        v_free := pg_try_advisory_xact_lock_shared(hashtextextended('tenancy.closing.' || schema_name, 0));
        raise no_data_found;
    exception
        when no_data_found then
            null;
    end;

    return not v_free;
end;
$$;

comment on function tenancy.is_closing(text) is
    'Whether another session has called lock_tenant_first. Never waits.';
