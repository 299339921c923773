create function tenancy.verify_split(
    relations regclass[],
    column_name text,
    value text,
    schema_name text,
    accept_changes boolean default false
)
    returns table (
        relation regclass,
        state text,
        row_count bigint,
        rows_copied bigint,
        clashing_count bigint,
        changed_count bigint,
        changed_columns text[],
        kept_count bigint,
        checksum text
    )
    volatile
    security invoker
    set search_path = ''
    -- The text of a value, of which hashes are made, must not depend on the session.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    language plpgsql
as $$
#variable_conflict use_variable
declare
    v_tenant constant public.tenants := tenancy.lock_active_tenant(schema_name);
    v_splits constant tenancy.tenants_splits[] := array(
        select p
        from unnest(relations) with ordinality r (relation, place)
        cross join lateral tenancy.begin_split(r.relation, verify_split.column_name, verify_split.value, verify_split.schema_name) p
        order by r.place
    );
    v_split tenancy.tenants_splits;
    v_compared record;
    v_copied bigint;
    v_kept bigint[] := array_fill(0::bigint, array[cardinality(v_splits)]);
begin
    -- Each statement has to see what was written before the lock.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'Rows are verified in a transaction that is read committed.'
            using errcode = 'invalid_transaction_state';
    end if;
    -- Writers of the source wait; readers do not.
    perform tenancy.lock_relations(
        (select string_agg(r.relation::text, ', ' order by r.relation::text collate "C") from unnest(relations) r (relation)),
        'share row exclusive'
    );

    -- Rows that reference others go first.
    for place in reverse cardinality(v_splits)..1 loop
        if v_splits[place].state <> 'verified' then
            v_kept[place] := tenancy.remove_split_rows(v_splits[place]);
        end if;
    end loop;
    foreach v_split in array v_splits loop
        perform tenancy.advance_split_sequences(v_split);
        v_copied := 0;
        v_compared := tenancy.compare_split_rows(v_split, accept_changes => false);
        if v_compared.clashing_count + v_compared.changed_count > 0 then
            v_copied := (tenancy.copy_split_rows(v_split, 'missing')).rows_copied;
            -- A changed row may have given a unique value free for a row that is missing.
            if tenancy.update_split_rows(v_split) > 0 then
                v_copied := v_copied + (tenancy.copy_split_rows(v_split, 'missing')).rows_copied;
            end if;
            perform tenancy.note_equal_rows(v_split);
            v_compared := tenancy.compare_split_rows(v_split, accept_changes);
        end if;

        state := case
            when v_compared.clashing_count > 0 or (v_compared.changed_count > 0 and not accept_changes) then 'copied'
            else 'verified'
        end;
        update tenancy.tenants_splits p
        set rows_copied = p.rows_copied + v_copied,
            -- What was verified once stays so, whatever comes into the source later.
            state = case p.state when 'verified' then p.state else verify_split.state end,
            checksum = case verify_split.state when 'verified' then v_compared.checksum else p.checksum end,
            verified_at = case verify_split.state when 'verified' then now() else p.verified_at end
        where p.id = v_split.id
        returning p.rows_copied into rows_copied;
        if state = 'verified' and v_compared.row_count > 0 and (v_split.state <> 'verified' or v_copied > 0) then
            perform tenancy.log_action(
                'tenant.split', v_tenant,
                jsonb_build_object(
                    'table', v_split.relation::text, 'rows', v_compared.row_count,
                    'checksum', encode(v_compared.checksum, 'hex'), 'changed', v_compared.changed_count
                )
            );
        end if;
        relation := v_split.relation;
        row_count := v_compared.row_count;
        clashing_count := v_compared.clashing_count;
        changed_count := v_compared.changed_count;
        changed_columns := v_compared.changed_columns;
        kept_count := v_kept[array_position(relations, v_split.relation)];
        checksum := encode(v_compared.checksum, 'hex');
        return next;
    end loop;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.verify_split(regclass[], text, text, text, boolean) is
    'Keeps writers out of tables of the project, given in the order of split_order; brings the copies of one tenant''s rows up to date; and compares all of them. The state "verified" says that each row of the source is in the tenant''s table, equal or, with accept_changes, changed there since. Afterwards no copy is removed, and none that the tenant has changed is touched. Only the owner can execute it (23503, 55000, PT404, PT429 busy).';
