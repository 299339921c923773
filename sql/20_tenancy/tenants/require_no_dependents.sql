create function tenancy.require_no_dependents(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_dependents constant text[] := tenancy.outside_dependents(schema_name);
    v_count constant integer := cardinality(v_dependents);
begin
    if v_count > 0 then
        raise exception 'Other objects depend on tenant "%": %.',
            schema_name,
            array_to_string(array(select tenancy.printable(d) from unnest(v_dependents[:20]) d), ', ')
                || case when v_count > 20 then format(', and %s more', v_count - 20) else '' end
            using errcode = 'PT409', detail = 'has_dependents',
                hint = 'They are outside the tenant and would be dropped with it. Drop them first, or make them again without this tenant.';
    end if;
end;
$$;

comment on function tenancy.require_no_dependents(text) is
    'Refuses to drop a tenant''s schema while objects outside the schema depend on it (PT409 has_dependents).';
