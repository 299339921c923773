create type tenancy.adoption_step as (
    outcome text,
    object_kind text,
    object_name text,
    detail text,
    remediation text
);

comment on type tenancy.adoption_step is 'What becomes of one object of a schema that register_tenant_schema makes a tenant.';
comment on column tenancy.adoption_step.outcome is
    'refused: the schema cannot become a tenant because of this object. warning: it can, but members may miss something. Otherwise made, kept, changed or removed.';
comment on column tenancy.adoption_step.detail is 'What becomes of the object, or what is wrong with it, as sentences for a person.';
comment on column tenancy.adoption_step.remediation is 'What to do about it: a sentence, or SQL; null if nothing has to be done.';
