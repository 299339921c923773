-- Who is calling is decided here and in the view calling_user alone. A definer function runs as
-- its owner, so current_user is always the owner. The setting `role` still names the role that
-- PostgREST switched to. A caller without claims is nobody and has no
-- privileges.
create function tenancy.caller()
    returns tenancy.caller
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role constant text := current_setting('role', true);
    v_user_id uuid;
begin
    -- Every role can set the parameter, but only the owner can write the row. The parameter is
    -- asked first because it costs less.
    if current_setting('tenancy.acting_as_owner', true) = 'on'
        and exists (
            select from tenancy.owner_calls c
            where c.transaction_id = pg_current_xact_id_if_assigned()
        )
    then
        return row('postgres', null)::tenancy.caller;
    end if;

    if v_role in ('service_role', 'postgres') then
        return row(v_role, null)::tenancy.caller;
    end if;

    -- A SQL editor, a script or pg_cron logs in as postgres and does not switch roles. Auth has no
    -- EXECUTE on our functions, so in a session of Auth's the call comes from a definer function
    -- of the owner, such as that of a trigger on auth.users.
    if v_role = 'none' and session_user in ('postgres', 'supabase_auth_admin') then
        return row('postgres', null)::tenancy.caller;
    end if;

    select u.user_id into v_user_id from tenancy.calling_user u;
    if v_user_id is not null then
        return row('user', v_user_id)::tenancy.caller;
    end if;

    return row('nobody', null)::tenancy.caller;
end;
$$;

comment on function tenancy.caller() is
    'Who is calling. The kind follows from the role that PostgREST switched to, the user from the token''s subject. A user whom Auth has banned or deleted is nobody. SQL of the owner is postgres: in a session of postgres or of Auth''s, and within as_owner.';
