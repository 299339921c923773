create type public.tenantry_schema_difference as (
    object_kind text,
    object_name text,
    difference text,
    expected text,
    found text,
    repair text
);

comment on type public.tenantry_schema_difference is 'One object in which a tenant differs from the reference schema at its version.';
comment on column public.tenantry_schema_difference.difference is 'missing, extra or different.';
comment on column public.tenantry_schema_difference.expected is 'Definition in the reference schema; null if the object is extra.';
comment on column public.tenantry_schema_difference.found is 'Definition in the tenant; null if the object is missing.';
comment on column public.tenantry_schema_difference.repair is 'SQL that removes the difference; null if a person has to decide.';
