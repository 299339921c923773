-- Most tenants have no own objects, so a migration has nothing to protect. Comparing names
-- through indexes costs a fraction of describing every object. An object of an unknown kind
-- counts as an own object.
-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.has_own_objects(schema_name text, version text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return exists (
        select
        from pg_catalog.pg_depend d
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(has_own_objects.schema_name))
            and not case d.classid
                when 'pg_class'::regclass then exists (
                    select
                    from pg_catalog.pg_class c
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end
                        and o.object_name = c.relname::text
                    where c.oid = d.objid
                        and c.relkind in ('r', 'p', 'v', 'S')
                        and not exists (
                            select from pg_catalog.pg_attribute a
                            where a.attrelid = c.oid and a.attname like 'x\_%' and not a.attisdropped
                        )
                )
                when 'pg_proc'::regclass then exists (
                    select
                    from pg_catalog.pg_proc p
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = 'routine'
                        and o.object_name = p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'
                    where p.oid = d.objid
                )
                when 'pg_type'::regclass then exists (
                    select
                    from pg_catalog.pg_type t
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = 'type'
                        and o.object_name = t.typname::text
                    where t.oid = d.objid
                )
                else false
            end
    );
end;
$$;

comment on function tenancy.has_own_objects(text, text) is
    'Whether a tenant has objects that the template at this version does not have. True in case of doubt.';
