create function tenancy.require_append_only_log(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_missing text;
    v_added text;
begin
    select string_agg(w.name, ', ' order by w.name) into v_missing
    from unnest(array['append_only', 'append_only_truncate']) w (name)
    where not exists (
        select from pg_catalog.pg_trigger t
        where t.tgrelid = to_regclass(format('%I.audit_log', schema_name))
            and t.tgname = w.name
            and t.tgfoid = 'tenancy.tg_audit_log__refuse'::regproc
            and t.tgenabled in ('O', 'A')
    );

    if v_missing is not null then
        raise exception 'The tenant template does not keep audit_log append-only: missing or disabled triggers: %. Nothing was registered. Leave the table audit_log to Tenantry, in every tenant migration.', v_missing
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    -- Whoever may insert can forge entries, and such a trigger can change or drop them.
    select string_agg(w.title, ', ' order by w.title) into v_added
    from (
        select format('policy "%s"', p.polname)
        from pg_catalog.pg_policy p
        where p.polrelid = to_regclass(format('%I.audit_log', schema_name)) and p.polcmd <> 'r'
        union all
        select format('trigger "%s"', t.tgname)
        from pg_catalog.pg_trigger t
        where t.tgrelid = to_regclass(format('%I.audit_log', schema_name))
            and t.tgfoid <> 'tenancy.tg_audit_log__refuse'::regproc
            -- 1 is FOR EACH ROW, 2 is BEFORE.
            and t.tgtype & 3 = 3
    ) w (title);
    if v_added is not null then
        raise exception 'The tenant template does not keep audit_log append-only: entries could be forged or dropped by %. Nothing was registered. Leave the table audit_log to Tenantry. Policies for SELECT and triggers AFTER INSERT are possible.', v_added
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_append_only_log(text) is
    'Requires of a schema that it has an audit_log which refuses updates, deletes and truncates, and into which only Tenantry writes (55000).';
