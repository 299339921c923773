create function tenancy.set_cache_load_timeout()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text[];
    v_statement text;
begin
    -- Two transactions that alter a role fail with "tuple concurrently updated".
    perform tenancy.lock_exposure();
    v_statements := array(select s.statement from tenancy.cache_load_statements() s);
    foreach v_statement in array v_statements loop
        execute v_statement;
    end loop;
    if v_statements = '{}' then
        return;
    end if;

    -- PostgREST reads the timeouts of the API roles, and then renews its connections: a session
    -- keeps the settings with which it began.
    perform pg_notify('pgrst', 'reload config');
    perform tenancy.reload_schema_cache();
exception
    when insufficient_privilege then
        raise warning 'The Data API loads its schema cache under a statement timeout of 8 s, which many tenants exceed. The role % may not change that. As a role that may: %',
            current_user, array_to_string(v_statements, ' ');
end;
$$;

comment on function tenancy.set_cache_load_timeout() is
    'Gives the load of PostgREST''s schema cache 60 s, while each API role keeps its own statement timeout. Leaves a timeout that the owner has set. A repeat changes nothing. Without the privilege it changes nothing and raises a warning.';
