create type public.tenantry_audit_seal as (
    sealed_now bigint,
    sealed_total bigint,
    head text
);

comment on type public.tenantry_audit_seal is 'Result of seal_audit_log.';
comment on column public.tenantry_audit_seal.sealed_now is 'Number of entries that this call sealed.';
comment on column public.tenantry_audit_seal.sealed_total is
    'Number of entries sealed so far, pruned entries included.';
comment on column public.tenantry_audit_seal.head is
    'SHA-256 over all sealed entries, in hexadecimal; null while nothing is sealed. Keep it outside the database.';
