create function tenancy.require_signed_in()
    returns tenancy.caller
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    -- Not 42501: a token without a subject still has the role authenticated, for which
    -- PostgREST would answer 403.
    if v_caller.kind = 'nobody' then
        perform tenancy.log_refusal('not_authenticated');
        raise exception 'Sign in first.'
            using errcode = 'PT401', detail = 'not_authenticated',
                hint = 'Send the user''s access token as "Authorization: Bearer …".';
    end if;

    return v_caller;
end;
$$;

comment on function tenancy.require_signed_in() is
    'Returns the caller, and refuses one who is not signed in (PT401 not_authenticated).';
