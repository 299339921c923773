create function tenancy.lock_joinable(schema_name text)
    returns tenancy.joinable_tenant
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Before the locks, so that a stranger never waits for them and learns nothing from the wait.
    perform tenancy.require_joinable(schema_name);
    perform tenancy.lock_users(array[(tenancy.caller()).user_id]);
    perform tenancy.lock_tenant_row(schema_name);

    -- Again: meanwhile the domain may have been removed, or another call of the user may have joined.
    return tenancy.require_joinable(schema_name);
end;
$$;

comment on function tenancy.lock_joinable(text) is
    'Locks a tenant until the transaction ends, for a caller who may join it, and returns it (errors of require_joinable; 55P03). Waits as lock_users and lock_tenant_row do.';
