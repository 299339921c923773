create function tenancy.require_access(schema_name text, level public.access_level)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_state constant text := tenancy.access_state(schema_name, level);
begin
    -- A schema that is not a tenant's is the project's, whose own grants and policies decide.
    if v_state in ('granted', 'no_tenant') then
        return;
    end if;

    perform tenancy.log_refusal(
        case v_state
            when 'nobody' then 'not_authenticated'
            when 'suspended' then 'tenant_suspended'
            else 'forbidden'
        end,
        schema_name
    );
    case v_state
        when 'nobody' then
            -- A token that names no user still has the role authenticated, for which PostgREST
            -- would answer 42501 with 403.
            if current_setting('role', true) = 'authenticated' then
                raise exception 'Sign in to reach tenant "%".', schema_name
                    using errcode = 'PT401', detail = 'not_authenticated',
                        hint = 'Send the user''s access token as "Authorization: Bearer …".';
            end if;
            raise exception 'Sign in to reach tenant "%".', schema_name
                using errcode = '42501', detail = 'not_authenticated',
                    hint = 'Send the user''s access token as "Authorization: Bearer …".';
        when 'stranger' then
            raise exception 'You have no access to tenant "%".', schema_name
                using errcode = '42501', detail = 'forbidden',
                    hint = 'Ask an admin of the tenant to grant you access.';
        when 'expired' then
            raise exception 'Your access to tenant "%" has expired.', schema_name
                using errcode = '42501', detail = 'forbidden',
                    hint = 'Ask an admin of the tenant to grant you access again.';
        when 'suspended' then
            raise exception 'Tenant "%" is suspended.', schema_name
                using errcode = '42501', detail = 'tenant_suspended',
                    hint = 'No data is lost. The tenant answers again once a platform admin activates it.';
        when 'insufficient' then
            raise exception 'Your access level in tenant "%" is below "%", which this request needs.',
                schema_name, level
                using errcode = '42501', detail = 'forbidden',
                    hint = 'Ask an admin of the tenant to raise your access level.';
    end case;
end;
$$;

comment on function tenancy.require_access(text, public.access_level) is
    'Refuses a caller without this access level to a tenant''s rows (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended). Does not refuse requests to a schema that is not a tenant''s.';
