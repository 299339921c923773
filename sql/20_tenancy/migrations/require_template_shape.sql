create function tenancy.require_template_shape()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    select case
        when o.object_kind = 'column' then format('column "%s" has the prefix x_, which is reserved for the tenants'' own columns', o.object_name)
        -- Every tenant would have such a key: deleting one row of the shared table would read
        -- all tenants, and each migration would lock that table.
        when o.object_kind = 'constraint' then format('foreign key "%s" references a table outside the tenant''s schema', o.object_name)
        else format('"%s" is neither a table, nor a sequence of a table''s column, nor a view with security_invoker', o.object_name)
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

    if v_problem is null then
        -- If a row of the child is changed through the parent, the audit triggers see only the
        -- parent's columns.
        select format('table "%s" inherits from another table and has columns of its own, which the audit log would miss', c.relname)
        into v_problem
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where c.relnamespace = 'tenant_template'::regnamespace
            and c.relkind = 'r'
            and not c.relispartition
            and exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attinhcount = 0
            )
        order by c.relname
        limit 1;
    end if;

    if v_problem is not null then
        raise exception 'The tenant template does not allow this: %.', v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was registered. Change the tenant migration.';
    end if;
end;
$$;

comment on function tenancy.require_template_shape() is
    'Requires of the reference schema: tables, their sequences and views with security_invoker are the only relations; no column has the prefix x_; no foreign key leaves the schema; no table inherits columns from another and adds some (55000).';
