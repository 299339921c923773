create type tenancy.finding as (
    kind text,
    object text,
    detail text,
    remediation text,
    repair text
);

comment on type tenancy.finding is 'One result of a check: something that is not as it should be, and what to do.';
comment on column tenancy.finding.kind is
    'What is wrong, in a few words. A kind that begins with "warning: " may be intended.';
comment on column tenancy.finding.object is 'The schema, or the object with its schema.';
comment on column tenancy.finding.detail is 'What is wrong with this object, as sentences for a person.';
comment on column tenancy.finding.remediation is 'What to do about it: a sentence, or SQL.';
comment on column tenancy.finding.repair is
    'SQL that repairs this object and nothing else; null if a person has to decide. Only repair_findings runs it.';
