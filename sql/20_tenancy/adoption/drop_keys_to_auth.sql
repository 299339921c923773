-- PostgreSQL locks both tables of a key, so this comes first: see the order of locks. Whoever
-- deletes a user asks for them in the other order; the short attempts let that statement through.
create function tenancy.drop_keys_to_auth(schema_name text)
    returns tenancy.adoption_step[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_statements text;
    v_steps tenancy.adoption_step[];
begin
    select
        string_agg(format('alter table %s drop constraint %I;', k.conrelid::regclass, k.conname), ' '),
        array_agg(
            row(
                'removed', 'foreign key', format('%s.%s', c.relname, k.conname),
                format(
                    'It was: %s. Rows that name a deleted user stay from now on, and nothing checks that a user exists.',
                    pg_get_constraintdef(k.oid)
                ),
                null
            )::tenancy.adoption_step
        )
    into v_statements, v_steps
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    join pg_catalog.pg_class f on f.oid = k.confrelid
    where k.contype = 'f'
        and c.relnamespace = to_regnamespace(quote_ident(schema_name))
        and c.relowner = current_user::regrole
        and f.relnamespace = to_regnamespace('auth')
        -- A partition gets the key from its table.
        and k.conparentid = 0;

    while v_statements is not null loop
        begin
            execute v_statements;
            exit;
        exception
            when lock_not_available or deadlock_detected then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;

    return v_steps;
end;
$$;

comment on function tenancy.drop_keys_to_auth(text) is
    'Drops the foreign keys of a schema''s tables to tables of Auth, and returns them; null if there are none. Locks both tables of each key until the transaction ends. Tries for 2 s, each time for at most 100 ms (then 40P01, 55P03).';
