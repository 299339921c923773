-- pg_locks does not say whether an advisory lock ends with the transaction or with the session.
-- Only a lock of the session can be released, and a rollback does not do it.
create function tenancy.release_session_locks(kept text[])
    returns text[]
    volatile
    security invoker
    set search_path = ''
    -- PostgreSQL warns of each lock of the transaction.
    set client_min_messages = error
    language plpgsql
as $$
declare
    v_lock text;
    v_parts text[];
    v_key text;
    v_is_released boolean;
    v_released text[] := '{}';
begin
    foreach v_lock in array tenancy.advisory_locks() loop
        continue when v_lock = any (kept);
        v_parts := string_to_array(v_lock, ' ');
        -- A lock has a key of 64 bits, or two of 32 bits. PostgreSQL shows them without a sign.
        v_key := case v_parts[3]
            when '1' then ((v_parts[1]::bigint << 32) | v_parts[2]::bigint)::text
            else format('%s, %s', v_parts[1]::bigint::bit(32)::integer, v_parts[2]::bigint::bit(32)::integer)
        end;
        loop
            execute format(
                'select %s(%s)',
                case v_parts[4] when 'ShareLock' then 'pg_advisory_unlock_shared' else 'pg_advisory_unlock' end,
                v_key
            )
            into v_is_released;
            exit when not v_is_released;
            v_released := v_released || format('(%s)', v_key);
        end loop;
    end loop;

    return v_released;
end;
$$;

comment on function tenancy.release_session_locks(text[]) is
    'Releases the advisory locks that this session holds beyond its transaction, except these, and returns their keys.';
