-- If a signed-in user calls a definer function of the project, its calls of operations are the
-- user's. This function makes a call the owner's. What makes that safe:
-- - No API role can execute this function. It is an invoker function, so a role that got EXECUTE
--   by mistake could not write the row.
-- - caller() asks for the row, which exists during one call of one operation. An error rolls it
--   back. So no later statement of the user's request acts as the owner.
-- - The parameter tenancy.acting_as_owner means nothing without the row.
create function tenancy.as_owner(operation text, arguments jsonb default '{}')
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_names text[];
    v_types oid[];
    v_returns_set boolean;
    v_unknown text;
    v_source text;
    v_parameters text;
    -- Not empty if an operation calls a function of the project that calls this one.
    v_before constant text := coalesce(current_setting('tenancy.acting_as_owner', true), '');
    v_call_id bigint;
    v_result jsonb;
begin
    -- Every operation has such a comment. A function of the project is refused, because within
    -- this call its own calls would be the owner's, too.
    select p.proargnames[1:p.pronargs], p.proargtypes::oid[], p.proretset
    into v_names, v_types, v_returns_set
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace
        and p.proname = as_owner.operation
        and p.prosecdef
        and obj_description(p.oid, 'pg_proc') ~ ' Callers: [^.]+[.] Errors: [^.]+[.]$';
    if not found then
        raise exception 'There is no operation "%".', tenancy.printable(operation)
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give the name of an operation, such as create_tenant_schema.';
    end if;

    select k.name into v_unknown
    from jsonb_object_keys(arguments) k (name)
    where k.name <> all (coalesce(v_names, '{}'));
    if found then
        raise exception 'The operation % has no argument "%".', operation, tenancy.printable(v_unknown)
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give the arguments that the operation takes over HTTP.';
    end if;

    select 'jsonb_to_record($1) r (' || string_agg(format('%I %s', a.name, a.type::regtype), ', ') || ') cross join lateral ',
        string_agg(format('%1$I => r.%1$I', a.name), ', ')
    into v_source, v_parameters
    from unnest(v_names, v_types) a (name, type)
    where arguments ? a.name;

    insert into tenancy.owner_calls default values
    returning id into v_call_id;
    perform set_config('tenancy.acting_as_owner', 'on', true);
    execute format(
        'select coalesce(jsonb_agg(to_jsonb(f)), ''[]'') from %s public.%I(%s) f',
        v_source, operation, v_parameters
    )
    into v_result
    using arguments;
    perform set_config('tenancy.acting_as_owner', v_before, true);
    delete from tenancy.owner_calls c where c.id = v_call_id;

    return case when v_returns_set then v_result else v_result -> 0 end;
end;
$$;

comment on function tenancy.as_owner(text, jsonb) is
    'For functions of the project that run as postgres: calls an operation as postgres, whoever is signed in, and returns its result. Arguments and result are those of the operation over HTTP. Only the owner can execute it (PT422 invalid_request, errors of the operation).';
