-- SET ROLE is not possible here, because registering is a definer function. A definer function that
-- belongs to authenticated runs its statements with the rights of a signed-in user.
create function tenancy.create_trial_routine(schema_name text)
    returns text
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine constant text := format('%I.%I', schema_name, 'trial_' || md5(schema_name));
begin
    execute format(
        'create function %1$s(statement text, out row_count bigint, out code text, out message text)'
        ' volatile security definer set search_path = %2$I, public, extensions language plpgsql as %3$L;'
        -- The new owner must be allowed to create it.
        'grant create on schema %2$I to authenticated;'
        'alter function %1$s(text) owner to authenticated',
        v_routine, schema_name,
        (select p.prosrc from pg_catalog.pg_proc p where p.oid = 'tenancy.try_statement(text)'::regprocedure)
    );
    return v_routine;
end;
$$;

comment on function tenancy.create_trial_routine(text) is
    'Creates a function that does what try_statement does, as a signed-in user, with the search path that the Data API sets. Returns its name. Only in a schema that is rolled back.';
