create type tenancy.own_table as (
    table_name text,
    relation oid,
    has_row_security boolean,
    has_policies boolean,
    is_audited boolean,
    is_logged boolean
);

comment on type tenancy.own_table is 'A table of a tenant that is not in the template at the tenant''s version.';
comment on column tenancy.own_table.is_audited is
    'Whether it has audit triggers, or their function. The function stays if only the triggers are dropped.';
comment on column tenancy.own_table.is_logged is 'Whether admin_audit_log says that create_table created it.';
