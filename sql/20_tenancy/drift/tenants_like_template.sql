-- Most tenants are the template and nothing else. Equal schemas with equal privileges, versions
-- and statuses have equal findings, so one of them is examined in place of all.
-- plpgsql, because it keeps the plan for the next tenants: planning costs more than running.
create function tenancy.tenants_like_template(schema_names text[], out schema_name text, out example text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select e.schema_name,
        min(e.schema_name) over (partition by e.schema_version, e.status, e.digest)
    from (
        select t.schema_name, t.schema_version, t.status, tenancy.privileges_digest(t.schema_name) as digest
        from public.tenants t
        where t.schema_name = any (schema_names)
            and not exists (
                select from tenancy.tenants_own_objects o where o.schema_name = t.schema_name
            )
            and (
                select array_agg(
                    array[f.object_kind, f.object_name, f.definition]
                    order by f.object_kind collate "C", f.object_name collate "C"
                )
                from tenancy.schema_objects(t.schema_name) f
            ) = (
                select array_agg(
                    array[o.object_kind, o.object_name, o.definition]
                    order by o.object_kind collate "C", o.object_name collate "C"
                )
                from tenancy.template_objects(t.schema_name, t.schema_version) o
            )
    ) e;
end;
$$;

comment on function tenancy.tenants_like_template(text[]) is
    'Those of the named tenants that have exactly the objects of the template at their version. Those with one example have the same version, status and privileges, too, so what the checks say of the example they say of each.';
