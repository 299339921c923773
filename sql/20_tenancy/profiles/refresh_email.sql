-- For operations that read a profile. They return Auth's address in any case, so the copy is
-- refreshed only if nothing prevents it, and never waits for anybody.
create function tenancy.refresh_email(schema_name text, user_id uuid)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    -- PostgREST runs a GET in a read-only transaction.
    if current_setting('transaction_read_only')::boolean
        or not exists (select from tenancy.stale_profiles(schema_name, at_most => 1, user_id => user_id))
    then
        return false;
    end if;

    v_tenant := tenancy.lock_tenant_if_free(schema_name, platform => null, member => 'read');
    if v_tenant.id is null then
        return false;
    end if;

    begin
        if tenancy.refresh_emails(schema_name, at_most => 1, user_id => user_id) = 0 then
            return false;
        end if;
    exception
        when deadlock_detected or lock_not_available then
            raise;
        -- A constraint or a trigger of the product's own, such as unique addresses, must not stop
        -- people from reading a profile. refresh_user_emails shows its error.
        when others then
            return false;
    end;

    -- Only the id, because platform staff read this log but no rows of tenants. The addresses
    -- are in the tenant's own audit log.
    perform tenancy.log_action(
        'profile.refresh', v_tenant,
        jsonb_build_object('after', jsonb_build_object('id', user_id), 'changed', jsonb_build_array('email'))
    );

    return true;
end;
$$;

comment on function tenancy.refresh_email(text, uuid) is
    'Copies the e-mail address of one user from Auth into the user''s profile, if the address has changed, the transaction may write and the tenant is free, and logs that. Returns whether it changed the profile (errors of require_permission for a member with the level read).';
