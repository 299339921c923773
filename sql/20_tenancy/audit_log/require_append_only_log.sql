create function tenancy.require_append_only_log(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_missing text;
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
end;
$$;

comment on function tenancy.require_append_only_log(text) is
    'Requires of a schema that it has an audit_log which refuses updates, deletes and truncates (55000).';
