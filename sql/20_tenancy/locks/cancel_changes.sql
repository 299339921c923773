-- On Supabase, `postgres` may cancel every session but those of superusers.
create function tenancy.cancel_changes(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_pid integer;
begin
    foreach v_pid in array tenancy.changing_sessions(schema_name)
    loop
        begin
            perform pg_cancel_backend(v_pid);
        exception
            when insufficient_privilege then
                null;
        end;
    end loop;
end;
$$;

comment on function tenancy.cancel_changes(text) is
    'Cancels the statements of changing_sessions. A session without a running statement keeps its lock.';
