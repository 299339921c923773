create type public.audit_seal as (
    sealed_now bigint,
    sealed_total bigint,
    head text
);

comment on type public.audit_seal is 'The answer of seal_audit_log.';
comment on column public.audit_seal.sealed_now is 'Entries this call sealed.';
comment on column public.audit_seal.sealed_total is 'Entries sealed so far, pruned ones included.';
comment on column public.audit_seal.head is
    'SHA-256 over all of them in hexadecimal; null while nothing is sealed. Keep it outside the database.';
