create type public.schema_difference as (
    object_kind text,
    object_name text,
    difference text,
    expected text,
    found text
);

comment on type public.schema_difference is 'One thing in which a tenant is not what its version says.';
comment on column public.schema_difference.difference is 'missing, extra or different.';
comment on column public.schema_difference.expected is 'What the reference schema has; null for what is extra.';
comment on column public.schema_difference.found is 'What the tenant has; null for what is missing.';
