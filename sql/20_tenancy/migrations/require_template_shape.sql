create function tenancy.require_template_shape()
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    select case
        when o.object_kind = 'column' then format('column "%s" is named x_…, as only tenants name theirs', o.object_name)
        -- One in each tenant: deleting what it points at would look into all of them, and
        -- each migration would lock that table.
        when o.object_kind = 'constraint' then format('"%s" points at a table that all tenants share', o.object_name)
        else format('"%s" is no table, no sequence of one, and no view with security_invoker', o.object_name)
    end
    into v_problem
    from tenancy.schema_objects('tenant_template') o
    where o.object_kind = 'relation'
        or (o.object_kind = 'sequence' and o.table_name is null)
        or (o.object_kind = 'view' and not tenancy.is_security_invoker((
            select c.reloptions
            from pg_catalog.pg_class c
            where c.relname = o.object_name and c.relnamespace = 'tenant_template'::regnamespace
        )))
        or (o.object_kind = 'column' and o.is_extension)
        or (o.object_kind = 'constraint' and o.definition ~ ' REFERENCES (?!tenant_template\.)')
    order by o.object_kind, o.object_name
    limit 1;

    if v_problem is not null then
        raise exception 'The tenant template cannot be so: %.', v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was registered. Write the tenant migration otherwise.';
    end if;
end;
$$;

comment on function tenancy.require_template_shape() is
    'Refuses in the reference schema what no tenant may have: other relations than tables, their sequences and views with security_invoker; columns x_…; foreign keys that leave the schema (55000).';
