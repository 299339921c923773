-- A tenant's admin may have created tables, columns and keys. A migration is written for all
-- tenants and does not consider them. This check after the migration finds every conflict.
create function tenancy.require_template(
    schema_name text,
    version text,
    own_before tenancy.schema_object[]
)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_objects constant tenancy.schema_object[] := array(
        select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o
    );
    v_changed text;
    v_different text;
begin
    select string_agg(
        coalesce(b.object_kind, a.object_kind) || ' ' || coalesce(b.object_name, a.object_name), ', '
        order by coalesce(b.object_kind, a.object_kind), coalesce(b.object_name, a.object_name)
    )
    into v_changed
    from unnest(own_before) b
    full join unnest(tenancy.own_objects(schema_name, version, v_objects)) a
        on a.object_kind = b.object_kind and a.object_name = b.object_name
    where a.definition is distinct from b.definition;
    if v_changed is not null then
        raise exception 'The migration would change the tenant''s own objects: %. Rename or drop the objects that conflict with the migration, then migrate this tenant again.', left(v_changed, 1000)
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select string_agg(format('%s %s is %s', d.object_kind, d.object_name, d.difference), ', ')
    into v_different
    from tenancy.schema_differences(schema_name, version, v_objects) d
    -- An extra object outside the template's tables existed before and has not changed.
    where not (d.difference = 'extra' and d.object_kind in ('routine', 'type', 'view', 'relation', 'sequence'));
    if v_different is not null then
        raise exception 'The tenant would differ from the reference schema: %. %', left(v_different, 1000), coalesce(
                (select string_agg(t.advice, ' ') from tenancy.taken_names(schema_name, version, v_objects) t (advice)),
                'get_schema_drift shows the differences that the tenant has before the migration.'
            )
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_template(text, text, tenancy.schema_object[]) is
    'Requires that a tenant equals the template at this version, and that its own objects are as they were before (55000).';
