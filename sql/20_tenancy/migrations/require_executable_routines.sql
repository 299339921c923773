create function tenancy.require_executable_routines()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_call record;
begin
    select * into v_call from tenancy.unexecutable_routines('tenant_template') limit 1;
    if not found then
        return;
    end if;

    raise exception 'The tenant template does not allow this: the % calls the routine %, which members may not execute, so their requests would fail. %',
        v_call.used_by,
        v_call.routine,
        case
            when v_call.own_name is null then format(
                'Write before the registration: grant execute on function %s to authenticated, service_role;', v_call.routine
            )
            else format(
                'Name it in the fourth argument, array[%L], if the API may call it, too. Otherwise create it before the registration, in a schema that the Data API does not expose, and grant execute on it to authenticated and service_role.',
                v_call.own_name
            )
        end
        using errcode = 'object_not_in_prerequisite_state';
end;
$$;

comment on function tenancy.require_executable_routines() is
    'Requires that members may execute every routine that the tables and views of the reference schema call (55000).';
