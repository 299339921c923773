create function tenancy.require_fitting_table(relation regclass, column_name text, schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_list text;
begin
    select string_agg(concat_ws(' ', f.object || ':', f.detail, f.remediation), E'\n') into v_list
    from tenancy.split_findings(relation, column_name, schema_name) f
    where f.kind not like 'warning: %';
    if v_list is not null then
        raise exception 'Table % does not fit the one of tenant "%":%', relation, schema_name, E'\n' || v_list
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_fitting_table(regclass, text, text) is
    'Refuses a table whose rows cannot be copied whole into the table of the same name in a tenant (55000).';
