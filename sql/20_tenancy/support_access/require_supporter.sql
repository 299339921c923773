-- The conditions on the person who opens support access, beyond the platform role.
create function tenancy.require_supporter(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if (tenancy.caller()).kind <> 'user' then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Only a person opens support access to tenant "%".', schema_name
            using errcode = '42501', detail = 'forbidden',
                hint = 'Sign in as a member of the platform''s staff. The service key reads tenants without it.';
    end if;
end;
$$;

comment on function tenancy.require_supporter(text) is
    'Refuses support access to a caller who is no person, such as the service key (42501 forbidden). It does not ask for the platform role.';
