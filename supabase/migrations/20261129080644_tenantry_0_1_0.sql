-- Tenantry 0.1.0. Written from sql/ by `tenantry generate`: edit sql/, then run it again.

-- A function may call another that is created later in this file.
set check_function_bodies = off;

-- PostgreSQL's own message would not say what to do.
do $$
declare
    v_taken text;
begin
    select string_agg(o.title, ', ' order by o.title) into v_taken
    from (
        -- Each table and each view has a type of its name.
        select t.typname, 'public.' || t.typname
        from pg_catalog.pg_type t
        where t.typnamespace = 'public'::regnamespace
        union
        -- A second function of a name makes calls through the Data API ambiguous.
        select p.proname, format('function public.%s', p.proname)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'public'::regnamespace
        union
        -- A table that was renamed keeps the names of its indexes.
        select c.relname, format('index public.%s', c.relname)
        from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('i', 'I')
        union
        select n.nspname, format('schema %s', n.nspname)
        from pg_catalog.pg_namespace n
        where n.nspname in ('tenancy', 'tenant_template')
    ) o (name, title)
    where o.name in (
        'tenancy',
        'tenant_template',
        'activate_tenant',
        'add_column',
        'add_foreign_key',
        'admin_audit_log',
        'admin_audit_log_actor_id_idx',
        'admin_audit_log_deletions_idx',
        'admin_audit_log_pkey',
        'admin_audit_log_tenant_id_idx',
        'admin_users',
        'admin_users_granted_by_idx',
        'admin_users_pkey',
        'check_tenant_status',
        'create_table',
        'create_tenant_schema',
        'create_user_profile',
        'delete_tenant_schema',
        'drop_column',
        'drop_foreign_key',
        'drop_table',
        'ensure_user_profile',
        'get_admin_audit_log',
        'get_audit_log',
        'get_database_release',
        'get_migration_status',
        'get_platform_health',
        'get_schema_drift',
        'get_schema_summary',
        'get_schema_tables',
        'get_table_columns',
        'get_table_foreign_keys',
        'get_tenant_info',
        'get_tenant_pool',
        'get_user_profile',
        'grant_schema_access',
        'list_my_tenants',
        'list_tenant_drift',
        'list_tenants',
        'list_tenants_behind',
        'migrate_tenant',
        'promote_to_admin',
        'prune_audit_log',
        'redact_audit_log',
        'refill_tenant_pool',
        'refresh_user_emails',
        'register_tenant_schema',
        'rename_tenant',
        'replace_tenant_migration',
        'revoke_admin',
        'revoke_schema_access',
        'seal_audit_log',
        'suspend_tenant',
        'tenantry_admin_audit_entry',
        'tenantry_audit_entry',
        'tenantry_audit_pruning',
        'tenantry_audit_redaction',
        'tenantry_audit_seal',
        'tenantry_audit_verification',
        'tenantry_database_release',
        'tenantry_email_refresh',
        'tenantry_ensured_user_profile',
        'tenantry_listed_tenant',
        'tenantry_platform_health',
        'tenantry_schema_difference',
        'tenantry_schema_summary',
        'tenantry_schema_table',
        'tenantry_table_column',
        'tenantry_table_foreign_key',
        'tenantry_tenant_behind',
        'tenantry_tenant_drift',
        'tenantry_tenant_info',
        'tenantry_tenant_membership',
        'tenantry_tenant_migration_result',
        'tenantry_tenant_migration_status',
        'tenantry_tenant_pool',
        'tenantry_tenant_status_report',
        'tenantry_user_profile',
        'tenants',
        'tenants_created_by_idx',
        'tenants_pkey',
        'tenants_pooled_idx',
        'tenants_schema_name_key',
        'tenants_schema_version_idx',
        'update_user_profile',
        'user_schema_access',
        'user_schema_access_granted_by_idx',
        'user_schema_access_pkey',
        'user_schema_access_schema_name_idx',
        'verify_audit_log',
        'withdraw_tenant_migration'
    );
    if v_taken is not null then
        raise exception 'This project already has %. Tenantry makes objects with these names. '
            'Rename yours by SQL, or in a migration whose file stands before this one; then '
            'push again. Nothing was changed.', v_taken;
    end if;
end;
$$;

-- sql/00_schemas.sql

-- The helpers are in `tenancy`, which the Data API never exposes. `public` has only what
-- clients use: four tables and the RPCs.
create schema tenancy;

comment on schema tenancy is
    'Private helpers of the multi-tenancy system. Never expose this schema through the Data API.';

-- sql/05_enums/access_level.sql

-- Declared from least to most: comparisons such as `level >= 'write'` rely on the order.
create type tenancy.access_level as enum ('read', 'write', 'admin');

comment on type tenancy.access_level is
    'What a user may do in one tenant. read: read rows; write: also write rows; admin: also administer the tenant.';

-- sql/05_enums/migration_phase.sql

create type tenancy.migration_phase as enum ('change', 'backfill', 'index');

comment on type tenancy.migration_phase is
    'Kind of a tenant migration. change: any statements, in one short transaction; backfill: one statement that is repeated over parts of a table, each in a transaction of its own; index: one index, which can be built while the table is written.';

-- sql/05_enums/platform_role.sql

-- Declared from least to most: comparisons such as `role >= 'admin'` rely on the order.
create type tenancy.platform_role as enum ('viewer', 'admin', 'super_admin');

comment on type tenancy.platform_role is
    'What a member of the platform staff may do. viewer: look at tenants; admin: also manage tenants; super_admin: also delete tenants and appoint staff. No role reads rows of a tenant.';

-- sql/05_enums/tenant_migration_outcome.sql

create type tenancy.tenant_migration_outcome as enum ('migrated', 'up_to_date', 'failed', 'in_progress');

comment on type tenancy.tenant_migration_outcome is
    'Outcome of migrate_tenant. A failed migration leaves the tenant as it was; a failed backfill keeps its earlier batches. in_progress: one batch of a backfill is done, and the next call does the next.';

-- sql/05_enums/tenant_status.sql

create type tenancy.tenant_status as enum ('active', 'suspended', 'pooled');

comment on type tenancy.tenant_status is
    'The state of a tenant. active: the Data API serves its rows; suspended: it refuses everybody, the service key included; pooled: made in advance for create_tenant_schema, and until then a tenant for nobody.';

-- sql/06_records/adoption_step.sql

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

-- sql/06_records/caller.sql

create type tenancy.caller as (
    kind text,
    user_id uuid
);

comment on type tenancy.caller is
    'Who is calling. kind is service_role, postgres, user or nobody; user_id is set only if kind is user.';

-- sql/06_records/finding.sql

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

-- sql/06_records/list_place.sql

create type tenancy.list_place as (
    column_name text,
    is_descending boolean,
    number numeric,
    words text,
    schema_name text
);

comment on type tenancy.list_place is
    'An order of the tenants, and a place in it. Without a schema_name it is the beginning.';

-- sql/06_records/own_table.sql

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

-- sql/06_records/schema_object.sql

create type tenancy.schema_object as (
    object_kind text,
    object_name text,
    table_name text,
    is_extension boolean,
    definition text
);

comment on type tenancy.schema_object is
    'One object of a schema, with its definition as text, so that two schemas can be compared.';
comment on column tenancy.schema_object.table_name is
    'The table that the object is or belongs to; null if it belongs to none.';
comment on column tenancy.schema_object.is_extension is
    'Whether the object is, or depends on, a column x_…, which a tenant has added to a table of the template.';

-- sql/06_records/template_difference.sql

create type tenancy.template_difference as (
    object_kind text,
    table_name text,
    object_name text,
    difference text,
    expected text,
    found text
);

comment on type tenancy.template_difference is
    'One object in which a tenant differs from the template at its version.';
comment on column tenancy.template_difference.table_name is
    'The table that the object belongs to; null if it belongs to none.';
comment on column tenancy.template_difference.object_name is 'Name of the object, without its table and its schema.';
comment on column tenancy.template_difference.difference is 'missing, extra or different.';

-- sql/06_records/tenant_grant.sql

create type tenancy.tenant_grant as (
    object_kind text,
    object_name text,
    grantee text,
    expected text,
    found text
);

comment on type tenancy.tenant_grant is
    'The privileges that one role should have on one object, and the privileges that it has.';

-- sql/06_records/tenantry_admin_audit_entry.sql

create type public.tenantry_admin_audit_entry as (
    id bigint,
    occurred_at timestamptz,
    actor_id uuid,
    actor_role text,
    action text,
    schema_name text,
    tenant_id uuid,
    details jsonb,
    request_id text,
    has_more boolean
);

comment on type public.tenantry_admin_audit_entry is
    'One entry of admin_audit_log, as get_admin_audit_log returns it.';
comment on column public.tenantry_admin_audit_entry.has_more is
    'Whether an older entry follows. Of the last entry of a page: whether there is a next page.';

-- sql/06_records/tenantry_audit_entry.sql

create type public.tenantry_audit_entry as (
    id bigint,
    occurred_at timestamptz,
    actor_id uuid,
    actor_role text,
    action text,
    table_name text,
    record_id jsonb,
    old_values jsonb,
    new_values jsonb,
    has_more boolean
);

comment on type public.tenantry_audit_entry is
    'One entry of a tenant''s audit_log, as get_audit_log returns it.';
comment on column public.tenantry_audit_entry.has_more is
    'Whether an older entry follows. Of the last entry of a page: whether there is a next page.';

-- sql/06_records/tenantry_audit_pruning.sql

create type public.tenantry_audit_pruning as (
    schema_name text,
    removed bigint,
    head text
);

comment on type public.tenantry_audit_pruning is
    'Result of prune_audit_log: the number of removed entries, and the head of the chain up to the last removed entry.';

-- sql/06_records/tenantry_audit_redaction.sql

create type public.tenantry_audit_redaction as (
    schema_name text,
    user_id uuid,
    redacted bigint,
    withheld bigint
);

comment on type public.tenantry_audit_redaction is
    'Result of redact_audit_log: the number of entries whose values were removed.';
comment on column public.tenantry_audit_redaction.withheld is
    'Number of sealed entries about the person that keep their values, because the caller wrote them and they are younger than the retention of the audit logs. Another admin can redact them.';

-- sql/06_records/tenantry_audit_seal.sql

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

-- sql/06_records/tenantry_audit_verification.sql

create type public.tenantry_audit_verification as (
    is_intact boolean,
    checked bigint,
    head text,
    problem text,
    entry_id bigint,
    unsealed bigint,
    oldest_unsealed_at timestamptz,
    pruned bigint,
    prunings jsonb
);

comment on type public.tenantry_audit_verification is 'Result of verify_audit_log.';
comment on column public.tenantry_audit_verification.checked is
    'Number of sealed entries that were checked.';
comment on column public.tenantry_audit_verification.problem is
    'changed, removed, inserted or seal_changed (entry_id is the entry), or head_not_found; null if the log is intact.';
comment on column public.tenantry_audit_verification.unsealed is
    'Number of entries that are not sealed yet. Nobody can tell whether such an entry was changed.';
comment on column public.tenantry_audit_verification.oldest_unsealed_at is
    'When the oldest of the entries that are not sealed was written; null if all are sealed.';
comment on column public.tenantry_audit_verification.pruned is
    'Number of entries that prune_audit_log has removed from the log so far.';
comment on column public.tenantry_audit_verification.prunings is
    'Who removed them: the latest 100 prunings, newest first, as {pruned_at, actor_id, actor_role, removed_before, removed, missing, head}. missing is the number of sealed entries that were gone before the pruning.';

-- sql/06_records/tenantry_database_release.sql

create type public.tenantry_database_release as (
    release text
);

comment on type public.tenantry_database_release is 'Result of get_database_release.';

-- sql/06_records/tenantry_email_refresh.sql

create type public.tenantry_email_refresh as (
    schema_name text,
    refreshed bigint
);

comment on type public.tenantry_email_refresh is
    'Result of refresh_user_emails: the number of profiles whose e-mail address was changed.';

-- sql/06_records/tenantry_ensured_user_profile.sql

create type public.tenantry_ensured_user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean,
    is_new boolean
);

comment on type public.tenantry_ensured_user_profile is
    'The caller''s profile, and whether this call created it.';

-- sql/06_records/tenantry_listed_tenant.sql

create type public.tenantry_listed_tenant as (
    schema_name text,
    display_name text,
    status tenancy.tenant_status,
    schema_version text,
    bytes bigint,
    last_activity_at timestamptz,
    created_at timestamptz,
    cursor text,
    total_count bigint
);

comment on type public.tenantry_listed_tenant is 'One tenant, as list_tenants returns it.';
comment on column public.tenantry_listed_tenant.bytes is
    'Size on disk: tables with their indexes and out-of-line values, as of the last VACUUM or ANALYZE of each.';
comment on column public.tenantry_listed_tenant.last_activity_at is
    'When a user or the service key last changed an audited row or called ensure_user_profile, to within five minutes; null if never.';
comment on column public.tenantry_listed_tenant.cursor is
    'The place of the row in this order. For the page behind it, give it as after.';
comment on column public.tenantry_listed_tenant.total_count is
    'Number of tenants that match. Only on the first page; null on the others.';

-- sql/06_records/tenantry_platform_health.sql

create type public.tenantry_platform_health as (
    tenant_count integer,
    active integer,
    suspended integer,
    latest_version text,
    up_to_date integer,
    behind integer,
    stuck integer,
    versions jsonb,
    stuck_tenants jsonb,
    total_bytes bigint,
    largest_tenants jsonb,
    growth jsonb,
    cache_load jsonb,
    cache_load_forecast jsonb,
    dump_locks jsonb
);

comment on type public.tenantry_platform_health is 'The state of the platform, as get_platform_health returns it.';
comment on column public.tenantry_platform_health.versions is
    'The versions that tenants have, the latest first: version, name, tenants, and pending, the number of migrations behind it.';
comment on column public.tenantry_platform_health.stuck_tenants is
    'The first 20 tenants whose next migration has failed, with the reason.';
comment on column public.tenantry_platform_health.total_bytes is
    'Size of all tenants on disk, as of the last VACUUM or ANALYZE of each table.';
comment on column public.tenantry_platform_health.largest_tenants is
    'The ten largest tenants: schema_name, display_name, bytes.';
comment on column public.tenantry_platform_health.growth is
    'The last 90 days (UTC), today included: day, tenants at its end, created and deleted on it.';
comment on column public.tenantry_platform_health.cache_load is
    'The last measured load of PostgREST''s schema cache: measured_at, tenants, milliseconds, and limit_milliseconds (null without a limit). Null before the doctor measured one.';
comment on column public.tenantry_platform_health.cache_load_forecast is
    'With how many tenants the load takes 8, 30 and 60 seconds: seconds, tenants. Empty before it was measured with 300 tables.';
comment on column public.tenantry_platform_health.dump_locks is
    'The locks that a dump of everything takes: needed, available, and most_tenants, with how many it runs out of them (null without tenants).';

-- sql/06_records/tenantry_schema_difference.sql

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

-- sql/06_records/tenantry_schema_summary.sql

create type public.tenantry_schema_summary as (
    table_count bigint,
    row_estimate bigint,
    total_bytes bigint
);

comment on type public.tenantry_schema_summary is
    'Result of get_schema_summary. The units are those of schema_table.';

-- sql/06_records/tenantry_schema_table.sql

create type public.tenantry_schema_table as (
    table_name text,
    column_count bigint,
    row_estimate bigint,
    total_bytes bigint,
    description text
);

comment on type public.tenantry_schema_table is 'One table of a tenant, as get_schema_tables returns it.';
comment on column public.tenantry_schema_table.row_estimate is
    'Estimated number of rows, from PostgreSQL''s statistics; no row is counted.';
comment on column public.tenantry_schema_table.total_bytes is
    'Size on disk with indexes and out-of-line values, in bytes.';

-- sql/06_records/tenantry_table_column.sql

create type public.tenantry_table_column as (
    column_name text,
    ordinal_position integer,
    data_type text,
    is_nullable boolean,
    column_default text,
    is_primary_key boolean,
    is_identity boolean,
    description text
);

comment on type public.tenantry_table_column is
    'One column of a tenant''s table, as get_table_columns returns it.';
comment on column public.tenantry_table_column.ordinal_position is
    'Position in the table, from 1. Dropped columns leave gaps.';
comment on column public.tenantry_table_column.data_type is
    'The type as PostgreSQL prints it, for example character varying(40) or timestamp with time zone.';
comment on column public.tenantry_table_column.column_default is
    'The default as SQL; null if there is none. An identity column has none.';
comment on column public.tenantry_table_column.is_identity is
    'Whether PostgreSQL numbers the rows in this column, unless a row brings its own number.';

-- sql/06_records/tenantry_table_foreign_key.sql

create type public.tenantry_table_foreign_key as (
    constraint_name text,
    columns text[],
    foreign_table text,
    foreign_columns text[],
    on_update text,
    on_delete text
);

comment on type public.tenantry_table_foreign_key is
    'One foreign key of a tenant''s table, as get_table_foreign_keys returns it.';
comment on column public.tenantry_table_foreign_key.on_delete is
    'NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';

-- sql/06_records/tenantry_tenant_behind.sql

create type public.tenantry_tenant_behind as (
    schema_name text,
    schema_version text,
    next_version text,
    pending integer,
    is_pooled boolean,
    sqlstate text,
    message text,
    stuck_since timestamptz,
    failed_at timestamptz,
    has_more boolean
);

comment on type public.tenantry_tenant_behind is
    'A tenant that lacks tenant migrations, and the error if it is stuck, because the next one has failed.';
comment on column public.tenantry_tenant_behind.is_pooled is
    'Whether it is in the pool and not a tenant yet.';
comment on column public.tenantry_tenant_behind.stuck_since is
    'When its next migration failed first; null if it has not failed.';
comment on column public.tenantry_tenant_behind.has_more is
    'Whether another tenant follows. Of the last tenant of a page: whether there is a next page.';

-- sql/06_records/tenantry_tenant_drift.sql

create type public.tenantry_tenant_drift as (
    schema_name text,
    has_drift boolean,
    has_more boolean
);

comment on type public.tenantry_tenant_drift is
    'Whether a tenant differs from the reference schema at its version. get_schema_drift lists the differences.';
comment on column public.tenantry_tenant_drift.has_more is
    'Whether another tenant follows. Of the last tenant of a page: whether there is a next page.';

-- sql/06_records/tenantry_tenant_info.sql

create type public.tenantry_tenant_info as (
    schema_name text,
    display_name text,
    status tenancy.tenant_status,
    suspension_reason text,
    created_at timestamptz,
    access_level tenancy.access_level,
    member_count bigint
);

comment on type public.tenantry_tenant_info is 'Result of get_tenant_info.';
comment on column public.tenantry_tenant_info.access_level is
    'The caller''s own level; null for platform staff without a grant.';
comment on column public.tenantry_tenant_info.member_count is 'Number of users with an unexpired grant who are neither banned nor deleted in Auth.';

-- sql/06_records/tenantry_tenant_membership.sql

create type public.tenantry_tenant_membership as (
    schema_name text,
    display_name text,
    status tenancy.tenant_status,
    access_level tenancy.access_level
);

comment on type public.tenantry_tenant_membership is
    'One tenant of the caller, as list_my_tenants returns it.';

-- sql/06_records/tenantry_tenant_migration_result.sql

create type public.tenantry_tenant_migration_result as (
    schema_name text,
    outcome tenancy.tenant_migration_outcome,
    version text,
    pending integer,
    sqlstate text,
    message text,
    name text,
    pass_number integer,
    rows_done bigint,
    rows_left bigint,
    seconds_left integer
);

comment on type public.tenantry_tenant_migration_result is 'Result of migrate_tenant.';
comment on column public.tenantry_tenant_migration_result.version is
    'The tenant migration that was applied or has failed; of a tenant that is up to date, its version.';
comment on column public.tenantry_tenant_migration_result.pending is 'Number of tenant migrations that this tenant still lacks.';
comment on column public.tenantry_tenant_migration_result.name is
    'The name of the tenant migration; null if the tenant is up to date.';
comment on column public.tenantry_tenant_migration_result.pass_number is
    'Of a backfill that is in progress: how often it has begun to read the table. After the first pass it looks for rows that have moved or come meanwhile.';
comment on column public.tenantry_tenant_migration_result.rows_done is
    'Of a backfill: the rows that it has changed so far, in batches that are committed. A failure takes back only the last batch.';
comment on column public.tenantry_tenant_migration_result.rows_left is
    'Of a backfill: an estimate of the rows that the pass has not read yet.';
comment on column public.tenantry_tenant_migration_result.seconds_left is
    'Of a backfill: an estimate for the pass from the last batch, without pauses between calls.';

-- sql/06_records/tenantry_tenant_migration_status.sql

create type public.tenantry_tenant_migration_status as (
    latest_version text,
    tenant_count integer,
    up_to_date integer,
    behind integer,
    pooled_behind integer,
    stuck integer,
    stuck_tenants jsonb,
    unreachable_tables text[],
    warnings text[]
);

comment on type public.tenantry_tenant_migration_status is
    'Result of get_migration_status, withdraw_tenant_migration and replace_tenant_migration.';
comment on column public.tenantry_tenant_migration_status.pooled_behind is
    'Tenants in the pool that are behind. The other numbers leave the pool out. list_tenants_behind lists them, too.';
comment on column public.tenantry_tenant_migration_status.stuck is
    'Tenants behind whose next migration has failed and was rolled back.';
comment on column public.tenantry_tenant_migration_status.stuck_tenants is
    'The first 20 of them by name, as {schema_name, version, sqlstate, message, stuck_since, failed_at, attempts}. list_tenants_behind lists all.';
comment on column public.tenantry_tenant_migration_status.unreachable_tables is
    'Tables of the template that no signed-in user can reach, because their policies let nobody in. The migration may have meant it so.';
comment on column public.tenantry_tenant_migration_status.warnings is
    'What the registration has warned of, for each migration that some tenant lacks: it locks tables for long, or could be phases.';

-- sql/06_records/tenantry_tenant_pool.sql

create type public.tenantry_tenant_pool as (
    pool_size integer,
    ready integer,
    waiting integer,
    behind integer,
    missing integer,
    surplus integer,
    made integer,
    removed integer
);

comment on type public.tenantry_tenant_pool is
    'The pool of ready tenants. Result of get_tenant_pool and refill_tenant_pool.';
comment on column public.tenantry_tenant_pool.pool_size is
    'Number of tenants that the pool should have: tenancy.platform_settings.pool_size.';
comment on column public.tenantry_tenant_pool.ready is
    'Tenants that create_tenant_schema can take now.';
comment on column public.tenantry_tenant_pool.waiting is
    'Tenants that were made or migrated less than tenancy.platform_settings.pool_wait_seconds ago, so that PostgREST may not know their tables yet.';
comment on column public.tenantry_tenant_pool.behind is
    'Tenants that lack tenant migrations. tenantry migrate migrates them.';
comment on column public.tenantry_tenant_pool.missing is
    'Number of tenants that calls of refill_tenant_pool still have to make.';
comment on column public.tenantry_tenant_pool.surplus is
    'Number of tenants that calls of refill_tenant_pool still have to remove: those beyond pool_size, and those that cannot be used, because a tenant migration has failed there or the schema is gone.';
comment on column public.tenantry_tenant_pool.made is 'Number of tenants that this call has made.';
comment on column public.tenantry_tenant_pool.removed is 'Number of tenants that this call has removed.';

-- sql/06_records/tenantry_tenant_status_report.sql

create type public.tenantry_tenant_status_report as (
    schema_name text,
    status tenancy.tenant_status
);

comment on type public.tenantry_tenant_status_report is 'Result of check_tenant_status.';

-- sql/06_records/tenantry_user_profile.sql

create type public.tenantry_user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean
);

comment on type public.tenantry_user_profile is
    'A user''s profile in a tenant: the row of the tenant''s users table, and whether the user has access.';
comment on column public.tenantry_user_profile.is_active is
    'Whether the user holds an unexpired grant on the tenant now and is neither banned nor deleted in Auth. The value is computed and never stored.';

-- sql/10_tables/admin_audit_log.sql

-- Without foreign keys: an entry stays when its tenant or its user is deleted.
create table public.admin_audit_log (
    id bigint not null generated always as identity,
    occurred_at timestamptz not null default clock_timestamp(),
    actor_id uuid,
    actor_role text not null,
    action text not null,
    schema_name text,
    tenant_id uuid,
    details jsonb not null default '{}',
    request_id text,
    constraint admin_audit_log_pkey primary key (id)
);

create index admin_audit_log_tenant_id_idx on public.admin_audit_log (tenant_id, id);
create index admin_audit_log_actor_id_idx on public.admin_audit_log (actor_id, id);
-- tenant_growth reads the deletions of all time.
create index admin_audit_log_deletions_idx on public.admin_audit_log (occurred_at)
    where action = 'tenant.delete';

alter table public.admin_audit_log enable row level security;

comment on table public.admin_audit_log is
    'Audit log of all admin actions: one entry for each call that changed something, written in the transaction of the call.';
comment on column public.admin_audit_log.actor_id is 'User who acted; null for the service key and for SQL.';
comment on column public.admin_audit_log.actor_role is
    'The actor''s role at that time: a platform role, tenant_<access level>, user, service_role or postgres.';
comment on column public.admin_audit_log.action is 'What happened, as <object>.<verb>: tenant.suspend, access.grant …';
comment on column public.admin_audit_log.tenant_id is
    'Id of the tenant. A schema name can be used again after a deletion, and the new tenant must not read the entries of the old one.';
comment on column public.admin_audit_log.details is
    'The values before and after the change. If a function of the owner acted as postgres: its name (by), and the user in whose request it ran (signed_in).';
comment on column public.admin_audit_log.request_id is
    'X-Request-Id as the caller sent it, unverified. The function''s log line has the same value.';

-- sql/10_tables/admin_users.sql

create table public.admin_users (
    user_id uuid not null,
    role tenancy.platform_role not null,
    granted_by uuid,
    created_at timestamptz not null default now(),
    constraint admin_users_pkey primary key (user_id),
    constraint admin_users_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade,
    constraint admin_users_granted_by_fkey foreign key (granted_by)
        references auth.users (id) on delete set null
);

create index admin_users_granted_by_idx on public.admin_users (granted_by);

alter table public.admin_users enable row level security;

comment on table public.admin_users is
    'The platform staff, who manage tenants. They do not read rows of tenants.';
comment on column public.admin_users.granted_by is
    'User who appointed this member of staff; null if the service key did, or once that user is deleted.';

-- sql/10_tables/audit_prunings.sql

create table tenancy.audit_prunings (
    schema_name text not null,
    place bigint not null,
    pruned_at timestamptz not null default clock_timestamp(),
    actor_id uuid,
    actor_role text not null,
    removed_before timestamptz not null,
    removed bigint not null,
    missing bigint not null,
    hash bytea not null,
    lasting_hash bytea not null,
    constraint audit_prunings_pkey primary key (schema_name, place)
);

alter table tenancy.audit_prunings enable row level security;

comment on table tenancy.audit_prunings is
    'One row for each call of prune_audit_log that removed an entry: who removed how much, and when. verify_audit_log returns it, and compares it with the hash chain.';
comment on column tenancy.audit_prunings.place is
    'Place of the last link that the pruning removed or passed. The link is the anchor of the chain until the next pruning.';
comment on column tenancy.audit_prunings.actor_id is 'User who pruned; null for the service key and for SQL.';
comment on column tenancy.audit_prunings.removed is 'Number of entries that the pruning removed.';
comment on column tenancy.audit_prunings.missing is
    'Number of sealed entries that somebody had removed before the pruning, and whose links the pruning removed.';
comment on column tenancy.audit_prunings.hash is 'hash of the anchor, as in audit_seals.';
comment on column tenancy.audit_prunings.lasting_hash is 'lasting_hash of the anchor, as in audit_seals.';

-- sql/10_tables/audit_seal_runs.sql

create table tenancy.audit_seal_runs (
    schema_name text not null,
    place bigint not null,
    sealed_at timestamptz not null default clock_timestamp(),
    oldest_running xid8 not null,
    last_entry_id bigint not null,
    horizon xid8 not null,
    hash bytea not null,
    lasting_hash bytea not null,
    constraint audit_seal_runs_pkey primary key (schema_name, place)
);

alter table tenancy.audit_seal_runs enable row level security;

comment on table tenancy.audit_seal_runs is
    'One row for each run of seal_audit_log that sealed an entry, with the transaction ids at that time. With these ids, verify_audit_log distinguishes an entry that committed late from an entry that was inserted afterwards.';
comment on column tenancy.audit_seal_runs.place is 'Place of the last link that the run added.';
comment on column tenancy.audit_seal_runs.oldest_running is
    'Oldest transaction that was running at that time. The run sealed only entries of earlier transactions.';
comment on column tenancy.audit_seal_runs.last_entry_id is
    'Highest entry id that had been handed out at that time.';
comment on column tenancy.audit_seal_runs.horizon is
    'A transaction id that was handed out after last_entry_id: later transactions have higher entry ids only.';
comment on column tenancy.audit_seal_runs.hash is
    'hash of the last link that the run added. It stays when the link is pruned, so that the head of the run is still found.';
comment on column tenancy.audit_seal_runs.lasting_hash is
    'lasting_hash of that link.';

-- sql/10_tables/audit_seals.sql

create table tenancy.audit_seals (
    schema_name text not null,
    place bigint not null,
    entry_id bigint not null,
    entry_hash bytea not null,
    redacted_hash bytea,
    hash bytea,
    is_lasting boolean not null,
    lasting_hash bytea not null,
    is_anchor boolean not null default false,
    constraint audit_seals_pkey primary key (schema_name, place),
    constraint audit_seals_entry_key unique (schema_name, entry_id),
    constraint audit_seals_hash_is_known check (hash is not null or is_lasting)
);

alter table tenancy.audit_seals enable row level security;

comment on table tenancy.audit_seals is
    'The hash chain over each audit log: one link for each sealed entry, in the order of sealing.';
comment on column tenancy.audit_seals.schema_name is
    'Schema of the log: a tenant''s schema, or public for admin_audit_log.';
comment on column tenancy.audit_seals.entry_hash is 'SHA-256 of the entry as it was sealed.';
comment on column tenancy.audit_seals.redacted_hash is
    'SHA-256 of the entry without its values, if redact_audit_log removed them.';
comment on column tenancy.audit_seals.hash is
    'SHA-256 of the previous link''s hash and this entry_hash; null for a lasting entry before the anchor, where the previous links are removed.';
comment on column tenancy.audit_seals.is_lasting is
    'Whether no pruning removes the entry; see tenancy.lasting_entry.';
comment on column tenancy.audit_seals.lasting_hash is
    'The chain over the lasting entries alone, up to this link: SHA-256 of the previous lasting_hash and this entry_hash; empty while there is none. It stays complete when the entries between them are pruned.';
comment on column tenancy.audit_seals.is_anchor is
    'Whether all entries up to this link were pruned, except the lasting ones. The chain over all entries starts here.';

-- sql/10_tables/cache_load_measurements.sql

create table tenancy.cache_load_measurements (
    measured_at timestamptz not null default clock_timestamp(),
    tenant_count integer not null,
    relation_count integer not null,
    milliseconds integer not null,
    constraint cache_load_measurements_pkey primary key (measured_at),
    constraint cache_load_measurements_not_negative
    check (least(tenant_count, relation_count, milliseconds) >= 0)
);

alter table tenancy.cache_load_measurements enable row level security;

comment on table tenancy.cache_load_measurements is
    'How long PostgREST took to load its schema cache. The doctor adds a row. record_cache_load keeps the latest 500.';
comment on column tenancy.cache_load_measurements.tenant_count is 'Number of tenants, the pool included.';
comment on column tenancy.cache_load_measurements.relation_count is
    'Number of tables and views in the exposed schemas, which the load reads.';
comment on column tenancy.cache_load_measurements.milliseconds is
    'Milliseconds of the load''s transaction in the database, by the wall clock.';

-- sql/10_tables/owner_calls.sql

create table tenancy.owner_calls (
    id bigint not null generated always as identity,
    transaction_id xid8 not null default pg_current_xact_id(),
    constraint owner_calls_pkey primary key (id)
);

alter table tenancy.owner_calls enable row level security;

comment on table tenancy.owner_calls is
    'One row for each running call of tenancy.as_owner. The call removes its row before it ends, so no other transaction ever sees one, and the table is always empty.';

-- sql/10_tables/platform_settings.sql

create table tenancy.platform_settings (
    singleton boolean not null default true,
    max_tables integer not null default 200,
    max_columns integer not null default 5000,
    max_indexes integer not null default 1000,
    max_foreign_keys integer not null default 500,
    max_text_bytes integer not null default 1048576,
    max_default_bytes integer not null default 8192,
    max_unique_columns integer not null default 32,
    audit_retention_days integer not null default 90,
    pool_size integer not null default 0,
    pool_wait_seconds integer not null default 60,
    constraint platform_settings_pkey primary key (singleton),
    constraint platform_settings_is_singleton check (singleton),
    constraint platform_settings_max_tables_positive check (max_tables > 0),
    -- PostgREST returns at most 1,000 rows. All tables of a tenant are in one reply, and all
    -- foreign keys of a table.
    constraint platform_settings_lists_fit_a_reply check (greatest(max_tables, max_foreign_keys) <= 1000),
    constraint platform_settings_budgets_not_negative check (
        least(
            max_columns, max_indexes, max_foreign_keys, max_text_bytes, max_default_bytes,
            max_unique_columns
        ) >= 0
    ),
    -- A time before which nothing can have happened would overflow, and mean nothing.
    constraint platform_settings_audit_retention_possible check (audit_retention_days between 0 and 36500),
    -- Without BETWEEN, which a restored dump nests in another way.
    constraint platform_settings_pool_possible check (
        pool_size >= 0 and pool_size <= 1000 and pool_wait_seconds >= 0 and pool_wait_seconds <= 86400
    )
);

alter table tenancy.platform_settings enable row level security;

comment on table tenancy.platform_settings is
    'Limits of the platform, in one row. Change them with SQL as postgres.';
comment on column tenancy.platform_settings.max_tables is
    'Number of tables that a tenant may have. All tenants share one schema cache in PostgREST, so the tables of one tenant make the reload longer for all.';
comment on column tenancy.platform_settings.max_columns is
    'Number of columns that the tables of a tenant may have together.';
comment on column tenancy.platform_settings.max_indexes is
    'Number of indexes that a tenant may have, those of primary keys and unique columns included.';
comment on column tenancy.platform_settings.max_foreign_keys is
    'Number of foreign keys that a tenant may have.';
comment on column tenancy.platform_settings.max_text_bytes is
    'Bytes that the column defaults and the table comments of a tenant may have together. PostgREST keeps these texts in its schema cache.';
comment on column tenancy.platform_settings.max_default_bytes is
    'Bytes that the default of one column may have.';
comment on column tenancy.platform_settings.max_unique_columns is
    'Number of unique columns in one call of create_table.';
comment on column tenancy.platform_settings.audit_retention_days is
    'Number of days for which prune_audit_log must keep every entry of every audit log. A larger number applies at once. A smaller one applies when the number of days before it has passed. Each change is logged as audit.retention.';
comment on column tenancy.platform_settings.pool_size is
    'Number of tenants that refill_tenant_pool makes in advance, 0 to 1,000. create_tenant_schema without a name takes them.';
comment on column tenancy.platform_settings.pool_wait_seconds is
    'Number of seconds after which a tenant in the pool can be taken, 0 to 86,400, counted from when it was made or migrated. PostgREST has to load its schema cache in this time: choose at least twice what a load takes.';

insert into tenancy.platform_settings default values;

-- sql/10_tables/policy_samples.sql

create table tenancy.policy_samples (
    id integer not null,
    constraint policy_samples_pkey primary key (id)
);

alter table tenancy.policy_samples enable row level security;

comment on table tenancy.policy_samples is
    'Has the policies that create_table makes, and no rows. The doctor compares tenants'' own tables with it, because the template has no such tables.';

-- sql/10_tables/retention_floors.sql

create table tenancy.retention_floors (
    id bigint not null generated always as identity,
    days integer not null,
    set_at timestamptz not null default clock_timestamp(),
    constraint retention_floors_pkey primary key (id),
    constraint retention_floors_days_possible check (days between 0 and 36500)
);

alter table tenancy.retention_floors enable row level security;

comment on table tenancy.retention_floors is
    'Every value that platform_settings.audit_retention_days has had. A trigger writes it, and nobody changes it: a value still applies for as many days as it says after the next one was set.';
comment on column tenancy.retention_floors.set_at is
    'When this value was set. The value before it was in force until then.';

insert into tenancy.retention_floors (days)
select s.audit_retention_days from tenancy.platform_settings s;

-- sql/10_tables/shared_tables.sql

create table tenancy.shared_tables (
    relation regclass not null,
    is_granted boolean not null,
    shared_at timestamptz not null default now(),
    constraint shared_tables_pkey primary key (relation)
);

alter table tenancy.shared_tables enable row level security;

comment on table tenancy.shared_tables is
    'Tables outside the tenants that foreign keys of the template may reference, such as a catalogue of products. share_table and unshare_table write it.';
comment on column tenancy.shared_tables.is_granted is
    'Whether share_table has granted SELECT to authenticated, so that unshare_table revokes it.';

-- sql/10_tables/tenant_activity.sql

-- Without a foreign key to tenants: checking it would lock the tenant's row, and a writer of the
-- tenant would wait for every operation on the tenant.
create table tenancy.tenant_activity (
    schema_name text not null,
    last_activity_at timestamptz not null,
    constraint tenant_activity_pkey primary key (schema_name)
)
-- The next version of a row is written into the same page. There is no index to update.
with (fillfactor = 50);

alter table tenancy.tenant_activity enable row level security;

comment on table tenancy.tenant_activity is
    'When each tenant was used last, to within five minutes. A row that is older than the tenant belonged to a former tenant of the same name.';
comment on column tenancy.tenant_activity.last_activity_at is
    'When a user or the service key last changed a row of an audited table, or called ensure_user_profile. Tenant migrations, operations of the platform and SQL of the owner do not count, and neither do reads.';

-- sql/10_tables/tenant_migrations.sql

create table tenancy.tenant_migrations (
    version text collate "C" not null,
    position integer not null,
    name text not null,
    statements text not null,
    callable_routines text[] not null default '{}',
    phase tenancy.migration_phase not null default 'change',
    limit_seconds integer not null default 5,
    batch integer,
    audit_rows boolean not null default false,
    registered_at timestamptz not null default now(),
    constraint tenant_migrations_pkey primary key (version),
    constraint tenant_migrations_position_key unique (position),
    constraint tenant_migrations_position_is_positive check (position > 0),
    -- People read and type versions: in file names, reports and the audit log.
    constraint tenant_migrations_version_is_name check (version ~ '^[a-z0-9][a-z0-9_]{0,62}$'),
    -- A null would make every comparison with the list unknown.
    constraint tenant_migrations_callable_routines_are_names
        check (array_position(callable_routines, null) is null),
    constraint tenant_migrations_limit_is_possible check (limit_seconds between 1 and 3600),
    constraint tenant_migrations_batch_iff_backfill
        check ((phase = 'backfill') = (batch is not null) and batch between 1 and 1000000)
);

alter table tenancy.tenant_migrations enable row level security;

comment on table tenancy.tenant_migrations is
    'The tenant template as the migrations that build it. Each tenant receives them in the order of their positions.';
comment on column tenancy.tenant_migrations.version is
    'Unique name of the migration; it says nothing about the order. Versions with the prefix tenantry_ are Tenantry''s own.';
comment on column tenancy.tenant_migrations.position is
    'Place in the order in which this database registered its migrations: 1, 2, 3, without gaps. Another database may have registered the same migrations in another order.';
comment on column tenancy.tenant_migrations.statements is
    'SQL as for one tenant: unqualified names, run with the tenant''s schema first in search_path.';
comment on column tenancy.tenant_migrations.callable_routines is
    'Names of routines that the API may call from this migration on, while the tenant is active.';
comment on column tenancy.tenant_migrations.phase is
    'How a tenant receives the migration. All phases share one order.';
comment on column tenancy.tenant_migrations.limit_seconds is
    'How long the migration may keep tables of a tenant locked. PostgREST waits for a locked table when it loads its schema cache, and then nobody is served. More than 5 seconds only in a session of the database: the Data API always gives 5.';
comment on column tenancy.tenant_migrations.batch is
    'Of a backfill: the number of rows that the first batch reads. Later batches are as large as a second allows.';
comment on column tenancy.tenant_migrations.audit_rows is
    'Of a backfill: whether the audit log of the tenant gets an entry for each row. Otherwise it gets one for each batch.';

-- sql/10_tables/tenant_template_limits.sql

create table tenancy.tenant_template_limits (
    version text collate "C" not null,
    object_kind text not null,
    object_name text not null,
    grantee text not null,
    privilege text not null,
    columns text[] not null,
    constraint tenant_template_limits_pkey primary key (version, object_kind, object_name, grantee, privilege),
    constraint tenant_template_limits_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

alter table tenancy.tenant_template_limits enable row level security;

comment on table tenancy.tenant_template_limits is
    'Privileges that tenant migrations have revoked from an API role, or limited to columns, at each version of the template. What has no row here follows from the policies.';
comment on column tenancy.tenant_template_limits.object_kind is 'table (also for views), sequence or routine.';
comment on column tenancy.tenant_template_limits.object_name is
    'Name of the object. A routine is limited by name, as it is declared callable by name.';
comment on column tenancy.tenant_template_limits.columns is
    'The columns on which the role keeps the privilege; empty if it was revoked altogether.';

-- sql/10_tables/tenant_template_objects.sql

create table tenancy.tenant_template_objects (
    version text collate "C" not null,
    object_kind text not null,
    object_name text not null,
    table_name text,
    definition text not null,
    constraint tenant_template_objects_pkey primary key (version, object_kind, object_name),
    constraint tenant_template_objects_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

alter table tenancy.tenant_template_objects enable row level security;

comment on table tenancy.tenant_template_objects is
    'The objects of the reference schema after each tenant migration. A tenant is compared with the objects of its own version, also after later migrations have changed the reference schema.';

-- sql/10_tables/tenant_template_scripts.sql

create table tenancy.tenant_template_scripts (
    version text collate "C" not null,
    release text not null,
    default_privileges text not null,
    statements text,
    grants text,
    opening text,
    obstacle text,
    constraint tenant_template_scripts_pkey primary key (version),
    constraint tenant_template_scripts_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade,
    constraint tenant_template_scripts_is_script_or_obstacle check (
        num_nulls(statements, grants, opening) = case when obstacle is null then 0 else 3 end
    )
);

alter table tenancy.tenant_template_scripts enable row level security;

comment on table tenancy.tenant_template_scripts is
    'One script that makes a tenant at the latest version of the template, for run_creation_script. It is compiled from a replay of the tenant migrations, and compared with it. Without it, a new tenant replays them.';
comment on column tenancy.tenant_template_scripts.release is
    'The release of Tenantry that compiled the script. Another release may replay otherwise, and does not use it.';
comment on column tenancy.tenant_template_scripts.default_privileges is
    'The default privileges of the project when the script was compiled. Under others it would grant something else, and is not used.';
comment on column tenancy.tenant_template_scripts.statements is
    'SQL that creates the schema and everything in it, without a privilege for the API roles. {tenant_identifier} and {tenant_literal} stand for the schema''s name.';
comment on column tenancy.tenant_template_scripts.grants is 'SQL that grants the privileges on the objects of the schema.';
comment on column tenancy.tenant_template_scripts.opening is 'SQL that grants the privileges on the schema.';
comment on column tenancy.tenant_template_scripts.obstacle is 'Why there is no script, in words.';

-- sql/10_tables/tenants.sql

create table public.tenants (
    id uuid not null default gen_random_uuid(),
    schema_name text not null,
    display_name text not null,
    status tenancy.tenant_status not null default 'active',
    suspended_at timestamptz,
    suspension_reason text,
    schema_version text collate "C" not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    constraint tenants_pkey primary key (id),
    constraint tenants_schema_name_key unique (schema_name),
    -- Drift and the protection of the template's tables look up the objects of this version.
    constraint tenants_schema_version_fkey foreign key (schema_version)
        references tenancy.tenant_migrations (version),
    -- A user can always be deleted, and the tenant stays.
    constraint tenants_created_by_fkey foreign key (created_by)
        references auth.users (id) on delete set null,
    constraint tenants_display_name_length check (char_length(display_name) between 1 and 200),
    constraint tenants_suspension_reason_length check (char_length(suspension_reason) <= 1000),
    constraint tenants_suspended_at_iff_suspended
        check ((status = 'suspended') = (suspended_at is not null))
);

-- Deleting a user looks up the tenants that the user created; without this index it reads
-- the whole registry.
create index tenants_created_by_idx on public.tenants (created_by);

-- list_tenants_behind looks up the tenants of each older version. Usually no tenant has an older
-- version, and then the function reads no row.
create index tenants_schema_version_idx on public.tenants (schema_version, schema_name);

-- create_tenant_schema looks for the one that has been in the pool the longest.
create index tenants_pooled_idx on public.tenants (schema_version, updated_at) where status = 'pooled';

alter table public.tenants enable row level security;

comment on table public.tenants is
    'Registry of all tenant schemas: a tenant exists if and only if it has a row here.';
comment on column public.tenants.schema_name is
    'Name of the tenant''s PostgreSQL schema. Clients name it as the profile of a Data API request.';
comment on column public.tenants.display_name is 'What people call the tenant. Free text, 1 to 200 characters.';
comment on column public.tenants.schema_version is
    'Version of the last tenant migration this tenant has received.';
comment on column public.tenants.created_by is
    'User who created the tenant; null for the service key, or once that user is deleted.';

-- sql/10_tables/tenants_own_objects.sql

create table tenancy.tenants_own_objects (
    schema_name text not null,
    object_kind text not null,
    object_name text not null,
    constraint tenants_own_objects_pkey primary key (schema_name, object_kind, object_name),
    constraint tenants_own_objects_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade
);

alter table tenancy.tenants_own_objects enable row level security;

comment on table tenancy.tenants_own_objects is
    'Views, routines, types and sequences that a schema had before it became a tenant. They are the tenant''s own, as its own tables are, and no difference from the template.';

-- sql/10_tables/tenants_splits.sql

create table tenancy.tenants_splits (
    id bigint not null generated always as identity,
    relation regclass not null,
    column_name text not null,
    value text not null,
    schema_name text not null,
    state text not null default 'copying',
    compared_columns text[] not null,
    last_key text[],
    rows_copied bigint not null default 0,
    rows_deleted bigint not null default 0,
    checksum bytea,
    verified_at timestamptz,
    constraint tenants_splits_pkey primary key (id),
    constraint tenants_splits_value_key unique (relation, column_name, value),
    constraint tenants_splits_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint tenants_splits_state_is_known check (state in ('copying', 'copied', 'verified'))
);

create index tenants_splits_schema_name_idx on tenancy.tenants_splits (schema_name);

alter table tenancy.tenants_splits enable row level security;

comment on table tenancy.tenants_splits is
    'How far `tenantry split` is, for each table of the project and each value of the column that names the tenant. The row goes when the source has no row with this value any more.';
comment on column tenancy.tenants_splits.value is 'The value of the column, as text.';
comment on column tenancy.tenants_splits.compared_columns is
    'The columns that the hashes in tenants_splits_rows are computed from. They must be the same at every call.';
comment on column tenancy.tenants_splits.last_key is
    'Key of the last row that was copied, as texts. The next batch begins behind it.';
comment on column tenancy.tenants_splits.checksum is
    'SHA-256 over the hashes of all rows, in the order of the hashes of their keys, when they were verified.';

-- sql/10_tables/tenants_splits_rows.sql

-- Without this list nobody could tell a row that was copied from a row that the tenant wrote, nor
-- a source row that was verified from one that somebody changed afterwards.
create table tenancy.tenants_splits_rows (
    split_id bigint not null,
    key_hash bytea not null,
    row_hash bytea not null,
    copy_hash bytea,
    constraint tenants_splits_rows_pkey primary key (split_id, key_hash),
    constraint tenants_splits_rows_split_id_fkey foreign key (split_id)
        references tenancy.tenants_splits (id) on delete cascade
);

alter table tenancy.tenants_splits_rows enable row level security;

comment on table tenancy.tenants_splits_rows is
    'One row for each row that `tenantry split` has copied and that is still in the source.';
comment on column tenancy.tenants_splits_rows.key_hash is 'SHA-256 of the row''s key.';
comment on column tenancy.tenants_splits_rows.row_hash is 'SHA-256 of the source row, as it was copied.';
comment on column tenancy.tenants_splits_rows.copy_hash is
    'SHA-256 of the copy, if a trigger of the tenant''s table has changed it and nobody has accepted that; else null.';

-- sql/10_tables/unfinished_backfills.sql

create table tenancy.unfinished_backfills (
    schema_name text not null,
    version text collate "C" not null,
    table_name text not null,
    alias text,
    pass integer not null default 1,
    next_block bigint not null default 0,
    end_block bigint not null,
    batch_blocks bigint not null,
    rows_a_block double precision not null,
    rows_done bigint not null default 0,
    rows_done_in_first_pass bigint not null default 0,
    rows_done_in_pass bigint not null default 0,
    seconds double precision not null default 0,
    seconds_a_block double precision not null default 0,
    started_at timestamptz not null default now(),
    writing_in xid8,
    constraint unfinished_backfills_pkey primary key (schema_name),
    constraint unfinished_backfills_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint unfinished_backfills_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

create index unfinished_backfills_version_idx on tenancy.unfinished_backfills (version);

alter table tenancy.unfinished_backfills enable row level security;

comment on table tenancy.unfinished_backfills is
    'Tenants in which a backfill has begun, and how far it is. The row goes when the tenant has the version.';
comment on column tenancy.unfinished_backfills.alias is
    'Of an UPDATE: how its statement calls the table.';
comment on column tenancy.unfinished_backfills.pass is
    'A backfill reads the table block by block, again and again until nothing is left to change: rows move and are added meanwhile.';
comment on column tenancy.unfinished_backfills.next_block is
    'Where the next batch begins. The pass ends at end_block.';
comment on column tenancy.unfinished_backfills.batch_blocks is
    'Size of the next batch, adapted to the time that the batches take.';
comment on column tenancy.unfinished_backfills.rows_a_block is
    'Estimate of the rows in a block of 8 KiB, from blocks of the whole table.';
comment on column tenancy.unfinished_backfills.rows_done is 'Rows that the backfill has changed so far.';
comment on column tenancy.unfinished_backfills.seconds is 'Time that the batches have taken.';
comment on column tenancy.unfinished_backfills.writing_in is
    'The transaction that runs a batch now. It shows the audit triggers that a change belongs to the backfill; no other transaction ever sees it.';

-- sql/10_tables/unfinished_migrations.sql

create table tenancy.unfinished_migrations (
    schema_name text not null,
    version text collate "C" not null,
    sqlstate text not null,
    message text not null,
    stuck_since timestamptz not null,
    failed_at timestamptz not null,
    attempts integer not null,
    constraint unfinished_migrations_pkey primary key (schema_name),
    constraint unfinished_migrations_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint unfinished_migrations_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

create index unfinished_migrations_version_idx on tenancy.unfinished_migrations (version);

alter table tenancy.unfinished_migrations enable row level security;

comment on table tenancy.unfinished_migrations is
    'Tenants whose next migration failed and was rolled back. The row goes when that migration succeeds.';
comment on column tenancy.unfinished_migrations.stuck_since is
    'When this migration failed first; failed_at is the latest attempt.';
comment on column tenancy.unfinished_migrations.message is
    'The error message. A general sentence replaces a message that could quote a value of the tenant.';

-- sql/10_tables/user_schema_access.sql

create table public.user_schema_access (
    user_id uuid not null,
    schema_name text not null,
    access_level tenancy.access_level not null default 'read',
    expires_at timestamptz,
    granted_by uuid,
    granted_at timestamptz not null default now(),
    constraint user_schema_access_pkey primary key (user_id, schema_name),
    constraint user_schema_access_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade,
    constraint user_schema_access_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint user_schema_access_granted_by_fkey foreign key (granted_by)
        references auth.users (id) on delete set null
);

create index user_schema_access_schema_name_idx on public.user_schema_access (schema_name);
create index user_schema_access_granted_by_idx on public.user_schema_access (granted_by);

alter table public.user_schema_access enable row level security;

comment on table public.user_schema_access is
    'The grants: which user has which access level in which tenant, and until when.';
comment on column public.user_schema_access.expires_at is
    'The grant is valid until this moment; null means until it is revoked.';
comment on column public.user_schema_access.granted_by is
    'User who gave the grant; null if the service key did, or once that user is deleted.';

-- sql/15_views/active_users.sql

create view tenancy.active_users as
    select u.id
    from auth.users u
    where u.deleted_at is null
        -- Not now(), which is the start of the transaction.
        and (u.banned_until > statement_timestamp()) is not true;

comment on view tenancy.active_users is
    'The users of Auth who are neither banned nor deleted. Everybody else is nobody, and nobody can give them anything.';

-- sql/15_views/calling_user.sql

-- The user who is calling. Both layers that decide about rows read this view, and so does
-- caller(). It calls no function of ours: a function in a view runs with the privileges of
-- whoever reads the view. Every request evaluates it twice, so the shape matters: a subselect
-- costs less than a join, which would describe all the columns of auth.users.
create view tenancy.calling_user as
    select u.id as user_id
    from tenancy.active_users u
    where u.id = (
        select
            case
                when current_setting('role', true) = 'authenticated'
                    -- 36 characters with four hyphens in their places and digits elsewhere. One
                    -- regular expression of all this costs four times as much.
                    and c.subject like '________-____-____-____-____________'
                    and c.subject not like '%-%-%-%-%-%'
                    and c.subject ~ '^[0-9a-fA-F-]+$'
                then c.subject::uuid
            end
        from (
            -- The claim that auth.uid() reads. auth.uid() raises an error for a subject that is no
            -- UUID, and a token of another issuer may have any subject. `offset 0` keeps PostgreSQL
            -- from parsing the claims once for every use of the subject.
            select coalesce(
                nullif(current_setting('request.jwt.claim.sub', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub'
            ) as subject
            from (values (1)) v (one)
            offset 0
        ) c
    );

comment on view tenancy.calling_user is
    'The user who is calling: the subject of the token, if PostgREST switched to the role authenticated and the user is active in Auth. Otherwise there is no row.';

-- sql/15_views/listed_tenants.sql

create view tenancy.listed_tenants as
    select t.schema_name, t.display_name, t.status, t.schema_version, t.created_at
    from public.tenants t
    where t.status <> 'pooled';

comment on view tenancy.listed_tenants is
    'The tenants that people see in lists and counts: all but those in the pool.';

-- sql/15_views/open_tenants.sql

-- The question of the policies. The guard asks a query of its own, in guard_request. The two
-- share only the tables of the registry and calling_user, so that one mistake does not open both
-- layers. A view, because PostgreSQL plans it with the statement; a function would cost more than
-- this query. security_barrier, because API roles can read the view. Subselects and no joins: they
-- keep the plan small, and the same with any number of tenants.
create view tenancy.open_tenants with (security_barrier = true) as
    select a.schema_name, a.access_level
    from public.user_schema_access a
    where a.user_id = (select u.user_id from tenancy.calling_user u)
        and (a.expires_at <= statement_timestamp()) is not true
        and (
            select t.status
            from public.tenants t
            where t.schema_name = a.schema_name
        ) = 'active';

comment on view tenancy.open_tenants is
    'The active tenants on which the caller holds an unexpired grant, with the level. For policies: ask it in an uncorrelated subselect, so that it runs once a statement.';

-- sql/20_tenancy/access/administered_tenant_ids.sql

create function tenancy.administered_tenant_ids()
    returns uuid[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.id
        from public.tenants t
        where t.schema_name = any (tenancy.administered_tenants())
    );
end;
$$;

comment on function tenancy.administered_tenant_ids() is
    'Ids of the active tenants that the caller administers. For policies: call it in a subselect, so that it runs once a statement.';

-- sql/20_tenancy/access/administered_tenants.sql

create function tenancy.administered_tenants()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    return array(
        select a.schema_name
        from public.user_schema_access a
        join public.tenants t on t.schema_name = a.schema_name
        where a.user_id = v_user_id
            and a.access_level = 'admin'
            and (a.expires_at is null or a.expires_at > statement_timestamp())
            and t.status = 'active'
    );
end;
$$;

comment on function tenancy.administered_tenants() is
    'Schema names of the active tenants that the caller administers. For policies: call it in a subselect, so that it runs once a statement.';

-- sql/20_tenancy/access/as_owner.sql

-- If a signed-in user calls a definer function of the project, its calls of operations are the
-- user's. This function makes a call the owner's. What makes that safe:
-- - No API role can execute this function. It is an invoker function, so a role that got EXECUTE
--   by mistake could not write the row.
-- - caller() asks for the row, which exists during one call of one operation. An error rolls it
--   back. So no later statement of the user's request acts as the owner.
-- - The parameter tenancy.acting_as_owner means nothing without the row.
create function tenancy.as_owner(operation text, arguments jsonb default '{}')
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_names text[];
    v_types oid[];
    v_returns_set boolean;
    v_unknown text;
    v_source text;
    v_parameters text;
    -- Not empty if an operation calls a function of the project that calls this one.
    v_before constant text := coalesce(current_setting('tenancy.acting_as_owner', true), '');
    v_call_id bigint;
    v_result jsonb;
begin
    -- Every operation has such a comment. A function of the project is refused, because within
    -- this call its own calls would be the owner's, too.
    select p.proargnames[1:p.pronargs], p.proargtypes::oid[], p.proretset
    into v_names, v_types, v_returns_set
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace
        and p.proname = as_owner.operation
        and p.prosecdef
        and obj_description(p.oid, 'pg_proc') ~ ' Callers: [^.]+[.] Errors: [^.]+[.]$';
    if not found then
        raise exception 'There is no operation "%".', tenancy.printable(operation)
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give the name of an operation, such as create_tenant_schema.';
    end if;

    select k.name into v_unknown
    from jsonb_object_keys(arguments) k (name)
    where k.name <> all (coalesce(v_names, '{}'));
    if found then
        raise exception 'The operation % has no argument "%".', operation, tenancy.printable(v_unknown)
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give the arguments that the operation takes over HTTP.';
    end if;

    select 'jsonb_to_record($1) r (' || string_agg(format('%I %s', a.name, a.type::regtype), ', ') || ') cross join lateral ',
        string_agg(format('%1$I => r.%1$I', a.name), ', ')
    into v_source, v_parameters
    from unnest(v_names, v_types) a (name, type)
    where arguments ? a.name;

    insert into tenancy.owner_calls default values
    returning id into v_call_id;
    perform set_config('tenancy.acting_as_owner', 'on', true);
    execute format(
        'select coalesce(jsonb_agg(to_jsonb(f)), ''[]'') from %s public.%I(%s) f',
        v_source, operation, v_parameters
    )
    into v_result
    using arguments;
    perform set_config('tenancy.acting_as_owner', v_before, true);
    delete from tenancy.owner_calls c where c.id = v_call_id;

    return case when v_returns_set then v_result else v_result -> 0 end;
end;
$$;

comment on function tenancy.as_owner(text, jsonb) is
    'For functions of the project that run as postgres: calls an operation as postgres, whoever is signed in, and returns its result. Arguments and result are those of the operation over HTTP. Only the owner can execute it (PT422 invalid_request, errors of the operation).';

-- sql/20_tenancy/access/guard_request.sql

-- PostgREST calls this function before every request (`db-pre-request`), as the role of the
-- request and without arguments. The default of `path` is evaluated before `set search_path` takes
-- effect, so it is the search_path of the request. Its first element is the schema that PostgREST
-- really uses. The profile headers may differ from it, because a caller can send two.
--
-- The question of the guard must not use open_tenants, the question of the policies: one mistake
-- would then open both layers.
create function tenancy.guard_request(
    path text default pg_catalog.current_setting('search_path'),
    level tenancy.access_level default null
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema constant text := btrim(split_part(path, ',', 1), '"');
    -- For a call of a routine, read suffices: policies or the routine check what it writes.
    v_level constant tenancy.access_level := coalesce(
        level,
        case
            when current_setting('request.method', true) in ('GET', 'HEAD')
                or current_setting('request.path', true) like '/rpc/%'
            then 'read'::tenancy.access_level
            else 'write'
        end
    );
    v_is_refusable boolean;
    v_relation regclass;
    v_caller tenancy.caller;
    v_status tenancy.tenant_status;
    v_access tenancy.access_level;
    v_expires_at timestamptz;
begin
    -- PostgreSQL prepares each expression of this function for every request, so a read comes past
    -- few of them.

    -- The RPCs are in public. Each checks the permission of its caller, so the guard does not.
    if v_schema = 'public' then
        if v_level = 'write' and level is null then
            perform tenancy.require_writable(v_schema, null);
        end if;
        return;
    end if;

    -- First only whether the answer is yes, as for almost every request of a user.
    select a.access_level into v_access
    from public.user_schema_access a
    join public.tenants t on t.schema_name = a.schema_name
    where a.schema_name = v_schema
        and a.user_id = (select u.user_id from tenancy.calling_user u)
        and a.access_level >= v_level
        and coalesce(a.expires_at, 'infinity') > statement_timestamp()
        and t.status = 'active';
    if found then
        if v_level = 'write' and level is null then
            -- Does anything refuse some writes of this table? Of most tables nothing does.
            -- require_writable looks closely, and costs more than these questions.
            v_relation := to_regclass(
                quote_ident(v_schema) || '.'
                || quote_ident(nullif(substr(current_setting('request.path', true), 2), ''))
            );
            v_is_refusable := not has_table_privilege(
                current_setting('role', true),
                v_relation,
                case current_setting('request.method', true)
                    when 'PATCH' then 'update' when 'DELETE' then 'delete' else 'insert'
                end
            );
            if v_access < 'admin' and not v_is_refusable then
                v_is_refusable := exists (
                    select from pg_catalog.pg_policy p
                    where p.polrelid = v_relation
                        and p.polname in ('insert_admin', 'update_admin', 'delete_admin')
                );
            end if;
            if v_is_refusable then
                perform tenancy.require_writable(v_schema, v_access);
            end if;
        end if;
        return;
    end if;

    select t.status into v_status
    from public.tenants t
    where t.schema_name = v_schema;
    -- A schema that is not a tenant's is the project's, whose own grants and policies decide.
    if not found then
        return;
    end if;

    v_caller := tenancy.caller();
    if v_caller.kind in ('service_role', 'postgres') and v_status = 'active' then
        if v_level = 'write' and level is null then
            perform tenancy.require_writable(v_schema, null);
        end if;
        return;
    end if;

    -- From here on every way ends in a refusal.
    if v_caller.kind = 'nobody' then
        perform tenancy.log_refusal('not_authenticated', v_schema);
        -- A token that names no user still has the role authenticated, for which PostgREST
        -- would answer 42501 with 403.
        raise exception 'Sign in to reach tenant "%".', v_schema
            using errcode = case current_setting('role', true)
                    when 'authenticated' then 'PT401' else '42501' end,
                detail = 'not_authenticated',
                hint = 'Send the user''s access token as "Authorization: Bearer …".';
    end if;

    select a.access_level, a.expires_at into v_access, v_expires_at
    from public.user_schema_access a
    where a.schema_name = v_schema and a.user_id = v_caller.user_id;

    -- A tenant in the pool has no members. It refuses the service key like a stranger.
    if v_access is null and (v_caller.kind = 'user' or v_status = 'pooled') then
        perform tenancy.log_refusal('forbidden', v_schema);
        raise exception 'You have no access to tenant "%".', v_schema
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin of the tenant to grant you access.';
    end if;

    if v_expires_at <= statement_timestamp() then
        perform tenancy.log_refusal('forbidden', v_schema);
        raise exception 'Your access to tenant "%" has expired.', v_schema
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin of the tenant to grant you access again.';
    end if;

    -- After the check for strangers: only members may learn that a tenant is suspended.
    if v_status <> 'active' then
        perform tenancy.log_refusal('tenant_suspended', v_schema);
        raise exception 'Tenant "%" is suspended.', v_schema
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'No data is lost. The tenant answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', v_schema);
    raise exception 'Your access level in tenant "%" is below "%", which this request needs.',
        v_schema, v_level
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant to raise your access level.';
end;
$$;

comment on function tenancy.guard_request(text, tenancy.access_level) is
    'The guard: refuses a Data API request before it runs, unless the caller has access to the tenant whose schema comes first in this search_path, and the tenant is active. The access level is the one that the request needs, unless given. (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended.) Does not refuse requests to a schema that is not a tenant''s.';

-- sql/20_tenancy/access/is_platform_staff.sql

create function tenancy.is_platform_staff()
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.platform_role() is not null;
end;
$$;

comment on function tenancy.is_platform_staff() is
    'Whether the caller has any platform role. For policies: call it in a subselect, so that it runs once a statement.';

-- sql/20_tenancy/access/member_tenants.sql

create function tenancy.member_tenants()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    return array(
        select a.schema_name
        from public.user_schema_access a
        where a.user_id = v_user_id
            and (a.expires_at is null or a.expires_at > statement_timestamp())
    );
end;
$$;

comment on function tenancy.member_tenants() is
    'Schema names of the tenants on which the caller holds an unexpired grant, suspended tenants included. For policies: call it in a subselect, so that it runs once a statement.';

-- sql/20_tenancy/access/require_grantable.sql

create function tenancy.require_grantable(
    schema_name text,
    user_id uuid,
    access_level tenancy.access_level,
    expires_at timestamptz
)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_own_expiry timestamptz;
begin
    if tenancy.platform_role() >= 'admin' then
        return;
    end if;

    if user_id = v_caller.user_id then
        perform tenancy.log_refusal('own_grant', schema_name);
        raise exception 'You cannot change your own access to a tenant.'
            using errcode = 'PT409', detail = 'own_grant',
                hint = 'Ask another admin of the tenant. To drop your own access, call revoke_schema_access.';
    end if;

    select a.expires_at into v_own_expiry
    from public.user_schema_access a
    where a.user_id = v_caller.user_id and a.schema_name = require_grantable.schema_name;

    -- Otherwise an admin whose grant expires could keep access through a second account.
    if v_own_expiry is not null
        and (access_level = 'admin' or expires_at is null or expires_at > v_own_expiry)
    then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your own access ends at %: you cannot grant "admin", or any access that ends later.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Grant "read" or "write" with an expires_at up to that moment, or ask an admin whose access does not expire.';
    end if;
end;
$$;

comment on function tenancy.require_grantable(text, uuid, tenancy.access_level, timestamptz) is
    'Refuses a grant that an admin of a tenant may not make: one to themselves, or one beyond the end of their own access. Platform admins may make any grant (PT409 own_grant, 42501 forbidden).';

-- sql/20_tenancy/access/require_permission.sql

-- Each RPC names the platform role and the access level that suffice for one tenant. Null
-- means that no platform role, or no access level, suffices.
create function tenancy.require_permission(
    schema_name text,
    platform tenancy.platform_role,
    member tenancy.access_level,
    even_suspended boolean default false,
    even_pooled boolean default false
)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_role tenancy.platform_role;
    v_access tenancy.access_level;
    v_status tenancy.tenant_status;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();
    v_access := tenancy.access_level(schema_name);
    select t.status into v_status
    from public.tenants t
    where t.schema_name = require_permission.schema_name
        and (t.status <> 'pooled' or (even_pooled and v_role >= platform));

    -- A stranger must not be able to distinguish an existing tenant from a missing one. A tenant in
    -- the pool is missing for everybody but the callers who may do this with it.
    if v_status is null or (v_role is null and v_access is null) then
        perform tenancy.log_refusal('tenant_not_found', schema_name);
        raise exception 'There is no tenant %.', coalesce('"' || tenancy.printable(schema_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'tenant_not_found',
                hint = 'Check the name with list_my_tenants, or ask for access.';
    end if;

    if v_role >= platform then
        return;
    end if;

    if v_access >= member then
        if v_status = 'active' or even_suspended then
            return;
        end if;
        perform tenancy.log_refusal('tenant_suspended', schema_name);
        raise exception 'Tenant "%" is suspended.', schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'No data is lost. The tenant answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'This operation needs % on tenant "%".',
        concat_ws(
            ' or ',
            'the access level "' || member || '"',
            'the platform role "' || platform || '"'
        ),
        schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant or of the platform.';
end;
$$;

comment on function tenancy.require_permission(text, tenancy.platform_role, tenancy.access_level, boolean, boolean) is
    'Refuses a caller with neither this platform role nor this access level in an active tenant; with even_suspended, the access level also suffices in a suspended one (PT401 not_authenticated; 42501: forbidden, tenant_suspended; PT404 tenant_not_found, the same for a stranger, for a missing tenant and for a tenant in the pool, except that even_pooled shows the latter to this platform role).';

-- sql/20_tenancy/access/require_platform_role.sql

create function tenancy.require_platform_role(role tenancy.platform_role)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_role tenancy.platform_role;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();

    if v_role >= require_platform_role.role then
        return;
    end if;

    perform tenancy.log_refusal('forbidden');
    raise exception 'This operation needs the platform role "%"; you have %.',
        require_platform_role.role, coalesce('"' || v_role || '"', 'none')
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask a super_admin of the platform.';
end;
$$;

comment on function tenancy.require_platform_role(tenancy.platform_role) is
    'Refuses a caller with less than this platform role (PT401 not_authenticated, 42501 forbidden).';

-- sql/20_tenancy/access/require_revocable.sql

create function tenancy.require_revocable(schema_name text, user_id uuid)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_own_expiry timestamptz;
    v_expiry timestamptz;
begin
    if user_id = v_user_id or tenancy.platform_role() >= 'admin' then
        return;
    end if;

    select a.expires_at into v_own_expiry
    from public.user_schema_access a
    where a.user_id = v_user_id and a.schema_name = require_revocable.schema_name;

    select coalesce(a.expires_at, 'infinity') into v_expiry
    from public.user_schema_access a
    where a.user_id = require_revocable.user_id and a.schema_name = require_revocable.schema_name;

    -- Such an admin could not give the access back, and could leave the tenant without an admin.
    if v_expiry > v_own_expiry then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your own access ends at %: you cannot change or take away access that ends later.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin whose access does not expire.';
    end if;
end;
$$;

comment on function tenancy.require_revocable(text, uuid) is
    'Refuses to let an admin of a tenant whose own access expires change or take away a grant that ends later or never. Everybody may drop their own grant, and platform admins may change any (42501 forbidden).';

-- sql/20_tenancy/access/require_signed_in.sql

create function tenancy.require_signed_in()
    returns tenancy.caller
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    -- Not 42501: a token without a subject still has the role authenticated, for which
    -- PostgREST would answer 403.
    if v_caller.kind = 'nobody' then
        perform tenancy.log_refusal('not_authenticated');
        raise exception 'Sign in first.'
            using errcode = 'PT401', detail = 'not_authenticated',
                hint = 'Send the user''s access token as "Authorization: Bearer …".';
    end if;

    return v_caller;
end;
$$;

comment on function tenancy.require_signed_in() is
    'Returns the caller, and refuses one who is not signed in (PT401 not_authenticated).';

-- sql/20_tenancy/access/require_writable.sql

-- Privileges and policies decide what a request may write. PostgreSQL's refusal names no way out,
-- and of an update or a delete that policies hide from, it says nothing at all. So the guard says
-- first what these two would refuse. It decides nothing of its own.
create function tenancy.require_writable(schema_name text, level tenancy.access_level)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant text := nullif(substr(current_setting('request.path', true), 2), '');
    v_verb constant text := case current_setting('request.method', true)
        when 'PATCH' then 'update' when 'DELETE' then 'delete' else 'insert'
    end;
    v_relation constant regclass := to_regclass(quote_ident(schema_name) || '.' || quote_ident(v_table));
    v_is_granted boolean;
    v_way text;
    v_is_for_admins boolean;
begin
    v_is_granted := has_table_privilege(current_setting('role', true), v_relation, v_verb);
    -- A tenant migration may have limited the privilege to columns.
    if not v_is_granted and v_verb <> 'delete' then
        v_is_granted := has_any_column_privilege(current_setting('role', true), v_relation, v_verb);
    end if;
    if not v_is_granted then
        v_way := coalesce(
            tenancy.way_to_write(schema_name, v_table, v_verb),
            case when exists (select from tenancy.shared_tables s where s.relation = v_relation) then
                'The project shares it with the tenants, which only read it.'
            end
        );
        -- The other tables of public are the project's.
        if schema_name = 'public' and v_way is null then
            return;
        end if;
        if current_setting('role', true) = 'anon' then
            perform tenancy.log_refusal('not_authenticated', nullif(schema_name, 'public'));
            raise exception 'You are not signed in, so you cannot write table "%".', v_table
                -- PostgREST answers anon with 401.
                using errcode = '42501', detail = 'not_authenticated',
                    hint = 'Send the user''s access token as "Authorization: Bearer …".';
        end if;
        perform tenancy.log_refusal('forbidden', nullif(schema_name, 'public'));
        raise exception 'No request can % table "%" directly. %',
            case v_verb when 'insert' then 'insert into' when 'delete' then 'delete from' else v_verb end,
            v_table,
            coalesce(v_way, 'The tenant migration that made it allows it to nobody.')
            using errcode = '42501', detail = 'forbidden',
                hint = 'Operations are called as RPCs or as HTTPS functions.';
    end if;

    v_is_for_admins := level < 'admin'
        and exists (
            select from pg_catalog.pg_policy p
            where p.polrelid = v_relation and p.polname = v_verb || '_admin'
        )
        -- Only if the policy of this name is the one of enable_tenant_table and no other helps.
        and (
            select bool_and(
                pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid)
                ~ '^\(?EXISTS \( SELECT\s+FROM tenancy\.\w+ o\s+WHERE \(\(o\.schema_name = ''[a-z0-9_]+''::text\) AND \(o\.access_level >= ''admin''::tenancy\.access_level\)\)\)\)?$'
            )
            from pg_catalog.pg_policy p
            where p.polrelid = v_relation
                and p.polpermissive
                and p.polcmd::text in ('*', case v_verb when 'insert' then 'a' when 'update' then 'w' else 'd' end)
        );

    if v_is_for_admins then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your access level in tenant "%" is below "admin", which writing table "%" needs.',
            schema_name, v_table
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin of the tenant to make the change, or to raise your access level.';
    end if;
end;
$$;

comment on function tenancy.require_writable(text, tenancy.access_level) is
    'Refuses a Data API request that writes a table of a tenant or of the registry, or a shared table, if privileges or policies would refuse it to this caller whatever the row is; the level is that of a member, and null for everybody else. The message names the call that does it (42501: forbidden, not_authenticated of anon). Only after guard_request has let the request pass.';

-- sql/20_tenancy/access/way_to_write.sql

create function tenancy.way_to_write(schema_name text, table_name text, verb text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select w.way
    from (
        values
            ('tenants', 'insert', 'Call create_tenant_schema.'),
            ('tenants', 'update', 'Call suspend_tenant, activate_tenant or another operation of schema-management.'),
            ('tenants', 'delete', 'Call delete_tenant_schema, after suspend_tenant.'),
            ('user_schema_access', 'insert', 'Call grant_schema_access.'),
            ('user_schema_access', 'update', 'Call grant_schema_access.'),
            ('user_schema_access', 'delete', 'Call revoke_schema_access.'),
            ('admin_users', 'insert', 'Call promote_to_admin.'),
            ('admin_users', 'update', 'Call promote_to_admin.'),
            ('admin_users', 'delete', 'Call revoke_admin.'),
            ('admin_audit_log', 'insert', 'Each operation writes its own entry.'),
            ('admin_audit_log', 'update', 'Entries are never changed.'),
            ('admin_audit_log', 'delete', 'Call prune_audit_log for entries past their retention.'),
            ('users', 'insert', 'Call ensure_user_profile for your own profile, or create_user_profile for another user''s.'),
            ('users', 'update', 'Call update_user_profile for your own profile.'),
            ('users', 'delete', 'A profile stays. Call revoke_schema_access to end a user''s access.'),
            ('audit_log', 'insert', 'Triggers write an entry for each change of a row.'),
            ('audit_log', 'update', 'Entries are never changed. Call redact_audit_log to remove the values of a profile.'),
            ('audit_log', 'delete', 'Call prune_audit_log for entries past their retention.')
    ) w (relation, command, way)
    where w.relation = table_name
        and w.command = verb
        and (schema_name = 'public') = (w.relation not in ('users', 'audit_log'));
$$;

comment on function tenancy.way_to_write(text, text, text) is
    'Which call inserts into, updates or deletes from a table that no request can write, as a sentence; null for tables other than those of Tenantry.';

-- sql/20_tenancy/activity/forget_activity.sql

create function tenancy.forget_activity(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A transaction that is writing the row may wait for this one. Its row stays, and means
    -- nothing to a later tenant of the name.
    if pg_try_advisory_xact_lock(hashtextextended('tenancy.activity.' || schema_name, 0)) then
        delete from tenancy.tenant_activity a where a.schema_name = forget_activity.schema_name;
    end if;
end;
$$;

comment on function tenancy.forget_activity(text) is 'Removes what note_activity has noted of a tenant, unless it is being noted right now. Never waits.';

-- sql/20_tenancy/activity/note_activity.sql

-- Every audited statement calls this, so it does nearly always nothing: it writes at most once in
-- five minutes. It never waits, because its callers write in transactions of any length. If
-- another transaction is writing the same row, that transaction's time will do.
create function tenancy.note_activity(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_key constant bigint := hashtextextended('tenancy.changing.' || schema_name, 0);
begin
    if exists (
        select
        from tenancy.tenant_activity a
        where a.schema_name = note_activity.schema_name
            and a.last_activity_at > statement_timestamp() - interval '5 minutes'
    ) then
        return;
    end if;

    -- In a stricter isolation the write could fail, because another transaction has written the
    -- row since this one began.
    if current_setting('transaction_read_only')::boolean
        or current_setting('transaction_isolation') <> 'read committed'
    then
        return;
    end if;

    -- lock_tenant has this key. A transaction that holds it is an operation on the tenant, such
    -- as a tenant migration, and no activity of the tenant's people.
    if exists (
        select
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid()
            and l.locktype = 'advisory'
            and l.classid::bigint = v_key >> 32 & 4294967295
            and l.objid::bigint = v_key & 4294967295
            and l.objsubid = 1
    ) then
        return;
    end if;

    if pg_try_advisory_xact_lock(hashtextextended('tenancy.activity.' || schema_name, 0)) then
        insert into tenancy.tenant_activity as a (schema_name, last_activity_at)
        values (note_activity.schema_name, statement_timestamp())
        on conflict on constraint tenant_activity_pkey do update
        set last_activity_at = excluded.last_activity_at;
    end if;
end;
$$;

comment on function tenancy.note_activity(text) is
    'Notes that the tenant is in use, if that was not noted in the last five minutes. Never waits, and does nothing within an operation under lock_tenant, in a read-only transaction, and in one stricter than read committed.';

-- sql/20_tenancy/adoption/adopt_schema.sql

create function tenancy.adopt_schema(
    schema_name text,
    findings_before text[],
    steps_before tenancy.adoption_step[]
)
    returns tenancy.adoption_step[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_objects constant tenancy.schema_object[] := array(
        select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o
    );
    v_privileges constant jsonb := (
        select coalesce(jsonb_agg(to_jsonb(p)), '[]') from tenancy.schema_privileges(schema_name) p
    );
    v_nearest_version constant text := tenancy.nearest_version(schema_name, v_objects);
    -- Whether the schema has everything of some version, as that of a former tenant has.
    v_has_template constant boolean := not exists (
        select from tenancy.tenant_template_objects o
        where o.version = v_nearest_version
            and o.object_kind = 'table'
            and tenancy.find_table(schema_name, o.object_name) is null
    );
    v_defaults text[];
    v_steps tenancy.adoption_step[];
    v_tenant public.tenants;
    v_migration tenancy.tenant_migrations;
    v_statements text;
begin
    if v_has_template then
        update public.tenants t
        set schema_version = v_nearest_version
        where t.schema_name = adopt_schema.schema_name;
    end if;

    -- New privileges would be wider than those of a tenant.
    select array_agg(distinct f.repair), string_agg(distinct f.repair, ' ') into v_defaults, v_statements
    from tenancy.check_default_privileges() f
    where f.object = schema_name and f.repair is not null;
    if v_statements is not null then
        execute v_statements;
    end if;

    v_steps := array(
        select s from tenancy.template_clashes(schema_name, v_objects) s
        union all
        select s from tenancy.adoption_obstacles(schema_name) s
        union all
        select row('refused', f.kind, f.object, f.detail, f.remediation)::tenancy.adoption_step
        from tenancy.schema_findings() f
        where f.kind not like 'warning: %'
            and concat_ws(' ', f.kind, f.object, f.detail) <> all (findings_before)
    );
    if cardinality(v_steps) > 0 then
        return v_steps;
    end if;

    insert into tenancy.tenants_own_objects (schema_name, object_kind, object_name)
    select adopt_schema.schema_name, d.object_kind, d.object_name
    from public.tenants t
    cross join lateral tenancy.schema_differences(adopt_schema.schema_name, t.schema_version, v_objects) d
    where t.schema_name = adopt_schema.schema_name
        and d.difference = 'extra'
        and d.object_kind in ('routine', 'type', 'view', 'relation', 'sequence');
    if v_has_template then
        select string_agg(
            tenancy.difference_statements(adopt_schema.schema_name, d.object_kind, d.object_name, d.expected, d.found), ' '
            -- A trigger needs its routine.
            order by d.object_kind <> 'routine', d.object_kind, d.object_name
        )
        into v_statements
        from public.tenants t
        cross join lateral tenancy.schema_differences(adopt_schema.schema_name, t.schema_version, v_objects) d
        where t.schema_name = adopt_schema.schema_name;
        if v_statements is not null then
            execute v_statements;
        end if;
    else
        perform tenancy.lock_shared_tables('tenant_template', 'share row exclusive');
        perform tenancy.replay_migrations(schema_name);
    end if;
    perform tenancy.adopt_table(schema_name, t.table_name)
    from tenancy.own_tables(schema_name) t
    order by t.table_name;

    select t.* into v_tenant from public.tenants t where t.schema_name = adopt_schema.schema_name;
    loop
        v_migration := tenancy.next_migration(v_tenant.schema_version);
        exit when v_migration.version is null;
        v_tenant := tenancy.advance_tenant(v_tenant, v_migration);
    end loop;
    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.expose_schema(schema_name);

    v_steps := steps_before || array(
        select s
        from tenancy.adoption_steps(
            schema_name,
            v_objects,
            array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o),
            v_privileges,
            (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from tenancy.schema_privileges(schema_name) p)
        ) s
        union all
        select row(
            'removed', 'default privileges', schema_name, 'They would have opened new objects: ' || d.statement, null
        )::tenancy.adoption_step
        from unnest(v_defaults) d (statement)
        union all
        select row(
            case when f.kind like 'warning: %' then 'warning' else 'refused' end,
            f.kind, f.object, f.detail, f.remediation
        )::tenancy.adoption_step
        from tenancy.tenant_findings(schema_name) f
        union all
        select row(
            'refused', d.object_kind, d.object_name,
            format('It would be %s, compared with the template.', d.difference),
            coalesce('The template has: ' || d.expected, 'The template has no such object.')
        )::tenancy.adoption_step
        from tenancy.schema_differences(
            schema_name,
            v_tenant.schema_version,
            array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o)
        ) d
        union all
        select row(
            'warning', 'routine', u.routine, format('Members may not execute it, and the %s calls it.', u.used_by),
            'Make it callable by a tenant migration, or move it into a schema that the API does not expose and grant it to authenticated.'
        )::tenancy.adoption_step
        from tenancy.unexecutable_routines(schema_name) u
        union all
        select row(
            'warning', 'trigger', format('%s.%s', c.relname, g.tgname),
            format('It calls %s with the rights of %s for what a member writes.', p.oid::regprocedure, p.proowner::regrole),
            'Check that the routine executes no value of a row, or make it security invoker.'
        )::tenancy.adoption_step
        from tenancy.own_tables(schema_name) t
        join pg_catalog.pg_class c on c.oid = t.relation
        join pg_catalog.pg_trigger g on g.tgrelid = c.oid and not g.tgisinternal
        join pg_catalog.pg_proc p on p.oid = g.tgfoid
        where p.prosecdef
            and p.prosrc not like E'\n<<audit>>%'
            and tenancy.policy_verbs(c.oid) ~ 'insert|update|delete'
    );

    -- The entry keeps what nobody can see afterwards.
    perform tenancy.log_action(
        'tenant.adopt', v_tenant,
        jsonb_build_object(
            'after', to_jsonb(v_tenant),
            'removed', (
                select coalesce(jsonb_agg(format('%s %s: %s', s.object_kind, s.object_name, s.detail)), '[]')
                from unnest(v_steps) s
                where s.outcome = 'removed'
            )
        )
    );
    perform tenancy.reload_schema_cache();

    return v_steps;
end;
$$;

comment on function tenancy.adopt_schema(text, text[], tenancy.adoption_step[]) is
    'Makes a schema, whose registry row this transaction has inserted at the latest version, a tenant, logs that, and returns what has become of its objects, after steps_before, which this transaction has taken; or returns what keeps it from that, and then the caller has to roll back. Only under the locks of its tables. findings_before is what schema_findings said before the row (40P01, 55P03).';

-- sql/20_tenancy/adoption/adopt_table.sql

-- What a signed-in user could not do before, a member cannot do afterwards, either. The conditions
-- of the policies become restrictive ones, beside those that ask for membership. If only the
-- service key had access, it keeps it, because it bypasses policies.
create function tenancy.adopt_table(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_target constant text := v_table::regclass::text;
    v_is_secured constant boolean := (select c.relrowsecurity from pg_catalog.pg_class c where c.oid = v_table);
    v_is_exposed constant boolean := has_schema_privilege('authenticated', schema_name, 'usage');
    v_using jsonb;
    v_check jsonb;
    v_users_verbs text[];
    v_verbs text[];
    v_has_writers boolean;
    v_statements text;
begin
    -- The schema of a former tenant has such tables.
    if v_is_secured and (
        select bool_and(
            exists (
                select from tenancy.policy_samples(schema_name) s
                join tenancy.schema_objects(schema_name) o
                    on o.object_kind = 'policy'
                    and o.object_name = adopt_table.table_name || '.' || p.polname
                    and o.definition = s.definition
                where s.object_name = p.polname
            )
        )
        from pg_catalog.pg_policy p
        where p.polrelid = v_table and p.polpermissive
    ) then
        perform tenancy.audit_table(schema_name, table_name);
        return;
    end if;

    select jsonb_object_agg(v.verb, c.using_condition), jsonb_object_agg(v.verb, c.check_condition)
    into v_using, v_check
    from (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) v (verb, command)
    cross join lateral (
        select string_agg(format('(%s)', pg_get_expr(p.polqual, v_table)), ' or ' order by p.polname)
                filter (where p.polqual is not null) as using_condition,
            string_agg(format('(%s)', pg_get_expr(coalesce(p.polwithcheck, p.polqual), v_table)), ' or ' order by p.polname)
                filter (where coalesce(p.polwithcheck, p.polqual) is not null) as check_condition
        from pg_catalog.pg_policy p
        where p.polrelid = v_table
            and p.polpermissive
            and p.polcmd::text in (v.command, '*')
            and p.polroles && array[0::oid, 'authenticated'::regrole]
    ) c;
    select array_agg(v.verb) filter (where v.is_for_users), array_agg(v.verb)
    into v_users_verbs, v_verbs
    from (
        select k.verb,
            (not v_is_exposed or has_table_privilege('authenticated', v_table, k.verb))
            and (not v_is_secured or coalesce(v_using ->> k.verb, v_check ->> k.verb) is not null) as is_for_users
        from (values ('select'), ('insert'), ('update'), ('delete')) k (verb)
    ) v
    where v.is_for_users
        or (
            has_schema_privilege('service_role', schema_name, 'usage')
            and has_table_privilege('service_role', v_table, v.verb)
        );
    v_users_verbs := coalesce(v_users_verbs, '{}');
    v_has_writers := v_verbs && '{insert,update,delete}';

    select string_agg(format('drop policy %I on %s;', p.polname, v_target), ' ') into v_statements
    from pg_catalog.pg_policy p
    where p.polrelid = v_table and p.polpermissive;
    if v_statements is not null then
        execute v_statements;
    end if;
    if v_verbs is null then
        execute format('alter table %s enable row level security', v_target);
        perform tenancy.audit_table(schema_name, table_name);
        return;
    end if;
    perform tenancy.enable_tenant_table(
        schema_name, table_name, writes => case when v_has_writers then 'write'::tenancy.access_level end
    );

    select string_agg(
        format('create policy %I on %s as restrictive for %s to authenticated', 'adopted_' || v.verb, v_target, v.verb)
        || case when v.verb = 'insert' then '' else format(' using (%s)', v.using_condition) end
        || case when v.verb in ('insert', 'update') then format(' with check (%s)', v.check_condition) else '' end,
        '; '
    )
    into v_statements
    from (
        select k.verb,
            case when k.is_allowed then coalesce(v_using ->> k.verb, 'false') else 'false' end as using_condition,
            case when k.is_allowed then coalesce(v_check ->> k.verb, 'false') else 'false' end as check_condition,
            k.is_allowed
        from (
            select v.verb, v.verb = any (v_users_verbs) as is_allowed
            from (values ('select'), ('insert'), ('update'), ('delete')) v (verb)
        ) k
    ) v
    where (not v.is_allowed or v_is_secured)
        and (v.verb = 'select' or v_has_writers)
        and (
            (v.verb <> 'insert' and v.using_condition <> '(true)')
            or (v.verb in ('insert', 'update') and v.check_condition <> '(true)')
        );
    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.adopt_table(text, text) is
    'Makes a table that exists a tenant table. Its permissive policies become restrictive ones, adopted_<verb>. What no policy allowed signed-in users, and if the schema was exposed to them, no privilege, stays closed to members. Only under the lock of the table.';

-- sql/20_tenancy/adoption/adoption_obstacles.sql

-- What the checks of the doctor do not ask, because no operation lets it come into a tenant.
create function tenancy.adoption_obstacles(schema_name text)
    returns setof tenancy.adoption_step
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_usage constant jsonb := tenancy.budget_usage(schema_name);
    v_template_usage constant jsonb := tenancy.budget_usage('tenant_template');
    v_has_template constant boolean := exists (
        select
        from public.tenants t
        join tenancy.tenant_template_objects o on o.version = t.schema_version and o.object_kind = 'table'
        where t.schema_name = adoption_obstacles.schema_name
            and tenancy.find_table(adoption_obstacles.schema_name, o.object_name) is not null
    );
begin
    return query
    with objects as materialized (
        select 'schema' as kind, n.nspname::text as name, 'pg_namespace'::regclass as catalog, n.oid, n.nspowner as owner,
            'schema' as word, quote_ident(n.nspname) as title
        from pg_catalog.pg_namespace n
        where n.oid = v_namespace
        union all
        select k.kind, c.relname::text, 'pg_class'::regclass, c.oid, c.relowner, k.kind, c.oid::regclass::text
        from pg_catalog.pg_class c
        cross join lateral (
            select case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'S' then 'sequence' when 'c' then 'type' else 'table'
            end
        ) k (kind)
        where c.relnamespace = v_namespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
        union all
        select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
            'pg_proc'::regclass, p.oid, p.proowner, 'routine', p.oid::regprocedure::text
        from pg_catalog.pg_proc p
        where p.pronamespace = v_namespace
        union all
        select 'type', y.typname::text, 'pg_type'::regclass, y.oid, y.typowner, 'type', y.oid::regtype::text
        from pg_catalog.pg_type y
        where y.typnamespace = v_namespace and y.typtype in ('e', 'd', 'r')
    ),
    own as materialized (
        select o.*, e.extname::text as extension
        from objects o
        left join pg_catalog.pg_depend d
            on d.classid = o.catalog and d.objid = o.oid and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
        left join pg_catalog.pg_extension e on e.oid = d.refobjid
        -- PostgreSQL makes the constructors of a range type. They belong to a superuser.
        where not exists (
            select from pg_catalog.pg_depend i
            where i.classid = o.catalog and i.objid = o.oid and i.deptype = 'i' and o.kind = 'routine'
        )
    )
    select 'refused', o.kind, o.name,
        format('It belongs to the role %s, which could change it past every layer.', o.owner::regrole),
        format('alter %s %s owner to %s;', o.word, o.title, current_user::regrole)
    from own o
    where o.owner <> current_user::regrole and o.extension is null
    union all
    select 'refused', 'extension', e.extname::text,
        'The extension has its objects in the schema.',
        format('alter extension %I set schema extensions; or drop the extension.', e.extname)
    from pg_catalog.pg_extension e
    where e.extnamespace = v_namespace or e.extname in (select o.extension from own o)
    union all
    select 'refused', o.kind, o.name,
        'Its name has a character that would make it ambiguous: a point, a quotation mark or a line break.',
        format('Rename this %s.', o.kind)
    from own o
    where o.kind not in ('routine', 'schema') and o.name ~ '[."\n\r]' and o.extension is null
    union all
    -- In a tenant migration the tenant's schema comes before extensions.
    select 'refused', o.kind, o.name,
        'It would hide the type of this name that an extension has.',
        format('Rename this %s.', o.kind)
    from own o
    join pg_catalog.pg_type y on y.typname = o.name and y.typnamespace = to_regnamespace('extensions')
    where o.kind not in ('routine', 'schema', 'sequence') and o.extension is null
    union all
    select 'refused', 'rule', format('%s.%s', c.relname, r.rulename),
        'A rule writes with the rights of the table''s owner, past the policies.',
        format('drop rule %I on %s; write a trigger instead.', r.rulename, c.oid::regclass)
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid = r.ev_class
    where c.relnamespace = v_namespace and r.rulename <> '_RETURN'
    union all
    select 'refused', 'table', c.relname::text,
        format('It inherits from %s. The audit log would miss changes that are made through the other table.', i.inhparent::regclass),
        format('alter table %s no inherit %s;', c.oid::regclass, i.inhparent::regclass)
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
    join pg_catalog.pg_class p on p.oid = i.inhparent
    where c.relnamespace = v_namespace and (not c.relispartition or p.relnamespace <> v_namespace)
    union all
    select 'refused', 'policy', format('%s.%s', c.relname, p.polname),
        format(
            'It is for the roles %s. The policies of a tenant''s table are for authenticated.',
            (select string_agg(case r.oid when 0 then 'PUBLIC' else r.oid::regrole::text end, ', ') from unnest(p.polroles) r (oid))
        ),
        format('drop policy %I on %s; or give it to authenticated.', p.polname, c.oid::regclass)
    from pg_catalog.pg_policy p
    join pg_catalog.pg_class c on c.oid = p.polrelid
    where c.relnamespace = v_namespace
        and p.polpermissive
        and not p.polroles <@ array[0::oid, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole]
    union all
    select 'refused', 'trigger', format('%s.%s', c.relname, g.tgname),
        'The audit of a tenant''s table needs a trigger of this name.',
        format('alter trigger %I on %s rename to …;', g.tgname, c.oid::regclass)
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where c.relnamespace = v_namespace
        and g.tgname in ('audit_insert', 'audit_update', 'audit_delete', 'audit_truncate')
        -- The schema of a former tenant has the audit.
        and p.prosrc not like E'\n<<audit>>%'
        and not tenancy.is_template_table(schema_name, c.relname::text)
    union all
    select 'refused', 'routine', format('%s()', p.proname),
        'The Data API calls it before each request, and could not do so afterwards.',
        'Move it into another schema, name it there as the pre-request function, and call tenancy.install_guard().'
    from tenancy.find_pre_request() f
    join pg_catalog.pg_proc p on p.oid = tenancy.resolve_pre_request(f.function_name)
    where p.pronamespace = v_namespace
    union all
    select 'refused', 'exposed schema', schema_name,
        'It is the first schema of the Data API''s list, which serves all requests that name no schema.',
        'Move your tables into a schema of their own: alter table … set schema …;'
    where schema_name = (tenancy.exposed_schemas())[1]
    union all
    -- What a request can reach through a role of the project.
    select 'refused', 'grant', format('%s %s to %s', g.object_kind, g.object_name, g.grantee),
        format(
            'Requests to the Data API can act as the role %s, which has %s on this %s and is outside the layers.',
            g.grantee, g.privileges, g.object_kind
        ),
        format(
            'revoke all on %s from %s;',
            case g.object_kind
                when 'schema' then format('schema %I', g.object_name)
                when 'routine' then format(
                    'routine %I.%I%s', schema_name, split_part(g.object_name, '(', 1), substr(g.object_name, strpos(g.object_name, '('))
                )
                when 'sequence' then format('sequence %I.%I', schema_name, g.object_name)
                else format('%I.%I', schema_name, g.object_name)
            end,
            g.grantee
        )
    from tenancy.schema_privileges(schema_name) g
    where case
        when g.grantee in ('PUBLIC', 'anon', 'authenticated', 'service_role') then false
        else pg_has_role('authenticator', g.grantee::regrole, 'member')
    end
    union all
    select 'refused', 'table', c.relname::text,
        'It is shared with all tenants.',
        format('select tenancy.unshare_table(%L); or move it into another schema.', h.relation)
    from tenancy.shared_tables h
    join pg_catalog.pg_class c on c.oid = h.relation
    where c.relnamespace = v_namespace
    union all
    select 'refused', 'dependent', d.description,
        'It is outside the schema and depends on it. The tenant could not be deleted, and rows could leave the tenant.',
        'Drop it, or move it into the schema.'
    from unnest(tenancy.outside_dependents(schema_name)) d (description)
    union all
    select 'refused', 'budget', b.kind,
        format('The tenant would have %s %s, and %s are allowed.', b.used, replace(b.kind, '_', ' '), b.allowed),
        format('Drop what is no longer needed; or: update tenancy.platform_settings set max_%s = …;', b.kind)
    from tenancy.platform_settings s
    cross join lateral (
        values
        (
            'tables',
            cardinality(tenancy.table_oids(schema_name))
            + case when v_has_template then 0 else cardinality(tenancy.table_oids('tenant_template')) end,
            s.max_tables
        ),
        ('columns', (v_usage ->> 'columns')::integer, s.max_columns),
        ('indexes', (v_usage ->> 'indexes')::integer, s.max_indexes),
        ('foreign_keys', (v_usage ->> 'foreign_keys')::integer, s.max_foreign_keys),
        ('text_bytes', (v_usage ->> 'text_bytes')::integer, s.max_text_bytes)
    ) u (kind, used, allowed)
    cross join lateral (
        select u.kind,
            u.used + case when v_has_template or u.kind = 'tables' then 0 else (v_template_usage ->> u.kind)::integer end as used,
            u.allowed
    ) b
    where b.used > b.allowed;
end;
$$;

comment on function tenancy.adoption_obstacles(text) is
    'What keeps a schema from becoming a tenant: objects of another owner or of an extension, rules, inheritance, policies for other roles, triggers with the names of the audit''s, privileges of roles that requests can act as, the project''s pre-request function, the schema of requests that name none, shared tables, ambiguous names, objects outside that depend on it, exceeded budgets. Only with its registry row.';

-- sql/20_tenancy/adoption/adoption_steps.sql

create function tenancy.adoption_steps(
    schema_name text,
    objects_before tenancy.schema_object[],
    objects_after tenancy.schema_object[],
    privileges_before jsonb,
    privileges_after jsonb
)
    returns setof tenancy.adoption_step
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select 'kept', 'schema', n.nspname::text,
        format('The schema and everything in it belongs to %s, as before.', n.nspowner::regrole),
        null::text
    from pg_catalog.pg_namespace n
    where n.nspname = schema_name
    union all
    select 'made', a.object_kind, a.object_name, 'It is part of the template.', null
    from unnest(objects_after) a
    left join unnest(objects_before) b on b.object_kind = a.object_kind and b.object_name = a.object_name
    where b.object_kind is null
        and (a.object_kind = 'table' or (a.table_name is null and a.definition not like 'audits %'))
    union all
    select 'kept', 'table', t.table_name,
        concat_ws(
            ' ',
            'Its rows, keys, triggers and owner stay.',
            case
                when t.reader is null then 'No user reaches it, because none did before.'
                when t.writer is null then 'Members read it, and nobody writes it through the API.'
                else 'Members read it, and writers write it.'
            end,
            'Its policies ' || t.narrowing || ' narrow that.',
            'Every change is audited.'
        ),
        null
    from (
        select o.table_name,
            min(p.polname) filter (where p.polpermissive and p.polcmd = 'r') as reader,
            min(p.polname) filter (where p.polpermissive and p.polcmd <> 'r') as writer,
            string_agg(p.polname, ', ' order by p.polname) filter (where not p.polpermissive) as narrowing
        from tenancy.own_tables(schema_name) o
        left join pg_catalog.pg_policy p on p.polrelid = o.relation
        group by o.table_name
    ) t
    union all
    select 'kept', b.object_kind, b.object_name,
        case
            when b.object_kind = 'routine' then 'It is the tenant''s own. No API role may call it; triggers go on calling it.'
            when b.object_kind = 'view' and not tenancy.is_security_invoker(c.reloptions) then
                'It is the tenant''s own. No API role reads it, because it shows rows with the rights of its owner.'
            when c.relkind in ('m', 'f') then 'It is the tenant''s own. No API role reads it, because no policy applies to it.'
            else 'It is the tenant''s own.'
        end,
        case when b.object_kind = 'view' and not tenancy.is_security_invoker(c.reloptions) then
            format(
                'If members shall read it: alter view %s set (security_invoker = true); select tenancy.apply_tenant_privileges(%L);',
                c.oid::regclass, schema_name
            )
        end
    from unnest(objects_before) b
    left join pg_catalog.pg_class c
        on c.relname = b.object_name
        and c.relnamespace = to_regnamespace(quote_ident(schema_name))
        and b.object_kind in ('view', 'relation')
    where b.table_name is null
        and exists (
            select from tenancy.tenants_own_objects o
            where o.schema_name = adoption_steps.schema_name
                and o.object_kind = b.object_kind
                and o.object_name = b.object_name
        )
    union all
    select case when a.object_kind is null then 'removed' when b.object_kind is null then 'made' else 'changed' end,
        d.object_kind,
        d.object_name,
        -- As a person writes a policy.
        case when a.object_kind is null then 'It was: ' else 'It is: ' end || coalesce(
            case when d.object_kind = 'policy' then tenancy.policy_statement(
                schema_name, d.table_name, substr(d.object_name, length(d.table_name) + 2), d.definition
            ) end,
            d.definition
        ),
        null
    from (
        select x.*
        from unnest(objects_before) x
        where x.object_kind in ('policy', 'trigger', 'routine', 'table')
    ) b
    full join (
        select x.*
        from unnest(objects_after) x
        where x.object_kind in ('policy', 'trigger', 'routine', 'table')
    ) a on a.object_kind = b.object_kind and a.object_name = b.object_name
    cross join lateral (
        select coalesce(a.object_kind, b.object_kind) as object_kind,
            coalesce(a.object_name, b.object_name) as object_name,
            coalesce(a.table_name, b.table_name) as table_name,
            coalesce(a.definition, b.definition) as definition
    ) d
    cross join lateral tenancy.is_template_table(schema_name, d.table_name) t (is_of_template)
    where a.definition is distinct from b.definition
        -- Every own table gets row level security, the audit and the policies for members.
        and case
            when t.is_of_template or b.object_kind is null then
                exists (
                    select from unnest(objects_before) w
                    where w.object_kind = 'table' and w.object_name = d.table_name
                )
                and (t.is_of_template or (a.object_kind = 'policy' and a.definition like 'restrictive %'))
            else b.object_kind <> 'table'
        end
    union all
    select case when a.privileges is null then 'removed' when b.privileges is null then 'made' else 'changed' end,
        'grant',
        format('%s %s to %s', coalesce(a.object_kind, b.object_kind), coalesce(a.object_name, b.object_name), coalesce(a.grantee, b.grantee)),
        format('It was: %s. It is: %s.', coalesce(b.privileges, 'nothing'), coalesce(a.privileges, 'nothing')),
        null
    from jsonb_to_recordset(privileges_before) b (object_kind text, object_name text, grantee text, privileges text)
    full join jsonb_to_recordset(privileges_after) a (object_kind text, object_name text, grantee text, privileges text)
        on a.object_kind = b.object_kind and a.object_name = b.object_name and a.grantee = b.grantee
    where a.privileges is distinct from b.privileges
        -- The privileges on new objects are the template's.
        and (
            b.object_kind is not null
            or a.object_kind = 'schema'
            or exists (
                select from unnest(objects_before) o
                where o.object_name = a.object_name and (o.object_kind = 'routine') = (a.object_kind = 'routine')
            )
        );
$$;

comment on function tenancy.adoption_steps(text, tenancy.schema_object[], tenancy.schema_object[], jsonb, jsonb) is
    'What has become of each object of a schema that this transaction has made a tenant, from its objects and schema_privileges before and after.';

-- sql/20_tenancy/adoption/drop_keys_to_auth.sql

-- PostgreSQL locks both tables of a key, so this comes first: see the order of locks. Whoever
-- deletes a user asks for them in the other order; the short attempts let that statement through.
create function tenancy.drop_keys_to_auth(schema_name text)
    returns tenancy.adoption_step[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_statements text;
    v_steps tenancy.adoption_step[];
begin
    select
        string_agg(format('alter table %s drop constraint %I;', k.conrelid::regclass, k.conname), ' '),
        array_agg(
            row(
                'removed', 'foreign key', format('%s.%s', c.relname, k.conname),
                format(
                    'It was: %s. Rows that name a deleted user stay from now on, and nothing checks that a user exists.',
                    pg_get_constraintdef(k.oid)
                ),
                null
            )::tenancy.adoption_step
        )
    into v_statements, v_steps
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    join pg_catalog.pg_class f on f.oid = k.confrelid
    where k.contype = 'f'
        and c.relnamespace = to_regnamespace(quote_ident(schema_name))
        and c.relowner = current_user::regrole
        and f.relnamespace = to_regnamespace('auth')
        -- A partition gets the key from its table.
        and k.conparentid = 0;

    while v_statements is not null loop
        begin
            execute v_statements;
            exit;
        exception
            when lock_not_available or deadlock_detected then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;

    return v_steps;
end;
$$;

comment on function tenancy.drop_keys_to_auth(text) is
    'Drops the foreign keys of a schema''s tables to tables of Auth, and returns them; null if there are none. Locks both tables of each key until the transaction ends. Tries for 2 s, each time for at most 100 ms (then 40P01, 55P03).';

-- sql/20_tenancy/adoption/register_tenant_schema.sql

create function tenancy.register_tenant_schema(
    schema_name text,
    display_name text default null,
    dry_run boolean default false,
    drop_keys_to_auth boolean default false
)
    returns setof tenancy.adoption_step
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- The body of a routine has to be valid in the tenant's search path and not in this one.
    set check_function_bodies = off
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_steps tenancy.adoption_step[];
    v_dropped tenancy.adoption_step[];
    v_findings_before text[];
    v_is_tenant boolean := false;
    v_reasons text;
    v_remedies text;
begin
    begin
        perform tenancy.require_schema_name(schema_name);
    exception
        when sqlstate 'PT400' then
            if not dry_run then
                raise;
            end if;
            return query select 'refused', 'schema', schema_name, sqlerrm, tenancy.way_to_rename(schema_name);
            return;
    end;
    perform tenancy.require_text('display_name', coalesce(display_name, schema_name), 200, shortest => 1);
    if to_regnamespace(quote_ident(schema_name)) is null then
        raise exception 'There is no schema "%".', schema_name
            using errcode = 'PT404', detail = 'schema_not_found',
                hint = 'A new tenant is made by create_tenant_schema.';
    end if;

    begin
        if drop_keys_to_auth then
            v_dropped := tenancy.drop_keys_to_auth(schema_name);
        end if;
        v_findings_before := array(
            select concat_ws(' ', f.kind, f.object, f.detail) from tenancy.schema_findings() f
        );

        insert into public.tenants (schema_name, display_name, schema_version, created_by)
        values (
            schema_name, coalesce(display_name, schema_name), tenancy.lock_latest_version(),
            (tenancy.caller()).user_id
        )
        -- If another call adopts or creates this tenant, this one waits here.
        on conflict on constraint tenants_schema_name_key do nothing;
        if not found then
            v_is_tenant := true;
            raise sqlstate 'TN000';
        end if;

        -- In one order, and all at once: a stronger lock that is asked for later may deadlock.
        perform tenancy.lock_tables(schema_name, l.names)
        from (
            select array_agg(c.relname::text) as names
            from unnest(tenancy.table_oids(schema_name)) t (oid)
            join pg_catalog.pg_class c on c.oid = t.oid
            -- A table of another owner is refused below.
            where c.relowner = current_user::regrole
        ) l
        where l.names is not null;
        v_steps := tenancy.adopt_schema(schema_name, v_findings_before, coalesce(v_dropped, '{}'));
        if dry_run or exists (select from unnest(v_steps) s where s.outcome = 'refused') then
            -- Rolls back the adoption, and with it the notifications to PostgREST.
            raise sqlstate 'TN000';
        end if;
    exception
        when sqlstate 'TN000' then
            null;
        when deadlock_detected or lock_not_available then
            raise;
        when others then
            v_steps := array[row('refused', 'schema', schema_name, sqlerrm, null)::tenancy.adoption_step];
    end;
    if v_is_tenant then
        raise exception 'There already is a tenant "%".', schema_name
            using errcode = 'PT409', detail = 'tenant_exists',
                hint = 'It is a tenant already: nothing has to be done. If no list shows it, it is in the pool of ready tenants.';
    end if;

    if not dry_run then
        select
            string_agg(format('%s %s: %s', s.object_kind, s.object_name, rtrim(s.detail, '.')), '; '),
            string_agg(distinct s.remediation, E'\n')
        into v_reasons, v_remedies
        from unnest(v_steps) s
        where s.outcome = 'refused';
        if v_reasons is not null then
            raise exception 'Schema "%" cannot become a tenant: %.', schema_name, tenancy.one_line(v_reasons)
                using errcode = 'PT409', detail = 'schema_refused',
                    hint = 'Change these objects by hand, then try again.' || coalesce(E'\n' || left(v_remedies, 8000), '') || E'\nNothing was changed.';
        end if;
    end if;

    return query select s.* from unnest(v_steps) s;
exception
    when deadlock_detected or lock_not_available then
        perform tenancy.raise_busy();
    when query_canceled then
        raise exception 'Schema "%" was not made a tenant within the time that this call has.', schema_name
            using errcode = 'PT429', detail = 'busy',
                hint = 'Nothing was changed. Try again while nobody uses the schema, or run `tenantry adopt`, whose session has more time.';
end;
$$;

comment on function tenancy.register_tenant_schema(text, text, boolean, boolean) is
    'Makes an existing schema a tenant, completely or not at all, and returns what has become of its objects. Its tables become tenant tables; the template''s tables are added at the latest version. A dry run does the same and rolls it back; it also returns what refuses the schema. drop_keys_to_auth drops foreign keys to tables of Auth first, which locks these tables until the end. (PT400 invalid_schema_name, PT404 schema_not_found, PT409: tenant_exists, schema_refused; PT422 invalid_request, PT429 busy.)';

-- sql/20_tenancy/adoption/schema_findings.sql

create function tenancy.schema_findings()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select * from tenancy.check_views()
    union all
    select * from tenancy.check_publications()
    union all
    select * from tenancy.check_foreign_keys()
    union all
    select * from tenancy.check_default_privileges();
$$;

comment on function tenancy.schema_findings() is
    'The findings of the doctor that begin when a schema becomes a tenant.';

-- sql/20_tenancy/adoption/template_clashes.sql

create function tenancy.template_clashes(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.adoption_step
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with template as materialized (
        select o.*
        from public.tenants t
        cross join lateral tenancy.template_objects(template_clashes.schema_name, t.schema_version) o
        where t.schema_name = template_clashes.schema_name
    ),
    differences as materialized (
        select d.*,
            -- The layers of a table that has the template's shape are made again.
            d.object_kind in ('policy', 'trigger')
            or (
                d.object_kind = 'table'
                and regexp_replace(d.expected, ', (forced )?row level security', '', 'g')
                    = regexp_replace(d.found, ', (forced )?row level security', '', 'g')
            ) as is_layer
        from tenancy.template_differences(schema_name, objects) d
    ),
    present as materialized (
        select t.object_name
        from template t
        join unnest(objects) o on o.object_name = t.object_name and o.object_kind = 'table'
        where t.object_kind = 'table'
    )
    select 'refused', 'table', d.table_name,
        format(
            'The template has a table "%s" in another shape: %s.',
            d.table_name,
            string_agg(
                case when d.object_kind = 'table' then 'the table' else format('%s %s', d.object_kind, d.object_name) end
                || ' is ' || d.difference,
                ', ' order by d.object_kind, d.object_name
            )
        ),
        format('Rename the table, and what has its name, such as its indexes: alter table %I.%I rename to …;', schema_name, d.table_name)
    from differences d
    where not d.is_layer and d.table_name in (select p.object_name from present p)
    group by d.table_name
    union all
    select 'refused', 'table', t.object_name,
        format('The schema has other tables of the template, and no table "%s".', t.object_name),
        format(
            'Create it: create table %1$I.%2$I (like tenant_template.%2$I including all);%3$s or rename the other tables.',
            schema_name, t.object_name,
            (
                select string_agg(
                    format(' alter table %I.%I add constraint %I %s;', schema_name, t.object_name, substr(k.object_name, length(t.object_name) + 2), k.definition),
                    '' order by k.object_name
                )
                from template k
                where k.object_kind = 'constraint' and k.table_name = t.object_name and k.definition like 'FOREIGN KEY %'
            )
        )
    from template t
    where t.object_kind = 'table'
        and exists (select from present)
        and t.object_name not in (select p.object_name from present p)
        and not exists (
            select from differences d
            where not d.is_layer and d.table_name in (select p.object_name from present p)
        )
    union all
    -- What belongs to no table, or belongs to a table of the schema's own.
    select 'refused', o.kind, o.name,
        format('The template has an object of the name "%s".', o.name),
        format('Rename this %s.', o.kind)
    from (
        select case c.relkind
                when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'v' then 'view'
                when 'm' then 'materialized view' when 'f' then 'foreign table' when 'c' then 'type' else 'table'
            end as kind,
            c.relname::text as name, true as is_relation,
            coalesce(i.indrelid, s.refobjid) as owning_table
        from pg_catalog.pg_class c
        left join pg_catalog.pg_index i on i.indexrelid = c.oid
        left join pg_catalog.pg_depend s
            on s.classid = 'pg_class'::regclass and s.objid = c.oid and c.relkind = 'S'
                and s.refclassid = 'pg_class'::regclass and s.deptype in ('a', 'i')
        where c.relnamespace = to_regnamespace(quote_ident(schema_name))
            and c.relkind not in ('r', 'p')
        union all
        select 'type', y.typname::text, true, null
        from pg_catalog.pg_type y
        where y.typnamespace = to_regnamespace(quote_ident(schema_name)) and y.typtype in ('e', 'd', 'r')
        union all
        select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), false, null
        from pg_catalog.pg_proc p
        where p.pronamespace = to_regnamespace(quote_ident(schema_name))
    ) o
    left join pg_catalog.pg_class w on w.oid = o.owning_table
    where coalesce(w.relname::text not in (select p.object_name from present p), true)
        and exists (
            select from template t
            where case
                when o.is_relation then
                    (t.object_kind in ('table', 'view', 'relation', 'sequence', 'type') and t.object_name = o.name)
                    or (t.object_kind = 'index' and substr(t.object_name, length(t.table_name) + 2) = o.name)
                else t.object_kind = 'routine' and t.object_name = o.name
            end
        )
        and (not exists (select from present) or w.relname is not null);
$$;

comment on function tenancy.template_clashes(text, tenancy.schema_object[]) is
    'What keeps a schema with these objects from becoming a tenant because the template, at the version in its registry row, has objects of the same names.';

-- sql/20_tenancy/adoption/way_to_rename.sql

create function tenancy.way_to_rename(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select case
        when schema_name !~ '^[a-z][a-z0-9_]{2,62}$' or to_regrole(quote_ident(schema_name)) is not null then
            format('Rename it by hand: alter schema %I rename to …;', schema_name)
        else 'Move your tables into a schema of their own: alter table … set schema …;'
    end;
$$;

comment on function tenancy.way_to_rename(text) is
    'What a person can do about an existing schema whose name no tenant may have.';

-- sql/20_tenancy/arguments/is_page_full.sql

create function tenancy.is_page_full(page_size integer, rows_before integer, bytes bigint)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The functions read replies of up to 8 MB. A row that is larger than a page is a page alone.
    return rows_before >= page_size or (rows_before > 0 and bytes > 4194304);
end;
$$;

comment on function tenancy.is_page_full(integer, integer, bigint) is
    'Whether a row has no place any more on a page that has rows_before rows. bytes is the size of the page with this row; a page has at most page_size rows, and 4 MB if it has more than one.';

-- sql/20_tenancy/arguments/require_argument.sql

create function tenancy.require_argument(argument text, value text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if value is null then
        raise exception '"%" is null.', argument
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send a value, or leave the argument out if it has a default.';
    end if;
end;
$$;

comment on function tenancy.require_argument(text, text) is
    'Refuses null for an argument that needs a value (PT422 invalid_request; the functions answer the same).';

-- sql/20_tenancy/arguments/require_identifier.sql

create function tenancy.require_identifier(name text, kind text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if name is null or name !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception 'A % name has 1 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.', kind
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name.';
    end if;
end;
$$;

comment on function tenancy.require_identifier(text, text) is
    'Refuses a name that no table, column or constraint can have (PT400 invalid_identifier). kind is the noun in the message, for example table.';

-- sql/20_tenancy/arguments/require_metadata.sql

-- Metadata is limited, because every member writes it and the audit log keeps each value. One
-- member could fill the disk, or nest a value so deeply that nobody can read the audit log.
create function tenancy.require_metadata(metadata jsonb)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if jsonb_typeof(metadata) = 'object'
        and octet_length(metadata::text) <= 8192
        and not metadata @? '$.**{64}'
    then
        return;
    end if;

    raise exception '"metadata" has to be a JSON object of at most 8 KB, nested less than 64 levels.'
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Keep larger values in a table of the tenant.';
end;
$$;

comment on function tenancy.require_metadata(jsonb) is
    'Refuses metadata of a profile that is no JSON object, is larger than 8 KB, or is nested 64 levels or more (PT422 invalid_request).';

-- sql/20_tenancy/arguments/require_page_size.sql

create function tenancy.require_page_size(page_size integer)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A wrong size is refused and not reduced, because a client that gets fewer rows than it
    -- asked for takes the page for the last one.
    if page_size between 1 and 1000 then
        return;
    end if;

    raise exception '"page_size" is %.', coalesce(page_size::text, 'null')
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Send a number from 1 to 1,000, or leave it out for the default.';
end;
$$;

comment on function tenancy.require_page_size(integer) is
    'Refuses a page size below 1 or above 1,000 (PT422 invalid_request; the functions answer the same).';

-- sql/20_tenancy/arguments/require_schema_name.sql

create function tenancy.require_schema_name(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgreSQL silently cuts a name to 63 bytes, and two tenants would become one. Only
    -- ASCII, because other characters can look the same and make different names.
    if schema_name is null or schema_name !~ '^[a-z][a-z0-9_]{2,62}$' then
        raise exception 'A schema name has 3 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.'
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    if schema_name ~ '^(pg_|supabase|graphql)'
        or schema_name in (
            'auth', 'cron', 'extensions', 'information_schema', 'net', 'pgbouncer', 'pgmq',
            'pgmq_public', 'pgsodium', 'pgsodium_masks', 'pgtle', 'public', 'realtime', 'repack',
            'storage', 'tenancy', 'tenant_template', 'tiger', 'tiger_data', 'topology', 'vault'
        )
        -- A schema with the name of a role comes first in that role's search_path.
        or to_regrole(schema_name) is not null
    then
        raise exception 'The name "%" is reserved.', schema_name
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
end;
$$;

comment on function tenancy.require_schema_name(text) is
    'Refuses a name that a tenant''s schema cannot have (PT400 invalid_schema_name).';

-- sql/20_tenancy/arguments/require_text.sql

create function tenancy.require_text(
    argument text,
    value text,
    longest integer,
    shortest integer default 0,
    has_lines boolean default false
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- People read the text in lists and logs, where a control character makes another line, and
    -- a bidirectional one makes a name look like another name.
    if translate(value, case when has_lines then E'\t\n\r' else '' end, '')
        ~ '[\u0001-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]'
    then
        raise exception '"%" contains a control character or a bidirectional character.', argument
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Remove that character.';
    end if;

    -- If an empty text is allowed, null is too.
    if char_length(value) between shortest and longest and (shortest = 0 or value ~ '[^\s\u00A0\u200B-\u200D\u2060\uFEFF]')
        or (value is null and shortest = 0)
    then
        return;
    end if;

    raise exception '"%" has to have %.', argument,
        case
            when shortest = 0 then format('at most %s characters', longest)
            else format('%s to %s characters that are not all spaces', shortest, longest)
        end
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a text of that length.';
end;
$$;

comment on function tenancy.require_text(text, text, integer, integer, boolean) is
    'Refuses a text argument that is too short or too long, in characters; if shortest is above 0, also a blank or null one, and one with control characters or bidirectional characters; has_lines allows line breaks and tabs (PT422 invalid_request; the functions answer the same).';

-- sql/20_tenancy/arguments/tg_platform_settings__require_possible.sql

-- Before the constraint, whose error would be its name alone.
create function tenancy.tg_platform_settings__require_possible()
    returns trigger
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_wrong record;
begin
    select s.* into v_wrong
    from (values
        ('pool_size', new.pool_size, 1000),
        ('pool_wait_seconds', new.pool_wait_seconds, 86400),
        ('audit_retention_days', new.audit_retention_days, 36500)
    ) s (name, value, largest)
    where s.value < 0 or s.value > s.largest
    limit 1;
    if found then
        raise exception '% cannot be %: it must be from 0 to %.', v_wrong.name, v_wrong.value, v_wrong.largest
            using errcode = 'check_violation',
                hint = format('Nothing was changed. Set %s to a number from 0 to %s.', v_wrong.name, v_wrong.largest);
    end if;

    return new;
end;
$$;

comment on function tenancy.tg_platform_settings__require_possible() is
    'Trigger function that refuses impossible numbers in platform_settings with a sentence (23514).';

-- sql/20_tenancy/audit_log/admin_audit_entries.sql

create function tenancy.admin_audit_entries(
    tenant_id uuid,
    schema_name text,
    actor_id uuid,
    action text,
    occurred_from timestamptz,
    occurred_to timestamptz,
    before_id bigint,
    page_size integer
)
    returns setof public.tenantry_admin_audit_entry
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_entry public.tenantry_admin_audit_entry;
    v_previous public.tenantry_admin_audit_entry;
    v_rows integer := 0;
    v_bytes bigint := 0::bigint;
begin
    -- A loop, so that no value is read from the disk after the end of the page.
    for v_entry in
        select e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.schema_name, e.tenant_id, e.details, e.request_id, false
        from public.admin_audit_log e
        where (admin_audit_entries.tenant_id is null or e.tenant_id = admin_audit_entries.tenant_id)
            and (admin_audit_entries.schema_name is null or e.schema_name = admin_audit_entries.schema_name)
            and (admin_audit_entries.actor_id is null or e.actor_id = admin_audit_entries.actor_id)
            and (admin_audit_entries.action is null or e.action = admin_audit_entries.action)
            and (occurred_from is null or e.occurred_at >= occurred_from)
            and (occurred_to is null or e.occurred_at < occurred_to)
            and (before_id is null or e.id < before_id)
        order by e.id desc
        limit page_size + 1
    loop
        v_bytes := v_bytes + 1000 + octet_length(v_entry.details::text);
        if v_rows > 0 then
            v_previous.has_more := true;
            return next v_previous;
        end if;
        if tenancy.is_page_full(page_size, v_rows, v_bytes) then
            return;
        end if;
        v_previous := v_entry;
        v_rows := v_rows + 1;
    end loop;

    if v_rows > 0 then
        return next v_previous;
    end if;
end;
$$;

comment on function tenancy.admin_audit_entries(uuid, text, uuid, text, timestamptz, timestamptz, bigint, integer) is
    'A page of admin_audit_log, newest entries first: up to page_size entries and 4 MB, or one larger entry. A null argument filters nothing.';

-- sql/20_tenancy/audit_log/audit_entries.sql

create function tenancy.audit_entries(
    schema_name text,
    actor_id uuid,
    action text,
    table_name text,
    record_id jsonb,
    occurred_from timestamptz,
    occurred_to timestamptz,
    before_id bigint,
    page_size integer
)
    returns setof public.tenantry_audit_entry
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_entry public.tenantry_audit_entry;
    v_previous public.tenantry_audit_entry;
    v_rows integer := 0;
    v_bytes bigint := 0::bigint;
begin
    -- A loop, so that no value is read from the disk after the end of the page.
    for v_entry in execute format(
        'select e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values, false'
        ' from %I.audit_log e'
        ' where ($1 is null or e.actor_id = $1)'
        '     and ($2 is null or e.action = $2)'
        '     and ($3 is null or e.table_name = $3)'
        '     and ($4 is null or e.record_id @> $4)'
        '     and ($5 is null or e.occurred_at >= $5)'
        '     and ($6 is null or e.occurred_at < $6)'
        '     and ($7 is null or e.id < $7)'
        ' order by e.id desc'
        ' limit $8 + 1',
        schema_name
    )
    using actor_id, action, table_name, record_id, occurred_from, occurred_to, before_id, page_size
    loop
        v_bytes := v_bytes + 1000
            + coalesce(octet_length(v_entry.record_id::text), 0)
            + coalesce(octet_length(v_entry.old_values::text), 0)
            + coalesce(octet_length(v_entry.new_values::text), 0);
        if v_rows > 0 then
            v_previous.has_more := true;
            return next v_previous;
        end if;
        if tenancy.is_page_full(page_size, v_rows, v_bytes) then
            return;
        end if;
        v_previous := v_entry;
        v_rows := v_rows + 1;
    end loop;

    if v_rows > 0 then
        return next v_previous;
    end if;
end;
$$;

comment on function tenancy.audit_entries(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'A page of a tenant''s audit_log, newest entries first: up to page_size entries and 4 MB, or one larger entry. A null argument filters nothing.';

-- sql/20_tenancy/audit_log/audit_entry_hash.sql

create function tenancy.audit_entry_hash(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- The columns are listed by name, because a column that is added later must not change old
    -- hashes. Each column has a hash of its own: nesting the values in one document, or joining
    -- their texts, would fail for the deepest or the largest value that a column can hold.
    select format(
        'sha256(%s)',
        string_agg(
            format('coalesce(sha256(convert_to(e.%I::text, ''UTF8'')), decode(repeat(''00'', 32), ''hex''))', c.name),
            ' || ' order by c.place
        )
    )
    from unnest(
        case
            when schema_name = 'public' then array['id', 'occurred_at', 'actor_id', 'actor_role', 'action', 'schema_name', 'tenant_id', 'details', 'request_id']
            else array['id', 'occurred_at', 'actor_id', 'actor_role', 'action', 'table_name', 'record_id', 'old_values', 'new_values']
        end
    ) with ordinality c (name, place);
$$;

comment on function tenancy.audit_entry_hash(text) is
    'SHA-256 of an entry, as an SQL expression over the alias e. The text of a time depends on the session, so the caller sets timezone and datestyle.';

-- sql/20_tenancy/audit_log/audit_head.sql

create function tenancy.audit_head(hash bytea, lasting_hash bytea)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return encode(case when lasting_hash = '' then hash else sha256(hash || lasting_hash) end, 'hex');
end;
$$;

comment on function tenancy.audit_head(bytea, bytea) is
    'The head at a link, from its two hashes: it stands for all entries before, and after a pruning still for the lasting ones.';

-- sql/20_tenancy/audit_log/audit_retention_days.sql

create function tenancy.audit_retention_days()
    returns integer
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    -- A value that was replaced still applies for as many days as it says: whoever lowers the
    -- retention to remove entries has to wait until they would have been removable anyway. A day
    -- has 24 hours here, because calendar days depend on the time zone of the session.
    select coalesce(
        greatest(max(f.days), (select s.audit_retention_days from tenancy.platform_settings s)), 90
    )
    from (
        select r.days, lead(r.set_at) over (order by r.id) as ended_at from tenancy.retention_floors r
    ) f
    where f.ended_at is null or f.ended_at + f.days * interval '24 hours' > now();
$$;

comment on function tenancy.audit_retention_days() is
    'Number of days for which the audit logs keep their entries at present: the largest of platform_settings.audit_retention_days and of its earlier values that still apply.';

-- sql/20_tenancy/audit_log/close_audit_log.sql

create function tenancy.close_audit_log(schema_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_counts jsonb;
begin
    -- Lock out all writers, so that no entry follows the final seal. Not readers: a load of
    -- PostgREST's schema cache reads every table, and sealing may take long.
    perform tenancy.lock_tables(schema_name, array['audit_log'], 'exclusive');
    perform tenancy.seal_audit_log(schema_name);

    -- Entries that no seal covers yet are lost, too.
    execute format(
        'select jsonb_build_object('
        '    ''entries'', count(*),'
        '    ''unsealed'', count(*) filter (where not exists ('
        '        select from tenancy.audit_seals s where s.schema_name = $1 and s.entry_id = e.id'
        '    ))'
        ')'
        ' from %I.audit_log e',
        schema_name
    )
    into v_counts
    using schema_name;

    return tenancy.forget_audit_log(schema_name) || v_counts;
end;
$$;

comment on function tenancy.close_audit_log(text) is
    'Seals a tenant''s audit log for the last time and deletes its hash chain. Returns the last head and the number of entries that are lost, for admin_audit_log. Called before the tenant''s schema is dropped (55P03).';

-- sql/20_tenancy/audit_log/find_audit_log.sql

create function tenancy.find_audit_log(schema_name text)
    returns regclass
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select case
        when schema_name = 'public' then 'public.admin_audit_log'::regclass
        else format('%I.audit_log', schema_name)::regclass
    end;
$$;

comment on function tenancy.find_audit_log(text) is
    'The audit log in a schema: a tenant''s audit_log, or admin_audit_log in public.';

-- sql/20_tenancy/audit_log/forget_audit_log.sql

create function tenancy.forget_audit_log(schema_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_last tenancy.audit_seals;
    v_pruned bigint;
begin
    select * into v_last
    from tenancy.audit_seals s
    where s.schema_name = forget_audit_log.schema_name
    order by s.place desc
    limit 1;
    select coalesce(sum(p.removed), 0)::bigint into v_pruned
    from tenancy.audit_prunings p
    where p.schema_name = forget_audit_log.schema_name;

    delete from tenancy.audit_seals s where s.schema_name = forget_audit_log.schema_name;
    delete from tenancy.audit_seal_runs r where r.schema_name = forget_audit_log.schema_name;
    delete from tenancy.audit_prunings p where p.schema_name = forget_audit_log.schema_name;

    return jsonb_build_object(
        'sealed_total', coalesce(v_last.place, 0),
        'head', tenancy.audit_head(v_last.hash, v_last.lasting_hash),
        'pruned', v_pruned
    );
end;
$$;

comment on function tenancy.forget_audit_log(text) is
    'Deletes the hash chain of an audit log that is deleted or lost, and returns its last head and its counts, for the entry tenant.delete of admin_audit_log.';

-- sql/20_tenancy/audit_log/last_entry_id.sql

create function tenancy.last_entry_id(log regclass)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_last bigint;
begin
    execute format(
        'select case when s.is_called then s.last_value else 0 end from %s s',
        pg_get_serial_sequence(log::text, 'id')
    )
    into v_last;

    return v_last;
end;
$$;

comment on function tenancy.last_entry_id(regclass) is
    'The highest entry id that a log has handed out so far; 0 if it has handed out none.';

-- sql/20_tenancy/audit_log/lasting_entry.sql

create function tenancy.lasting_entry(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- A tenant's log has changes of rows only. In the platform's log, the deletion of a tenant
    -- removes a whole audit log, whose last head is in that entry, and a restoration brings
    -- another one. An adoption exposes rows that the project kept elsewhere.
    select case
        when schema_name = 'public' then '(e.action ~ ''^(access|admin|audit)\.'' or e.action in (''tenant.adopt'', ''tenant.delete'', ''tenant.restore''))'
        else 'false'
    end;
$$;

comment on function tenancy.lasting_entry(text) is
    'Whether an entry of a log outlives every pruning, as an SQL expression over the alias e: an entry on access, on administrators, on an adopted schema or on an audit log itself.';

-- sql/20_tenancy/audit_log/log_action.sql

create function tenancy.log_action(
    action text,
    tenant public.tenants,
    details jsonb,
    actor_role text default null
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    if v_caller.kind = 'postgres' then
        -- The owner's functions act for many people, so their name is logged, and the user in
        -- whose request they ran.
        details := jsonb_strip_nulls(jsonb_build_object(
            'by', tenancy.acting_function(),
            'signed_in', (select u.user_id from tenancy.calling_user u)
        )) || details;
    end if;

    insert into public.admin_audit_log
        (actor_id, actor_role, action, schema_name, tenant_id, details, request_id)
    values (
        v_caller.user_id,
        coalesce(log_action.actor_role, tenancy.actor_role(tenant.schema_name)),
        action,
        tenant.schema_name,
        tenant.id,
        details,
        tenancy.request_id()
    );
end;
$$;

comment on function tenancy.log_action(text, public.tenants, jsonb, text) is
    'Writes one entry to admin_audit_log; no other function writes there. Each RPC that changed something calls it once, in its transaction. tenant is null for an action on no tenant. If the action may have ended the caller''s own role, actor_role is the value of tenancy.actor_role before the change. For postgres the entry names the owner''s function that acted (by) and the user in whose request it ran (signed_in).';

-- sql/20_tenancy/audit_log/make_append_only.sql

create function tenancy.make_append_only(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'create trigger append_only before update or delete on %1$I.%2$I'
        ' for each row execute function tenancy.tg_audit_log__refuse();'
        'create trigger append_only_truncate before truncate on %1$I.%2$I'
        ' for each statement execute function tenancy.tg_audit_log__refuse();',
        schema_name, table_name
    );
end;
$$;

comment on function tenancy.make_append_only(text, text) is
    'Makes a table append-only: its triggers refuse update, delete and truncate.';

-- sql/20_tenancy/audit_log/prune_audit_log.sql

create function tenancy.prune_audit_log(schema_name text, before timestamptz)
    returns public.tenantry_audit_pruning
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_anchor tenancy.audit_seals;
    v_place bigint;
    v_links bigint;
    v_removed bigint;
begin
    perform tenancy.require_past_retention(before);

    -- Seal first, because only sealed entries are removed.
    perform tenancy.seal_audit_log(schema_name);

    -- Only the beginning of the chain can be removed: all links before the first entry that is
    -- too young. Lasting entries in it stay, and have a chain of their own.
    select * into v_anchor
    from tenancy.audit_seals s
    where s.schema_name = prune_audit_log.schema_name and s.is_anchor;
    execute format(
        'select max(s.place) from tenancy.audit_seals s'
        ' where s.schema_name = $1'
        '     and s.place < all (array('
        '         select min(k.place) from tenancy.audit_seals k join %s e on e.id = k.entry_id'
        '         where k.schema_name = $1 and k.place > $3 and e.occurred_at >= $2'
        '         having min(k.place) is not null'
        '     ))',
        v_log
    )
    into v_place
    using schema_name, before, coalesce(v_anchor.place, 0);

    select count(*) into v_links
    from tenancy.audit_seals s
    where s.schema_name = prune_audit_log.schema_name
        and s.place > coalesce(v_anchor.place, 0)
        and s.place <= v_place
        and not s.is_lasting;
    perform set_config('tenancy.maintaining', v_log::text, true);
    execute format(
        'delete from %s e using tenancy.audit_seals s'
        ' where s.schema_name = $1 and s.place > $2 and s.place <= $3 and not s.is_lasting'
        '     and s.entry_id = e.id',
        v_log
    )
    using schema_name, coalesce(v_anchor.place, 0), v_place;
    get diagnostics v_removed = row_count;
    perform set_config('tenancy.maintaining', '', true);

    -- Without a removed entry the chain stays as it is, so that each anchor belongs to a pruning.
    if v_removed > 0 then
        delete from tenancy.audit_seals s
        where s.schema_name = prune_audit_log.schema_name and s.place < v_place and not s.is_lasting;
        update tenancy.audit_seals s
        set hash = null, is_anchor = false
        where s.schema_name = prune_audit_log.schema_name and s.place < v_place and s.hash is not null;
        update tenancy.audit_seals s
        set is_anchor = true
        where s.schema_name = prune_audit_log.schema_name and s.place = v_place
        returning s.* into v_anchor;
        insert into tenancy.audit_prunings
            (schema_name, place, actor_id, actor_role, removed_before, removed, missing, hash, lasting_hash)
        values (
            schema_name, v_place, (tenancy.caller()).user_id, tenancy.actor_role(schema_name), before,
            v_removed, v_links - v_removed, v_anchor.hash, v_anchor.lasting_hash
        );
    end if;

    return row(
        schema_name, v_removed, tenancy.audit_head(v_anchor.hash, v_anchor.lasting_hash)
    )::public.tenantry_audit_pruning;
end;
$$;

comment on function tenancy.prune_audit_log(text, timestamptz) is
    'Removes the sealed entries of a log that are older than a moment, except the lasting ones, and records who did it. The link of the last removed entry stays as the anchor of the rest of the chain (PT409 retention_floor, PT422 invalid_request).';

-- sql/20_tenancy/audit_log/redact_audit_log.sql

create function tenancy.redact_audit_log(schema_name text, user_id uuid)
    returns public.tenantry_audit_redaction
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant uuid := (tenancy.caller()).user_id;
    v_kept_since constant timestamptz := now() - tenancy.audit_retention_days() * interval '24 hours';
    v_redaction public.tenantry_audit_redaction;
begin
    perform tenancy.seal_audit_log(schema_name);

    -- Nobody removes the trace of what they did themselves. The service key is nobody's.
    execute format(
        'select count(*) from %1$I.audit_log e'
        ' join tenancy.audit_seals s on s.schema_name = $1 and s.entry_id = e.id'
        ' where s.redacted_hash is null and e.table_name = ''users'' and e.record_id ->> ''id'' = $2::text'
        '     and e.actor_id = $3 and e.occurred_at >= $4',
        schema_name
    )
    into v_redaction.withheld
    using schema_name, user_id, v_caller, v_kept_since;

    -- The chain keeps the hash of the original entry. The redacted entry gets a
    -- second hash, so that verify_audit_log notices any later change.
    perform set_config('tenancy.maintaining', tenancy.find_audit_log(schema_name)::text, true);
    execute format(
        'with redacted as ('
        '    update %1$I.audit_log e set old_values = null, new_values = null'
        '    from tenancy.audit_seals s'
        '    where s.schema_name = $1 and s.entry_id = e.id and s.redacted_hash is null'
        '        and e.table_name = ''users'' and e.record_id ->> ''id'' = $2::text'
        '        and ($3 is null or e.actor_id is distinct from $3 or e.occurred_at < $4)'
        '    returning e.*'
        ')'
        ' update tenancy.audit_seals s'
        ' set redacted_hash = %2$s'
        ' from redacted e'
        ' where s.schema_name = $1 and s.entry_id = e.id',
        schema_name, tenancy.audit_entry_hash(schema_name)
    )
    using schema_name, user_id, v_caller, v_kept_since;
    get diagnostics v_redaction.redacted = row_count;
    perform set_config('tenancy.maintaining', '', true);

    v_redaction.schema_name := schema_name;
    v_redaction.user_id := user_id;

    return v_redaction;
end;
$$;

comment on function tenancy.redact_audit_log(text, uuid) is
    'Removes the values of a user''s profile from the sealed entries of a tenant''s log, except from young entries that the caller wrote.';

-- sql/20_tenancy/audit_log/require_append_only_log.sql

create function tenancy.require_append_only_log(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_missing text;
    v_added text;
begin
    select string_agg(w.name, ', ' order by w.name) into v_missing
    from unnest(array['append_only', 'append_only_truncate']) w (name)
    where not exists (
        select from pg_catalog.pg_trigger t
        where t.tgrelid = to_regclass(format('%I.audit_log', schema_name))
            and t.tgname = w.name
            and t.tgfoid = 'tenancy.tg_audit_log__refuse'::regproc
            and t.tgenabled in ('O', 'A')
    );

    if v_missing is not null then
        raise exception 'The tenant template does not keep audit_log append-only: missing or disabled triggers: %. Nothing was registered. Leave the table audit_log to Tenantry, in every tenant migration.', v_missing
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    -- Whoever may insert can forge entries, and such a trigger can change or drop them.
    select string_agg(w.title, ', ' order by w.title) into v_added
    from (
        select format('policy "%s"', p.polname)
        from pg_catalog.pg_policy p
        where p.polrelid = to_regclass(format('%I.audit_log', schema_name)) and p.polcmd <> 'r'
        union all
        select format('trigger "%s"', t.tgname)
        from pg_catalog.pg_trigger t
        where t.tgrelid = to_regclass(format('%I.audit_log', schema_name))
            and t.tgfoid <> 'tenancy.tg_audit_log__refuse'::regproc
            -- 1 is FOR EACH ROW, 2 is BEFORE.
            and t.tgtype & 3 = 3
    ) w (title);
    if v_added is not null then
        raise exception 'The tenant template does not keep audit_log append-only: entries could be forged or dropped by %. Nothing was registered. Leave the table audit_log to Tenantry. Policies for SELECT and triggers AFTER INSERT are possible.', v_added
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_append_only_log(text) is
    'Requires of a schema that it has an audit_log which refuses updates, deletes and truncates, and into which only Tenantry writes (55000).';

-- sql/20_tenancy/audit_log/require_past_retention.sql

create function tenancy.require_past_retention(before timestamptz)
    returns void
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_days constant integer := tenancy.audit_retention_days();
    v_allowed constant timestamptz := now() - v_days * interval '24 hours';
begin
    -- Null and a moment in the future come from mistakes, and the second would remove all entries.
    if before is null or before > now() then
        raise exception '"before" has to be a moment in the past.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was removed. Send the moment before which entries are to be removed, for example "2026-01-31T00:00:00Z".';
    end if;

    if before > v_allowed then
        raise exception 'The audit logs keep their entries for % days, so "before" can be at most "%".',
            v_days, to_char(v_allowed, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            using errcode = 'PT409', detail = 'retention_floor',
                hint = 'Nothing was removed. Send an earlier "before". The days are tenancy.platform_settings.audit_retention_days; a smaller number applies only when the days before it have passed.';
    end if;
end;
$$;

comment on function tenancy.require_past_retention(timestamptz) is
    'Refuses to remove entries younger than the retention of the audit logs (PT409 retention_floor, PT422 invalid_request).';

-- sql/20_tenancy/audit_log/seal_audit_log.sql

create function tenancy.seal_audit_log(schema_name text, at_most interval default '20 s')
    returns public.tenantry_audit_seal
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- A sort would hash every entry before the first one is sealed.
    set enable_sort = off
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_started_at constant timestamptz := clock_timestamp();
    v_sealed_up_to bigint;
    v_previous tenancy.audit_seals;
    v_run tenancy.audit_seal_runs;
    v_oldest_running xid8;
    v_last_entry_id bigint;
    v_last_id_of_runs bigint;
    v_entry record;
    v_place bigint;
    v_hash bytea;
    v_lasting_hash bytea;
    v_horizon xid;
begin
    -- One run at a time. Writers of the log do not take this lock.
    perform pg_advisory_xact_lock(hashtextextended('tenancy.audit_seals.' || schema_name, 0));

    select * into v_previous
    from tenancy.audit_seals s
    where s.schema_name = seal_audit_log.schema_name
    order by s.place desc
    limit 1;
    select * into v_run
    from tenancy.audit_seal_runs r
    where r.schema_name = seal_audit_log.schema_name
    order by r.place desc
    limit 1;
    -- Every entry up to here is sealed: the transactions that were running at that earlier run
    -- had ended by the latest run, which went at least this far.
    select
        least(coalesce(max(r.last_entry_id) filter (where r.horizon <= v_run.oldest_running), 0), coalesce(v_run.last_entry_id, 0)),
        coalesce(max(r.last_entry_id), 0)
    into v_sealed_up_to, v_last_id_of_runs
    from tenancy.audit_seal_runs r
    where r.schema_name = seal_audit_log.schema_name;

    v_place := coalesce(v_previous.place, 0);
    v_hash := coalesce(v_previous.hash, '');
    v_lasting_hash := coalesce(v_previous.lasting_hash, '');
    for v_entry in
        execute format(
            'select e.id, %s as entry_hash, %s as is_lasting,'
            '     pg_snapshot_xmin(pg_current_snapshot()) as oldest_running'
            ' from %s e'
            ' where e.id > $1'
            -- Only entries of transactions before the oldest running one: none can still commit.
            '     and tenancy.full_transaction_id(e.xmin) < pg_snapshot_xmin(pg_current_snapshot())'
            -- An entry that was inserted among older ones after a run must not be sealed.
            '     and (e.id > $2 or not exists ('
            '         select from tenancy.audit_seal_runs r'
            '         where r.schema_name = $3'
            '             and r.last_entry_id >= e.id'
            '             and tenancy.full_transaction_id(e.xmin) > r.horizon'
            '     ))'
            '     and not exists ('
            '         select from tenancy.audit_seals s where s.schema_name = $3 and s.entry_id = e.id'
            '     )'
            ' order by e.id',
            tenancy.audit_entry_hash(schema_name), tenancy.lasting_entry(schema_name), v_log
        )
        using v_sealed_up_to, v_last_id_of_runs, schema_name
    loop
        v_oldest_running := v_entry.oldest_running;
        v_place := v_place + 1;
        v_hash := sha256(v_hash || v_entry.entry_hash);
        if v_entry.is_lasting then
            v_lasting_hash := sha256(v_lasting_hash || v_entry.entry_hash);
        end if;
        insert into tenancy.audit_seals
            (schema_name, place, entry_id, entry_hash, hash, is_lasting, lasting_hash)
        values (
            schema_name, v_place, v_entry.id, v_entry.entry_hash, v_hash, v_entry.is_lasting,
            v_lasting_hash
        );
        -- Members can write more entries than one call can seal. A call that ran out of time would
        -- seal none, and so would each later call.
        if clock_timestamp() >= v_started_at + at_most then
            v_last_entry_id := v_entry.id;
            exit;
        end if;
    end loop;

    if v_oldest_running is not null then
        -- A transaction that has an entry id up to this one already had its transaction id. The
        -- block with an exception clause is a subtransaction, which gets its own id with its
        -- first write. So this id is higher than the ids of all those transactions.
        v_last_entry_id := coalesce(v_last_entry_id, tenancy.last_entry_id(v_log));
        begin
            insert into tenancy.audit_seal_runs
                (schema_name, place, oldest_running, last_entry_id, horizon, hash, lasting_hash)
            values (
                schema_name, v_place, v_oldest_running, v_last_entry_id, '0', v_hash,
                v_lasting_hash
            )
            returning xmin into v_horizon;
        exception
            when assert_failure then raise;
        end;
        update tenancy.audit_seal_runs r
        set horizon = tenancy.full_transaction_id(v_horizon)
        where r.schema_name = seal_audit_log.schema_name and r.place = v_place;
    end if;

    return row(
        v_place - coalesce(v_previous.place, 0), v_place,
        nullif(tenancy.audit_head(v_hash, v_lasting_hash), '')
    )::public.tenantry_audit_seal;
end;
$$;

comment on function tenancy.seal_audit_log(text, interval) is
    'Adds entries of a log to its hash chain, in the order of their ids: every entry of a transaction that began before the oldest running one, until at_most has passed. Later entries wait for the next run.';

-- sql/20_tenancy/audit_log/tg_audit_log__refuse.sql

create function tenancy.tg_audit_log__refuse()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- prune_audit_log and redact_audit_log set this parameter for one statement of theirs, and
    -- both are logged.
    if tg_op <> 'TRUNCATE' and current_setting('tenancy.maintaining', true) = tg_relid::regclass::text then
        return case tg_op when 'DELETE' then old else new end;
    end if;

    perform tenancy.log_refusal('forbidden', tg_table_schema);
    raise exception 'An audit log is append-only: % is refused.', tg_op
        using errcode = '42501', detail = 'forbidden',
            hint = 'Use prune_audit_log for retention, or redact_audit_log to remove the values of a person; both are logged.';
end;
$$;

comment on function tenancy.tg_audit_log__refuse() is
    'Trigger function that keeps an audit log append-only: refuses update, delete and truncate to everybody, the owner included (42501 forbidden).';

-- sql/20_tenancy/audit_log/tg_platform_settings__record_retention.sql

create function tenancy.tg_platform_settings__record_retention()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before integer;
begin
    select f.days into v_before
    from tenancy.retention_floors f
    order by f.id desc
    limit 1;

    if new.audit_retention_days is distinct from v_before then
        insert into tenancy.retention_floors (days) values (new.audit_retention_days);
        perform tenancy.log_action(
            'audit.retention', null,
            jsonb_build_object('before', v_before, 'after', new.audit_retention_days)
        );
    end if;

    return null;
end;
$$;

comment on function tenancy.tg_platform_settings__record_retention() is
    'Trigger function that records and logs each change of platform_settings.audit_retention_days.';

-- sql/20_tenancy/audit_log/verify_audit_log.sql

create function tenancy.verify_audit_log(schema_name text, expected_head text)
    returns public.tenantry_audit_verification
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_anchor tenancy.audit_seals;
    v_expected record;
    v_link record;
    v_hash bytea;
    v_lasting_hash bytea := '';
    v_hash_at_expected bytea := '';
    v_lasting_hash_at_expected bytea := '';
    v_next_place bigint;
    v_is_pruned boolean;
    v_kept bigint := 0;
    v_gone bigint;
    v_result public.tenantry_audit_verification := row(false, 0, null, null, null, null, null, null, null)::public.tenantry_audit_verification;
begin
    execute format(
        'select count(*), min(e.occurred_at)'
        ' from %s e'
        ' where not exists ('
        '     select from tenancy.audit_seals s where s.schema_name = $1 and s.entry_id = e.id'
        ' )',
        v_log
    )
    into v_result.unsealed, v_result.oldest_unsealed_at
    using schema_name;

    select coalesce(sum(p.removed), 0)::bigint, coalesce(sum(p.removed + p.missing), 0)::bigint
    into v_result.pruned, v_gone
    from tenancy.audit_prunings p
    where p.schema_name = verify_audit_log.schema_name;
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'pruned_at', p.pruned_at, 'actor_id', p.actor_id, 'actor_role', p.actor_role,
                'removed_before', p.removed_before, 'removed', p.removed, 'missing', p.missing,
                'head', tenancy.audit_head(p.hash, p.lasting_hash)
            ) order by p.place desc
        ),
        '[]'
    )
    into v_result.prunings
    from (
        select *
        from tenancy.audit_prunings a
        where a.schema_name = verify_audit_log.schema_name
        order by a.place desc
        limit 100
    ) p;

    -- A head is only ever returned for the last link of a run or of a pruning. These tables keep
    -- its hashes when the link is pruned.
    select h.* into v_expected
    from (
        select r.schema_name, r.place, r.hash, r.lasting_hash from tenancy.audit_seal_runs r
        union all
        select p.schema_name, p.place, p.hash, p.lasting_hash from tenancy.audit_prunings p
    ) h
    where expected_head is not null
        and h.schema_name = verify_audit_log.schema_name
        and tenancy.audit_head(h.hash, h.lasting_hash) = lower(expected_head)
    limit 1;

    select * into v_anchor
    from tenancy.audit_seals s
    where s.schema_name = verify_audit_log.schema_name and s.is_anchor
    order by s.place desc
    limit 1;
    v_hash := coalesce(v_anchor.hash, '');
    v_next_place := coalesce(v_anchor.place, 0) + 1;

    for v_link in
        execute format(
            'select s.*, e.id as found_id, %s as found_hash'
            ' from tenancy.audit_seals s'
            ' left join %s e on e.id = s.entry_id'
            ' where s.schema_name = $1'
            ' order by s.place',
            tenancy.audit_entry_hash(schema_name), v_log
        )
        using schema_name
    loop
        v_is_pruned := v_link.is_anchor and not v_link.is_lasting;
        v_result.problem := case
            when v_is_pruned and v_link.found_id is null then null
            when v_is_pruned then 'inserted'
            when v_link.found_id is null then 'removed'
            when v_link.found_hash <> coalesce(v_link.redacted_hash, v_link.entry_hash) then 'changed'
        end;
        exit when v_result.problem is not null;
        v_result.checked := v_result.checked + (not v_is_pruned)::integer;

        if v_link.is_lasting then
            v_lasting_hash := sha256(v_lasting_hash || v_link.entry_hash);
        end if;
        if v_link.place > coalesce(v_anchor.place, 0) then
            v_hash := sha256(v_hash || v_link.entry_hash);
            if v_link.hash is distinct from v_hash or v_link.place <> v_next_place then
                v_result.problem := 'seal_changed';
            end if;
            v_next_place := v_link.place + 1;
        else
            v_kept := v_kept + v_link.is_lasting::integer;
            -- Links before the anchor are there for lasting entries only.
            if v_link.place < v_anchor.place and (v_link.hash is not null or v_link.is_anchor) then
                v_result.problem := 'seal_changed';
            end if;
        end if;
        if v_link.lasting_hash <> v_lasting_hash then
            v_result.problem := 'seal_changed';
        end if;
        exit when v_result.problem is not null;

        if v_link.place <= v_expected.place then
            v_hash_at_expected := v_hash;
            v_lasting_hash_at_expected := v_lasting_hash;
        end if;
    end loop;
    v_result.head := nullif(tenancy.audit_head(v_hash, v_lasting_hash), '');
    if v_result.problem is not null then
        v_result.entry_id := v_link.entry_id;
        return v_result;
    end if;

    -- Every entry up to the anchor is there, or in the record of a pruning.
    if coalesce(v_anchor.place, 0) - v_kept <> v_gone then
        v_result.problem := 'seal_changed';
        v_result.entry_id := v_anchor.entry_id;
        return v_result;
    end if;

    -- An unsealed entry whose id was handed out before a run, written by a transaction that
    -- began after that run, was inserted afterwards: a late commit cannot explain it. New entries
    -- have higher ids than every run, so that they are not compared with each run.
    execute format(
        'select min(e.id)'
        ' from %s e'
        ' where e.id <= (select max(r.last_entry_id) from tenancy.audit_seal_runs r where r.schema_name = $1)'
        '     and not exists ('
        '         select from tenancy.audit_seals s where s.schema_name = $1 and s.entry_id = e.id'
        '     )'
        '     and exists ('
        '         select from tenancy.audit_seal_runs r'
        '         where r.schema_name = $1'
        '             and r.last_entry_id >= e.id'
        '             and tenancy.full_transaction_id(e.xmin) > r.horizon'
        '     )',
        v_log
    )
    into v_result.entry_id
    using schema_name;
    v_result.problem := case
        when v_result.entry_id is not null then 'inserted'
        when expected_head is null then null
        -- Of the entries that an older head stands for, only the lasting ones remain.
        when v_expected.lasting_hash = v_lasting_hash_at_expected
            and (v_expected.place < v_anchor.place or v_expected.hash = v_hash_at_expected) then null
        else 'head_not_found'
    end;
    v_result.is_intact := v_result.problem is null;

    return v_result;
end;
$$;

comment on function tenancy.verify_audit_log(text, text) is
    'Recomputes a log''s hash chain, names the first entry that does not match, counts the entries that are not sealed, and says what was pruned by whom.';

-- sql/20_tenancy/audit_triggers/audit_routine_name.sql

create function tenancy.audit_routine_name(table_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgreSQL would cut a name of more than 63 bytes, and two tables could share one function.
    -- A hash of 52 digits never equals a table's name of at most 51 bytes.
    if octet_length(table_name) > 51 then
        return format('tg_%s__audit', left(encode(sha256(convert_to(table_name, 'UTF8')), 'hex'), 52));
    end if;

    return format('tg_%s__audit', table_name);
end;
$$;

comment on function tenancy.audit_routine_name(text) is
    'Name of the trigger function that audits a table. The function is in the table''s schema.';

-- sql/20_tenancy/audit_triggers/audit_routine_source.sql

create function tenancy.audit_routine_source(schema_name text, table_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements record;
begin
    v_statements := tenancy.audit_statements(schema_name, table_name, 'audit.v_caller.user_id, audit.v_role');

    -- A migration that has changed the columns may change rows, too. The function still has the
    -- old columns, until the migration ends and the function is replaced. So it compares them.
    -- The block with an exception clause writes nothing, so that it takes no transaction id.
    -- The label audit tells the variables from columns of the same names.
    -- A statement that has changed no row is no activity: a stranger's finds none.
    -- Large is a row of more than 2,000 bytes. From 65,536 on, values may be too large for a
    -- document: a compressed one can be 255 times as large.
    -- The comments are here, because every tenant has a copy of the function.
    return format(
        $sql$
<<audit>>
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
    v_size integer;
    v_is_unusual boolean;
    v_backfill text;
    v_rows bigint;
begin
    if tg_op = 'TRUNCATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (audit.v_caller.user_id, audit.v_role, 'truncate', %2$L);
        return null;
    end if;

    if current_setting('tenancy.backfill', true) <> '' then
        v_backfill := tenancy.running_backfill(%1$L);
    end if;
    if v_backfill is not null then
        if tg_op = 'DELETE' then
            select count(*) into v_rows from old_rows;
        else
            select count(*) into v_rows from new_rows;
        end if;
        if v_rows > 0 then
            insert into %1$I.audit_log (actor_id, actor_role, action, table_name, new_values)
            values (
                audit.v_caller.user_id, audit.v_role, lower(tg_op), %2$L,
                jsonb_build_object('backfill', v_backfill, 'rows', v_rows)
            );
        end if;
        return null;
    end if;

    v_is_unusual := %3$L::name[] is distinct from (
        select array_agg(a.attname order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
    );
    if not v_is_unusual then
        begin
            if tg_op = 'INSERT' then
                v_is_unusual := exists (select from new_rows _row where %8$s > 65536 or %9$s);
            elsif tg_op = 'DELETE' then
                v_is_unusual := exists (select from old_rows _row where %8$s > 65536 or %9$s);
            else
                select max(%8$s), bool_or(%9$s) into v_size, v_is_unusual
                from (table old_rows union all table new_rows) _row;
            end if;
        exception
            when others then v_is_unusual := true;
        end;
    end if;
    if v_is_unusual or v_size > 65536 then
        execute (
            select case tg_op when 'INSERT' then s.on_insert when 'DELETE' then s.on_delete else s.on_update end
            from tenancy.audit_statements(%1$L, tg_table_name, '$1, $2', as_text => true) s
        )
        using v_caller.user_id, v_role;
    elsif tg_op = 'INSERT' then
        %4$s;
    elsif tg_op = 'DELETE' then
        %5$s;
    elsif v_size > 2000 then
        %7$s;
    else
        %6$s;
    end if;

    get diagnostics v_size = row_count;
    if v_size > 0 and v_caller.kind in ('user', 'service_role') then
        perform tenancy.note_activity(%1$L);
    end if;
    return null;
end;
        $sql$,
        schema_name, table_name, v_statements.columns,
        v_statements.on_insert, v_statements.on_delete, v_statements.on_update, v_statements.on_large_update,
        coalesce(v_statements.size, '0'), coalesce(v_statements.is_unusual, 'false')
    );
end;
$$;

comment on function tenancy.audit_routine_source(text, text) is
    'Body of the trigger function that audits a table, for the table''s present columns.';

-- sql/20_tenancy/audit_triggers/audit_statements.sql

create function tenancy.audit_statements(
    schema_name text,
    table_name text,
    actor text,
    as_text boolean default false,
    out on_insert text,
    out on_delete text,
    out on_update text,
    out on_large_update text,
    out columns text,
    out size text,
    out is_unusual text
)
    returns record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    -- All values of a row have to fit into one document, which may have 256 MB.
    v_largest constant integer := (
        select least(16000000, 240000000 / greatest(c.relnatts, 1)) from pg_catalog.pg_class c where c.oid = v_table
    );
    v_value constant text := case
        when as_text then format('tenancy.audited_value(%%s.%%I, %s)', v_largest)
        else '%s.%I'
    end;
    v_check constant text := case
        when as_text then format(
            E'\n        cross join lateral tenancy.require_restorable(%L, (%%s.*)::%s)',
            replace(table_name, '%', '%%'), replace(v_table::regclass::text, '%', '%%')
        )
        else ''
    end;
    v_plain_types constant oid[] := array[
        'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'text', 'varchar', 'bpchar',
        'uuid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'bytea', 'inet', 'text[]', 'integer[]',
        'bigint[]', 'uuid[]'
    ]::regtype[]::oid[];
    v_key_of_row text;
    v_key_of_new text;
    v_same_key text;
    v_same_key_as_new text;
    v_same_key_as_old text;
    v_row text;
    v_old text;
    v_new text;
    v_large_old text;
    v_large_new text;
    v_removed text;
    v_added text;
    v_update text;
begin
    select
        array_agg(c.name order by c.place)::text,
        -- jsonb_build_object takes at most 100 arguments, so each column has a call of its own.
        string_agg(format('jsonb_build_object(%L, %s)', c.name, c.value_of_row), ' || ' order by c.place)
            filter (where c.is_key),
        string_agg(format('jsonb_build_object(%L, %s)', c.name, c.value_of_new), ' || ' order by c.place)
            filter (where c.is_key),
        string_agg(format('_old.%1$I = _new.%1$I', c.name), ' and ' order by c.place) filter (where c.is_key),
        string_agg(format('_row.%1$I = _new.%1$I', c.name), ' and ' order by c.place) filter (where c.is_key),
        string_agg(format('_old.%1$I = _row.%1$I', c.name), ' and ' order by c.place) filter (where c.is_key),
        case when as_text then
            string_agg(format('jsonb_build_object(%L, %s)', c.name, c.value_of_row), E'\n            || ' order by c.place)
        else 'to_jsonb(_row.*)' end,
        string_agg(format(c.if_changed, c.name, c.value_of_old), E'\n            || ' order by c.place),
        string_agg(format(c.if_changed, c.name, c.value_of_new), E'\n            || ' order by c.place),
        string_agg(
            format(
                c.if_changed, c.name,
                case
                    when c.is_text then format(
                        'case when greatest(octet_length(_old.%1$I), octet_length(_new.%1$I)) <= 2048 then to_jsonb(_old.%1$I)'
                        ' else tenancy.audited_change(_old.%1$I, _new.%1$I, false, %2$s) end',
                        c.name, v_largest
                    )
                    when c.is_of_variable_size then format('tenancy.audited_change(_old.%1$I, _new.%1$I, false, %2$s)', c.name, v_largest)
                    else c.value_of_old
                end
            ),
            E'\n            || ' order by c.place
        ),
        string_agg(
            format(
                c.if_changed, c.name,
                case
                    when c.is_text then format(
                        'case when greatest(octet_length(_old.%1$I), octet_length(_new.%1$I)) <= 2048 then to_jsonb(_new.%1$I)'
                        ' else tenancy.audited_change(_old.%1$I, _new.%1$I, true, %2$s) end',
                        c.name, v_largest
                    )
                    when c.is_of_variable_size then format('tenancy.audited_change(_old.%1$I, _new.%1$I, true, %2$s)', c.name, v_largest)
                    else c.value_of_new
                end
            ),
            E'\n            || ' order by c.place
        ),
        -- The key has changed, or there is none. A large value that is still in the table is not
        -- kept again.
        string_agg(
            format(
                'jsonb_build_object(%L, %s)',
                c.name,
                case
                    when c.is_of_variable_size then format(
                        'case when tenancy.audited_hash(_row.%1$I) in (select tenancy.audited_hash(_new.%1$I) from new_rows _new)'
                        ' then tenancy.audited_summary(_row.%1$I, %2$s) else tenancy.audited_value(_row.%1$I, %2$s) end',
                        c.name, v_largest
                    )
                    else c.value_of_row
                end
            ),
            E'\n            || ' order by c.place
        ),
        string_agg(
            format(
                'jsonb_build_object(%L, %s)',
                c.name,
                case
                    when c.is_of_variable_size then format('tenancy.audited_summary(_row.%I, %s)', c.name, v_largest)
                    else c.value_of_row
                end
            ),
            E'\n            || ' order by c.place
        ),
        -- In bytes, without reading the values. A compressed value counts as a large one.
        string_agg(
            format(
                case
                    when c.is_text or c.type = 'bytea'::regtype then 'coalesce(octet_length(_row.%1$I), 0)'
                    when c.type = any ('{numeric,inet}'::regtype[]::oid[]) then 'coalesce(pg_column_size(_row.%1$I), 0)'
                    else 'coalesce(pg_column_size(_row.%1$I) + case when pg_column_compression(_row.%1$I) is null then 0 else 2001 end, 0)'
                end,
                c.name
            ),
            ' + ' order by c.place
        )
            filter (where c.is_of_variable_size),
        string_agg(
            format('jsonb_path_exists(%1$s, ''strict $.**{500}'') or %1$s ? ''$text''', c.document),
            ' or ' order by c.place
        )
            filter (where c.document is not null)
    into columns, v_key_of_row, v_key_of_new, v_same_key, v_same_key_as_new, v_same_key_as_old, v_row, v_old, v_new,
        v_large_old, v_large_new, v_removed, v_added, size, is_unusual
    from (
        select a.attname as name, a.attnum as place,
            a.attnum = any (i.indkey::smallint[]) as is_key,
            a.atttypid as type,
            a.attlen = -1 as is_of_variable_size,
            a.atttypid = any ('{text,varchar,bpchar}'::regtype[]::oid[]) as is_text,
            -- Values are compared byte by byte: type json has no `=`, and numeric 1.0 = 1.00.
            'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
            ' then jsonb_build_object(%1$L, %2$s) else ''{}'' end' as if_changed,
            format(v_value, '_row', a.attname) as value_of_row,
            format(v_value, '_old', a.attname) as value_of_old,
            format(v_value, '_new', a.attname) as value_of_new,
            case
                when a.atttypid = 'jsonb'::regtype then format('_row.%I', a.attname)
                -- The usual types are never documents. Any other type is asked in each statement.
                when a.atttypid = any (v_plain_types)
                then null
                else format('to_jsonb(_row.%I)', a.attname)
            end as document
        from pg_catalog.pg_attribute a
        left join pg_catalog.pg_index i on i.indrelid = a.attrelid and i.indisprimary
        where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped
    ) c;

    -- A table may have no column yet.
    v_row := coalesce(v_row, '''{}''::jsonb');
    v_old := coalesce(v_old, '''{}''::jsonb');
    v_new := coalesce(v_new, '''{}''::jsonb');
    v_large_old := coalesce(v_large_old, '''{}''::jsonb');
    v_large_new := coalesce(v_large_new, '''{}''::jsonb');
    v_removed := coalesce(v_removed, '''{}''::jsonb');
    v_added := coalesce(v_added, '''{}''::jsonb');

    on_insert := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select %2$s, 'insert', %3$L, %4$s, %5$s
        from new_rows _row%6$s$sql$,
        schema_name, actor, table_name, coalesce(v_key_of_row, 'null::jsonb'), v_row, format(v_check, '_row')
    );
    on_delete := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select %2$s, 'delete', %3$L, %4$s, %5$s
        from old_rows _row$sql$,
        schema_name, actor, table_name, coalesce(v_key_of_row, 'null::jsonb'), v_row
    );
    v_update := $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select %2$s, 'update', %3$L, %5$s,
            %6$s,
            %7$s
        from old_rows _old
        join new_rows _new on %8$s%12$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- An update that changes the key is logged as a delete and an insert.
        union all
        select %2$s, 'delete', %3$L, %4$s, %11$s, null
        from old_rows _row
        where not exists (select from new_rows _new where %9$s)
        union all
        select %2$s, 'insert', %3$L, %4$s, null, %14$s
        from new_rows _row%13$s
        where not exists (select from old_rows _old where %10$s)$sql$;
    on_large_update := format(
        v_update,
        schema_name, actor, table_name,
        coalesce(v_key_of_row, 'null::jsonb'),
        coalesce(v_key_of_new, 'null::jsonb'),
        v_large_old, v_large_new,
        coalesce(v_same_key, 'false'),
        coalesce(v_same_key_as_new, 'false'),
        coalesce(v_same_key_as_old, 'false'),
        v_removed,
        format(v_check, '_new'), format(v_check, '_row'),
        v_added
    );
    on_update := case
        when as_text then on_large_update
        else format(
            v_update,
            schema_name, actor, table_name,
            coalesce(v_key_of_row, 'null::jsonb'),
            coalesce(v_key_of_new, 'null::jsonb'),
            v_old, v_new,
            coalesce(v_same_key, 'false'),
            coalesce(v_same_key_as_new, 'false'),
            coalesce(v_same_key_as_old, 'false'),
            v_row, '', '', v_row
        )
    end;
end;
$$;

comment on function tenancy.audit_statements(text, text, text, boolean) is
    'The statements that audit a table with its present columns. They read the transition tables old_rows and new_rows. actor is two SQL expressions: the actor''s id and role. on_large_update keeps only what changed in large values. size is the size of _row in bytes, without columns of fixed size. is_unusual is the condition on _row that the statements could fail or write something that cannot be read; with as_text they do neither, and keep only what changed, at a higher cost (PT404 table_not_found).';

-- sql/20_tenancy/audit_triggers/audit_table.sql

-- One trigger function for each table, which lists the table's columns and runs once a
-- statement: a generic function that compares rows as JSON, one by one, costs several times
-- as much.
create function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_routine constant text := tenancy.audit_routine_name(table_name);
    v_present_name constant text := (
        select p.proname::text
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = v_table and t.tgname = 'audit_insert' and p.prosrc like E'\n<<audit>>%'
    );
    v_is_new constant boolean := v_present_name is null;
    -- The function is created under a unique name, because looking up the common name would read
    -- the functions of all tenants. It is renamed as soon as the triggers refer to it.
    v_created_as constant text := case when v_is_new then 'tg_' || v_table || '__audit_new' else v_routine end;
    v_other oid;
begin
    -- The table was renamed after it got its triggers.
    if v_present_name <> v_routine then
        -- Two tables may have exchanged their names. The other table's function has the name of
        -- this one until the other table's turn comes.
        select p.oid into v_other
        from pg_catalog.pg_proc p
        where p.proname = v_routine
            and p.pronamespace = to_regnamespace(quote_ident(schema_name))
            and p.pronargs = 0
            and p.prosrc like E'\n<<audit>>%';
        if found then
            execute format('alter function %1$I.%2$I() rename to %3$I', schema_name, v_routine, 'tg_' || v_other || '__audit');
        end if;
        execute format('alter function %I.%I() rename to %I', schema_name, v_present_name, v_routine);
    end if;

    execute format(
        $sql$
create or replace function %1$I.%2$I()
    returns trigger
    volatile
    security definer
    set search_path = ''
    -- The text of a value must not depend on the session that writes it.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    -- A session keeps the plan of its first statement, which may change one row. The next
    -- statement may change a million.
    set enable_nestloop = off
    language plpgsql
as %3$L
        $sql$,
        schema_name, v_created_as, tenancy.audit_routine_source(schema_name, table_name)
    );

    if v_is_new then
        execute format(
            'create trigger audit_insert after insert on %1$I.%2$I'
            ' referencing new table as new_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_update after update on %1$I.%2$I'
            ' referencing old table as old_rows new table as new_rows'
            ' for each statement execute function %1$I.%3$I();'
            'create trigger audit_delete after delete on %1$I.%2$I'
            ' referencing old table as old_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_truncate after truncate on %1$I.%2$I'
            ' for each statement execute function %1$I.%3$I();'
            'revoke all on function %1$I.%3$I() from public, anon, authenticated, service_role;'
            'alter function %1$I.%3$I() rename to %4$I;',
            schema_name, table_name, v_created_as, v_routine
        );
    end if;
end;
$$;

comment on function tenancy.audit_table(text, text) is
    'Creates or replaces the audit triggers of a tenant''s table, so that every change of the table writes to the tenant''s audit_log. Call it again after the table''s columns or name have changed. Only under lock_tenant (PT404 table_not_found).';

-- sql/20_tenancy/audit_triggers/audited_change.sql

-- Members write large values again and again, and change little in them. If the log kept both
-- values of each update, they could fill the disk.
create function tenancy.audited_change(
    before anyelement,
    after anyelement,
    is_after boolean,
    largest integer
)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_before bytea;
    v_after bytea;
    v_shown bytea;
    v_shorter integer;
    v_step integer;
    v_head integer := 0;
    v_tail integer := 0;
    v_part text;
begin
    begin
        v_before := convert_to(before::text, 'UTF8');
        v_after := convert_to(after::text, 'UTF8');
    exception
        when others then
            return tenancy.audited_value(case when is_after then after else before end, largest);
    end;
    v_shown := case when is_after then v_after else v_before end;
    if v_shown is null or length(v_shown) <= 2048 then
        return tenancy.audited_value(case when is_after then after else before end, largest);
    end if;

    -- What the two texts have in common at the beginning and at the end. Each comparison adds
    -- bytes that were not compared before, so the whole takes time in proportion to the texts.
    v_shorter := coalesce(least(length(v_before), length(v_after)), 0);
    if v_before is null or v_after is null then
        v_shorter := 0;
    end if;
    v_step := v_shorter;
    while v_step > 0 loop
        if v_head + v_step <= v_shorter
            and substr(v_before, v_head + 1, v_step) = substr(v_after, v_head + 1, v_step)
        then
            v_head := v_head + v_step;
        else
            v_step := v_step / 2;
        end if;
    end loop;
    -- A character must not be cut: its second and later bytes are 10xxxxxx.
    while v_head > 0 and (
        (v_head < length(v_before) and get_byte(v_before, v_head) & 192 = 128)
        or (v_head < length(v_after) and get_byte(v_after, v_head) & 192 = 128)
    ) loop
        v_head := v_head - 1;
    end loop;
    v_step := v_shorter - v_head;
    while v_step > 0 loop
        if v_head + v_tail + v_step <= v_shorter
            and substr(v_before, length(v_before) - v_tail - v_step + 1, v_step)
            = substr(v_after, length(v_after) - v_tail - v_step + 1, v_step)
        then
            v_tail := v_tail + v_step;
        else
            v_step := v_step / 2;
        end if;
    end loop;
    while v_tail > 0 and get_byte(v_shown, length(v_shown) - v_tail) & 192 = 128 loop
        v_tail := v_tail - 1;
    end loop;

    if v_head + v_tail < length(v_shown) / 2 or length(v_shown) - v_head - v_tail > largest / 8 then
        return case
            when is_after then tenancy.audited_summary(after, largest)
            else tenancy.audited_value(before, largest)
        end;
    end if;
    v_part := convert_from(substr(v_shown, v_head + 1, length(v_shown) - v_head - v_tail), 'UTF8');

    return jsonb_build_object(
        '$text', case when is_after then left(v_part, 1000) else v_part end,
        '$offset', v_head,
        '$bytes', length(v_shown),
        '$sha256', encode(sha256(v_shown), 'hex')
    );
end;
$$;

comment on function tenancy.audited_change(anyelement, anyelement, boolean, integer) is
    'The value before or after an update, as the audit log keeps it. Of a text with more than 2 KB it keeps the part that differs as $text, with $offset, the number of equal bytes before that part, and the whole text''s $bytes and $sha256. Of the value before, the part is complete, so that the value can be computed from the one that replaced it; of the value after, it is cut at 1,000 characters. If less than half of the text is equal, the value before is kept like audited_value and the value after like audited_summary.';

-- sql/20_tenancy/audit_triggers/audited_hash.sql

create function tenancy.audited_hash(value anyelement)
    returns bytea
    stable
    strict
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_text text;
begin
    begin
        v_text := value::text;
    exception
        when others then null;
    end;

    return case when octet_length(v_text) > 2048 then sha256(convert_to(v_text, 'UTF8')) end;
end;
$$;

comment on function tenancy.audited_hash(anyelement) is
    'SHA-256 of a value with more than 2 KB of text; null for any other value.';

-- sql/20_tenancy/audit_triggers/audited_summary.sql

create function tenancy.audited_summary(value anyelement, largest integer)
    returns jsonb
    stable
    strict
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_text text;
begin
    begin
        v_text := value::text;
    exception
        when others then null;
    end;
    if v_text is null or octet_length(v_text) <= 2048 then
        return tenancy.audited_value(value, largest);
    end if;

    return jsonb_build_object(
        '$text', left(v_text, 1000),
        '$bytes', octet_length(v_text),
        '$sha256', encode(sha256(convert_to(v_text, 'UTF8')), 'hex')
    );
end;
$$;

comment on function tenancy.audited_summary(anyelement, integer) is
    'A value that an update has written, as the audit log keeps it: like audited_value, but of a value with more than 2 KB of text only the first 1,000 characters, with the whole text''s $bytes and $sha256. Nothing is lost: the value is in the row, and the entry of the next change of it keeps what that change replaces.';

-- sql/20_tenancy/audit_triggers/audited_tables.sql

create function tenancy.audited_tables(tables oid[])
    returns oid[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.tgrelid
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = any (tables)
            and t.tgname in ('audit_insert', 'audit_update', 'audit_delete', 'audit_truncate')
            and t.tgenabled in ('O', 'A')
            and p.prosrc like E'\n<<audit>>%'
        group by t.tgrelid
        having count(*) = 4
    );
end;
$$;

comment on function tenancy.audited_tables(oid[]) is
    'The tables among these that have all audit triggers, with all of them enabled.';

-- sql/20_tenancy/audit_triggers/audited_value.sql

create function tenancy.audited_value(value anyelement, largest integer)
    returns jsonb
    stable
    strict
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_json jsonb;
    v_text text;
begin
    -- No value of a row may stop its change from being logged, so every error is caught: the
    -- deepest documents, type json with escapes that jsonb does not have, types of extensions.
    begin
        v_json := to_jsonb(value);
        if greatest(pg_column_size(v_json), octet_length(v_json::text)) <= largest
            and not jsonb_path_exists(v_json, 'strict $.**{500}')
            and not v_json ? '$text'
        then
            return v_json;
        end if;
    exception
        when others then null;
    end;

    begin
        v_text := value::text;
        -- A control character takes six characters in JSON.
        if octet_length(v_text) <= largest / 8 then
            return jsonb_build_object('$text', v_text);
        end if;
        return jsonb_build_object(
            '$text', left(v_text, 1000),
            '$bytes', octet_length(v_text),
            '$sha256', encode(sha256(convert_to(v_text, 'UTF8')), 'hex')
        );
    exception
        when others then return jsonb_build_object('$text', null);
    end;
end;
$$;

comment on function tenancy.audited_value(anyelement, integer) is
    'A value as the audit log keeps it: as JSON, if that is at most 500 levels deep and not larger than a number of bytes, else as {"$text": …}. A text that is too long is cut, with the whole text''s $bytes and $sha256. A document that has a member $text itself is kept as text, too, so that nobody can imitate such a value.';

-- sql/20_tenancy/audit_triggers/drop_unused_audit_routines.sql

create function tenancy.drop_unused_audit_routines(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine text;
begin
    for v_routine in
        select p.proname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_proc'::regclass
            and p.prorettype = 'trigger'::regtype
            and p.proname like 'tg\_%\_\_audit'
            and not exists (
                select from pg_catalog.pg_depend t
                where t.refclassid = 'pg_proc'::regclass
                    and t.refobjid = p.oid
                    and t.classid = 'pg_trigger'::regclass
            )
    loop
        execute format('drop function %I.%I()', schema_name, v_routine);
    end loop;
end;
$$;

comment on function tenancy.drop_unused_audit_routines(text) is
    'Drops the audit functions of tables that no longer exist. Dropping a table drops its triggers, but not their functions.';

-- sql/20_tenancy/audit_triggers/leave_unaudited.sql

create function tenancy.leave_unaudited(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_statements text;
begin
    select string_agg(format('drop trigger %I on %I.%I;', t.tgname, schema_name, table_name), ' ')
    into v_statements
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = v_table and p.prosrc like E'\n<<audit>>%';
    if v_statements is not null then
        execute v_statements;
        perform tenancy.drop_unused_audit_routines(schema_name);
    end if;

    -- By oid, because the migration may rename the table afterwards.
    perform set_config(
        'tenancy.unaudited_tables',
        concat_ws(' ', nullif(current_setting('tenancy.unaudited_tables', true), ''), v_table),
        true
    );
end;
$$;

comment on function tenancy.leave_unaudited(text, text) is
    'Says in a tenant migration that a table shall not be audited, and drops its audit triggers. Without this call, or audited => false of enable_tenant_table, apply_tenant_migration audits every new table and refuses to lose the audit of an old one (PT404 table_not_found).';

-- sql/20_tenancy/audit_triggers/refresh_audit_triggers.sql

create function tenancy.refresh_audit_triggers(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables constant oid[] := tenancy.table_oids(schema_name);
begin
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables)
        and tenancy.audit_routine_source(schema_name, c.relname) <> (
            select p.prosrc
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_proc p on p.oid = t.tgfoid
            where t.tgrelid = c.oid and t.tgname = 'audit_insert' and p.prosrc like E'\n<<audit>>%'
        );
end;
$$;

comment on function tenancy.refresh_audit_triggers(text) is
    'Replaces the audit trigger functions of the tables whose columns or name have changed, and of those whose function is from an older version of Tenantry.';

-- sql/20_tenancy/audit_triggers/require_restorable.sql

create function tenancy.require_restorable(table_name text, row_to_store anyelement)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_text text;
begin
    begin
        if not jsonb_path_exists(to_jsonb(row_to_store), 'strict $.**{5000}') then
            return;
        end if;
    exception
        when others then null;
    end;

    -- Read the row from its text, as a restore does. A restore has more of the stack left than
    -- a trigger.
    begin
        v_text := row_to_store::text;
        if octet_length(v_text) <= 268435455 then
            execute format('select $1::%s', pg_typeof(row_to_store)) using v_text;
            return;
        end if;
    exception
        when others then null;
    end;

    raise exception 'A row for table "%" could not be restored from a backup.', table_name
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was written. A document in the row is nested too deep, or the row is larger than 256 MB.';
end;
$$;

comment on function tenancy.require_restorable(text, anyelement) is
    'Refuses a row that a backup could not write as text or read again (PT422 invalid_request).';

-- sql/20_tenancy/audit_triggers/running_backfill.sql

create function tenancy.running_backfill(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select b.version
        from tenancy.unfinished_backfills b
        where b.schema_name = running_backfill.schema_name
            and b.writing_in = pg_current_xact_id_if_assigned()
    );
end;
$$;

comment on function tenancy.running_backfill(text) is
    'The version of the backfill of which this transaction runs a batch in this tenant; null if none. Nobody but Tenantry can write what it reads.';

-- sql/20_tenancy/cache_load/cache_load_forecast.sql

-- A load costs 0.1 s at once, something for each relation, and something for each pair. With ten
-- to five thousand tenants of three tables, measured on two cores, the last two are equal at
-- about 5,000 relations.
create function tenancy.cache_load_forecast(
    assumed_milliseconds float8 default null,
    out limit_seconds integer,
    out tenants integer
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with recent as (
        -- The slower ones: a forecast is made for a busy moment.
        select coalesce(
            percentile_cont(0.75) within group (
                order by greatest(m.milliseconds - 100, m.milliseconds / 10.0)
                    / (m.relation_count * (1 + m.relation_count / 5000.0))
            ),
            assumed_milliseconds
        ) as milliseconds_each
        from (
            select m.milliseconds, m.relation_count
            from tenancy.cache_load_measurements m
            -- Fewer say nothing of many.
            where m.relation_count >= 300
            order by m.measured_at desc
            limit 10
        ) m
    ),
    latest as (
        select coalesce(
            (
                select m.relation_count / m.tenant_count::float8
                from tenancy.cache_load_measurements m
                where m.relation_count >= 300 and m.tenant_count > 0
                order by m.measured_at desc
                limit 1
            ),
            (
                select count(*)::float8
                from pg_catalog.pg_class c
                where c.relnamespace = to_regnamespace('tenant_template') and c.relkind in ('r', 'p', 'v', 'm', 'f')
            )
        ) as relations_of_tenant
    )
    select
        s.seconds,
        -- Solves r + r² / 5000 = time / milliseconds_each.
        floor(
            2500 * (sqrt(1 + s.seconds * 1000 / (1250 * r.milliseconds_each)) - 1) / l.relations_of_tenant
        )::integer
    from recent r
    cross join latest l
    cross join unnest(array[8, 30, 60]) s (seconds)
    where r.milliseconds_each > 0 and l.relations_of_tenant > 0
    order by s.seconds;
$$;

comment on function tenancy.cache_load_forecast(float8) is
    'With how many tenants, of as many tables as those here have, a load of the schema cache takes 8, 30 and 60 seconds. Before it was measured with 300 tables there are no rows, unless the caller assumes how many milliseconds a table takes, where there are few.';

-- sql/20_tenancy/cache_load/cache_load_limit.sql

create function tenancy.cache_load_limit()
    returns integer
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select nullif(
        case
            when t.timeout ~ '^\d+$' then t.timeout::numeric
            when t.timeout ~ '^\d+ *(ms|s|min|h)$' then extract(epoch from t.timeout::interval) * 1000
        end,
        0
    )::integer
    from tenancy.timeout_settings('authenticator') s
    cross join lateral (select coalesce(s.in_this_database, s.in_all_databases)) t (timeout);
$$;

comment on function tenancy.cache_load_limit() is
    'How many milliseconds a statement of the load of the schema cache may take. Null if authenticator has no limit.';

-- sql/20_tenancy/cache_load/cache_load_statements.sql

-- PostgREST reads its schema cache as authenticator. Under the 8 s that Supabase gives this role,
-- a slow load fails, nobody is served, and PostgREST loads again at once.
create function tenancy.cache_load_statements(out role_name text, out statement text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with limits as (
        select s.in_all_databases as shared, s.in_this_database is null as is_missing
        from tenancy.timeout_settings('authenticator') s
        -- Everything else is the owner's decision.
        where case
            when s.in_this_database is null then s.in_all_databases = '8s'
            else s.in_this_database = '60s' and s.in_all_databases is not null
        end
    ),
    statements as (
        -- A role without a timeout of its own has that of authenticator. PostgREST reads the
        -- settings of its direct memberships. A role that cannot log in needs them nowhere else.
        select r.rolname, format('alter role %I set statement_timeout = %L;', r.rolname, l.shared) as statement
        from limits l
        join pg_catalog.pg_auth_members m on m.member = to_regrole('authenticator')
        join pg_catalog.pg_roles r on r.oid = m.roleid
        cross join tenancy.timeout_settings(r.rolname) s
        where not r.rolcanlogin
            and r.rolname !~ '^pg_'
            and s.in_all_databases is null
        union
        select
            'authenticator',
            format('alter role authenticator in database %I set statement_timeout = %L;', current_database(), '60s')
        from limits l
        where l.is_missing
    )
    select s.rolname::text, s.statement
    from statements s
    order by s.rolname = 'authenticator', s.rolname;
$$;

comment on function tenancy.cache_load_statements() is
    'The statements that give authenticator 60 s for a statement in this database, and each API role without a timeout the one that it had from authenticator. No rows if nothing is missing, or if the owner has set another timeout.';

-- sql/20_tenancy/cache_load/dump_locks.sql

-- pg_dump keeps a lock on each table, view and sequence until it ends. All sessions share the
-- locks. The number is the one for which PostgreSQL reserves memory when it starts.
create function tenancy.dump_locks(out needed integer, out available integer, out most_tenants integer)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        n.needed,
        a.available,
        case
            when t.tenants > 0 and n.of_tenants > 0 then
                greatest(0, floor((a.available - n.needed + n.of_tenants) * t.tenants / n.of_tenants::float8))::integer
        end
    from (
        select
            count(*)::integer as needed,
            count(*) filter (where s.id is not null)::integer as of_tenants
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join public.tenants s on s.schema_name = n.nspname
        where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and n.nspname <> 'information_schema'
            and n.nspname !~ '^pg_'
    ) n
    cross join (select count(*)::integer as tenants from public.tenants) t
    cross join (
        select current_setting('max_locks_per_transaction')::integer * sum(s.setting::integer)::integer as available
        from pg_catalog.pg_settings s
        where s.name in (
            'max_connections', 'max_prepared_transactions', 'autovacuum_max_workers',
            'max_worker_processes', 'max_wal_senders'
        )
    ) a;
$$;

comment on function tenancy.dump_locks() is
    'How many locks a dump of the whole database needs, how many the server has for all sessions, and with how many tenants like those here the first number reaches the second (null without tenants).';

-- sql/20_tenancy/cache_load/record_cache_load.sql

create function tenancy.record_cache_load(milliseconds integer)
    returns void
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    insert into tenancy.cache_load_measurements (tenant_count, relation_count, milliseconds)
    select
        (select count(*) from public.tenants),
        count(*),
        milliseconds
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
        and n.nspname = any (tenancy.exposed_schemas());

    delete from tenancy.cache_load_measurements m
    where m.measured_at < (
        select k.measured_at
        from tenancy.cache_load_measurements k
        order by k.measured_at desc
        offset 499
        limit 1
    );
$$;

comment on function tenancy.record_cache_load(integer) is
    'Keeps how many milliseconds a load of the schema cache took, with the present number of tenants and tables.';

-- sql/20_tenancy/cache_load/refresh_catalog_statistics.sql

create function tenancy.refresh_catalog_statistics()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_catalog regclass;
begin
    for v_catalog in
        select s.catalog
        from tenancy.stale_catalogs() s (catalog)
        -- PostgreSQL allows it to the owner of the database, and warns anybody else.
        where exists (
            select
            from pg_catalog.pg_database d
            where d.datname = current_database() and pg_has_role(d.datdba, 'usage')
        )
    loop
        -- The lock lasts to the end of the transaction. Readers and writers do not wait for it, and
        -- who would wait skips the catalog.
        execute format('analyze (skip_locked) %s', v_catalog);
    end loop;
end;
$$;

comment on function tenancy.refresh_catalog_statistics() is
    'Collects the statistics of the stale catalogs, if the caller owns the database. Whatever adds many objects calls it before it adds them.';

-- sql/20_tenancy/cache_load/set_cache_load_timeout.sql

create function tenancy.set_cache_load_timeout()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text[];
    v_statement text;
begin
    -- Two transactions that alter a role fail with "tuple concurrently updated".
    perform tenancy.lock_exposure();
    v_statements := array(select s.statement from tenancy.cache_load_statements() s);
    foreach v_statement in array v_statements loop
        execute v_statement;
    end loop;
    if v_statements = '{}' then
        return;
    end if;

    -- PostgREST reads the timeouts of the API roles, and then renews its connections: a session
    -- keeps the settings with which it began.
    perform pg_notify('pgrst', 'reload config');
    perform tenancy.reload_schema_cache();
exception
    when insufficient_privilege then
        raise warning 'The Data API loads its schema cache under a statement timeout of 8 s, which many tenants exceed. The role % may not change that. As a role that may: %',
            current_user, array_to_string(v_statements, ' ');
end;
$$;

comment on function tenancy.set_cache_load_timeout() is
    'Gives the load of PostgREST''s schema cache 60 s, while each API role keeps its own statement timeout. Leaves a timeout that the owner has set. A repeat changes nothing. Without the privilege it changes nothing and raises a warning.';

-- sql/20_tenancy/cache_load/stale_catalogs.sql

-- PostgreSQL counts changed rows for autovacuum, which may come a minute later or after a long
-- queue. Many tenants have tables and constraints of the same names. Without statistics of that,
-- the load of PostgREST's schema cache compares each with each.
create function tenancy.stale_catalogs(least_changes integer default 500)
    returns setof regclass
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select c.oid::regclass
    from pg_catalog.pg_class c
    where c.oid in (
            'pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_class'::regclass,
            'pg_catalog.pg_constraint'::regclass
        )
        -- In proportion to the size, so that the statistics cost each creation the same.
        and pg_stat_get_mod_since_analyze(c.oid) > least_changes + greatest(c.reltuples, 0) / 2
    order by c.oid;
$$;

comment on function tenancy.stale_catalogs(integer) is
    'The catalogs of PostgreSQL with the names that tenants share, of which more than half has changed since their statistics were collected, and at least a number of rows.';

-- sql/20_tenancy/cache_load/timeout_settings.sql

create function tenancy.timeout_settings(role_name name, out in_this_database text, out in_all_databases text)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        max(e.timeout) filter (where s.setdatabase <> 0),
        max(e.timeout) filter (where s.setdatabase = 0)
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    cross join substr(c.entry, length('statement_timeout=') + 1) e (timeout)
    where s.setrole = to_regrole(quote_ident(role_name))
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and starts_with(c.entry, 'statement_timeout=');
$$;

comment on function tenancy.timeout_settings(name) is
    'The statement timeouts that a role has for this database and for all databases, as they were written. The first overrides the second when the role logs in. PostgREST reads only the second for the roles that it takes on.';

-- sql/20_tenancy/catalog/all_schema_bytes.sql

-- The same sizes as schema_bytes, for every schema in one pass over the catalog. With thousands of
-- tenants that costs less than a look-up for each.
create function tenancy.all_schema_bytes(out schema_name text, out bytes bigint)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select n.nspname::text, s.pages * current_setting('block_size')::bigint
    from (
        select p.schema, sum(p.pages)::bigint as pages
        from (
            select c.relnamespace as schema, c.relpages as pages
            from pg_catalog.pg_class c
            where c.relkind in ('r', 'm', 'i')
            union all
            select c.relnamespace, t.relpages
            from pg_catalog.pg_class c
            join pg_catalog.pg_class t on t.oid = c.reltoastrelid
            where c.relkind in ('r', 'm')
        ) p
        group by p.schema
    ) s
    join pg_catalog.pg_namespace n on n.oid = s.schema;
end;
$$;

comment on function tenancy.all_schema_bytes() is
    'Size of every schema on disk in bytes: tables with their indexes and out-of-line values, as of the last VACUUM or ANALYZE of each. One pass over the catalog.';

-- sql/20_tenancy/catalog/column_names.sql

create function tenancy.column_names(relation oid, numbers smallint[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    -- One plan for all calls: PostgreSQL expects a plan for the given numbers to be cheaper,
    -- and would make such a plan in each call.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
begin
    return array(
        select a.attname::text
        from unnest(numbers) with ordinality n (number, place)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = n.number
        order by n.place
    );
end;
$$;

comment on function tenancy.column_names(oid, smallint[]) is
    'The names of these columns of a table, in the order of the numbers.';

-- sql/20_tenancy/catalog/describe_columns.sql

create function tenancy.describe_columns(relation oid)
    returns setof public.tenantry_table_column
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return query
    select
        a.attname::text,
        a.attnum::integer,
        format_type(a.atttypid, a.atttypmod),
        not a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid),
        a.attnum = any (coalesce(k.conkey, '{}')),
        a.attidentity <> '',
        col_description(a.attrelid, a.attnum)
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_catalog.pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p'
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
    order by a.attnum;
end;
$$;

comment on function tenancy.describe_columns(oid) is 'A table''s columns, as get_table_columns returns them.';

-- sql/20_tenancy/catalog/describe_foreign_keys.sql

create function tenancy.describe_foreign_keys(relation oid)
    returns setof public.tenantry_table_foreign_key
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    -- By oid, because constraints of two tenants may have the same name.
    return query
    select
        k.conname::text,
        tenancy.column_names(k.conrelid, k.conkey),
        -- A shared table is outside the tenant, so its name has its schema.
        case
            when c.relnamespace = t.relnamespace then c.relname::text
            else c.relnamespace::regnamespace || '.' || c.relname
        end,
        tenancy.column_names(k.confrelid, k.confkey),
        tenancy.foreign_key_action(k.confupdtype),
        tenancy.foreign_key_action(k.confdeltype)
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.confrelid
    join pg_catalog.pg_class t on t.oid = k.conrelid
    where k.conrelid = relation and k.contype = 'f'
    order by k.conname;
end;
$$;

comment on function tenancy.describe_foreign_keys(oid) is
    'A table''s foreign keys, as get_table_foreign_keys returns them.';

-- sql/20_tenancy/catalog/describe_table.sql

create function tenancy.describe_table(relation oid)
    returns public.tenantry_schema_table
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table public.tenantry_schema_table;
begin
    select
        c.relname,
        (
            select count(*)
            from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ),
        tenancy.row_estimate(c.oid),
        tenancy.table_bytes(c.oid),
        obj_description(c.oid, 'pg_class')
    into v_table
    from pg_catalog.pg_class c
    where c.oid = relation;

    return v_table;
end;
$$;

comment on function tenancy.describe_table(oid) is 'A table, as get_schema_tables returns it.';

-- sql/20_tenancy/catalog/find_foreign_key.sql

create function tenancy.find_foreign_key(
    relation oid,
    column_number smallint,
    foreign_relation oid,
    foreign_number smallint
)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select k.conname::text
        from pg_catalog.pg_constraint k
        where k.conrelid = relation
            and k.contype = 'f'
            and k.conkey = array[column_number]
            and k.confrelid = foreign_relation
            and k.confkey = array[foreign_number]
        -- PostgreSQL allows a second equal key, which the project's own SQL may have added.
        order by k.conname
        limit 1
    );
end;
$$;

comment on function tenancy.find_foreign_key(oid, smallint, oid, smallint) is
    'Name of the foreign key from one column to another; null if there is none.';

-- sql/20_tenancy/catalog/find_table.sql

create function tenancy.find_table(schema_name text, table_name text)
    returns oid
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select c.oid
        from pg_catalog.pg_class c
        where c.relname = table_name
            and c.relnamespace = to_regnamespace(quote_ident(schema_name))
            and c.relkind in ('r', 'p')
    );
end;
$$;

comment on function tenancy.find_table(text, text) is 'The oid of a tenant''s table; null if there is none.';

-- sql/20_tenancy/catalog/foreign_key_action.sql

create function tenancy.foreign_key_action(code "char")
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return case code
        when 'a' then 'NO ACTION'
        when 'r' then 'RESTRICT'
        when 'c' then 'CASCADE'
        when 'n' then 'SET NULL'
        when 'd' then 'SET DEFAULT'
    end;
end;
$$;

comment on function tenancy.foreign_key_action("char") is
    'The action of a foreign key on update or delete, from its one-letter code in pg_constraint.';

-- sql/20_tenancy/catalog/full_transaction_id.sql

create function tenancy.full_transaction_id(short xid)
    returns xid8
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_next constant bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    v_low constant bigint := short::text::bigint;
    v_full bigint := (v_next >> 32 << 32) + v_low;
begin
    -- A row has only the lower 32 bits of its transaction id. If the result is in the future,
    -- the row is from the epoch before the present one.
    if v_full >= v_next + 2147483648 then
        v_full := v_full - 4294967296;
    end if;

    return v_full::text::xid8;
end;
$$;

comment on function tenancy.full_transaction_id(xid) is
    'The full transaction id of a row''s xmin. Right for rows that are less than two billion transactions old.';

-- sql/20_tenancy/catalog/is_name_taken.sql

create function tenancy.is_name_taken(schema_name text, relation_name text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Tables, indexes, sequences, views and types cannot share a name.
    return exists (
        select from pg_catalog.pg_class c
        where c.relname = relation_name and c.relnamespace = to_regnamespace(quote_ident(schema_name))
    ) or exists (
        select from pg_catalog.pg_type t
        where t.typname = relation_name and t.typnamespace = to_regnamespace(quote_ident(schema_name))
    );
end;
$$;

comment on function tenancy.is_name_taken(text, text) is
    'Whether a relation or a type in a tenant''s schema already has this name.';

-- sql/20_tenancy/catalog/is_security_invoker.sql

create function tenancy.is_security_invoker(options text[])
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- pg_class.reloptions keeps the text that was written: true, on, yes or 1.
    select coalesce(
        (select o.option_value::boolean
        from pg_catalog.pg_options_to_table(options) o
        where o.option_name = 'security_invoker'),
        false
    );
$$;

comment on function tenancy.is_security_invoker(text[]) is
    'Whether a view with these options runs with the rights of its caller, so that the policies of its tables apply.';

-- sql/20_tenancy/catalog/is_written_now.sql

create function tenancy.is_written_now(writer xid)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Uncommitted rows of others are not visible, so the writer in progress is this transaction,
    -- or a subtransaction of it. Its id is not older than that of the transaction.
    return age(writer) <= age(pg_current_xact_id()::xid)
        and pg_xact_status(tenancy.full_transaction_id(writer)) = 'in progress';
end;
$$;

comment on function tenancy.is_written_now(xid) is
    'Whether this transaction has written the row of the catalog whose xmin this is.';

-- sql/20_tenancy/catalog/outside_dependents.sql

-- What belongs to the schema: the objects in it, and what PostgreSQL drops silently with them,
-- such as indexes, constraints and members of a publication. A partition in another schema
-- would be dropped silently, too, with rows that are not the tenant's.
create function tenancy.outside_dependents(schema_name text)
    returns text[]
    stable
    security invoker
    set search_path = ''
    -- By the index of pg_depend, so that other schemas cost nothing.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
begin
    return array(
        with recursive own (classid, objid) as (
            select 'pg_namespace'::regclass::oid, v_schema
            union
            select d.classid, d.objid
            from own o
            join pg_catalog.pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
            where (d.deptype <> 'n' or o.classid = 'pg_namespace'::regclass)
                and not exists (
                    select from pg_catalog.pg_class c
                    where d.classid = 'pg_class'::regclass
                        and c.oid = d.objid
                        and c.relkind in ('r', 'p', 'f', 'v', 'm')
                        and c.relnamespace <> v_schema
                )
        )
        select distinct coalesce(
            -- A view is a rule for PostgreSQL.
            (
                select pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                from pg_catalog.pg_rewrite r
                where d.classid = 'pg_rewrite'::regclass and r.oid = d.objid and r.rulename = '_RETURN'
            ),
            pg_describe_object(d.classid, d.objid, d.objsubid)
        ) as description
        from own o
        join pg_catalog.pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
        where not exists (select from own i where i.classid = d.classid and i.objid = d.objid)
        order by description
    );
end;
$$;

comment on function tenancy.outside_dependents(text) is
    'Objects outside a schema that would be dropped with it, because they depend on something in it, as PostgreSQL describes them.';

-- sql/20_tenancy/catalog/referenced_tables.sql

create function tenancy.referenced_tables(relation oid)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select distinct c.relname::text
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.confrelid
        where k.conrelid = relation
            and k.contype = 'f'
            and c.relnamespace = (select t.relnamespace from pg_catalog.pg_class t where t.oid = relation)
    );
end;
$$;

comment on function tenancy.referenced_tables(oid) is
    'Names of the tables of the same schema that a table''s foreign keys refer to. Dropping the keys locks these tables, too.';

-- sql/20_tenancy/catalog/require_column.sql

create function tenancy.require_column(schema_name text, table_name text, column_name text)
    returns smallint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_number smallint;
begin
    select a.attnum into v_number
    from pg_catalog.pg_attribute a
    where a.attrelid = tenancy.require_table(schema_name, table_name)
        and a.attname = column_name
        and a.attnum > 0
        and not a.attisdropped;

    if v_number is null then
        raise exception 'Table "%" has no column %.', table_name, coalesce('"' || tenancy.printable(column_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'column_not_found',
                hint = 'List the columns with get_table_columns.';
    end if;

    return v_number;
end;
$$;

comment on function tenancy.require_column(text, text, text) is
    'The number of a column of a tenant''s table (PT404: table_not_found, column_not_found).';

-- sql/20_tenancy/catalog/require_foreign_key.sql

create function tenancy.require_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.tenantry_table_foreign_key
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_foreign_key public.tenantry_table_foreign_key;
begin
    select * into v_foreign_key
    from tenancy.describe_foreign_keys(tenancy.require_table(schema_name, table_name)) k
    where k.constraint_name = require_foreign_key.constraint_name;

    if not found then
        raise exception 'Table "%" has no foreign key %.', table_name,
            coalesce('"' || tenancy.printable(constraint_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'constraint_not_found',
                hint = 'List the foreign keys with get_table_foreign_keys.';
    end if;

    return v_foreign_key;
end;
$$;

comment on function tenancy.require_foreign_key(text, text, text) is
    'A foreign key of a tenant''s table by its name (PT404: table_not_found, constraint_not_found).';

-- sql/20_tenancy/catalog/require_table.sql

create function tenancy.require_table(schema_name text, table_name text)
    returns oid
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.find_table(schema_name, table_name);
begin
    if v_table is null then
        raise exception 'Tenant "%" has no table %.', schema_name, coalesce('"' || tenancy.printable(table_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'table_not_found',
                hint = 'List the tables with get_schema_tables.';
    end if;

    return v_table;
end;
$$;

comment on function tenancy.require_table(text, text) is
    'The oid of a tenant''s table (PT404 table_not_found).';

-- sql/20_tenancy/catalog/row_estimate.sql

create function tenancy.row_estimate(relation oid)
    returns bigint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The statistics have a live count before the first ANALYZE, but a crash resets it.
    -- reltuples survives a crash, but has no value before the first ANALYZE.
    return greatest(
        pg_stat_get_live_tuples(relation),
        (select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = relation),
        0
    );
end;
$$;

comment on function tenancy.row_estimate(oid) is
    'Estimated number of rows of a table, from statistics; no row is counted.';

-- sql/20_tenancy/catalog/schema_bytes.sql

-- From relpages, because pg_relation_size opens each relation: a session would keep some
-- kilobytes of each relation of each tenant, and read the size of each file.
create function tenancy.schema_bytes(schema_name text)
    returns bigint
    stable
    security invoker
    set search_path = ''
    -- Statistics of the catalog may be from a time with few tenants.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    language plpgsql
as $$
begin
    return (
        select coalesce(sum(p.pages), 0)::bigint * current_setting('block_size')::bigint
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind in ('r', 'm')
        cross join lateral (
            select c.relpages as pages
            union all
            select i.relpages
            from pg_catalog.pg_index x
            join pg_catalog.pg_class i on i.oid = x.indexrelid
            where x.indrelid = c.oid
            union all
            select t.relpages from pg_catalog.pg_class t where t.oid = c.reltoastrelid
        ) p
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
    );
end;
$$;

comment on function tenancy.schema_bytes(text) is
    'Size of a schema on disk in bytes: tables with their indexes and out-of-line values, as of the last VACUUM or ANALYZE of each. Reads nothing of other schemas.';

-- sql/20_tenancy/catalog/schema_privileges.sql

create function tenancy.schema_privileges(
    schema_name text,
    out object_kind text,
    out object_name text,
    out grantee text,
    out privileges text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with objects as (
        select 'schema' as kind, n.nspname::text as name, n.nspowner as owner, n.nspacl as acl, 0::oid as relation
        from pg_catalog.pg_namespace n
        where n.nspname = schema_name
        union all
        select case c.relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
            c.relname::text, c.relowner, c.relacl, c.oid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind <> 'c'
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
        union all
        -- PostgreSQL lets everybody execute a new routine.
        select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner,
            coalesce(p.proacl, acldefault('f', p.proowner)), 0
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_proc'::regclass
    )
    select o.kind, o.name,
        case a.grantee when 0 then 'PUBLIC' else a.grantee::regrole::text end,
        string_agg(a.privilege, ', ' order by a.privilege)
    from objects o
    cross join lateral (
        select e.grantee, lower(e.privilege_type) as privilege
        from aclexplode(o.acl) e
        union
        select e.grantee, format('%s (%I)', lower(e.privilege_type), c.attname)
        from pg_catalog.pg_attribute c
        cross join aclexplode(c.attacl) e
        where c.attrelid = o.relation
    ) a
    where a.grantee <> o.owner
    group by o.kind, o.name, a.grantee;
$$;

comment on function tenancy.schema_privileges(text) is
    'The privileges on a schema and on the objects in it, by object and role, except those of its owner.';

-- sql/20_tenancy/catalog/table_bytes.sql

create function tenancy.table_bytes(relation oid)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return coalesce(pg_total_relation_size(relation), 0);
end;
$$;

comment on function tenancy.table_bytes(oid) is
    'A table''s size on disk with indexes and out-of-line values, in bytes.';

-- sql/20_tenancy/catalog/table_contents.sql

-- Counting a table of 16 MB takes some ten milliseconds. A larger one is estimated, because
-- nobody can read it while it is counted before it is dropped.
create function tenancy.table_contents(relation oid)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_bytes constant bigint := tenancy.table_bytes(relation);
    v_is_estimate constant boolean := v_bytes > 16777216;
    v_rows bigint;
begin
    if v_is_estimate then
        v_rows := tenancy.row_estimate(relation);
    else
        execute format('select count(*) from %s', relation::regclass) into v_rows;
    end if;

    return jsonb_build_object('rows', v_rows, 'rows_are_estimated', v_is_estimate, 'bytes', v_bytes);
end;
$$;

comment on function tenancy.table_contents(oid) is
    'How many rows and bytes a table has, for the entry about their removal. Rows are counted in a table of up to 16 MB, and estimated in a larger one.';

-- sql/20_tenancy/catalog/table_oids.sql

create function tenancy.table_oids(schema_name text)
    returns oid[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- From pg_depend, which has an index by schema, so that other schemas cost nothing. The
    -- indexes of pg_class do not begin with the schema.
    return array(
        select c.oid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p')
    );
end;
$$;

comment on function tenancy.table_oids(text) is 'The oids of the tables in one schema.';

-- sql/20_tenancy/creation/compile_creation.sql

-- The script is no second place that decides: it repeats what the replay has made, and is used only
-- if both have made the same.
create function tenancy.compile_creation(
    schema_name text,
    out statements text,
    out grants text,
    out opening text,
    out obstacle text
)
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_other_name constant text := tenancy.opaque_schema_name();
begin
    obstacle := tenancy.compiling_obstacle(schema_name);
    if obstacle is null then
        statements := tenancy.script_text(schema_name, tenancy.creation_statements(schema_name));
        grants := tenancy.script_text(schema_name, tenancy.grant_statements(schema_name, of_schema => false));
        opening := tenancy.script_text(schema_name, tenancy.grant_statements(schema_name, of_schema => true));

        insert into public.tenants (schema_name, display_name, schema_version, status, suspended_at)
        select v_other_name, v_other_name, t.schema_version, 'suspended', now()
        from public.tenants t
        where t.schema_name = compile_creation.schema_name;
        perform tenancy.run_creation_script(v_other_name, statements);
        obstacle := 'The script would open a closed tenant: '
            || (select string_agg(d.object_name, ', ') from tenancy.grant_differences(v_other_name) d);
    end if;
    if obstacle is null then
        update public.tenants t
        set status = 'active', suspended_at = null
        where t.schema_name = v_other_name;
        perform tenancy.run_creation_script(v_other_name, concat_ws(E'\n', grants, opening));
        obstacle := 'The script would make other objects: '
            || tenancy.creation_differences(schema_name, v_other_name);
    end if;

    -- Rolls back the second tenant.
    raise sqlstate 'TN000';
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if sqlstate <> 'TN000' then
            obstacle := 'The script fails: ' || tenancy.one_line(sqlerrm);
        end if;
        if obstacle is not null then
            obstacle := left(obstacle, 1000);
            statements := null;
            grants := null;
            opening := null;
        end if;
end;
$$;

comment on function tenancy.compile_creation(text) is
    'The script that makes a tenant as this one, which a replay has just made; or the obstacle. Runs the script in another schema, compares both, and rolls it back (40P01, 55P03).';

-- sql/20_tenancy/creation/compiling_obstacle.sql

create function tenancy.compiling_obstacle(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_obstacle text;
    v_relation record;
    v_is_used boolean;
begin
    select format('A script cannot make the %s %s', i.type, coalesce(i.name, replace(i.identity, quote_ident(schema_name) || '.', ''))) into v_obstacle
    from pg_catalog.pg_depend d
    left join pg_catalog.pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
    left join pg_catalog.pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
    left join pg_catalog.pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and coalesce(
            c.relkind not in ('r', 'v', 'S', 'c')
                or c.relispartition
                or exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid),
            t.typtype not in ('c', 'd', 'e'),
            p.prokind not in ('f', 'p'),
            d.classid <> 'pg_statistic_ext'::regclass
        )
    order by i.type, i.identity
    limit 1;
    if v_obstacle is not null then
        return v_obstacle;
    end if;

    for v_relation in
        select c.oid::regclass as name, c.relname, s.seqstart
        from pg_catalog.pg_class c
        left join pg_catalog.pg_sequence s on s.seqrelid = c.oid
        where c.relnamespace = v_namespace and c.relkind in ('r', 'S')
        order by c.relname
    loop
        if v_relation.seqstart is null then
            execute format('select exists (select from %s)', v_relation.name) into v_is_used;
        else
            execute format('select is_called or last_value <> %s from %s', v_relation.seqstart, v_relation.name)
            into v_is_used;
        end if;
        if v_is_used then
            return format(
                case when v_relation.seqstart is null
                    then 'Tenant migrations write rows into table "%s"'
                    else 'Tenant migrations take numbers from sequence "%s"'
                end,
                v_relation.relname
            );
        end if;
    end loop;
    return null;
end;
$$;

comment on function tenancy.compiling_obstacle(text) is
    'What a replayed schema has that no script repeats, in words: an object of a kind that creation_statements does not know, rows, or a sequence that has given a number; null if there is nothing.';

-- sql/20_tenancy/creation/creation_differences.sql

-- The replayed and the compiled schema have random names, which occur nowhere else.
create function tenancy.creation_differences(replayed text, compiled text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with descriptions as materialized (
        select d.schema_name, d.is_detail, d.kind,
            replace(d.name, d.schema_name, '{schema}') as name,
            replace(d.definition, d.schema_name, '{schema}') as definition
        from (
            select true as is_detail, t.schema_name, t.kind, t.name, t.definition
            from tenancy.schema_details(array[replayed, compiled, 'tenant_template']) t
            union all
            select false, s.name, o.object_kind, o.object_name, o.definition
            from unnest(array[replayed, compiled]) s (name)
            cross join lateral tenancy.schema_objects(s.name) o
        ) d
    ),
    compared as (
        select d.is_detail, d.kind, d.name,
            count(*) filter (where d.schema_name = replayed) as times_replayed,
            count(*) filter (where d.schema_name = compiled) as times_compiled,
            count(*) filter (where d.schema_name = 'tenant_template') as times_in_template
        from descriptions d
        group by d.is_detail, d.kind, d.name, d.definition
    )
    select string_agg(distinct concat_ws(' ', c.kind, c.name), ', ')
    from compared c
    where c.times_replayed <> c.times_compiled
        -- A text may depend on the schema's name in a way that no placeholder repeats. Nobody has
        -- privileges in the reference schema, and it has a comment of its own.
        or (
            c.is_detail
            and c.times_replayed <> c.times_in_template
            and c.kind not in ('privileges', 'comment of schema')
        );
$$;

comment on function tenancy.creation_differences(text, text) is
    'The objects in which a replayed and a compiled schema differ, except for their names; null if there is none. Objects that differ between the replayed and the reference schema count, too. Reads the whole catalog.';

-- sql/20_tenancy/creation/creation_order.sql

create function tenancy.creation_order(
    schema_name text,
    out catalog oid,
    out object oid,
    out place integer
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_open text[];
    v_from text[];
    v_to text[];
    v_next text[];
    v_place integer := 0;
begin
    -- Objects, and what comes with them: the type of a table, its defaults, keys and checks.
    with objects as materialized (
        select 'pg_class'::regclass::oid as catalog, c.oid, c.relkind
        from pg_catalog.pg_class c
        where c.relnamespace = v_namespace
            and c.relkind in ('r', 'v', 'S')
            -- An identity column makes its sequence.
            and not exists (
                select from pg_catalog.pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i'
                    and c.relkind = 'S'
            )
        union all
        select 'pg_type'::regclass, t.oid, t.typtype
        from pg_catalog.pg_type t
        left join pg_catalog.pg_class c on c.oid = t.typrelid
        where t.typnamespace = v_namespace and (t.typtype in ('d', 'e') or c.relkind = 'c')
        union all
        -- Trigger functions come with their triggers.
        select 'pg_proc'::regclass, p.oid, p.prokind
        from pg_catalog.pg_proc p
        join pg_catalog.pg_language l on l.oid = p.prolang
        where p.pronamespace = v_namespace
            and p.prokind in ('f', 'p')
            and p.prorettype <> 'trigger'::regtype
            and l.lanname not in ('internal', 'c')
    ),
    members as materialized (
        select o.catalog, o.oid, format('%s %s', o.catalog, o.oid) as object, o.relkind from objects o
        union all
        select 'pg_type'::regclass, t.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_type t on t.typrelid = o.oid
        where o.catalog = 'pg_class'::regclass
        union all
        select 'pg_class'::regclass, t.typrelid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_type t on t.oid = o.oid and t.typrelid <> 0
        where o.catalog = 'pg_type'::regclass
        union all
        select 'pg_type'::regclass, a.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_type t on o.oid in (t.oid, t.typrelid)
        join pg_catalog.pg_type a on a.oid = t.typarray
        where o.catalog in ('pg_type'::regclass, 'pg_class'::regclass)
        union all
        select 'pg_attrdef'::regclass, d.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_attrdef d on d.adrelid = o.oid
        union all
        select 'pg_constraint'::regclass, k.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_constraint k on o.oid in (k.conrelid, k.contypid)
        where k.contype <> 'f'
        union all
        select 'pg_rewrite'::regclass, r.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_rewrite r on r.ev_class = o.oid
    )
    select array(select m.object from members m group by m.object),
        array_agg(e.from_object), array_agg(e.to_object)
    into v_open, v_from, v_to
    from (
        select distinct m.object as from_object, t.object as to_object
        from members m
        join pg_catalog.pg_depend d on d.classid = m.catalog and d.objid = m.oid
        join members t on t.catalog = d.refclassid and t.oid = d.refobjid
        -- A sequence depends on the column that owns it, and exists before it.
        where m.object <> t.object and m.relkind <> 'S'
    ) e;

    -- Each round places what needs only objects that have a place. A circle stays out.
    loop
        v_next := array(
            select o.object
            from unnest(v_open) o (object)
            where not exists (
                select from unnest(v_from, v_to) e (from_object, to_object)
                where e.from_object = o.object and e.to_object = any (v_open)
            )
        );
        exit when cardinality(v_next) = 0;
        return query
        select split_part(n.object, ' ', 1)::oid, split_part(n.object, ' ', 2)::oid, v_place
        from unnest(v_next) n (object);
        v_open := array(select o.object from unnest(v_open) o (object) where o.object <> all (v_next));
        v_place := v_place + 1;
    end loop;
end;
$$;

comment on function tenancy.creation_order(text) is
    'The types, sequences, tables, views and routines of a schema, each with its place in an order in which they can be created. Left out are trigger functions, what comes with another object, and objects that need each other.';

-- sql/20_tenancy/creation/creation_statements.sql

-- What these statements leave out is a difference, for which compile_creation looks.
create function tenancy.creation_statements(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    -- The texts run in other sessions.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    set jit = off
    language sql
as $$
    with relations as materialized (
        select c.*
        from pg_catalog.pg_class c
        where c.relnamespace = to_regnamespace(quote_ident(schema_name))
    ),
    tables as materialized (
        select r.* from relations r where r.relkind = 'r'
    ),
    routines as materialized (
        select p.* from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace(quote_ident(schema_name))
    ),
    statements as (
        select 1 as step, 0 as place, '' as name, format('create schema %I;', schema_name) as statement
        union all
        select 2, o.place, coalesce(c.relname, t.typname, p.proname), case
            when c.relkind = 'r' then tenancy.table_statement(c.oid)
            when c.relkind = 'v' then format(
                'create view %s%s as %s',
                c.oid::regclass, tenancy.relation_options(c.reloptions), pg_get_viewdef(c.oid)
            )
            when c.relkind = 'S' then (
                select format(
                    'create sequence %s as %s start with %s increment by %s minvalue %s maxvalue %s cache %s %s;',
                    c.oid::regclass, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                    case when s.seqcycle then 'cycle' else 'no cycle' end
                )
                from pg_catalog.pg_sequence s
                where s.seqrelid = c.oid
            )
            when t.oid is not null then tenancy.type_statement(t.oid)
            else tenancy.routine_statements(p.oid)
        end
        from tenancy.creation_order(schema_name) o
        left join pg_catalog.pg_class c on o.catalog = 'pg_class'::regclass and c.oid = o.object
        left join pg_catalog.pg_type t on o.catalog = 'pg_type'::regclass and t.oid = o.object
        left join routines p on o.catalog = 'pg_proc'::regclass and p.oid = o.object
        union all
        select 3, 0, r.relname, format(
            'alter sequence %s owned by %s.%I;', r.oid::regclass, d.refobjid::regclass, a.attname
        )
        from relations r
        join pg_catalog.pg_depend d on d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype = 'a'
        join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where r.relkind = 'S' and d.refclassid = 'pg_class'::regclass
        union all
        select 4, 0, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) || ';'
        from tables t
        join pg_catalog.pg_index i on i.indrelid = t.oid
        where not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = t.oid)
        union all
        -- After the indexes, which a foreign key and the identity of a replica may need.
        select 5, 0, t.relname, (
            select format('alter table %s %s;', t.oid::regclass, string_agg(c.change, ', ' order by c.step, c.change))
            from (
                select 1 as step, 'enable row level security' as change where t.relrowsecurity
                union all
                select 1, 'force row level security' where t.relforcerowsecurity
                union all
                select 1, case t.relreplident
                    when 'f' then 'replica identity full'
                    when 'n' then 'replica identity nothing'
                    when 'i' then 'replica identity using index ' || quote_ident(x.relname)
                end
                from (select) only_row
                left join pg_catalog.pg_index i on i.indrelid = t.oid and i.indisreplident
                left join pg_catalog.pg_class x on x.oid = i.indexrelid
                where t.relreplident <> 'd'
                union all
                select 1, format('cluster on %I', x.relname)
                from pg_catalog.pg_index i
                join pg_catalog.pg_class x on x.oid = i.indexrelid
                where i.indrelid = t.oid and i.indisclustered
                union all
                select 2, format('alter column %I %s', a.attname, s.change)
                from pg_catalog.pg_attribute a
                join pg_catalog.pg_type y on y.oid = a.atttypid
                cross join lateral (
                    values
                    ('set statistics ' || nullif(a.attstattarget, -1)),
                    (case when a.attstorage <> y.typstorage then 'set storage ' || case a.attstorage
                        when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended'
                    end end),
                    ('set compression ' || case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end),
                    ('set (' || array_to_string(a.attoptions, ', ') || ')')
                ) s (change)
                where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and s.change is not null
                union all
                select 3, format('add constraint %I %s', k.conname, pg_get_constraintdef(k.oid))
                from pg_catalog.pg_constraint k
                where k.conrelid = t.oid and (k.contype = 'f' or not k.convalidated)
            ) c
        )
        from tables t
        union all
        select 6, 0, s.stxname, pg_get_statisticsobjdef(s.oid) || ';'
        from pg_catalog.pg_statistic_ext s
        where s.stxnamespace = to_regnamespace(quote_ident(schema_name))
        union all
        select 7, 0, format('%s %s', t.relname, p.polname), concat_ws(
            ' ',
            format(
                'create policy %I on %s as %s for %s to %s',
                p.polname, t.oid::regclass,
                case when p.polpermissive then 'permissive' else 'restrictive' end,
                case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                (
                    select string_agg(case o.role when 0 then 'public' else o.role::regrole::text end, ', ' order by o.place)
                    from unnest(p.polroles) with ordinality o (role, place)
                )
            ),
            'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
        ) || ';'
        from tables t
        join pg_catalog.pg_policy p on p.polrelid = t.oid
        union all
        select 8, 0, p.oid::regprocedure::text, tenancy.routine_statements(p.oid)
        from routines p
        where p.prorettype = 'trigger'::regtype
        union all
        -- Triggers that call a function outside the schema.
        select 9, 0, format('%s %s', r.relname, g.tgname), pg_get_triggerdef(g.oid) || ';'
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        where not g.tgisinternal and g.tgfoid not in (select p.oid from routines p)
        union all
        select 10, 0, format('%s %s', r.relname, g.tgname), format(
            'alter table %s %s trigger %I;',
            r.oid::regclass, case g.tgenabled when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end, g.tgname
        )
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        where not g.tgisinternal and g.tgenabled <> 'O'
        union all
        select 11, 0, i.identity, format(
            'comment on %s %s is %L;',
            case
                when i.type ~ ' column$' then 'column'
                when i.type = 'table constraint' then 'constraint'
                when i.type = 'statistics object' then 'statistics'
                else i.type
            end,
            i.identity, d.description
        )
        from (
            select 'pg_class'::regclass::oid as catalog, r.oid from relations r
            union all
            select 'pg_namespace'::regclass, to_regnamespace(quote_ident(schema_name))
            union all
            select 'pg_type'::regclass, y.oid
            from pg_catalog.pg_type y
            where y.typnamespace = to_regnamespace(quote_ident(schema_name))
            union all
            select 'pg_constraint'::regclass, k.oid
            from relations r
            join pg_catalog.pg_constraint k on k.conrelid = r.oid
            union all
            select 'pg_trigger'::regclass, g.oid
            from relations r
            join pg_catalog.pg_trigger g on g.tgrelid = r.oid
            union all
            select 'pg_policy'::regclass, p.oid
            from relations r
            join pg_catalog.pg_policy p on p.polrelid = r.oid
        ) o (catalog, oid)
        join pg_catalog.pg_description d on d.classoid = o.catalog and d.objoid = o.oid
        cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
        union all
        -- Only where the project's default privileges open new tables: find_creation_script compares
        -- them with those of the compilation.
        select 12, 0, k.kind, format(
            'revoke all on %s %s from public, anon, authenticated, service_role;',
            k.kind, string_agg(r.oid::regclass::text, ', ' order by r.relname)
        )
        from relations r
        cross join lateral (select case r.relkind when 'S' then 'sequence' else 'table' end as kind) k
        where r.relkind in ('r', 'v', 'S')
            and exists (
                select
                from pg_catalog.pg_default_acl d
                cross join aclexplode(d.defaclacl) e
                where d.defaclnamespace = 0
                    and d.defaclobjtype in ('r', 'S')
                    and e.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
            )
        group by k.kind
    )
    select string_agg(s.statement, E'\n' order by s.step, s.place, s.name) from statements s;
$$;

comment on function tenancy.creation_statements(text) is
    'The statements that create a schema as this one is, without a privilege for the API roles.';

-- sql/20_tenancy/creation/default_privileges.sql

create function tenancy.default_privileges()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return coalesce(
        (
            select string_agg(format('%s %s %s', d.defaclrole::regrole, d.defaclobjtype, d.defaclacl), ', ' order by d.oid)
            from pg_catalog.pg_default_acl d
            where d.defaclnamespace = 0
        ),
        ''
    );
end;
$$;

comment on function tenancy.default_privileges() is
    'The default privileges that objects in a new schema get, as text.';

-- sql/20_tenancy/creation/find_creation_script.sql

create function tenancy.find_creation_script(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return (
        select concat_ws(
            E'\n',
            s.statements,
            case t.status when 'active' then s.grants end,
            case when t.status in ('active', 'pooled') then s.opening end
        )
        from public.tenants t
        join tenancy.tenant_template_scripts s on s.version = t.schema_version
        where t.schema_name = find_creation_script.schema_name
            and s.statements is not null
            and s.release = tenancy.release()
            and s.default_privileges = tenancy.default_privileges()
            -- A name that needs quotes is written in two ways, and within a text a replay may have
            -- written either.
            and quote_ident(t.schema_name) = t.schema_name
    );
end;
$$;

comment on function tenancy.find_creation_script(text) is
    'The script that makes this tenant at the version and with the status in its registry row; null if the tenant migrations have to be replayed.';

-- sql/20_tenancy/creation/grant_statements.sql

create function tenancy.grant_statements(schema_name text, of_schema boolean)
    returns text
    stable
    security invoker
    set search_path = ''
    set jit = off
    language sql
as $$
    with objects as materialized (
        select 'schema' as kind, quote_ident(n.nspname) as name, n.nspowner as owner, n.nspacl as acl, null::oid as relation
        from pg_catalog.pg_namespace n
        where n.nspname = schema_name
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, c.relowner, c.relacl, c.oid
        from pg_catalog.pg_class c
        where c.relnamespace = to_regnamespace(quote_ident(schema_name))
        union all
        select case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure::text, p.proowner, p.proacl, null
        from pg_catalog.pg_proc p
        where p.pronamespace = to_regnamespace(quote_ident(schema_name))
        union all
        select 'type', t.oid::regtype::text, t.typowner, t.typacl, null
        from pg_catalog.pg_type t
        where t.typnamespace = to_regnamespace(quote_ident(schema_name))
    ),
    privileges as (
        select o.kind, o.name, a.grantee, string_agg(a.privilege, ', ' order by a.privilege) as list
        from objects o
        cross join lateral (
            select e.grantee, lower(e.privilege_type) from aclexplode(o.acl) e
            union all
            select e.grantee, format('%s (%I)', lower(e.privilege_type), c.attname)
            from pg_catalog.pg_attribute c
            cross join aclexplode(c.attacl) e
            where c.attrelid = o.relation
        ) a (grantee, privilege)
        -- Default privileges of the project for its own roles come by themselves.
        where a.grantee <> o.owner
            and not exists (
                select
                from pg_catalog.pg_default_acl d
                cross join aclexplode(d.defaclacl) e
                where d.defaclrole = o.owner
                    and d.defaclnamespace = 0
                    and e.grantee = a.grantee
                    and e.grantee not in ('anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
                    and d.defaclobjtype = case o.kind
                        when 'schema' then 'n' when 'table' then 'r' when 'sequence' then 'S' when 'type' then 'T' else 'f'
                    end::"char"
                    and lower(e.privilege_type) = a.privilege
            )
        group by o.kind, o.name, a.grantee
    ),
    grantees as (
        select p.kind, p.name, p.list,
            string_agg(case p.grantee when 0 then 'public' else p.grantee::regrole::text end, ', ' order by p.grantee) as roles
        from privileges p
        group by p.kind, p.name, p.list
    )
    select coalesce(
        string_agg(
            format('grant %s on %s %s to %s;', g.list, g.kind, g.names, g.roles), E'\n'
            order by g.kind, g.names
        ),
        ''
    )
    from (
        select p.kind, p.list, p.roles, string_agg(p.name, ', ' order by p.name) as names
        from grantees p
        where (p.kind = 'schema') = of_schema
        group by p.kind, p.list, p.roles
    ) g;
$$;

comment on function tenancy.grant_statements(text, boolean) is
    'The statements that grant the privileges on the objects of this schema again, or those on the schema itself, except those of the owner.';

-- sql/20_tenancy/creation/outside_writes.sql

create function tenancy.outside_writes(schema_name text)
    returns text[]
    volatile
    security invoker
    set search_path = ''
    set jit = off
    language sql
as $$
    select array(
        select format('%I.%I: %s', s.schemaname, s.relname, s.n_tup_ins + s.n_tup_upd + s.n_tup_del)
        from pg_catalog.pg_stat_xact_user_tables s
        where s.schemaname <> outside_writes.schema_name and s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
        order by 1
    )
    -- Without counts nobody knows.
    || case current_setting('track_counts') when 'off' then array[gen_random_uuid()::text] else '{}' end;
$$;

comment on function tenancy.outside_writes(text) is
    'How many rows this transaction has written so far, by table, except in this schema and in PostgreSQL''s own tables. Differs from itself if PostgreSQL does not count.';

-- sql/20_tenancy/creation/relation_options.sql

create function tenancy.relation_options(options text[])
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select ' with (' || string_agg(format('%I=%L', o.option_name, o.option_value), ', ' order by o.place) || ')'
    from pg_catalog.pg_options_to_table(options) with ordinality o (option_name, option_value, place);
$$;

comment on function tenancy.relation_options(text[]) is
    'The options of a table or view as a statement writes them; null if there are none.';

-- sql/20_tenancy/creation/routine_statements.sql

-- PostgreSQL finds a function by its name among those of all tenants. So the routine has the
-- schema's name, which is unique, until the statements that name it are done.
create function tenancy.routine_statements(routine oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select concat_ws(
        E'\n',
        format(
            'create %s %s(%s;',
            p.keyword, p.name_now, substr(p.definition, length(p.beginning) + 1)
        ),
        -- The text names them as the trigger's definition does.
        (
            select string_agg(
                replace(
                    pg_get_triggerdef(g.oid),
                    format('EXECUTE FUNCTION %s(', p.name), format('EXECUTE FUNCTION %s(', p.name_now)
                ) || ';',
                E'\n' order by g.tgrelid::regclass::text, g.tgname
            )
            from pg_catalog.pg_trigger g
            where g.tgfoid = p.oid and not g.tgisinternal
        ),
        (
            select format('comment on %s %s is %L;', p.keyword, p.name_now, d.description)
            from pg_catalog.pg_description d
            where d.classoid = 'pg_proc'::regclass and d.objoid = p.oid
        ),
        format('revoke all on %s %s from public, anon, authenticated, service_role;', p.keyword, p.name_now),
        format('alter %s %s rename to %I;', p.keyword, p.name_now, p.proname)
    )
    from (
        select r.*, n.keyword, format('%I.%I', s.nspname, r.proname) as name,
            format('%1$I.%1$I', s.nspname) as name_now,
            pg_get_functiondef(r.oid) as definition,
            format('CREATE OR REPLACE %s %I.%I(', upper(n.keyword), s.nspname, r.proname) as beginning
        from pg_catalog.pg_proc r
        join pg_catalog.pg_namespace s on s.oid = r.pronamespace
        cross join lateral (select case r.prokind when 'p' then 'procedure' else 'function' end as keyword) n
        where r.oid = routine
    ) p
    where starts_with(p.definition, p.beginning);
$$;

comment on function tenancy.routine_statements(oid) is
    'The statements that create a function or procedure and the triggers that call it, without a privilege for the API roles. Null if its definition has an unknown form.';

-- sql/20_tenancy/creation/run_creation_script.sql

create function tenancy.run_creation_script(schema_name text, script text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- The functions were checked when their migration was registered.
    set check_function_bodies = off
    language plpgsql
as $$
begin
    execute replace(
        replace(script, '{tenant_literal}', quote_literal(schema_name)),
        '{tenant_identifier}', quote_ident(schema_name)
    );
end;
$$;

comment on function tenancy.run_creation_script(text, text) is
    'Runs a text of tenant_template_scripts for one schema.';

-- sql/20_tenancy/creation/script_text.sql

-- The schema has a random name, so whatever equals it in the text is that name.
create function tenancy.script_text(schema_name text, statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if strpos(statements, '{tenant_') > 0 then
        raise exception 'The template has a text with "{tenant_"';
    end if;
    if statements ~ format('[\w$"]%1$s|%1$s[\w$"]', schema_name) then
        raise exception 'The template has a name that holds the name of the schema';
    end if;

    return replace(
        replace(statements, quote_literal(schema_name), '{tenant_literal}'),
        quote_ident(schema_name), '{tenant_identifier}'
    );
end;
$$;

comment on function tenancy.script_text(text, text) is
    'Statements for a schema with a random name, with {tenant_identifier} and {tenant_literal} in place of the name. Refuses a text in which they could not be told from the rest (P0001).';

-- sql/20_tenancy/creation/table_statement.sql

create function tenancy.table_statement(relation oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        'create %stable %s (%s)%s;',
        case c.relpersistence when 'u' then 'unlogged ' end,
        c.oid::regclass,
        concat_ws(
            ', ',
            (
                select string_agg(
                    concat_ws(
                        ' ',
                        quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                        case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
                        case
                            when a.attgenerated = 's' then
                                format('generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
                            when a.attidentity <> '' then format(
                                'generated %s as identity (sequence name %s start with %s increment by %s minvalue %s maxvalue %s cache %s %s)',
                                case a.attidentity when 'a' then 'always' else 'by default' end,
                                s.seqrelid::regclass, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                                case when s.seqcycle then 'cycle' else 'no cycle' end
                            )
                            else 'default ' || pg_get_expr(d.adbin, d.adrelid)
                        end,
                        case when a.attnotnull then 'not null' end
                    ),
                    ', ' order by a.attnum
                )
                from pg_catalog.pg_attribute a
                join pg_catalog.pg_type t on t.oid = a.atttypid
                left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                left join pg_catalog.pg_depend i
                    on i.refclassid = 'pg_class'::regclass
                    and i.refobjid = a.attrelid
                    and i.refobjsubid = a.attnum
                    and i.classid = 'pg_class'::regclass
                    and i.deptype = 'i'
                left join pg_catalog.pg_sequence s on s.seqrelid = i.objid
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            ),
            (
                select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), ', ' order by k.conname)
                from pg_catalog.pg_constraint k
                where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'x') and k.convalidated
            )
        ),
        tenancy.relation_options(c.reloptions)
    )
    from pg_catalog.pg_class c
    where c.oid = relation;
$$;

comment on function tenancy.table_statement(oid) is
    'The statement that creates a table with its columns, keys and checks.';

-- sql/20_tenancy/creation/type_statement.sql

create function tenancy.type_statement(type oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select case t.typtype
        when 'e' then format(
            'create type %s as enum (%s);',
            t.oid::regtype,
            (
                select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                from pg_catalog.pg_enum e
                where e.enumtypid = t.oid
            )
        )
        when 'd' then concat_ws(
            ' ',
            format('create domain %s as %s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod)),
            case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
            'default ' || pg_get_expr(t.typdefaultbin, 0),
            case when t.typnotnull then 'not null' end,
            (
                select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), ' ' order by k.conname)
                from pg_catalog.pg_constraint k
                where k.contypid = t.oid and k.contype = 'c'
            )
        ) || ';'
        when 'c' then format(
            'create type %s as (%s);',
            t.oid::regtype,
            (
                select string_agg(
                    concat_ws(
                        ' ',
                        quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                        case when a.attcollation <> f.typcollation then 'collate ' || a.attcollation::regcollation end
                    ),
                    ', ' order by a.attnum
                )
                from pg_catalog.pg_attribute a
                join pg_catalog.pg_type f on f.oid = a.atttypid
                where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
            )
        )
    end
    from pg_catalog.pg_type t
    left join pg_catalog.pg_type b on b.oid = t.typbasetype
    where t.oid = type;
$$;

comment on function tenancy.type_statement(oid) is
    'The statement that creates an enum, a domain or a composite type.';

-- sql/20_tenancy/drift/drifting_tenants.sql

create function tenancy.drifting_tenants(schema_names text[])
    returns text[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    begin
        return array(
            with alike as materialized (
                select a.schema_name, a.example from tenancy.tenants_like_template(schema_names) a
            ),
            examples as materialized (
                select e.example, exists (select from tenancy.grant_differences(e.example))
                    or exists (select from tenancy.other_grants(e.example))
                    or exists (select from tenancy.wrong_owners(e.example)) as has_drift
                from (select distinct a.example from alike a) e
            )
            select n.schema_name
            from unnest(schema_names) n (schema_name)
            left join alike a on a.schema_name = n.schema_name
            left join examples e on e.example = a.example
            where case
                when e.example is null then exists (select from tenancy.tenant_drift(n.schema_name))
                else e.has_drift
                    or exists (select from tenancy.unfinished_migrations u where u.schema_name = n.schema_name)
            end
        );
    exception
        when deadlock_detected or lock_not_available then
            raise;
        -- One dropped object fails the comparison of all tenants: see lasting_drift.
        when others then
            null;
    end;

    return array(
        select n.schema_name
        from unnest(schema_names) n (schema_name)
        where exists (select from tenancy.lasting_drift(n.schema_name))
    );
end;
$$;

comment on function tenancy.drifting_tenants(text[]) is
    'Those of the named tenants that differ from the reference schema at their version. A tenant that is deleted meanwhile may be among them.';

-- sql/20_tenancy/drift/has_own_objects.sql

-- Most tenants have no own objects, so a migration has nothing to protect. Comparing names
-- through indexes costs a fraction of describing every object. An object of an unknown kind
-- counts as an own object.
-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.has_own_objects(schema_name text, version text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return exists (
        select
        from pg_catalog.pg_depend d
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(has_own_objects.schema_name))
            and not case d.classid
                when 'pg_class'::regclass then exists (
                    select
                    from pg_catalog.pg_class c
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end
                        and o.object_name = c.relname::text
                    where c.oid = d.objid
                        and c.relkind in ('r', 'p', 'v', 'S')
                        and not exists (
                            select from pg_catalog.pg_attribute a
                            where a.attrelid = c.oid and a.attname like 'x\_%' and not a.attisdropped
                        )
                )
                when 'pg_proc'::regclass then exists (
                    select
                    from pg_catalog.pg_proc p
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = 'routine'
                        and o.object_name = p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'
                    where p.oid = d.objid
                )
                when 'pg_type'::regclass then exists (
                    select
                    from pg_catalog.pg_type t
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = 'type'
                        and o.object_name = t.typname::text
                    where t.oid = d.objid
                )
                else false
            end
    );
end;
$$;

comment on function tenancy.has_own_objects(text, text) is
    'Whether a tenant has objects that the template at this version does not have. True in case of doubt.';

-- sql/20_tenancy/drift/lasting_drift.sql

-- Functions of the catalog ignore the snapshot of a query, so they fail, or find nothing, if an
-- object of the snapshot was dropped meanwhile. Volatile, so that each attempt has a new snapshot.
create function tenancy.lasting_drift(schema_name text)
    returns setof public.tenantry_schema_difference
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_differences public.tenantry_schema_difference[];
begin
    for v_left in reverse 2..0
    loop
        begin
            v_differences := array(
                select row(d.*)::public.tenantry_schema_difference from tenancy.tenant_drift(schema_name) d
            );
            exit;
        exception
            when deadlock_detected or lock_not_available then
                raise;
            when others then
                if v_left = 0 then
                    raise;
                end if;
        end;
    end loop;

    -- A tenant that was deleted meanwhile lacks all objects.
    return query
    select d.*
    from public.tenants t
    cross join unnest(v_differences) d
    where t.schema_name = lasting_drift.schema_name;
end;
$$;

comment on function tenancy.lasting_drift(text) is
    'The same as tenant_drift, also while other sessions drop objects of the tenant. Nothing if the tenant itself is deleted meanwhile.';

-- sql/20_tenancy/drift/nearest_version.sql

create function tenancy.nearest_version(schema_name text, objects tenancy.schema_object[])
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    -- First the tables and columns, because damage to policies, triggers and routines is likelier.
    -- A table of a later version would count as the tenant's own, so the version with most of the
    -- tables comes next. At a later version than its own the tenant would never receive the
    -- migrations that it lacks.
    select m.version
    from tenancy.tenant_migrations m
    cross join lateral (
        select count(*) as differences,
            count(*) filter (
                where d.object_kind = 'column' or (d.object_kind = 'table' and d.difference = 'missing')
            ) as of_shape
        from tenancy.schema_differences(schema_name, m.version, objects) d
    ) c
    cross join lateral (
        select count(*) as present
        from tenancy.tenant_template_objects t
        join unnest(objects) o on o.object_kind = 'table' and o.object_name = t.object_name
        where t.version = m.version and t.object_kind = 'table'
    ) t
    order by c.of_shape, t.present desc, c.differences, m.position desc
    limit 1;
$$;

comment on function tenancy.nearest_version(text, tenancy.schema_object[]) is
    'The version of the template from which a schema with these objects differs least.';

-- sql/20_tenancy/drift/other_grants.sql

-- What a tenant migration grants, the reference schema has, too. Default privileges of the project
-- come by themselves. Whatever else a role of the project has, somebody has granted by hand.
create function tenancy.other_grants(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- Statistics of the catalog may be from a time with few tenants.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
begin
    return query
    with granted as (
        select p.object_kind, p.object_name, p.grantee, v.privilege
        from tenancy.schema_privileges(schema_name) p
        cross join string_to_table(p.privileges, ', ') v (privilege)
        where p.grantee not in ('PUBLIC', 'anon', 'authenticated', 'service_role')
            and p.grantee::regrole <> (
                select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'tenancy'
            )
    )
    select k.kind, k.target, g.grantee, null::text, string_agg(g.privilege, ', ' order by g.privilege)
    from granted g
    cross join lateral (
        select case when g.object_kind in ('schema', 'sequence', 'routine') then g.object_kind else 'table' end,
            case g.object_kind
                when 'schema' then quote_ident(g.object_name)
                when 'routine' then format(
                    '%I.%I%s', schema_name, split_part(g.object_name, '(', 1), substr(g.object_name, strpos(g.object_name, '('))
                )
                else format('%I.%I', schema_name, g.object_name)
            end
    ) k (kind, target)
    where not exists (
            select
            from tenancy.schema_privileges('tenant_template') t
            where t.object_kind = g.object_kind
                and g.object_name in (
                    replace(t.object_name, 'tenant_template.', quote_ident(schema_name) || '.'),
                    case when g.object_kind = 'schema' then schema_name end
                )
                and t.grantee = g.grantee
                and g.privilege = any (string_to_array(t.privileges, ', '))
        )
        and not exists (
            select
            from pg_catalog.pg_default_acl d
            cross join aclexplode(d.defaclacl) e
            where d.defaclnamespace = 0
                and e.grantee = g.grantee::regrole
                and d.defaclobjtype = case k.kind
                    when 'schema' then 'n' when 'table' then 'r' when 'sequence' then 'S' else 'f'
                end::"char"
                and lower(e.privilege_type) = g.privilege
        )
    group by k.kind, k.target, g.grantee;
end;
$$;

comment on function tenancy.other_grants(text) is
    'The privileges in a tenant of roles that are neither an API role nor the owner, unless a tenant migration or the project''s default privileges give them. No operation grants or revokes them.';

-- sql/20_tenancy/drift/own_objects.sql

-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.own_objects(schema_name text, version text, objects tenancy.schema_object[])
    returns tenancy.schema_object[]
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return array(
        select row(o.*)::tenancy.schema_object
        from unnest(own_objects.objects) o
        left join (
            select t.object_kind, replace(t.object_name, 'tenant_template.', quote_ident(own_objects.schema_name) || '.') as object_name
            from tenancy.tenant_template_objects t
            where t.version = own_objects.version and (t.table_name is null or t.object_kind = 'table')
        ) t
            on t.object_kind = case when o.table_name is null then o.object_kind else 'table' end
            and t.object_name = coalesce(o.table_name, o.object_name)
        where t.object_kind is null or o.is_extension
    );
end;
$$;

comment on function tenancy.own_objects(text, text, tenancy.schema_object[]) is
    'A tenant''s own objects, which the template at this version does not have: own tables with everything that belongs to them, and columns x_… with everything that depends on them.';

-- sql/20_tenancy/drift/own_tables.sql

create function tenancy.own_tables(schema_name text)
    returns setof tenancy.own_table
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select c.relname::text, c.oid, c.relrowsecurity,
        exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid),
        to_regprocedure(format('%I.%I()', schema_name, tenancy.audit_routine_name(c.relname::text))) is not null
            or exists (
                select from pg_catalog.pg_trigger g where g.tgrelid = c.oid and g.tgname = 'audit_insert'
            ),
        exists (
            select
            from public.tenants t
            join public.admin_audit_log l on l.tenant_id = t.id
            where t.schema_name = own_tables.schema_name
                and l.action = 'table.create'
                and l.details ->> 'table_name' = c.relname::text
        )
    from unnest(tenancy.table_oids(schema_name)) o (oid)
    join pg_catalog.pg_class c on c.oid = o.oid
    where schema_name <> 'tenant_template' and not tenancy.is_template_table(schema_name, c.relname::text);
end;
$$;

comment on function tenancy.own_tables(text) is
    'The tables of a tenant that are not in the template at its version.';

-- sql/20_tenancy/drift/policy_samples.sql

-- Samples are read from the catalog, so no text of a policy is written twice. The table has those
-- of one level each; the policies of the other levels differ only in the level.
create function tenancy.policy_samples(schema_name text)
    returns setof tenancy.schema_object
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return query
    select 'policy', split_part(p.polname, '_', 1) || '_' || tenancy.policy_suffix(l.level), null::text, false,
        replace(
            replace(
                concat_ws(
                    ' ',
                    case when p.polpermissive then 'permissive' else 'restrictive' end,
                    'for ' || p.polcmd::text,
                    'to ' || array_to_string(p.polroles::regrole[], ', '),
                    'using ' || pg_get_expr(p.polqual, p.polrelid),
                    'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
                ),
                '''tenancy''', quote_literal(schema_name)
            ),
            case p.polcmd when 'r' then '''read''' else '''write''' end || '::tenancy.access_level',
            quote_literal(l.level) || '::tenancy.access_level'
        )
    from pg_catalog.pg_policy p
    cross join unnest(enum_range(null::tenancy.access_level)) l (level)
    where p.polrelid = 'tenancy.policy_samples'::regclass;
end;
$$;

comment on function tenancy.policy_samples(text) is
    'The policies that enable_tenant_table may create on a table of this schema, with their definitions as schema_objects prints them.';

-- sql/20_tenancy/drift/require_template.sql

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

-- sql/20_tenancy/drift/schema_details.sql

-- Together with schema_objects everything that distinguishes two schemas. An object of a kind that
-- neither knows appears by its name. One query for several schemas, because planning costs most.
create function tenancy.schema_details(
    schema_names text[],
    out schema_name text,
    out kind text,
    out name text,
    out definition text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    set jit = off
    language sql
as $$
    with namespaces as materialized (
        select n.* from pg_catalog.pg_namespace n where n.nspname = any (schema_names)
    ),
    relations as materialized (
        select c.* from pg_catalog.pg_class c where c.relnamespace in (select n.oid from namespaces n)
    ),
    columns as materialized (
        select r.relnamespace, r.relname, r.relowner, a.*
        from relations r
        join pg_catalog.pg_attribute a on a.attrelid = r.oid
        where a.attnum > 0 and not a.attisdropped
    ),
    routines as materialized (
        select p.*, format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as signature
        from pg_catalog.pg_proc p
        where p.pronamespace in (select n.oid from namespaces n)
    ),
    types as materialized (
        select t.* from pg_catalog.pg_type t where t.typnamespace in (select n.oid from namespaces n)
    ),
    statistics as materialized (
        select s.* from pg_catalog.pg_statistic_ext s where s.stxnamespace in (select n.oid from namespaces n)
    ),
    members as materialized (
        select n.oid as namespace, 'pg_namespace'::regclass::oid as catalog, n.oid from namespaces n
        union all
        select r.relnamespace, 'pg_class'::regclass, r.oid from relations r
        union all
        select p.pronamespace, 'pg_proc'::regclass, p.oid from routines p
        union all
        select t.typnamespace, 'pg_type'::regclass, t.oid from types t
        union all
        select s.stxnamespace, 'pg_statistic_ext'::regclass, s.oid from statistics s
        union all
        select k.connamespace, 'pg_constraint'::regclass, k.oid
        from pg_catalog.pg_constraint k
        where k.connamespace in (select n.oid from namespaces n)
        union all
        select r.relnamespace, 'pg_trigger'::regclass, g.oid
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        union all
        select r.relnamespace, 'pg_policy'::regclass, p.oid
        from relations r
        join pg_catalog.pg_policy p on p.polrelid = r.oid
        union all
        select r.relnamespace, 'pg_rewrite'::regclass, w.oid
        from relations r
        join pg_catalog.pg_rewrite w on w.ev_class = r.oid
    ),
    privileges as (
        select n.oid as namespace, 'schema' as title, n.nspowner as owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) as entries
        from namespaces n
        union all
        select r.relnamespace, 'relation ' || r.relname, r.relowner,
            coalesce(r.relacl, acldefault(case r.relkind when 'S' then 's' else 'r' end::"char", r.relowner))
        from relations r
        where r.relkind not in ('i', 'I', 'c')
        union all
        select c.relnamespace, format('column %s.%s', c.relname, c.attname), c.relowner, c.attacl
        from columns c
        where c.attacl is not null
        union all
        select p.pronamespace, 'routine ' || p.signature, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
        from routines p
        union all
        select t.typnamespace, 'type ' || t.typname, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
        from types t
        union all
        select n.oid, 'default for ' || d.defaclobjtype::text, d.defaclrole, d.defaclacl
        from namespaces n
        join pg_catalog.pg_default_acl d on d.defaclnamespace = n.oid
    )
    select n.nspname::text, d.kind, d.name, d.definition
    from (
        select p.namespace, 'privileges' as kind, p.title as name, concat_ws(
            ', ',
            p.owner::regrole::text,
            (select string_agg(e::text, ', ' order by e::text) from unnest(p.entries) e)
        ) as definition
        from privileges p
        union all
        select r.relnamespace, 'relation', r.relname::text, concat_ws(
            ', ',
            r.relkind::text, r.relpersistence::text,
            (select m.amname from pg_catalog.pg_am m where m.oid = r.relam),
            'tablespace ' || nullif(r.reltablespace, 0)::text,
            'of ' || nullif(r.reloftype, 0)::regtype::text,
            'replica identity ' || r.relreplident::text,
            (select string_agg(o, ' ' order by o) from unnest(r.reloptions) o),
            (
                select string_agg(format('toast.%s', o), ' ' order by o)
                from pg_catalog.pg_class t
                cross join unnest(t.reloptions) o
                where t.oid = r.reltoastrelid
            ),
            (
                select concat_ws(
                    ' ',
                    case when i.indisclustered then 'clustered' end,
                    case when i.indisreplident then 'replica identity' end,
                    case when not i.indisvalid or not i.indisready then 'invalid' end
                )
                from pg_catalog.pg_index i
                where i.indexrelid = r.oid
            ),
            (
                select string_agg('inherits ' || i.inhparent::regclass::text, ' ' order by i.inhseqno)
                from pg_catalog.pg_inherits i
                where i.inhrelid = r.oid
            )
        )
        from relations r
        union all
        select c.relnamespace, 'column', format('%s.%s', c.relname, c.attname), concat_ws(
            ', ',
            row_number() over (partition by c.attrelid order by c.attnum),
            'storage ' || c.attstorage::text,
            'compression ' || nullif(c.attcompression::text, ''),
            'statistics ' || nullif(c.attstattarget, -1)::text,
            array_to_string(c.attoptions, ' '),
            array_to_string(c.attfdwoptions, ' '),
            case when c.attndims > 0 then 'array' end,
            'inherited ' || nullif(c.attinhcount, 0)::text,
            case when not c.attislocal then 'not local' end,
            -- Of a view, too.
            (
                select 'default ' || pg_get_expr(d.adbin, d.adrelid)
                from pg_catalog.pg_attrdef d
                where d.adrelid = c.attrelid and d.adnum = c.attnum
            )
        )
        from columns c
        union all
        select k.connamespace, 'constraint', concat_ws('.', r.relname, t.typname, k.conname), concat_ws(
            ', ',
            k.contype::text,
            pg_get_constraintdef(k.oid),
            case when not k.convalidated then 'not valid' end,
            case when k.connoinherit then 'no inherit' end,
            k.conindid::regclass::text
        )
        from pg_catalog.pg_constraint k
        left join relations r on r.oid = k.conrelid
        left join types t on t.oid = k.contypid
        where k.connamespace in (select n.oid from namespaces n)
        union all
        select r.relnamespace, 'trigger', format('%s.%s', r.relname, g.tgname), format('%s, enabled %s', pg_get_triggerdef(g.oid), g.tgenabled)
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        where not g.tgisinternal
        union all
        select r.relnamespace, 'rule', format('%s.%s', r.relname, w.rulename), pg_get_ruledef(w.oid)
        from relations r
        join pg_catalog.pg_rewrite w on w.ev_class = r.oid
        union all
        select t.typnamespace, 'domain', t.typname::text, concat_ws(
            ', ', format_type(t.typbasetype, t.typtypmod), t.typcollation::regcollation::text, t.typdefault,
            case when t.typnotnull then 'not null' end
        )
        from types t
        where t.typtype = 'd'
        union all
        select s.stxnamespace, 'statistics', s.stxname::text, concat_ws(
            ', ', pg_get_statisticsobjdef(s.oid), s.stxowner::regrole::text, nullif(s.stxstattarget, -1)::text
        )
        from statistics s
        union all
        select m.namespace, case d.classoid when 'pg_namespace'::regclass then 'comment of schema' else 'comment' end, format('%s %s', i.type, i.identity), d.description
        from members m
        join pg_catalog.pg_description d on d.classoid = m.catalog and d.objoid = m.oid
        cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
        union all
        select m.namespace, 'security label', format('%s %s %s', l.provider, i.type, i.identity), l.label
        from members m
        join pg_catalog.pg_seclabel l on l.classoid = m.catalog and l.objoid = m.oid
        cross join lateral pg_identify_object(l.classoid, l.objoid, l.objsubid) i
        union all
        select n.oid, 'object', format('%s %s', i.type, i.identity), d.deptype::text
        from namespaces n
        join pg_catalog.pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
        union all
        -- What is published, and which extension an object belongs to.
        select m.namespace, 'dependent', format('%s %s', i.type, i.identity), format('%s of %s', d.deptype, o.identity)
        from members m
        join pg_catalog.pg_depend d on d.refclassid = m.catalog and d.refobjid = m.oid
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
        cross join lateral pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) o
        where d.classid in ('pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass)
        union all
        select m.namespace, 'member', format('%s %s', i.type, i.identity), d.refobjid::text
        from members m
        join pg_catalog.pg_depend d on d.classid = m.catalog and d.objid = m.oid and d.deptype in ('e', 'x')
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
    ) d
    join namespaces n on n.oid = d.namespace;
$$;

comment on function tenancy.schema_details(text[]) is
    'What schema_objects leaves out of these schemas, each as text: privileges and owners, comments, order and storage of columns, options of relations, statistics, and objects of every other kind. Reads the whole catalog.';

-- sql/20_tenancy/drift/schema_differences.sql

-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.schema_differences(
    schema_name text,
    version text,
    objects tenancy.schema_object[]
)
    returns setof public.tenantry_schema_difference
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with expected as materialized (
        select t.* from tenancy.template_objects(schema_differences.schema_name, schema_differences.version) t
    ),
    template_tables as (
        select e.object_name from expected e where e.object_kind = 'table'
    ),
    found as (
        select o.*
        from unnest(schema_differences.objects) o
        where not o.is_extension
            and (o.table_name is null or o.table_name in (select t.object_name from template_tables t))
            -- The audit routine of an own table belongs to that table.
            and not (
                o.object_kind = 'routine'
                and o.definition like 'audits %'
                and substr(o.definition, 8) not in (select t.object_name from template_tables t)
            )
    )
    select
        coalesce(e.object_kind, f.object_kind),
        coalesce(e.object_name, f.object_name),
        case when f.object_kind is null then 'missing' when e.object_kind is null then 'extra' else 'different' end,
        e.definition,
        f.definition,
        null::text
    from expected e
    full join found f on f.object_kind = e.object_kind and f.object_name = e.object_name
    where e.definition is distinct from f.definition
        and not (
            e.object_kind is null
            and exists (
                select from tenancy.tenants_own_objects a
                where a.schema_name = schema_differences.schema_name
                    and a.object_kind = f.object_kind
                    and a.object_name = f.object_name
            )
        )
    order by 1, 2;
end;
$$;

comment on function tenancy.schema_differences(text, text, tenancy.schema_object[]) is
    'The differences between a tenant''s objects and the template at this version. Own tables, columns x_… in the template''s tables, and what a schema had before it became a tenant do not count.';

-- sql/20_tenancy/drift/schema_objects.sql

-- Reads pg_depend and the indexes on the tables' oids, so that the cost depends on one schema
-- and not on the number of schemas. Oids, positions of columns and privileges are left out,
-- because they may differ between two equal schemas.
create function tenancy.schema_objects(schema_name text, without_tables text[] default '{}')
    returns setof tenancy.schema_object
    stable
    security invoker
    set search_path = ''
    -- The texts are stored, and compared in other sessions.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    -- Each step reads few rows by index. If the planner expects many, it reads the whole catalog.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    -- Planning takes longer than reading. So this is plpgsql, which keeps the plan, and the plan
    -- is generic from the first call on instead of from the sixth.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
begin
    return query
    with relations as materialized (
        select c.*
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and not (c.relkind in ('r', 'p') and c.relname = any (without_tables))
    ),
    tables as materialized (
        select r.oid, r.relname::text as table_name
        from relations r
        where r.relkind in ('r', 'p')
    ),
    columns as materialized (
        select t.table_name, a.*,
            -- The prefix x_ is reserved for tenants: see require_own_column.
            a.attname like 'x\_%' as is_extension
        from tables t
        join pg_catalog.pg_attribute a on a.attrelid = t.oid
        where a.attnum > 0 and not a.attisdropped
    ),
    extensions as materialized (
        select c.attrelid, array_agg(c.attnum) as numbers
        from columns c
        where c.is_extension
        group by c.attrelid
    )
    select
        case r.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' else 'relation' end,
        r.relname::text,
        case when r.relkind in ('r', 'p') then r.relname::text end,
        false,
        concat_ws(
            ', ',
            'kind ' || r.relkind::text,
            'persistence ' || r.relpersistence::text,
            case when r.relrowsecurity then 'row level security' end,
            case when r.relforcerowsecurity then 'forced row level security' end,
            array_to_string(r.reloptions, ', '),
            case when r.relkind = 'p' then pg_get_partkeydef(r.oid) end,
            pg_get_expr(r.relpartbound, r.oid),
            case when r.relkind in ('v', 'm') then pg_get_viewdef(r.oid) end
        )
    from relations r
    where r.relkind not in ('S', 'c')
    union all
    select 'sequence', r.relname::text, o.table_name, coalesce(o.is_extension, false),
        concat_ws(
            ' ',
            format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
            'of ' || o.table_name || '.' || o.column_name
        )
    from relations r
    join pg_catalog.pg_sequence s on s.seqrelid = r.oid
    left join lateral (
        select c.relname::text as table_name, a.attname as column_name, a.attname like 'x\_%' as is_extension
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.refobjid
        join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_class'::regclass
            and d.objid = r.oid
            and d.refclassid = 'pg_class'::regclass
            and d.deptype in ('a', 'i')
    ) o on true
    where r.relkind = 'S' and coalesce(o.table_name <> all (without_tables), true)
    union all
    select 'column', c.table_name || '.' || c.attname, c.table_name, c.is_extension,
        concat_ws(
            ' ',
            format_type(c.atttypid, c.atttypmod),
            case when c.attcollation <> t.typcollation then 'collate ' || c.attcollation::regcollation end,
            case when c.attnotnull then 'not null' end,
            'identity ' || nullif(c.attidentity::text, ''),
            'generated ' || nullif(c.attgenerated::text, ''),
            'default ' || pg_get_expr(e.adbin, e.adrelid)
        )
    from columns c
    join pg_catalog.pg_type t on t.oid = c.atttypid
    left join pg_catalog.pg_attrdef e on e.adrelid = c.attrelid and e.adnum = c.attnum
    union all
    select 'constraint', t.table_name || '.' || k.conname, t.table_name,
        coalesce(k.conkey && x.numbers, false),
        pg_get_constraintdef(k.oid)
    from tables t
    join pg_catalog.pg_constraint k on k.conrelid = t.oid
    left join extensions x on x.attrelid = t.oid
    where k.contype in ('p', 'u', 'f', 'c', 'x')
    union all
    select 'index', t.table_name || '.' || c.relname, t.table_name,
        coalesce(i.indkey::smallint[] && x.numbers, false),
        concat_ws(', ', pg_get_indexdef(i.indexrelid), case when not i.indisvalid then 'invalid' end)
    from tables t
    join pg_catalog.pg_index i on i.indrelid = t.oid
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    left join extensions x on x.attrelid = t.oid
    union all
    select 'policy', t.table_name || '.' || p.polname, t.table_name, false,
        concat_ws(
            ' ',
            case when p.polpermissive then 'permissive' else 'restrictive' end,
            'for ' || p.polcmd::text,
            'to ' || array_to_string(p.polroles::regrole[], ', '),
            'using ' || pg_get_expr(p.polqual, p.polrelid),
            'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
        )
    from tables t
    join pg_catalog.pg_policy p on p.polrelid = t.oid
    union all
    select 'trigger', t.table_name || '.' || g.tgname, t.table_name, false,
        concat_ws(
            ', ',
            case
                -- The text of pg_get_triggerdef, which would itself read the audit routines of all
                -- tenants, because it looks up every function of the same name.
                when p.pronamespace = v_namespace and g.tgqual is null and g.tgconstraint = 0
                    and g.tgnargs = 0 and cardinality(g.tgattr) = 0
                then concat_ws(
                    ' ',
                    'CREATE TRIGGER', quote_ident(g.tgname),
                    case g.tgtype & 66 when 2 then 'BEFORE' else 'AFTER' end,
                    concat_ws(
                        ' OR ',
                        case when g.tgtype & 4 > 0 then 'INSERT' end,
                        case when g.tgtype & 8 > 0 then 'DELETE' end,
                        case when g.tgtype & 16 > 0 then 'UPDATE' end,
                        case when g.tgtype & 32 > 0 then 'TRUNCATE' end
                    ),
                    format('ON %I.%I', schema_name, t.table_name),
                    case when num_nonnulls(g.tgoldtable, g.tgnewtable) > 0 then 'REFERENCING' end,
                    'OLD TABLE AS ' || quote_ident(g.tgoldtable),
                    'NEW TABLE AS ' || quote_ident(g.tgnewtable),
                    case g.tgtype & 1 when 1 then 'FOR EACH ROW' else 'FOR EACH STATEMENT' end,
                    format('EXECUTE FUNCTION %I.%I()', schema_name, p.proname)
                )
                else pg_get_triggerdef(g.oid)
            end,
            'enabled ' || g.tgenabled::text
        )
    from tables t
    join pg_catalog.pg_trigger g on g.tgrelid = t.oid
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where not g.tgisinternal
    union all
    select 'rule', t.table_name || '.' || r.rulename, t.table_name, false, pg_get_ruledef(r.oid)
    from tables t
    join pg_catalog.pg_rewrite r on r.ev_class = t.oid
    union all
    select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), null, false,
        case
            when p.prokind = 'a' then 'aggregate'
            -- The source lists the table's columns in their order, with those of the tenant.
            when p.prosrc = u.source then 'audits ' || u.table_name
            else pg_get_functiondef(p.oid)
        end
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    left join lateral (
        select t.table_name, tenancy.audit_routine_source(schema_name, t.table_name) as source
        from tables t
        where tenancy.audit_routine_name(t.table_name) = p.proname
        limit 1
    ) u on true
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_proc'::regclass
    union all
    select 'type', t.typname::text, null, false,
        concat_ws(
            ' ',
            t.typtype::text,
            (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum e where e.enumtypid = t.oid),
            (select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
            from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and not a.attisdropped),
            case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
            case when t.typnotnull then 'not null' end,
            t.typdefault,
            (select string_agg(pg_get_constraintdef(k.oid), ' ' order by k.conname)
            from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contype = 'c'),
            (select format_type(g.rngsubtype, null) from pg_catalog.pg_range g where g.rngtypid = t.oid)
        )
    from pg_catalog.pg_depend d
    join pg_catalog.pg_type t on t.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_type'::regclass
        and t.typtype <> 'm';
end;
$$;

comment on function tenancy.schema_objects(text, text[]) is
    'All objects of a schema, except some tables, each with its definition as text. Equal objects in two schemas have equal texts, except for the schema''s name.';

-- sql/20_tenancy/drift/taken_names.sql

-- PostgreSQL gives the index of a key another name if the usual one is taken. A table that was
-- renamed still has its indexes and sequences under their old names.
create function tenancy.taken_names(schema_name text, version text, objects tenancy.schema_object[])
    returns setof text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select distinct format(
        'The name "%s" is taken by %s of the tenant''s own table "%s". Write: alter %s %I.%I rename to …; then migrate this tenant again.',
        c.relname,
        case c.relkind when 'S' then 'a sequence' else 'an index' end,
        o.relname,
        case c.relkind when 'S' then 'sequence' else 'index' end,
        schema_name, c.relname
    )
    from tenancy.schema_differences(schema_name, version, objects) d
    join pg_catalog.pg_class c
        on c.relnamespace = to_regnamespace(quote_ident(schema_name))
        and c.relname = case d.object_kind
            when 'sequence' then d.object_name
            else substr(d.object_name, strpos(d.object_name, '.') + 1)
        end
        and c.relkind in ('i', 'I', 'S')
    join pg_catalog.pg_depend r
        on r.classid = 'pg_class'::regclass
        and r.objid = c.oid
        and r.refclassid in ('pg_class'::regclass, 'pg_constraint'::regclass)
        and r.deptype in ('a', 'i')
    left join pg_catalog.pg_constraint k on r.refclassid = 'pg_constraint'::regclass and k.oid = r.refobjid
    join pg_catalog.pg_class o on o.oid = coalesce(k.conrelid, r.refobjid)
    where d.difference = 'missing'
        and d.object_kind in ('constraint', 'index', 'sequence')
        and not tenancy.is_template_table(schema_name, o.relname::text);
end;
$$;

comment on function tenancy.taken_names(text, text, tenancy.schema_object[]) is
    'For each object of the template that a tenant lacks because one of its own tables has an index or a sequence of that name: what to do, as a sentence.';

-- sql/20_tenancy/drift/template_differences.sql

-- The reference schema counts as a tenant at the latest version, so that damage to it is found,
-- too.
create function tenancy.template_differences(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.template_difference
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_version constant text := coalesce(
        (select t.schema_version from public.tenants t where t.schema_name = template_differences.schema_name),
        (
            select m.version
            from tenancy.tenant_migrations m
            where template_differences.schema_name = 'tenant_template'
            order by m.position desc
            limit 1
        )
    );
begin
    return query
    with differences as (
        select d.*, coalesce(e.table_name, f.table_name) as table_name
        from tenancy.schema_differences(schema_name, v_version, objects) d
        left join tenancy.template_objects(schema_name, v_version) e
            on e.object_kind = d.object_kind and e.object_name = d.object_name
        left join unnest(objects) f on f.object_kind = d.object_kind and f.object_name = d.object_name
    ),
    lost as (
        select d.object_name
        from differences d
        where d.object_kind = 'table' and d.difference = 'missing'
    )
    select d.object_kind, d.table_name,
        case
            when d.table_name is null or d.object_kind in ('table', 'sequence') then d.object_name
            else substr(d.object_name, length(d.table_name) + 2)
        end,
        d.difference, d.expected, d.found
    from differences d
    -- What belongs to a missing table is missing, too.
    where d.object_kind = 'table'
        or (
            coalesce(d.table_name not in (select l.object_name from lost l), true)
            and coalesce(d.expected not in (select 'audits ' || l.object_name from lost l), true)
        );
end;
$$;

comment on function tenancy.template_differences(text, tenancy.schema_object[]) is
    'The differences between a schema with these objects and the template at its version, without what belongs to a missing table.';

-- sql/20_tenancy/drift/template_objects.sql

-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.template_objects(schema_name text, version text)
    returns setof tenancy.schema_object
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    -- The reference schema's name is replaced, because it occurs nowhere else. A tenant's name
    -- could also be the name of a table or a word in a text.
    return query
    select o.object_kind,
        replace(o.object_name, 'tenant_template.', quote_ident(template_objects.schema_name) || '.'),
        o.table_name,
        false,
        replace(
            replace(o.definition, 'tenant_template.', quote_ident(template_objects.schema_name) || '.'),
            '''tenant_template''', quote_literal(template_objects.schema_name)
        )
    from tenancy.tenant_template_objects o
    where o.version = template_objects.version;
end;
$$;

comment on function tenancy.template_objects(text, text) is
    'The objects that a tenant at this version must have: those of the reference schema at this version, with the tenant''s schema name.';

-- sql/20_tenancy/drift/tenant_drift.sql

create function tenancy.tenant_drift(schema_name text)
    returns setof public.tenantry_schema_difference
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_version constant text := (
        select t.schema_version from public.tenants t where t.schema_name = tenant_drift.schema_name
    );
begin
    return query
    select d.*
    from tenancy.schema_differences(
        schema_name,
        v_version,
        array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o)
    ) d
    union all
    select 'grant', format('on %s %s to %s', g.object_kind, g.object_name, g.grantee),
        case when g.found is null then 'missing' when g.expected is null then 'extra' else 'different' end,
        g.expected,
        g.found,
        null::text
    from tenancy.grant_differences(schema_name) g
    union all
    select 'grant', format('on %s %s to %s', g.object_kind, g.object_name, g.grantee), 'extra', g.expected, g.found, null::text
    from tenancy.other_grants(schema_name) g
    union all
    select 'owner', format('of %s %s', w.object_kind, w.object_name), 'different', w.expected, w.owner, null::text
    from tenancy.wrong_owners(schema_name) w
    union all
    select 'migration', u.version, 'missing', m.name,
        format('failed %s times since %s: %s (%s)', u.attempts, u.stuck_since, u.message, u.sqlstate),
        null::text
    from tenancy.unfinished_migrations u
    join tenancy.tenant_migrations m on m.version = u.version
    where u.schema_name = tenant_drift.schema_name;
end;
$$;

comment on function tenancy.tenant_drift(text) is
    'The differences between a tenant and the reference schema at its version: objects, owners, privileges, and the migration at which it is stuck. Without their repairs.';

-- sql/20_tenancy/drift/tenants_like_template.sql

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

-- sql/20_tenancy/drift/unextended_tables.sql

create function tenancy.unextended_tables(schema_name text, version text)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        select t.table_name
        from tenancy.tenant_template_objects t
        where t.version = unextended_tables.version
            and t.object_kind = 'table'
            and not exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = tenancy.find_table(unextended_tables.schema_name, t.table_name)
                    and a.attname like 'x\_%'
                    and not a.attisdropped
            )
    );
$$;

comment on function tenancy.unextended_tables(text, text) is
    'Tables of the template at this version to which the tenant has added no column x_….';

-- sql/20_tenancy/drift/wrong_owners.sql

-- An owner is above policies and may grant anything. What runs with the rights of its owner would
-- have more rights than now if it were given back to the owner of Tenantry.
create function tenancy.wrong_owners(
    schema_name text,
    out object_kind text,
    out object_name text,
    out owner text,
    out expected text,
    out runs_as_owner boolean,
    out is_audit_routine boolean
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- Statistics of the catalog may be from a time with few tenants.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_owner constant oid := (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'tenancy');
begin
    return query
    select o.kind, o.name, o.owner::regrole::text, v_owner::regrole::text, o.as_owner, o.audits
    from (
        select 'schema' as kind, quote_ident(n.nspname) as name, n.nspowner as owner, false as as_owner, false as audits
        from pg_catalog.pg_namespace n
        where n.oid = v_schema
        union all
        select case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'S' then 'sequence' when 'c' then 'type' else 'table'
            end,
            format('%I.%I', schema_name, c.relname), c.relowner,
            c.relkind in ('m', 'f')
                or (c.relkind = 'v' and not tenancy.is_security_invoker(c.reloptions))
                or (c.relkind <> 'v' and c.relhasrules),
            false
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
            and c.relowner <> v_owner
            -- The sequence of a column follows its table.
            and not exists (
                select
                from pg_catalog.pg_depend s
                where c.relkind = 'S'
                    and s.classid = 'pg_class'::regclass
                    and s.objid = c.oid
                    and s.refclassid = 'pg_class'::regclass
                    and s.deptype in ('a', 'i')
            )
        union all
        select 'routine', format('%I.%I(%s)', schema_name, p.proname, pg_get_function_identity_arguments(p.oid)),
            p.proowner, p.prosecdef, p.prosrc like E'\n<<audit>>%'
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_proc'::regclass
            and p.proowner <> v_owner
            -- Objects of an extension, and the constructors of a range type, belong to a superuser.
            and not exists (
                select from pg_catalog.pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
            )
        union all
        select 'type', format('%I.%I', schema_name, t.typname), t.typowner, false, false
        from pg_catalog.pg_depend d
        join pg_catalog.pg_type t on t.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_type'::regclass
            and t.typtype in ('e', 'd', 'r')
            and t.typowner <> v_owner
            and not exists (
                select from pg_catalog.pg_depend e
                where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
            )
    ) o
    where o.owner <> v_owner;
end;
$$;

comment on function tenancy.wrong_owners(text) is
    'The objects of a schema, and the schema itself, that belong to another role than Tenantry''s own objects.';

-- sql/20_tenancy/errors/log_refusal.sql

-- The line goes to the server's log and not to a table: the error that follows rolls back every
-- write, and strangers could fill a table by sending requests that are refused.
create function tenancy.log_refusal(code text, schema_name text default null)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- As JSON, so that a line break from the caller does not begin a new line in the log.
    raise log 'tenantry refused %', jsonb_strip_nulls(jsonb_build_object(
        'code', code,
        'actor_id', (tenancy.caller()).user_id,
        'actor_role', tenancy.actor_role(schema_name),
        'schema_name', tenancy.printable(schema_name),
        'method', current_setting('request.method', true),
        'path', tenancy.printable(current_setting('request.path', true)),
        'request_id', tenancy.request_id()
    ));
end;
$$;

comment on function tenancy.log_refusal(text, text) is
    'Writes one line about a refused request to the server''s log (severity LOG): code, actor, the actor''s role at that time, tenant, method, path and request id. Call it right before raising the error.';

-- sql/20_tenancy/errors/one_line.sql

create function tenancy.one_line(message text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- No line break: see printable.
    select left(regexp_replace(message, '[^ -~]', '?', 'g'), 1000);
$$;

comment on function tenancy.one_line(text) is
    'An error''s message made safe for another message: at most 1,000 characters, with ? for everything but printable ASCII.';

-- sql/20_tenancy/errors/printable.sql

create function tenancy.printable(value text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- PostgREST sends the message of a PTnnn error unchanged as the reason phrase of its
    -- reply. With a line break in the message, the caller could add a header to the reply.
    select left(regexp_replace(value, '[^ -~]', '?', 'g'), 80);
$$;

comment on function tenancy.printable(text) is
    'A caller''s value made safe for an error message: at most 80 characters, with ? for everything but printable ASCII.';

-- sql/20_tenancy/errors/raise_busy.sql

create function tenancy.raise_busy()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Not 503: PostgREST 12 takes every 503 for a lost connection, closes its pool and reloads its
    -- schema cache, so the callers of one locked tenant would make all tenants wait.
    raise exception 'Another request is changing the same data right now.'
        using errcode = 'PT429', detail = 'busy',
            hint = 'Nothing was changed. Try again in a second.';
end;
$$;

comment on function tenancy.raise_busy() is
    'Raises the error with which every RPC answers a deadlock, a lock wait that took too long, or a cancelled statement (PT429 busy; the functions answer 503 with Retry-After). Without it, PostgREST would answer 500.';

-- sql/20_tenancy/errors/statement_advice.sql

create function tenancy.statement_advice(code text, message text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return case
        when message ~ 'CONCURRENTLY' then
            'Write the statement without CONCURRENTLY: a tenant migration is one transaction. The table of one tenant is locked meanwhile, and no other tenant waits.'
        when code in ('25001', '2D000') or message ~ 'transaction commands' then
            'A tenant migration is one transaction. Remove begin, commit, rollback and savepoint from it, and statements that cannot run in a transaction, such as vacuum, create database and alter system.'
        when message ~ '^cannot (set|reset) parameter "(role|session_authorization)"' or message ~ 'security-(definer|restricted)' then
            'Remove SET ROLE, RESET ROLE and SET SESSION AUTHORIZATION from it: a tenant migration runs as the owner postgres, and the tables must belong to postgres.'
        when message ~ 'COPY (to|from)' or message ~ 'cannot COPY' then
            'Write INSERT instead of COPY.'
        when code = '55P04' then
            -- PostgreSQL's own hint is to commit in between, which is not possible here.
            'A new tenant receives all tenant migrations in one transaction. Within it no statement can use a value that "alter type … add value" has added. Make a new type of all values and alter the columns to it.'
        when message ~ '^permission denied to create extension' then
            'An extension exists once for the whole project: create it before the registration, in the same file, or in the dashboard.'
        when message ~ '^extension ".*" is not available' then
            'This server does not offer the extension. Choose one of: select name from pg_available_extensions.'
        when message ~ '^(foreign-data wrapper|server) .* does not exist' then
            'Extensions, servers and foreign tables exist once for the whole project: create them before the registration, in the same file. Create foreign tables in a schema that the Data API does not expose.'
        when message ~ '^(language|access method|extension) .* does not exist' then
            'An extension exists once for the whole project: write "create extension if not exists … with schema extensions;" before the registration, in the same file.'
        when message ~ '^role .* does not exist' then
            'A role exists once for the whole project: create it before the registration, in the same file.'
        when code = '42501' then
            'A tenant migration runs as postgres, who is no superuser. What needs more rights cannot be part of it.'
        when message ~ '^EXECUTE of SELECT' then
            'Write "create table … as select" instead of "select … into".'
        when code = '42P03' then
            'Close the cursor at the end of the migration: a new tenant receives all tenant migrations in one transaction.'
        when code in ('42P01', '42883', '42704', '3F000')
            and message ~ '^(schema |[a-z ]+ ("?[a-z_][a-z0-9_$]*\.|"[^"]+\.))'
            and message ~ 'does not exist'
        then
            'What the migration needs outside the tenant must exist before the registration: create it, or the extension that has it, in the same file.'
        when code = '42704' and message ~ 'does not exist' and message !~ ' (of|for) (relation|table) ' then
            'Unqualified names are looked up in the tenant''s schema and in extensions: write public.<name> for what is in public. For what an extension has, write "create extension if not exists … with schema extensions;" before the registration.'
        when code in ('42P01', '42883', '42P02') and message ~ 'does not exist' then
            'Unqualified names are looked up in the tenant''s schema and in extensions: write public.<name> for what is in public. Leave "set search_path = …" out of a routine: it gets the tenant''s. If an index or a constraint of the same migration calls it, write "set search_path from current".'
        when code in ('42P07', '42710', '42723') then
            'The tenants have this name already, perhaps from an earlier tenant migration. Choose another name, or alter what is there.'
        else ''
    end;
end;
$$;

comment on function tenancy.statement_advice(text, text) is
    'What to do about the error of a statement in a tenant migration, by its SQLSTATE and its message; empty if the message says enough.';

-- sql/20_tenancy/exposure/expose_schema.sql

create function tenancy.expose_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_list text;
    v_schemas text[];
begin
    perform tenancy.lock_exposure();
    v_list := tenancy.exposed_list();

    -- A name that occurs nowhere in the text is not on the list. So the usual creation does not
    -- split a list of thousands of names.
    if v_list <> '' and strpos(v_list, schema_name) = 0 then
        perform tenancy.set_exposed_list(v_list || ', ' || schema_name);
        return;
    end if;

    -- The name may be a part of another one.
    v_schemas := tenancy.exposed_schemas();
    if not schema_name = any (v_schemas) then
        perform tenancy.set_exposed_schemas(v_schemas || schema_name);
    end if;
end;
$$;

comment on function tenancy.expose_schema(text) is
    'Adds a schema to the list of schemas that the Data API exposes. The schema must exist when the transaction commits (55P03).';

-- sql/20_tenancy/exposure/exposed_list.sql

create function tenancy.exposed_list()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        -- substr would count the characters of a list of thousands of names.
        select replace(c.entry, 'pgrst.db_schemas=', '')
        from pg_catalog.pg_db_role_setting s
        cross join unnest(s.setconfig) c (entry)
        where s.setrole = 'authenticator'::regrole
            and s.setdatabase in (
                0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            )
            and starts_with(c.entry, 'pgrst.db_schemas=')
        -- The setting for this database overrides the one for the whole cluster.
        order by s.setdatabase desc
        limit 1
    );
end;
$$;

comment on function tenancy.exposed_list() is
    'The schemas that the Data API exposes as PostgREST''s role has them, separated by commas; null if they are not set.';

-- sql/20_tenancy/exposure/exposed_schemas.sql

create function tenancy.exposed_schemas()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_list constant text := tenancy.exposed_list();
begin
    if v_list is not null then
        -- The form that set_exposed_schemas writes. Splitting a long list by a pattern is slow.
        if replace(v_list, ', ', '') !~ '[\s,]' then
            return string_to_array(v_list, ', ');
        end if;
        return regexp_split_to_array(btrim(v_list), '\s*,\s*');
    end if;

    -- Not set yet: the default of a Supabase project. Only schemas that exist, because one
    -- listed but missing schema stops the whole Data API.
    return array(
        select n.nspname::text
        from pg_catalog.pg_namespace n
        where n.nspname in ('public', 'graphql_public')
        order by n.nspname = 'public' desc
    );
end;
$$;

comment on function tenancy.exposed_schemas() is
    'The schemas that the Data API exposes, from the setting of PostgREST''s role.';

-- sql/20_tenancy/exposure/lock_exposure.sql

-- Last in the lock order: every creation and deletion of a tenant needs this lock, so its
-- holder must not wait for another one. Without the lock, two transactions that alter the
-- role setting fail with "tuple concurrently updated".
create function tenancy.lock_exposure()
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language sql
as $$
    select pg_advisory_xact_lock(hashtextextended('tenancy.exposed_schemas', 0));
$$;

comment on function tenancy.lock_exposure() is
    'Lets one transaction at a time change the list of exposed schemas. Waits at most 4 s (55P03).';

-- sql/20_tenancy/exposure/reload_schema_cache.sql

create function tenancy.reload_schema_cache()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- On hosted Supabase, event triggers send the same notification on every DDL statement.
    -- PostgreSQL merges identical notifications of one transaction, so PostgREST reloads once.
    perform pg_notify('pgrst', 'reload schema');
end;
$$;

comment on function tenancy.reload_schema_cache() is
    'Makes PostgREST read the tables again once the transaction commits.';

-- sql/20_tenancy/exposure/set_exposed_list.sql

create function tenancy.set_exposed_list(list text)
    returns void
    volatile
    security invoker
    set search_path = ''
    -- Ends the choice below with the function.
    set default_toast_compression = 'pglz'
    language plpgsql
as $$
begin
    -- PostgreSQL tries to compress a long setting. With thousands of random names this is most of
    -- the cost of a creation that grows with them, and lz4 gives up soon.
    begin
        perform set_config('default_toast_compression', 'lz4', true);
    exception
        when invalid_parameter_value then
            -- The server was built without lz4.
            null;
    end;

    -- From the current value, so that the parser does not read the list.
    perform set_config('pgrst.db_schemas', list, true);
    execute format(
        'alter role authenticator in database %I set pgrst.db_schemas from current', current_database()
    );

    -- PostgREST needs both notifications: it reads first the list, then the tables.
    perform pg_notify('pgrst', 'reload config');
    perform tenancy.reload_schema_cache();

    -- In a transaction of several statements, an event trigger may have sent the second
    -- notification before the first, and a repeated notification keeps its first place. The
    -- empty payload reloads the tables, too, and is not merged with the others.
    if current_setting('request.method', true) is null then
        perform pg_notify('pgrst', '');
    end if;
end;
$$;

comment on function tenancy.set_exposed_list(text) is
    'Writes the list of schemas that the Data API exposes, as PostgREST reads it: names separated by commas. Only under lock_exposure.';

-- sql/20_tenancy/exposure/set_exposed_schemas.sql

create function tenancy.set_exposed_schemas(schema_names text[])
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.set_exposed_list(array_to_string(schema_names, ', '));
end;
$$;

comment on function tenancy.set_exposed_schemas(text[]) is
    'Writes the list of schemas that the Data API exposes. Only under lock_exposure.';

-- sql/20_tenancy/exposure/unexpose_schema.sql

create function tenancy.unexpose_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(array_remove(tenancy.exposed_schemas(), schema_name));
end;
$$;

comment on function tenancy.unexpose_schema(text) is
    'Removes a schema from the list of schemas that the Data API exposes (55P03).';

-- sql/20_tenancy/health/tenant_growth.sql

-- From the registry and from the entries of the deletions, which no pruning removes. Both are
-- few: the log has an index of these entries alone.
create function tenancy.tenant_growth(days integer)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
begin
    return (
        with lives as (
            select t.created_at::date as created, null::date as deleted
            from tenancy.listed_tenants t
            union all
            select (l.details -> 'before' ->> 'created_at')::timestamptz::date, l.occurred_at::date
            from public.admin_audit_log l
            where l.action = 'tenant.delete' and l.details -> 'before' ->> 'status' <> 'pooled'
        ),
        changes as (
            select c.day, sum(c.created) as created, sum(c.deleted) as deleted
            from (
                select l.created as day, 1 as created, 0 as deleted from lives l
                union all
                select l.deleted, 0, 1 from lives l where l.deleted is not null
            ) c
            group by c.day
        ),
        calendar as (
            select current_date - i.ago as day from generate_series(0, days - 1) i (ago)
        )
        select jsonb_agg(
            jsonb_build_object(
                'day', d.day,
                'tenants', d.tenants,
                'created', d.created,
                'deleted', d.deleted
            )
            order by d.day
        )
        from (
            select c.day,
                coalesce(h.created, 0) as created,
                coalesce(h.deleted, 0) as deleted,
                coalesce(
                    (
                        select sum(b.created - b.deleted)
                        from changes b
                        where b.day < current_date - days + 1
                    ),
                    0
                ) + sum(coalesce(h.created - h.deleted, 0)) over (order by c.day) as tenants
            from calendar c
            left join changes h on h.day = c.day
        ) d
    );
end;
$$;

comment on function tenancy.tenant_growth(integer) is
    'The number of tenants at the end of each of the last days (UTC), today included, and how many were created and deleted on it.';

-- sql/20_tenancy/identity/access_level.sql

create function tenancy.access_level(schema_name text)
    returns tenancy.access_level
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    -- Not now(), which is the start of the transaction: in a long transaction, too, a grant
    -- ends when it expires.
    return (
        select a.access_level
        from public.user_schema_access a
        where a.user_id = v_user_id
            and a.schema_name = access_level.schema_name
            and (a.expires_at is null or a.expires_at > statement_timestamp())
    );
end;
$$;

comment on function tenancy.access_level(text) is
    'The caller''s access level in a tenant, from an unexpired grant; null without such a grant. The tenant''s status does not matter.';

-- sql/20_tenancy/identity/acting_function.sql

create function tenancy.acting_function()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_stack text;
    v_functions text[];
begin
    get diagnostics v_stack = pg_context;
    v_functions := array(
        select coalesce(f.name[1], f.name[2])
        from regexp_matches(
            v_stack,
            '^(?:PL/pgSQL function (inline_code_block|.*\))(?: .*)?|SQL function "(.*)" statement \d+)$',
            'gn'
        ) with ordinality f (name, place)
        order by f.place
    );

    -- The first three are this function, log_action and the operation. The last one began the
    -- call. A name further in is not trusted, because the stack also shows the texts of
    -- statements, and a text may imitate a name.
    if cardinality(v_functions) < 4 or v_functions[cardinality(v_functions)] like 'tenancy.as\_owner(%' then
        return null;
    end if;
    return v_functions[cardinality(v_functions)];
end;
$$;

comment on function tenancy.acting_function() is
    'For log_action: the outermost function of the call, as PostgreSQL shows it in an error''s context; inline_code_block is a DO statement. Null if an operation was called directly.';

-- sql/20_tenancy/identity/actor_role.sql

create function tenancy.actor_role(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    if v_caller.kind <> 'user' then
        return v_caller.kind;
    end if;

    return coalesce(
        tenancy.platform_role()::text,
        'tenant_' || tenancy.access_level(schema_name),
        'user'
    );
end;
$$;

comment on function tenancy.actor_role(text) is
    'The caller''s present role, as the audit log records it: a platform role, tenant_<access level> in this tenant, user, service_role, postgres or nobody.';

-- sql/20_tenancy/identity/caller.sql

-- Who is calling is decided here and in the view calling_user alone. A definer function runs as
-- its owner, so current_user is always the owner. The setting `role` still names the role that
-- PostgREST switched to. A caller without claims is nobody and has no
-- privileges.
create function tenancy.caller()
    returns tenancy.caller
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role constant text := current_setting('role', true);
    v_user_id uuid;
begin
    -- Every role can set the parameter, but only the owner can write the row. The parameter is
    -- asked first because it costs less.
    if current_setting('tenancy.acting_as_owner', true) = 'on'
        and exists (
            select from tenancy.owner_calls c
            where c.transaction_id = pg_current_xact_id_if_assigned()
        )
    then
        return row('postgres', null)::tenancy.caller;
    end if;

    if v_role in ('service_role', 'postgres') then
        return row(v_role, null)::tenancy.caller;
    end if;

    -- A SQL editor, a script or pg_cron logs in as postgres and does not switch roles. Auth has no
    -- EXECUTE on our functions, so in a session of Auth's the call comes from a definer function
    -- of the owner, such as that of a trigger on auth.users.
    if v_role = 'none' and session_user in ('postgres', 'supabase_auth_admin') then
        return row('postgres', null)::tenancy.caller;
    end if;

    select u.user_id into v_user_id from tenancy.calling_user u;
    if v_user_id is not null then
        return row('user', v_user_id)::tenancy.caller;
    end if;

    return row('nobody', null)::tenancy.caller;
end;
$$;

comment on function tenancy.caller() is
    'Who is calling. The kind follows from the role that PostgREST switched to, the user from the token''s subject. A user whom Auth has banned or deleted is nobody. SQL of the owner is postgres: in a session of postgres or of Auth''s, and within as_owner.';

-- sql/20_tenancy/identity/platform_role.sql

create function tenancy.platform_role()
    returns tenancy.platform_role
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    -- The service key and the SQL editor have full access to the database anyway. They act
    -- as super_admin, which is also how the first super_admin is appointed.
    if v_caller.kind in ('service_role', 'postgres') then
        return 'super_admin';
    end if;

    return (select a.role from public.admin_users a where a.user_id = v_caller.user_id);
end;
$$;

comment on function tenancy.platform_role() is
    'The caller''s platform role; null if the caller is not platform staff.';

-- sql/20_tenancy/identity/request_id.sql

create function tenancy.request_id()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return substring(
        nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id'
        from '^[A-Za-z0-9._-]{1,64}$'
    );
end;
$$;

comment on function tenancy.request_id() is
    'The request''s X-Request-Id as the caller sent it, unverified; null if it is missing or malformed.';

-- sql/20_tenancy/listing/is_found.sql

create function tenancy.is_found(search text, schema_name text, display_name text)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Not by LIKE: its wildcards would have to be escaped.
    return strpos(lower(schema_name), lower(search)) > 0 or strpos(lower(display_name), lower(search)) > 0;
end;
$$;

comment on function tenancy.is_found(text, text, text) is
    'Whether a tenant''s schema name or display name contains this text, whatever the case of its letters.';

-- sql/20_tenancy/listing/list_cursor.sql

create function tenancy.list_cursor(place tenancy.list_place)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- It holds the row's value at this time, so that a row that changes or goes afterwards shifts
    -- no page. Encoded, so that nobody builds one by hand.
    return translate(
        encode(
            convert_to(
                jsonb_build_array(tenancy.sort_name(place), place.number, place.words, place.schema_name)::text,
                'UTF8'
            ),
            'base64'
        ),
        E'\n', ''
    );
end;
$$;

comment on function tenancy.list_cursor(tenancy.list_place) is 'The text for a place in a list of tenants that require_list_place reads.';

-- sql/20_tenancy/listing/require_list_place.sql

create function tenancy.require_list_place(sort text, after text)
    returns tenancy.list_place
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_parts constant text[] := regexp_match(
        sort,
        '^(schema_name|display_name|created_at|status|schema_version|bytes|last_activity_at)(?:\.(asc|desc))?$'
    );
    v_place tenancy.list_place;
    v_cursor jsonb;
begin
    if v_parts is null then
        raise exception '"sort" is no order of the tenants.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send schema_name, display_name, created_at, status, schema_version, bytes or last_activity_at, alone or with ".desc" behind it.';
    end if;

    v_place.column_name := v_parts[1];
    v_place.is_descending := coalesce(v_parts[2] = 'desc', false);
    if after is null then
        return v_place;
    end if;

    begin
        v_cursor := convert_from(decode(after, 'base64'), 'UTF8')::jsonb;
        v_place.number := (v_cursor ->> 1)::numeric;
        v_place.words := v_cursor ->> 2;
        v_place.schema_name := v_cursor ->> 3;
    exception
        -- Not a cursor. What decodes and parses texts has errors of its own for each mistake.
        when data_exception or untranslatable_character or program_limit_exceeded then
            v_place.schema_name := null;
    end;

    if v_place.schema_name is null
        or v_place.number is null
        or v_place.words is null
        or v_cursor ->> 0 is distinct from tenancy.sort_name(v_place)
    then
        raise exception '"after" is no cursor of this order.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send the cursor of the last row of the previous page, with the same sort.';
    end if;

    return v_place;
end;
$$;

comment on function tenancy.require_list_place(text, text) is
    'Reads the arguments sort and after of list_tenants (PT422 invalid_request).';

-- sql/20_tenancy/listing/sort_keys.sql

create function tenancy.sort_keys(column_name text, out schema_name text, out number numeric, out words text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    case column_name
        when 'display_name' then
            return query select t.schema_name, 0::numeric, lower(t.display_name) from public.tenants t;
        when 'created_at' then
            -- extract returns microseconds as they are.
            return query select t.schema_name, extract(epoch from t.created_at), '' from public.tenants t;
        when 'status' then
            return query select t.schema_name, 0::numeric, t.status::text from public.tenants t;
        when 'schema_version' then
            -- The order of the registration, in which the migrations are applied.
            return query
            select t.schema_name, m.position::numeric, ''
            from public.tenants t
            join tenancy.tenant_migrations m on m.version = t.schema_version;
        when 'bytes' then
            return query
            select t.schema_name, coalesce(s.bytes, 0)::numeric, ''
            from public.tenants t
            left join tenancy.all_schema_bytes() s on s.schema_name = t.schema_name;
        when 'last_activity_at' then
            -- Never is earlier than every time.
            return query
            select t.schema_name, coalesce(extract(epoch from a.last_activity_at), -1), ''
            from public.tenants t
            left join tenancy.tenant_activity a
                on a.schema_name = t.schema_name and a.last_activity_at >= t.created_at;
    end case;
end;
$$;

comment on function tenancy.sort_keys(text) is
    'What each tenant is sorted by in this order: the number, then the words, then the schema name. One pass over the registry, or over the catalog for bytes.';

-- sql/20_tenancy/listing/sort_name.sql

create function tenancy.sort_name(place tenancy.list_place)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return place.column_name || case when place.is_descending then '.desc' else '' end;
end;
$$;

comment on function tenancy.sort_name(tenancy.list_place) is 'The order as the argument sort names it.';

-- sql/20_tenancy/listing/tenant_places.sql

create function tenancy.tenant_places(
    search text,
    status tenancy.tenant_status,
    after tenancy.list_place,
    page_size integer
)
    returns setof tenancy.list_place
    stable
    security invoker
    set search_path = ''
    -- Which plan reads least depends on which arguments are null.
    set plan_cache_mode = force_custom_plan
    language plpgsql
as $$
declare
    v_column constant text := after.column_name;
    v_is_descending constant boolean := after.is_descending;
    v_number constant numeric := after.number;
    v_words constant text := after.words;
    v_name constant text := after.schema_name;
begin
    if v_column = 'schema_name' then
        -- One of the two parts has a condition that is false before any row is read. The other
        -- follows the index until the page is full.
        return query
        with matching as not materialized (
            select t.schema_name
            from tenancy.listed_tenants t
            where (tenant_places.status is null or t.status = tenant_places.status)
                and (
                    tenant_places.search is null
                    or tenancy.is_found(tenant_places.search, t.schema_name, t.display_name)
                )
        )
        (
            select v_column, v_is_descending, 0::numeric, '', m.schema_name
            from matching m
            where not v_is_descending and m.schema_name > coalesce(v_name, '')
            order by m.schema_name
            limit page_size
        )
        union all
        (
            select v_column, v_is_descending, 0::numeric, '', m.schema_name
            from matching m
            where v_is_descending and (v_name is null or m.schema_name < v_name)
            order by m.schema_name desc
            limit page_size
        );
        return;
    end if;

    return query
    select v_column, v_is_descending, k.number, k.words, k.schema_name
    from tenancy.sort_keys(v_column) k
    join tenancy.listed_tenants t on t.schema_name = k.schema_name
    where (tenant_places.status is null or t.status = tenant_places.status)
        and (
            tenant_places.search is null
            or tenancy.is_found(tenant_places.search, t.schema_name, t.display_name)
        )
        and (
            v_name is null
            or case
                when v_is_descending then (k.number, k.words, k.schema_name) < (v_number, v_words, v_name)
                else (k.number, k.words, k.schema_name) > (v_number, v_words, v_name)
            end
        )
    order by
        case when v_is_descending then k.number end desc,
        case when v_is_descending then k.words end desc,
        case when v_is_descending then k.schema_name end desc,
        k.number, k.words, k.schema_name
    limit page_size;
end;
$$;

comment on function tenancy.tenant_places(text, tenancy.tenant_status, tenancy.list_place, integer) is
    'The places of the tenants on one page of list_tenants, in its order. By schema name it reads the index as far as the page goes; any other order reads all tenants once.';

-- sql/20_tenancy/locks/advisory_locks.sql

create function tenancy.advisory_locks()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        select format('%s %s %s %s', l.classid, l.objid, l.objsubid, l.mode)
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid() and l.locktype = 'advisory' and l.granted
    );
$$;

comment on function tenancy.advisory_locks() is 'The advisory locks that this session and its transaction hold.';

-- sql/20_tenancy/locks/cancel_changes.sql

-- On Supabase, `postgres` may cancel every session but those of superusers.
create function tenancy.cancel_changes(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_pid integer;
begin
    foreach v_pid in array tenancy.changing_sessions(schema_name)
    loop
        begin
            perform pg_cancel_backend(v_pid);
        exception
            when insufficient_privilege then
                null;
        end;
    end loop;
end;
$$;

comment on function tenancy.cancel_changes(text) is
    'Cancels the statements of changing_sessions. A session without a running statement keeps its lock.';

-- sql/20_tenancy/locks/changing_sessions.sql

create function tenancy.changing_sessions(schema_name text)
    returns integer[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_key constant bigint := hashtextextended('tenancy.changing.' || schema_name, 0);
begin
    return array(
        select l.pid
        from pg_catalog.pg_locks l
        where l.locktype = 'advisory'
            and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            -- A key of 64 bits is shown as two columns, and 1 in the third.
            and l.classid::bigint = v_key >> 32 & 4294967295
            and l.objid::bigint = v_key & 4294967295
            and l.objsubid = 1
            and l.pid <> pg_backend_pid()
    );
end;
$$;

comment on function tenancy.changing_sessions(text) is
    'The other sessions that hold lock_tenant on this tenant, or wait for it, by process id.';

-- sql/20_tenancy/locks/is_closing.sql

-- A lock that is taken and given back at once. An exclusive lock that another session holds or
-- waits for makes the attempt fail, and the rollback of the block ends a lock that was taken.
create function tenancy.is_closing(schema_name text)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_free boolean;
begin
    begin
        v_free := pg_try_advisory_xact_lock_shared(hashtextextended('tenancy.closing.' || schema_name, 0));
        raise no_data_found;
    exception
        when no_data_found then
            null;
    end;

    return not v_free;
end;
$$;

comment on function tenancy.is_closing(text) is
    'Whether another session has called lock_tenant_first. Never waits.';

-- sql/20_tenancy/locks/lock_relations.sql

-- Locks are requested in short attempts with pauses: while a statement waits for a table, every
-- later reader of the table waits behind it. These readers continue during the pauses.
create function tenancy.lock_relations(relations text, mode text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_deadline constant timestamptz := clock_timestamp() + interval '2 seconds';
begin
    loop
        begin
            execute format('lock table %s in %s mode', relations, mode);
            return;
        exception
            when lock_not_available then
                if clock_timestamp() >= v_deadline then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.lock_relations(text, text) is
    'Locks relations, a list of quoted names, until the transaction ends. Tries for 2 s, each time for at most 100 ms, so that no reader waits long (then 55P03).';

-- sql/20_tenancy/locks/lock_rewrite.sql

-- A load of PostgREST's schema cache waits for each table that is being rewritten, and fails
-- after 8 s. Two rewrites that take turns could together hold it longer than that. There is no
-- wait for one's turn, because the caller already holds the table.
create function tenancy.lock_rewrite(relation oid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A small table is rewritten within milliseconds.
    if tenancy.table_bytes(relation) > 1048576
        and not pg_try_advisory_xact_lock(hashtextextended('tenancy.rewrite', 0))
    then
        raise lock_not_available using message = 'Another table is being rewritten.';
    end if;
end;
$$;

comment on function tenancy.lock_rewrite(oid) is
    'Lets one transaction at a time on the platform rewrite a table of more than 1 MB. Never waits (55P03).';

-- sql/20_tenancy/locks/lock_super_admins.sql

-- A count is not enough: two super_admins who revoke each other at the same time would each
-- count the other. The rows are locked in one order, so the second caller waits, and then
-- reads the result of the first.
create function tenancy.lock_super_admins()
    returns uuid[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language sql
as $$
    select array(
        select a.user_id
        from public.admin_users a
        where a.role = 'super_admin'
            -- One whom Auth has banned can do nothing, and is no reason to let the last one go.
            and exists (select from tenancy.active_users u where u.id = a.user_id)
        order by a.user_id
        for update
    );
$$;

comment on function tenancy.lock_super_admins() is
    'Locks all active super_admins until the transaction ends, and returns their ids. Waits at most 2 s (55P03).';

-- sql/20_tenancy/locks/lock_tables.sql

create function tenancy.lock_tables(schema_name text, table_names text[], mode text default 'access exclusive')
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_relations(
        -- In one order, so that two transactions that lock the same tables do not deadlock.
        (
            select string_agg(format('%I.%I', schema_name, t.name), ', ' order by t.name collate "C")
            from (select distinct unnest(table_names)) t (name)
        ),
        mode
    );
end;
$$;

comment on function tenancy.lock_tables(text, text[], text) is
    'Locks tables of a tenant until the transaction ends. Tries for 2 s, each time for at most 100 ms, so that no reader waits long (then 55P03).';

-- sql/20_tenancy/locks/lock_tenant.sql

-- Permission is checked twice. Before the lock, so that a stranger never waits for it and
-- learns nothing from the wait. Under the lock, because the tenant may have been suspended,
-- or the caller's grant revoked, in the meantime. NO KEY UPDATE does not block the foreign
-- keys of grants. The timeout applies to each of the two waits for a row, first for one's turn
-- and then for the row. It is short because a call that waits occupies a connection of PostgREST,
-- and longer than deadlock_timeout, which is 1 s.
create function tenancy.lock_tenant(
    schema_name text,
    platform tenancy.platform_role,
    member tenancy.access_level,
    even_pooled boolean default false
)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '1200ms'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform tenancy.require_permission(schema_name, platform, member, even_pooled => even_pooled);
    -- This lock tells cancel_changes which sessions change the tenant. Every holder shares it.
    perform pg_advisory_xact_lock_shared(hashtextextended('tenancy.changing.' || schema_name, 0));
    perform tenancy.require_not_closing(schema_name);

    select * into v_tenant
    from public.tenants t
    where t.schema_name = lock_tenant.schema_name
    for no key update skip locked;
    if v_tenant.id is null then
        -- Members who change one tenant without a pause could otherwise occupy all connections.
        perform tenancy.require_no_long_change(schema_name);
        select * into v_tenant
        from public.tenants t
        where t.schema_name = lock_tenant.schema_name
        for no key update;
    end if;

    -- The closing may have begun while this call waited.
    perform tenancy.require_not_closing(schema_name);
    perform tenancy.require_permission(schema_name, platform, member, even_pooled => even_pooled);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant(text, tenancy.platform_role, tenancy.access_level, boolean) is
    'Locks a tenant''s registry row until the transaction ends, and returns it, for a caller with this permission (errors of require_permission, which hides a tenant in the pool; with even_pooled, only from callers below this platform role). Call it before changing anything of the tenant. Waits at most 2.4 s, in two steps of 1.2 s, and not at all while another session has been changing the tenant for more than a second or has called lock_tenant_first (55P03).';

-- sql/20_tenancy/locks/lock_tenant_first.sql

-- For what must not wait for others: whoever changes the tenant all the time could otherwise
-- hold it off. The lock "closing" is visible to other sessions before this transaction commits.
-- From then on lock_tenant refuses at once, so that nobody queues, and there is at most one
-- statement left that changes the tenant.
create function tenancy.lock_tenant_first(schema_name text, platform tenancy.platform_role)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2500 milliseconds';
    v_tenant public.tenants;
begin
    perform tenancy.require_permission(schema_name, platform, member => null);
    perform pg_advisory_xact_lock(hashtextextended('tenancy.closing.' || schema_name, 0));

    -- A change that ends within this time is not cancelled.
    perform set_config('lock_timeout', '300ms', true);
    loop
        begin
            select * into v_tenant
            from public.tenants t
            where t.schema_name = lock_tenant_first.schema_name
            for no key update;
            exit;
        exception
            when lock_not_available then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform tenancy.cancel_changes(schema_name);
    end loop;

    perform tenancy.require_permission(schema_name, platform, member => null);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant_first(text, tenancy.platform_role) is
    'Locks a tenant like lock_tenant, for a caller with this platform role, before everybody else: others who call lock_tenant are refused at once, and a statement that keeps the tenant for more than 300 ms is cancelled. Waits at most 2.5 s, for sessions that cannot be cancelled (errors of require_permission; 55P03).';

-- sql/20_tenancy/locks/lock_tenant_if_free.sql

-- For a change that can be left for later. It never waits, so the caller may hold locks that come
-- later in the order.
create function tenancy.lock_tenant_if_free(
    schema_name text,
    platform tenancy.platform_role,
    member tenancy.access_level
)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('tenancy.changing.' || schema_name, 0));
    if tenancy.is_closing(schema_name) then
        return null;
    end if;

    select * into v_tenant
    from public.tenants t
    where t.schema_name = lock_tenant_if_free.schema_name
    for no key update skip locked;
    -- Under the lock, as in lock_tenant.
    perform tenancy.require_permission(schema_name, platform, member);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant_if_free(text, tenancy.platform_role, tenancy.access_level) is
    'Locks a tenant''s registry row like lock_tenant, and returns it. Returns null at once if another session has the row or is about to close the tenant (errors of require_permission).';

-- sql/20_tenancy/locks/lock_users.sql

-- First in the lock order. Deleting a user locks the row in auth.users and then, by cascade,
-- rows of the registry. A transaction that writes a reference to a user has to lock in the
-- same order, or the two transactions deadlock.
create function tenancy.lock_users(user_ids uuid[])
    returns uuid[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    return array(
        select u.id
        from auth.users u
        where u.id = any (user_ids)
        order by u.id
        for key share
    );
end;
$$;

comment on function tenancy.lock_users(uuid[]) is
    'Protects these users from deletion until the transaction ends, and returns the ids of those that exist. Waits at most 2 s (55P03).';

-- sql/20_tenancy/locks/release_session_locks.sql

-- pg_locks does not say whether an advisory lock ends with the transaction or with the session.
-- Only a lock of the session can be released, and a rollback does not do it.
create function tenancy.release_session_locks(kept text[])
    returns text[]
    volatile
    security invoker
    set search_path = ''
    -- PostgreSQL warns of each lock of the transaction.
    set client_min_messages = error
    language plpgsql
as $$
declare
    v_lock text;
    v_parts text[];
    v_key text;
    v_is_released boolean;
    v_released text[] := '{}';
begin
    foreach v_lock in array tenancy.advisory_locks() loop
        continue when v_lock = any (kept);
        v_parts := string_to_array(v_lock, ' ');
        -- A lock has a key of 64 bits, or two of 32 bits. PostgreSQL shows them without a sign.
        v_key := case v_parts[3]
            when '1' then ((v_parts[1]::bigint << 32) | v_parts[2]::bigint)::text
            else format('%s, %s', v_parts[1]::bigint::bit(32)::integer, v_parts[2]::bigint::bit(32)::integer)
        end;
        loop
            execute format(
                'select %s(%s)',
                case v_parts[4] when 'ShareLock' then 'pg_advisory_unlock_shared' else 'pg_advisory_unlock' end,
                v_key
            )
            into v_is_released;
            exit when not v_is_released;
            v_released := v_released || format('(%s)', v_key);
        end loop;
    end loop;

    return v_released;
end;
$$;

comment on function tenancy.release_session_locks(text[]) is
    'Releases the advisory locks that this session holds beyond its transaction, except these, and returns their keys.';

-- sql/20_tenancy/locks/require_no_long_change.sql

create function tenancy.require_no_long_change(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if exists (
        select from pg_catalog.pg_stat_activity a
        where a.pid = any (tenancy.changing_sessions(schema_name))
            and a.xact_start < clock_timestamp() - interval '1 second'
    ) then
        raise lock_not_available
            using message = format('Tenant "%s" is being changed.', tenancy.printable(schema_name));
    end if;
end;
$$;

comment on function tenancy.require_no_long_change(text) is
    'Refuses to wait for a tenant that another session has been changing for more than a second (55P03).';

-- sql/20_tenancy/locks/require_not_closing.sql

create function tenancy.require_not_closing(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_closing(schema_name) then
        raise lock_not_available
            using message = format('Tenant "%s" is being closed.', tenancy.printable(schema_name));
    end if;
end;
$$;

comment on function tenancy.require_not_closing(text) is
    'Refuses a change of a tenant while another session has called lock_tenant_first. Never waits (55P03).';

-- sql/20_tenancy/locks/require_other_super_admin.sql

create function tenancy.require_other_super_admin(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Lock users first: deleting a user also updates, in an unknown order, the rows of the staff
    -- whom the user appointed.
    perform tenancy.lock_users(
        user_id || array(select a.user_id from public.admin_users a where a.role = 'super_admin')
    );
    if tenancy.lock_super_admins() = array[user_id] then
        raise exception 'This is the last super_admin.'
            using errcode = 'PT409', detail = 'last_super_admin',
                hint = 'Appoint another with promote_to_admin first.';
    end if;

    -- Check again: the caller's own role may have been revoked while this call waited.
    perform tenancy.require_platform_role('super_admin');
end;
$$;

comment on function tenancy.require_other_super_admin(uuid) is
    'Refuses to take the role from the last active super_admin, and locks all active super_admins until the transaction ends, so that the others keep theirs (PT409 last_super_admin, errors of require_platform_role, 55P03).';

-- sql/20_tenancy/locks/require_user.sql

create function tenancy.require_user(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_argument('user_id', user_id::text);

    -- Lock the caller, too: the row that is written next refers to both users.
    if not user_id = any (
            tenancy.lock_users(array[user_id, (tenancy.caller()).user_id])
        )
        -- To everybody a banned user looks the same as a missing one.
        or not exists (select from tenancy.active_users u where u.id = require_user.user_id)
    then
        raise exception 'There is no user with the id %.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'The user has to sign up first. The id is the "sub" of the user''s access token.';
    end if;
end;
$$;

comment on function tenancy.require_user(uuid) is
    'Refuses the id of a user who does not exist or is banned or deleted in Auth, and protects the user and the caller from deletion until the transaction ends. First in the lock order (PT404 user_not_found, PT422 invalid_request, 55P03).';

-- sql/20_tenancy/migrations/add_tenant_migration.sql

create function tenancy.add_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}',
    phase tenancy.migration_phase default 'change',
    limit_seconds integer default 5,
    batch integer default null,
    audit_rows boolean default false
)
    returns void
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_tables_before oid[];
    v_routines_before oid[];
begin
    perform tenancy.require_registration_numbers(version, limit_seconds, batch, audit_rows);
    -- Registrations take turns, so that positions are unique and without gaps. Readers and new
    -- tenants do not wait.
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = add_tenant_migration.version;
    if found then
        if v_migration.statements = add_tenant_migration.statements
            and v_migration.callable_routines = add_tenant_migration.callable_routines
            and v_migration.phase = add_tenant_migration.phase
        then
            -- How a tenant receives it may change at any time; what it receives may not.
            update tenancy.tenant_migrations m
            set limit_seconds = add_tenant_migration.limit_seconds,
                batch = add_tenant_migration.batch,
                audit_rows = add_tenant_migration.audit_rows
            where m.version = v_migration.version
                and (m.limit_seconds, m.batch, m.audit_rows) is distinct from (
                    add_tenant_migration.limit_seconds, add_tenant_migration.batch, add_tenant_migration.audit_rows
                );
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text. Tenants may have received it: register the change under a new version.', version;
    end if;
    perform tenancy.require_registration(version, name, statements, callable_routines);

    insert into tenancy.tenant_migrations
        (version, position, name, statements, callable_routines, phase, limit_seconds, batch, audit_rows)
    values (
        version,
        (select coalesce(max(m.position), 0) + 1 from tenancy.tenant_migrations m),
        name, statements, callable_routines, phase, limit_seconds, batch, audit_rows
    )
    returning * into v_migration;

    -- The reference schema gets the migration first: a failure here fails the push, before any
    -- tenant is changed.
    v_tables_before := tenancy.table_oids('tenant_template');
    v_routines_before := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace('tenant_template')
    );
    perform tenancy.advance_reference(v_migration);
    perform tenancy.require_creatable(version, tenancy.tables_to_try(v_tables_before, v_routines_before));
end;
$$;

comment on function tenancy.add_tenant_migration(text, text, text, text[], tenancy.migration_phase, integer, integer, boolean) is
    'Adds a tenant migration after all that this database has registered, and applies it to the reference schema. Existing tenants stay as they are, new tenants start with it. One tenant is created and rolled back, to show that tenants can be created. callable_routines names routines that the API may call. Warns of each table that no client can reach any more. Repeating a registration changes nothing but limit_seconds, batch and audit_rows; another text under a registered version is refused.';

-- sql/20_tenancy/migrations/advance_backfill.sql

-- A table is read block by block: that needs no key and no index, and reads nothing twice in a
-- pass, where a search for the rows that are left would read all dead rows before them again.
-- A row that moves or comes meanwhile is found by the next pass.
create function tenancy.advance_backfill(tenant public.tenants, migration tenancy.tenant_migrations)
    returns tenancy.unfinished_backfills
    volatile
    security invoker
    set search_path = ''
    -- A member's transaction may hold a row. The rows of the batch are locked meanwhile.
    set lock_timeout = '500ms'
    language plpgsql
as $$
declare
    v_batch_seconds constant double precision := 0.8;
    v_leftovers constant text[] := tenancy.session_leftovers();
    v_locks constant text[] := tenancy.advisory_locks();
    v_backfill tenancy.unfinished_backfills := tenancy.begin_backfill(tenant.schema_name, migration);
    v_begun constant timestamptz := clock_timestamp();
    v_batch_begun timestamptz;
    v_seconds double precision;
    v_end bigint;
    v_rows bigint;
    v_is_interrupted boolean := false;
begin
    -- Small batches share a call, so that a small tenant passes in one.
    loop
        if v_backfill.next_block >= v_backfill.end_block then
            v_end := tenancy.block_count(tenant.schema_name, v_backfill.table_name);
            -- Others have added what is behind the end, if the pass has changed nothing. Otherwise
            -- most of it are the rows that the backfill itself has changed.
            if v_backfill.rows_done_in_pass = 0 and v_end > v_backfill.end_block then
                v_backfill.end_block := v_end;
            elsif v_backfill.rows_done_in_pass = 0 then
                exit;
            else
                if v_backfill.pass = 1 then
                    v_backfill.rows_done_in_first_pass := v_backfill.rows_done_in_pass;
                end if;
                v_backfill.pass := v_backfill.pass + 1;
                v_backfill.next_block := 0;
                v_backfill.end_block := v_end;
                v_backfill.rows_done_in_pass := 0;
                v_backfill.rows_a_block := tenancy.rows_a_block(tenant.schema_name, v_backfill.table_name);
            end if;
        end if;
        exit when v_is_interrupted or clock_timestamp() >= v_begun + v_batch_seconds * interval '0.5 seconds';

        v_batch_begun := clock_timestamp();
        v_end := least(v_backfill.next_block + v_backfill.batch_blocks, v_backfill.end_block);
        begin
            update tenancy.unfinished_backfills b
            set writing_in = pg_current_xact_id()
            where b.schema_name = tenant.schema_name;
            v_rows := tenancy.run_backfill_batch(tenant.schema_name, migration, v_backfill, v_backfill.next_block, v_end);
            perform tenancy.require_clean_session(migration, v_leftovers, v_locks);
        exception
            when query_canceled or lock_not_available or deadlock_detected then
                perform tenancy.release_session_locks(v_locks);
                perform tenancy.require_not_closing(tenant.schema_name);
                if v_end - v_backfill.next_block <= 1 and sqlstate = '57014' then
                    raise exception 'A batch of one block of table "%" took too long. Another session may hold its rows, or the statement reads too much for each row: it may need an index.', v_backfill.table_name
                        using errcode = 'query_canceled';
                end if;
                v_is_interrupted := true;
                v_backfill.batch_blocks := greatest(1, (v_end - v_backfill.next_block) / 4);
                continue;
            when others then
                perform tenancy.release_session_locks(v_locks);
                raise;
        end;
        v_seconds := extract(epoch from clock_timestamp() - v_batch_begun);
        v_backfill.seconds := v_backfill.seconds + v_seconds;
        v_backfill.seconds_a_block := v_seconds / (v_end - v_backfill.next_block);
        v_backfill.rows_done := v_backfill.rows_done + v_rows;
        v_backfill.rows_done_in_pass := v_backfill.rows_done_in_pass + v_rows;
        perform tenancy.require_end_of_backfill(v_backfill);
        v_backfill.batch_blocks := greatest(1, v_backfill.batch_blocks * least(4, greatest(0.25, v_batch_seconds / v_seconds)));
        v_backfill.next_block := v_end;
    end loop;

    update tenancy.unfinished_backfills b
    set pass = v_backfill.pass,
        next_block = v_backfill.next_block,
        end_block = v_backfill.end_block,
        batch_blocks = v_backfill.batch_blocks,
        rows_a_block = v_backfill.rows_a_block,
        rows_done = v_backfill.rows_done,
        rows_done_in_first_pass = v_backfill.rows_done_in_first_pass,
        rows_done_in_pass = v_backfill.rows_done_in_pass,
        seconds = v_backfill.seconds,
        seconds_a_block = v_backfill.seconds_a_block,
        writing_in = null
    where b.schema_name = tenant.schema_name
    returning b.* into strict v_backfill;

    return v_backfill;
end;
$$;

comment on function tenancy.advance_backfill(public.tenants, tenancy.tenant_migrations) is
    'Runs the next batch of a backfill, of about a second, and returns how far the tenant is; next_block is end_block when nothing is left to do. A batch that is cancelled or meets a locked row changes nothing, and the next one is smaller. Raises if the statement fails or reaches no end. Only under lock_tenant.';

-- sql/20_tenancy/migrations/advance_reference.sql

-- A migration reaches the reference schema when it is registered, and again when an earlier
-- migration was withdrawn or replaced.
create function tenancy.advance_reference(migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_parameters jsonb;
    v_leftovers text[];
    v_advisory_locks text[];
    v_changes text[];
    v_locks text[];
    v_objects refcursor;
    v_routines_before oid[];
    v_relations_before oid[];
    v_problem text;
    v_unreachable_before text[];
    v_sqlstate text;
    v_message text;
    v_details text;
    v_hint text;
    v_context text;
begin
    perform tenancy.require_migration_text(migration);
    perform tenancy.make_reference();
    if migration.phase = 'backfill' then
        perform tenancy.try_backfill('tenant_template', migration);
    elsif migration.phase = 'index' then
        perform tenancy.index_name(migration);
    end if;
    -- apply_tenant_migration switches safeupdate off, too. Here that happens before the settings
    -- are recorded, so that it does not look like a change by the migration.
    perform set_config('safeupdate.enabled', 'off', true);
    v_routines_before := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'tenant_template'::regnamespace
    );
    v_relations_before := array(
        select c.oid from pg_catalog.pg_class c where c.relnamespace = 'tenant_template'::regnamespace
    );
    v_unreachable_before := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );
    perform tenancy.open_reference((
        select m.version
        from tenancy.tenant_migrations m
        where m.position < migration.position
        order by m.position desc
        limit 1
    ));

    v_parameters := tenancy.session_parameters(migration.statements);
    v_leftovers := tenancy.session_leftovers();
    v_advisory_locks := tenancy.advisory_locks();
    v_changes := tenancy.external_changes();
    v_locks := tenancy.external_locks();
    -- The cursor sees the catalog as it is now, and reads it only if something has been dropped.
    open v_objects for select o.* from tenancy.present_objects() o;
    begin
        perform tenancy.apply_tenant_migration('tenant_template', migration);
    exception
        when deadlock_detected or lock_not_available then
            raise;
        when others then
            get stacked diagnostics
                v_sqlstate = returned_sqlstate,
                v_message = message_text,
                v_details = pg_exception_detail,
                v_hint = pg_exception_hint,
                v_context = pg_exception_context;
            perform tenancy.release_session_locks(v_advisory_locks);
            -- The Supabase CLI prints only the message.
            raise exception 'Tenant migration % failed: %', migration.version, concat_ws(
                    ' ',
                    rtrim(v_message, '.') || '.',
                    rtrim(nullif(v_details, ''), '.') || '.',
                    coalesce(nullif(tenancy.statement_advice(v_sqlstate, v_message), ''), nullif(v_hint, ''))
                )
                using errcode = v_sqlstate, detail = left(v_context, 2000);
    end;

    -- First, because a foreign key that leaves the schema also marks the other table as changed.
    perform tenancy.require_template_shape();
    perform tenancy.require_kept_parameters(migration, v_parameters);
    perform tenancy.require_clean_session(migration, v_leftovers, v_advisory_locks);
    perform tenancy.require_unchanged_outside(migration, v_changes, v_locks, v_objects);
    close v_objects;
    select string_agg(r.name, ', ') into v_problem
    from unnest(migration.callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares routines callable that do not exist: %. The fourth argument takes names of routines that the migration creates, without schema and arguments.', migration.version, v_problem;
    end if;
    -- Callability is by name: an overload would be exposed silently.
    select string_agg(distinct p.proname::text, ', ') into v_problem
    from pg_catalog.pg_proc p
    where p.pronamespace = 'tenant_template'::regnamespace
        and p.oid <> all (v_routines_before)
        and p.proname <> all (migration.callable_routines)
        and exists (
            select
            from tenancy.tenant_migrations m
            where m.position <= migration.position and p.proname = any (m.callable_routines)
        );
    if v_problem is not null then
        raise exception 'Tenant migration % creates a routine under a name that the API may already call: %. If the API may call this routine too, name it in the fourth argument. Otherwise give it another name.', migration.version, v_problem;
    end if;
    perform tenancy.require_closed_policies();
    perform tenancy.require_append_only_log('tenant_template');

    perform tenancy.require_executable_routines();

    perform tenancy.require_keepable_grants(migration);
    perform tenancy.require_effective_revokes(migration);
    perform tenancy.record_limits(migration, v_relations_before || v_routines_before);
    perform tenancy.close_reference();
    insert into tenancy.tenant_template_objects (version, object_kind, object_name, table_name, definition)
    select migration.version, o.object_kind, o.object_name, o.table_name, o.definition
    from tenancy.schema_objects('tenant_template') o;

    for v_problem in
        select format('Tenant migration %s, table "%s": %s', migration.version, u.table_name, u.reason)
        from tenancy.unreachable_tables('tenant_template') u
        where u.table_name <> all (v_unreachable_before)
    loop
        raise warning '%', v_problem;
    end loop;
end;
$$;

comment on function tenancy.advance_reference(tenancy.tenant_migrations) is
    'Applies a registered tenant migration to the reference schema, refuses what a tenant migration must not do, and records the objects of the reference schema at this version. Warns of each table that no client can reach any more.';

-- sql/20_tenancy/migrations/advance_tenant.sql

-- Several short attempts replace one long wait for a lock, because a waiting ALTER TABLE makes
-- every later reader wait. The whole migration is tried again, because each of its statements
-- takes locks, and a statement that waits keeps the locks of those before it.
create function tenancy.advance_tenant(tenant public.tenants, migration tenancy.tenant_migrations)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_own tenancy.schema_object[] := array[]::tenancy.schema_object[];
    v_after public.tenants;
    v_leftovers constant text[] := tenancy.session_leftovers();
    v_locks constant text[] := tenancy.advisory_locks();
    v_begun timestamptz;
    v_seconds double precision;
begin
    if tenancy.has_own_objects(tenant.schema_name, tenant.schema_version) then
        -- Before the own objects are recorded: this refresh is not a change by the migration.
        perform tenancy.refresh_audit_triggers(tenant.schema_name);
        v_own := tenancy.own_objects(
            tenant.schema_name,
            tenant.schema_version,
            array(
                select row(o.*)::tenancy.schema_object
                from tenancy.schema_objects(
                    tenant.schema_name,
                    without_tables => tenancy.unextended_tables(tenant.schema_name, tenant.schema_version)
                ) o
            )
        );
    end if;

    loop
        v_begun := clock_timestamp();
        begin
            perform tenancy.apply_tenant_migration(tenant.schema_name, migration);
            update public.tenants t
            set schema_version = migration.version, updated_at = now()
            where t.id = tenant.id
            returning * into strict v_after;
            perform tenancy.apply_tenant_privileges(tenant.schema_name);
            -- The reference schema has no rows, for which a migration may leave something.
            perform tenancy.require_clean_session(migration, v_leftovers, v_locks);
            perform tenancy.require_template(tenant.schema_name, migration.version, v_own);
            -- In a session of the database, whose statements may have no timeout.
            if clock_timestamp() > v_begun + migration.limit_seconds * interval '1 second' then
                raise query_canceled;
            end if;
            return v_after;
        exception
            when lock_not_available or deadlock_detected then
                perform tenancy.release_session_locks(v_locks);
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
            when query_canceled then
                perform tenancy.release_session_locks(v_locks);
                v_seconds := extract(epoch from clock_timestamp() - v_begun);
                -- The time was spent on waiting, or a person has cancelled it.
                if v_seconds < 0.8 * least(migration.limit_seconds, 5) then
                    perform tenancy.raise_busy();
                end if;
                raise exception 'It was cancelled after % seconds, in which tables of the tenant were locked. %',
                    round(v_seconds::numeric, 1),
                    case
                        when migration.limit_seconds > 5 then format(
                            'Its limit is %s seconds, which only a session of the database has: run `tenantry migrate` with --db-url.',
                            migration.limit_seconds
                        )
                        when migration.phase = 'index' then 'Run `tenantry migrate` with --db-url, which builds a large index while the table is written.'
                        else 'Replace it by a migration that changes no rows, and register what is left as a backfill or an index; or register it again with a higher limit_seconds.'
                    end
                    using errcode = 'query_canceled';
            when others then
                perform tenancy.release_session_locks(v_locks);
                raise;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.advance_tenant(public.tenants, tenancy.tenant_migrations) is
    'Migrates a tenant to its next version, or raises and leaves the tenant as it was (PT429 busy if it was cancelled while it waited). Only under lock_tenant.';

-- sql/20_tenancy/migrations/apply_tenant_migration.sql

create function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    -- A constant such as '2026-01-01'::timestamptz must mean the same in every schema.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_path constant text := tenancy.tenant_search_path(schema_name);
    v_schema_before constant pg_catalog.pg_namespace := (
        select n from pg_catalog.pg_namespace n where n.nspname = apply_tenant_migration.schema_name
    );
    v_channels constant text[] := array(select c from pg_listening_channels() c);
    v_channel text;
    v_tables_before constant oid[] := tenancy.table_oids(schema_name);
    v_audited_before constant oid[] := tenancy.audited_tables(v_tables_before);
    v_tables_now oid[];
    v_unaudited oid[];
    v_audited oid[];
    v_lost text;
begin
    -- leave_unaudited writes this list.
    perform set_config('tenancy.unaudited_tables', '', true);

    -- On a hosted project, sessions of the API refuse an UPDATE without WHERE. `db push`, which
    -- ran the same statements in the reference schema, does not.
    perform set_config('safeupdate.enabled', 'off', true);

    -- Only the statements run with this path; afterwards the empty path is set again.
    perform set_config('search_path', v_path, true);
    if migration.phase = 'backfill' then
        -- For no row at all: advance_backfill runs it for the rows of a tenant.
        execute tenancy.single_statement(migration.statements) using '(0,0)'::tid, '(0,0)'::tid;
    elsif migration.phase = 'change' or not tenancy.is_index_ready(schema_name, migration) then
        execute migration.statements;
    end if;
    -- PostgreSQL shows a new channel only after the commit. So nothing is refused here, but the
    -- session listens to what it listened to before.
    unlisten *;
    foreach v_channel in array v_channels loop
        execute format('listen %I', v_channel);
    end loop;
    -- A constraint that is checked only at the commit would fail outside any handler.
    set constraints all immediate;

    if current_setting('search_path') <> v_path then
        raise exception 'A tenant migration must not set search_path. Leave names unqualified: the migration runs once in each tenant.'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform set_config('search_path', '', true);
    if not exists (
        select
        from pg_catalog.pg_namespace n
        where n.oid = v_schema_before.oid
            and n.nspname = v_schema_before.nspname
            and n.nspowner = v_schema_before.nspowner
    ) then
        raise exception 'A tenant migration must not rename or drop the tenant''s schema or give it to another role. Remove that statement: it may only change what is in the schema.'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if schema_name = 'tenant_template' then
        perform tenancy.require_buildable_indexes(schema_name);
    end if;
    perform tenancy.pin_routines(schema_name);

    v_tables_now := tenancy.table_oids(schema_name);
    v_unaudited := coalesce(string_to_array(nullif(current_setting('tenancy.unaudited_tables'), ''), ' '), '{}');
    if cardinality(v_tables_before) > 0 then
        perform tenancy.refresh_audit_triggers(schema_name);
    end if;
    if not v_tables_before <@ v_tables_now then
        perform tenancy.drop_unused_audit_routines(schema_name);
    end if;
    -- A migration may enable row level security and write the policies of a table itself. Such a
    -- table only gets the audit.
    perform tenancy.enable_tenant_table(schema_name, c.relname, audited => c.oid <> all (v_unaudited))
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before)
        and not c.relrowsecurity
        and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid);
    perform tenancy.close_policies(schema_name);
    v_audited := tenancy.audited_tables(v_tables_now);
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before || v_audited || v_unaudited);

    select string_agg(format('"%s"', c.relname), ', ' order by c.relname) into v_lost
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid = any (v_audited_before)
        and c.oid <> all (v_audited || v_unaudited);
    if v_lost is not null then
        raise exception 'The tenant migration would end the audit of %: it drops or disables audit triggers. Enable them again in the same migration, or call tenancy.leave_unaudited(current_schema(), ''<table>'').', v_lost
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.apply_tenant_migration(text, tenancy.tenant_migrations) is
    'Runs one tenant migration in one schema and makes new tables tenant tables: members read, writers write, unless the migration writes policies or enables row level security itself; every change is audited, unless the migration called leave_unaudited. pin_routines gives its routines the tenant''s search path. Refuses a migration that drops or disables audit triggers (55000). apply_tenant_privileges sets the privileges afterwards.';

-- sql/20_tenancy/migrations/backfill_table.sql

-- The plan of PostgreSQL says what the statement does. Text would have to be parsed.
create function tenancy.backfill_table(
    schema_name text,
    migration tenancy.tenant_migrations,
    out table_name text,
    out alias text
)
    volatile
    security invoker
    set search_path = ''
    -- So the plan shows a range of blocks as such, if the statement has one, in an empty table, too.
    set enable_seqscan = off
    set enable_indexscan = off
    set enable_indexonlyscan = off
    set enable_bitmapscan = off
    language plpgsql
as $$
declare
    v_statement constant text := tenancy.single_statement(migration.statements);
    v_plan jsonb;
    v_writes jsonb;
    v_scan jsonb;
    v_problem text;
begin
    perform set_config('search_path', tenancy.tenant_search_path(schema_name), true);
    begin
        execute format(
            E'explain (verbose, costs off, format json) with backfill as (%s\n returning 1) select count(*) from backfill',
            v_statement
        )
        into v_plan
        using '(11,1)'::tid, '(23,1)'::tid;
    exception
        when syntax_error then
            v_problem := format('PostgreSQL says: %s. Write one UPDATE or DELETE without RETURNING', sqlerrm);
        when others then
            if sqlstate !~ '^(22|42)' then
                raise;
            end if;
            raise exception 'Tenant migration % failed: %', migration.version, concat_ws(
                    ' ', rtrim(sqlerrm, '.') || '.', nullif(tenancy.statement_advice(sqlstate, sqlerrm), '')
                )
                using errcode = sqlstate;
    end;
    perform set_config('search_path', '', true);

    if v_problem is null then
        select jsonb_agg(w) into v_writes
        from jsonb_path_query(v_plan, 'strict $.** ? (@."Node Type" == "ModifyTable")') w;
        v_scan := jsonb_path_query_first(
            v_plan,
            'strict $.** ? (@."Node Type" == "Tid Range Scan" && @.Schema == $schema && @.Alias == $alias)',
            jsonb_build_object('schema', schema_name, 'alias', v_writes -> 0 -> 'Alias')
        );
        v_problem := case
            when jsonb_array_length(v_writes) is distinct from 1
                or v_writes -> 0 ->> 'Operation' not in ('Update', 'Delete')
                then 'Write one UPDATE or DELETE: a backfill repeats it for one part of the table after the other'
            when v_writes -> 0 ? 'Target Tables'
                then 'It changes a table with partitions or children. Write a backfill for each of them, with "only"'
            when v_writes -> 0 ->> 'Schema' is distinct from schema_name
                then 'It does not change a table of the tenant. Leave names unqualified: it runs in each tenant'
            when v_scan is null and jsonb_path_exists(v_plan, 'strict $.** ? (@."One-Time Filter" == "false")')
                then 'Its condition can never be true, for example because it asks a column that is not null for null'
            when v_scan is null
                or v_scan ->> 'TID Cond' !~ 'ctid >= ''\(11,1\)''::tid'
                or v_scan ->> 'TID Cond' !~ 'ctid < ''\(23,1\)''::tid'
                then format(
                    'Restrict it to the part of the table that is its turn: add "and %1$s.ctid >= $1 and %1$s.ctid < $2" to its condition',
                    coalesce(v_writes -> 0 ->> 'Alias', 'the table')
                )
            when v_writes -> 0 ->> 'Operation' = 'Update'
                and not v_scan ? 'Filter'
                and not jsonb_path_exists(v_plan, 'strict $.** ? (@."Join Type" like_regex "." || @."Parent Relationship" == "SubPlan")')
                then 'Add a condition that is false for a row once it is changed, such as "total is null": the backfill ends when no row is left'
        end;
    end if;
    table_name := v_writes -> 0 ->> 'Relation Name';
    if v_problem is null and v_writes -> 0 ->> 'Operation' = 'Update' then
        alias := v_writes -> 0 ->> 'Alias';
        perform set_config('search_path', tenancy.tenant_search_path(schema_name), true);
        begin
            execute format(
                E'explain with backfill as (%s\n returning %I.ctid) select count(*) from backfill', v_statement, alias
            ) using '(11,1)'::tid, '(23,1)'::tid;
        exception
            when undefined_table or undefined_column then
                v_problem := 'Give the table that it changes an alias, under which it reads no other table';
        end;
        perform set_config('search_path', '', true);
    end if;
    if v_problem is not null then
        raise exception 'Tenant migration % cannot be run in batches. %.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.backfill_table(text, tenancy.tenant_migrations) is
    'The table whose rows a backfill changes in this schema, and, of an UPDATE, how its statement calls it. Refuses a statement that is not one UPDATE or DELETE of a part of one of its tables, or that has no condition on what is left to do (55000).';

-- sql/20_tenancy/migrations/begin_backfill.sql

create function tenancy.begin_backfill(schema_name text, migration tenancy.tenant_migrations)
    returns tenancy.unfinished_backfills
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_backfill tenancy.unfinished_backfills;
begin
    select * into v_backfill
    from tenancy.unfinished_backfills b
    where b.schema_name = begin_backfill.schema_name;
    if found and v_backfill.version = migration.version then
        return v_backfill;
    end if;

    delete from tenancy.unfinished_backfills b where b.schema_name = begin_backfill.schema_name;
    select t.table_name, t.alias into v_backfill.table_name, v_backfill.alias
    from tenancy.backfill_table(schema_name, migration) t;
    v_backfill.rows_a_block := tenancy.rows_a_block(schema_name, v_backfill.table_name);
    insert into tenancy.unfinished_backfills as b
        (schema_name, version, table_name, alias, end_block, batch_blocks, rows_a_block)
    values (
        schema_name, migration.version, v_backfill.table_name, v_backfill.alias,
        tenancy.block_count(schema_name, v_backfill.table_name),
        greatest(1, migration.batch / greatest(v_backfill.rows_a_block, 1)),
        v_backfill.rows_a_block
    )
    returning b.* into v_backfill;

    return v_backfill;
end;
$$;

comment on function tenancy.begin_backfill(text, tenancy.tenant_migrations) is
    'How far a tenant is with a backfill, which begins if it has not begun. Only under lock_tenant.';

-- sql/20_tenancy/migrations/block_count.sql

create function tenancy.block_count(schema_name text, table_name text)
    returns bigint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return pg_relation_size(tenancy.require_table(schema_name, table_name)::regclass)
        / current_setting('block_size')::integer;
end;
$$;

comment on function tenancy.block_count(text, text) is
    'Blocks of a tenant''s table, without its indexes and large values (PT404 table_not_found).';

-- sql/20_tenancy/migrations/build_tenant_schema.sql

create function tenancy.build_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_script constant text := tenancy.find_creation_script(schema_name);
begin
    perform tenancy.lock_shared_tables('tenant_template', 'share row exclusive');
    -- PostgREST receives notifications in the order of sending, and must know the new list of
    -- schemas before an event trigger on the first DDL statement makes it read the tables.
    perform pg_notify('pgrst', 'reload config');
    if v_script is not null then
        begin
            perform tenancy.run_creation_script(schema_name, v_script);
            return;
        exception
            when deadlock_detected or lock_not_available then
                raise;
            when others then
                -- Nothing of it is left. The replay names the migration that fails.
                raise log 'The creation script of the tenant template fails: %', sqlerrm;
        end;
    end if;

    execute format('create schema %I', schema_name);
    perform tenancy.replay_migrations(schema_name);
    perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Creates a tenant''s schema at the version in its registry row, by the creation script or by replaying the tenant migrations. Names the migration that fails. Only in the transaction that inserts that row.';

-- sql/20_tenancy/migrations/check_creatable.sql

-- A migration that inserts into a shared table, for example, may succeed in the reference
-- schema and fail when it runs a second time. From then on no tenant could be created. So the
-- migrations are tried in a second schema.
create function tenancy.check_creatable(
    version text,
    tried_tables text[],
    out problem text,
    out details text,
    out hint text,
    out statements text,
    out grants text,
    out opening text,
    out obstacle text
)
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema_name constant text := tenancy.opaque_schema_name();
    v_user_id constant uuid := gen_random_uuid();
    v_writes text[];
    v_context text;
    v_cause text;
begin
    insert into public.tenants (schema_name, display_name, schema_version)
    values (v_schema_name, v_schema_name, version);
    -- Without the script, which the rollback below brings back, the migrations are replayed.
    delete from tenancy.tenant_template_scripts s where s.version = check_creatable.version;
    v_writes := tenancy.outside_writes(v_schema_name);
    perform tenancy.build_tenant_schema(v_schema_name);

    select
        'no tenant could be created: a new tenant would differ from the reference schema: '
            || string_agg(o.object_kind || ' ' || o.object_name, ', ' order by o.object_kind, o.object_name),
        'The tenant was created by replaying all tenant migrations in one transaction.',
        'Write the migration so that it makes the same objects in every schema.'
    into problem, details, hint
    from (
        select coalesce(t.object_kind, r.object_kind) as object_kind, coalesce(t.object_name, r.object_name) as object_name
        from tenancy.schema_objects(v_schema_name) t
        full join tenancy.template_objects(v_schema_name, version) r
            on r.object_kind = t.object_kind and r.object_name = t.object_name
        where r.definition is distinct from t.definition
    ) o;

    if problem is null then
        details := null;
        hint := null;
        obstacle := case
            when tenancy.outside_writes(v_schema_name) <> v_writes then 'Tenant migrations write rows outside the tenant'
            when exists (
                select from tenancy.tenant_migrations m where tenancy.sends_notifications(m.statements)
            ) then 'Tenant migrations send notifications'
        end;
        if obstacle is null then
            select * into statements, grants, opening, obstacle from tenancy.compile_creation(v_schema_name);
        end if;
        problem := tenancy.try_tables(v_schema_name, tried_tables);
    end if;
    if problem is null then
        -- The same insert as insert_profile's for a user without e-mail address and name.
        hint := 'A profile may have no e-mail address and no name. Other columns need a default, or must allow null.';
        execute format(
            'insert into %I.users (id, email, display_name, role, metadata)'
            ' values ($1, null, null, ''member'', ''{}'') on conflict (id) do nothing',
            v_schema_name
        ) using v_user_id;
        hint := null;

        -- Errors of other kinds may be those of a trigger or a constraint that refuses the values.
        select 'the operations on profiles would fail: ' || t.message,
            'Leave the columns id, email, display_name, role, metadata, created_at and updated_at of users as they are, with the key.'
        into problem, hint
        from unnest(array['select tenancy.find_profile(%L, %L)', 'select tenancy.update_profile(%L, %L, null, null)']) s (call)
        cross join lateral tenancy.try_statement(format(s.call, v_schema_name, v_user_id)) t
        where t.code ~ '^42'
        limit 1;
    end if;

    -- Rolls back the tenant, and with it the notification to PostgREST.
    raise sqlstate 'TN000';
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if sqlstate <> 'TN000' then
            get stacked diagnostics
                problem = message_text,
                details = pg_exception_detail,
                v_context = pg_exception_context;
            -- build_tenant_schema names the migration, and the caller the one at this version.
            v_cause := regexp_replace(problem, '^Tenant migration "[^"]+" fails in a new tenant: ', '');
            problem := concat_ws(
                '. ',
                'no tenant could be created: ' || case
                    when starts_with(problem, format('Tenant migration "%s" ', version)) then v_cause
                    else regexp_replace(problem, '^Tenant', 'tenant')
                end,
                nullif(rtrim(details, '.'), '')
            );
            details := left(v_context, 2000);
            hint := coalesce(
                hint,
                nullif(tenancy.statement_advice(sqlstate, v_cause), ''),
                'The migration was tried in a second schema, as it will run in each tenant. Statements that must run once belong before the registration, in the same file.'
            );
        end if;
end;
$$;

comment on function tenancy.check_creatable(text, text[]) is
    'The creation script at this version, or the obstacle; and the problem, if no tenant could be created at this version, if a new tenant would differ from the reference schema, if it could hold no profiles, or if people would have more or less access to these tables than they should; otherwise null. Creates a tenant and rolls it back (40P01, 55P03).';

-- sql/20_tenancy/migrations/end_backfill.sql

create function tenancy.end_backfill(tenant public.tenants, migration tenancy.tenant_migrations)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_after public.tenants;
begin
    delete from tenancy.unfinished_backfills b where b.schema_name = tenant.schema_name;
    update public.tenants t
    set schema_version = migration.version, updated_at = now()
    where t.id = tenant.id
    returning * into strict v_after;

    return v_after;
end;
$$;

comment on function tenancy.end_backfill(public.tenants, tenancy.tenant_migrations) is
    'Gives a tenant the version of a backfill that has nothing left to do. Only under lock_tenant.';

-- sql/20_tenancy/migrations/external_changes.sql

create function tenancy.external_changes()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with written as (
        select w.catalog, w.object, w.place
        from (
            select 'pg_namespace'::regclass, n.oid, n.ctid, n.xmin from pg_catalog.pg_namespace n
            union all
            select 'pg_class'::regclass, c.oid, c.ctid, c.xmin
            from pg_catalog.pg_class c
            where c.oid not in (select s.relation from tenancy.shared_tables s)
            union all
            -- A privilege on a column.
            select 'pg_class'::regclass, a.attrelid, a.ctid, a.xmin
            from pg_catalog.pg_attribute a
            where a.attacl is not null
            union all
            select 'pg_attrdef'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_attrdef d
            union all
            select 'pg_constraint'::regclass, k.oid, k.ctid, k.xmin from pg_catalog.pg_constraint k
            union all
            select 'pg_rewrite'::regclass, r.oid, r.ctid, r.xmin from pg_catalog.pg_rewrite r
            union all
            select 'pg_policy'::regclass, p.oid, p.ctid, p.xmin from pg_catalog.pg_policy p
            union all
            select 'pg_trigger'::regclass, t.oid, t.ctid, t.xmin
            from pg_catalog.pg_trigger t
            where not t.tgisinternal
            union all
            select 'pg_proc'::regclass, p.oid, p.ctid, p.xmin from pg_catalog.pg_proc p
            union all
            select 'pg_type'::regclass, t.oid, t.ctid, t.xmin from pg_catalog.pg_type t where t.typtype in ('d', 'e', 'r')
            union all
            select 'pg_operator'::regclass, o.oid, o.ctid, o.xmin from pg_catalog.pg_operator o
            union all
            select 'pg_opclass'::regclass, o.oid, o.ctid, o.xmin from pg_catalog.pg_opclass o
            union all
            select 'pg_opfamily'::regclass, o.oid, o.ctid, o.xmin from pg_catalog.pg_opfamily o
            union all
            select 'pg_cast'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_cast c
            union all
            select 'pg_collation'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_collation c
            union all
            select 'pg_conversion'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_conversion c
            union all
            select 'pg_statistic_ext'::regclass, s.oid, s.ctid, s.xmin from pg_catalog.pg_statistic_ext s
            union all
            select 'pg_ts_config'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_ts_config c
            union all
            select 'pg_ts_dict'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_ts_dict d
            union all
            select 'pg_language'::regclass, l.oid, l.ctid, l.xmin from pg_catalog.pg_language l
            union all
            select 'pg_extension'::regclass, e.oid, e.ctid, e.xmin from pg_catalog.pg_extension e
            union all
            select 'pg_event_trigger'::regclass, t.oid, t.ctid, t.xmin from pg_catalog.pg_event_trigger t
            union all
            select 'pg_foreign_data_wrapper'::regclass, w.oid, w.ctid, w.xmin from pg_catalog.pg_foreign_data_wrapper w
            union all
            select 'pg_foreign_server'::regclass, s.oid, s.ctid, s.xmin from pg_catalog.pg_foreign_server s
            union all
            select 'pg_publication'::regclass, p.oid, p.ctid, p.xmin from pg_catalog.pg_publication p
            union all
            -- Realtime sends deletions without asking a policy.
            select 'pg_publication'::regclass, p.prpubid, p.ctid, p.xmin from pg_catalog.pg_publication_rel p
            union all
            select 'pg_publication'::regclass, p.pnpubid, p.ctid, p.xmin from pg_catalog.pg_publication_namespace p
            union all
            select 'pg_default_acl'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_default_acl d
            union all
            select 'pg_largeobject'::regclass, l.oid, l.ctid, l.xmin from pg_catalog.pg_largeobject_metadata l
            union all
            select 'pg_database'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_database d
            union all
            select case s.setrole when 0 then 'pg_database'::regclass else 'pg_authid'::regclass end,
                case s.setrole when 0 then s.setdatabase else s.setrole end, s.ctid, s.xmin
            from pg_catalog.pg_db_role_setting s
            union all
            select 'pg_authid'::regclass, m.member, m.ctid, m.xmin from pg_catalog.pg_auth_members m
            union all
            -- Comments and security labels.
            select d.classoid::regclass, d.objoid, d.ctid, d.xmin from pg_catalog.pg_description d
            union all
            select d.classoid::regclass, d.objoid, d.ctid, d.xmin from pg_catalog.pg_shdescription d
            union all
            select l.classoid::regclass, l.objoid, l.ctid, l.xmin from pg_catalog.pg_seclabel l
            union all
            select l.classoid::regclass, l.objoid, l.ctid, l.xmin from pg_catalog.pg_shseclabel l
        ) w (catalog, object, place, writer)
        -- Of the catalogs of all tenants, only the few rows that may be new pay for the call.
        where age(w.writer) <= age(pg_current_xact_id()::xid)
            and tenancy.is_written_now(w.writer)
    )
    -- The text contains the row's place in the catalog, so that a second change of one object
    -- is detected.
    select array(
        select format('%s %s %s', replace(i.type, 'default acl', 'default privileges'), i.identity, w.place)
        from written w
        cross join lateral pg_identify_object(w.catalog, w.object, 0) i
        where i.schema is distinct from 'tenant_template'
            -- PostgreSQL makes casts for a range type.
            and i.identity !~ '(^for |^\(| on )tenant_template\.'
            -- The schemas that hold long values, and a session's temporary objects.
            and i.identity !~ '(^|^for | on )pg_(toast|temp|toast_temp)(_[0-9]+)?(\.|$)'
        union all
        -- The first foreign key to a table marks it in the catalog as having triggers. Everything
        -- else about a shared table stays.
        select format(
            'table %s (%s)',
            c.oid::regclass,
            md5(row(
                c.relname, c.relnamespace, c.relowner, c.relfilenode, c.relpersistence, c.relnatts, c.relchecks,
                c.relhasrules, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.reloptions,
                array(select p.oid from pg_catalog.pg_policy p where p.polrelid = c.oid order by p.oid),
                array(select k.oid from pg_catalog.pg_constraint k where k.conrelid = c.oid order by k.oid),
                array(select i.indexrelid from pg_catalog.pg_index i where i.indrelid = c.oid order by i.indexrelid),
                array(
                    select t.oid from pg_catalog.pg_trigger t
                    where t.tgrelid = c.oid and not t.tgisinternal
                    order by t.oid
                )
            )::text)
        )
        from tenancy.shared_tables s
        join pg_catalog.pg_class c on c.oid = s.relation
    );
$$;

comment on function tenancy.external_changes() is
    'Objects outside the reference schema that this transaction has created or changed, default privileges, publications, roles and databases included. Reads the whole catalog.';

-- sql/20_tenancy/migrations/external_locks.sql

-- What a transaction has dropped is no longer in the catalog, and what it did to a role may not be
-- readable. Its locks stay until it ends.
create function tenancy.external_locks()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        -- Every ALTER and DROP, and TRUNCATE. The name of what is dropped is not known here.
        select case
            when c.oid is null then format('dropped pg_class %s', l.relation)
            else format('%s %s', i.type, i.identity)
        end
        from pg_catalog.pg_locks l
        left join pg_catalog.pg_class c on c.oid = l.relation
        left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join lateral pg_identify_object('pg_class'::regclass, c.oid, 0) i on c.oid is not null
        where l.pid = pg_backend_pid()
            and l.locktype = 'relation'
            and l.mode = 'AccessExclusiveLock'
            and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            and (n.nspname is null or n.nspname !~ '^(tenant_template$|pg_toast|pg_temp)')
            -- Dropping a foreign key locks both tables. external_changes compares shared tables.
            and l.relation not in (select s.relation from tenancy.shared_tables s)
        union
        select format('dropped %s %s', l.classid::regclass, l.objid)
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid()
            and case
                when l.locktype = 'object' and l.mode = 'AccessExclusiveLock' and l.classid <> 'pg_authid'::regclass
                then pg_describe_object(l.classid, l.objid, 0) is null
            end
        union
        -- Rows of another tenant, of the registry and of Tenantry's own tables.
        select format('rows of table %s', c.oid::regclass)
        from pg_catalog.pg_locks l
        join pg_catalog.pg_class c on c.oid = l.relation
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where l.pid = pg_backend_pid()
            and l.locktype = 'relation'
            and l.mode = 'RowExclusiveLock'
            and c.relkind in ('r', 'p')
            and (
                n.nspname = 'tenancy'
                or c.oid in (
                    'public.tenants'::regclass, 'public.admin_users'::regclass,
                    'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
                )
                or exists (select from public.tenants t where t.schema_name = n.nspname)
            )
        union
        -- Each of these catalogs belongs to all databases of the server.
        select case l.relation
            when 'pg_authid'::regclass then 'roles'
            when 'pg_auth_members'::regclass then 'memberships of roles'
            when 'pg_db_role_setting'::regclass then 'settings of roles and databases'
            else format('the shared catalog %s', l.relation::regclass)
        end
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid()
            and l.locktype = 'relation'
            and l.database = 0
            and l.mode = 'RowExclusiveLock'
            and l.relation in (
                'pg_authid'::regclass, 'pg_auth_members'::regclass, 'pg_db_role_setting'::regclass,
                'pg_database'::regclass, 'pg_tablespace'::regclass, 'pg_parameter_acl'::regclass,
                'pg_shdescription'::regclass, 'pg_shseclabel'::regclass
            )
    );
$$;

comment on function tenancy.external_locks() is
    'The locks of this transaction that show a change outside the reference schema: objects that it altered or dropped, rows of the registry, of Tenantry and of tenants, and roles.';

-- sql/20_tenancy/migrations/failure_message.sql

-- Platform staff read no tenant rows. PostgreSQL keeps the values of a row in the details of an
-- error, and in the message of a data exception.
create function tenancy.failure_message(
    code text,
    message text,
    details text,
    table_name text,
    constraint_name text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_columns constant text := substring(details from '^Key \((.*?)\)=\(');
begin
    if code like '22%' and code <> '22012' then
        return 'A value in the tenant does not fit. It is not shown, because it is the tenant''s data.';
    end if;

    -- PostgreSQL names only the key.
    if code in ('23505', '23P01') and table_name <> '' then
        return format(
            'Two rows of table "%s" %s the key "%s"%s. Their values are not shown, because they are the tenant''s data. Change or remove one of the rows, then migrate this tenant again.',
            table_name,
            case code when '23505' then 'have the same values in' else 'conflict in' end,
            constraint_name,
            ' (' || v_columns || ')'
        );
    end if;

    if code in ('42P07', '42710', '42723') then
        return left(message, 1000)
            || '. The tenant has an object of its own with this name. Rename or drop it, then migrate this tenant again.';
    end if;

    return left(message, 2000);
end;
$$;

comment on function tenancy.failure_message(text, text, text, text, text) is
    'The message about a migration that failed in a tenant, without values of the tenant, from what PostgreSQL says about the error.';

-- sql/20_tenancy/migrations/find_index.sql

create function tenancy.find_index(schema_name text, index_name text)
    returns pg_catalog.pg_index
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select i
    from pg_catalog.pg_class c
    join pg_catalog.pg_index i on i.indexrelid = c.oid
    where c.relname = index_name and c.relnamespace = to_regnamespace(quote_ident(schema_name));
$$;

comment on function tenancy.find_index(text, text) is 'The index of this name in a schema; null if there is none.';

-- sql/20_tenancy/migrations/index_name.sql

create function tenancy.index_name(migration tenancy.tenant_migrations)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements constant text[] := tenancy.split_statements(migration.statements);
    v_name constant text := substring(
        v_statements[1]
        from '(?i)^create\s+(?:unique\s+)?index\s+("(?:[^"]|"")+"|(?:[a-z_]|[^\u0001-\u007f])(?:[a-z0-9_$]|[^\u0001-\u007f])*)\s+on\s'
    );
    v_index text;
begin
    if v_name is null or cardinality(v_statements) <> 1 then
        raise exception 'Tenant migration % must be one statement: create [unique] index <name> on <table> (…). Without CONCURRENTLY, which `tenantry migrate` adds for large tables, and without IF NOT EXISTS.', migration.version
            using errcode = 'feature_not_supported';
    end if;
    v_index := (parse_ident(v_name))[1];
    -- PostgreSQL would cut it off, and nobody would find the index by the name that is written here.
    if octet_length(v_index) > 63 then
        raise exception 'Tenant migration % gives its index a name of % bytes, "%". PostgreSQL keeps 63: write a shorter name.',
            migration.version, octet_length(v_index), v_index
            using errcode = 'name_too_long';
    end if;

    return v_index;
end;
$$;

comment on function tenancy.index_name(tenancy.tenant_migrations) is
    'The name of the index that a registered index creates. Refuses another statement (0A000), and a name that is too long (42622).';

-- sql/20_tenancy/migrations/is_index_as_registered.sql

create function tenancy.is_index_as_registered(
    schema_name text,
    migration tenancy.tenant_migrations,
    found_index pg_catalog.pg_index
)
    returns boolean
    stable
    security invoker
    set search_path = ''
    -- The same as of schema_objects, which has written the expected text.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_table constant text := (select c.relname::text from pg_catalog.pg_class c where c.oid = found_index.indrelid);
begin
    -- What the tenant has of its own is reported and not dropped.
    if not tenancy.is_template_table(schema_name, v_table)
        or exists (select from pg_catalog.pg_constraint k where k.conindid = found_index.indexrelid)
    then
        return true;
    end if;

    return found_index.indisvalid and not exists (
        select
        from tenancy.template_objects(schema_name, migration.version) e
        where e.object_kind = 'index'
            and e.object_name = e.table_name || '.' || tenancy.index_name(migration)
            and e.definition <> pg_get_indexdef(found_index.indexrelid)
    );
end;
$$;

comment on function tenancy.is_index_as_registered(text, tenancy.tenant_migrations, pg_catalog.pg_index) is
    'Whether this index in a tenant is the one of a registered index: false for an invalid one, and for one that was built for an earlier text. True for an index of a table or constraint of the tenant''s own, which require_template reports.';

-- sql/20_tenancy/migrations/is_index_ready.sql

create function tenancy.is_index_ready(schema_name text, migration tenancy.tenant_migrations)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_index constant pg_catalog.pg_index := tenancy.find_index(schema_name, tenancy.index_name(migration));
begin
    -- In the reference schema nobody builds one: there the name is taken.
    if v_index.indexrelid is null or schema_name = 'tenant_template' then
        return false;
    end if;
    -- An interrupted CREATE INDEX CONCURRENTLY has left it, or an earlier text.
    if not tenancy.is_index_as_registered(schema_name, migration, v_index) then
        execute format('drop index %s', v_index.indexrelid::regclass);
        return false;
    end if;

    return true;
end;
$$;

comment on function tenancy.is_index_ready(text, tenancy.tenant_migrations) is
    'Whether `tenantry migrate` has built a registered index in this schema already. Drops an invalid or another one of its name on a table of the template. require_template compares the index with the reference schema.';

-- sql/20_tenancy/migrations/latest_tenant_version.sql

create function tenancy.latest_tenant_version()
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select m.version
    from tenancy.tenant_migrations m
    order by m.position desc
    limit 1;
$$;

comment on function tenancy.latest_tenant_version() is
    'Version of the tenant migration that was registered last. A new tenant starts at this version.';

-- sql/20_tenancy/migrations/lock_latest_version.sql

create function tenancy.lock_latest_version()
    returns text
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language sql
as $$
    select m.version
    from tenancy.tenant_migrations m
    order by m.position desc
    limit 1
    for key share;
$$;

comment on function tenancy.lock_latest_version() is
    'The version at which a new tenant starts. Locks the migration, so that neither it nor an earlier one is withdrawn or replaced until the transaction ends (55P03).';

-- sql/20_tenancy/migrations/lock_tenant_migration.sql

-- A tenant that is created or migrated locks the row of the migration that it is about to have.
-- So after this lock nobody is about to receive the migration or a later one.
create function tenancy.lock_tenant_migration(version text)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = lock_tenant_migration.version;
    if not found then
        raise exception 'There is no tenant migration %.', coalesce('"' || tenancy.printable(version) || '"', 'without a version')
            using errcode = 'PT404', detail = 'migration_not_found',
                hint = 'list_tenants_behind names the versions. A migration that was withdrawn is registered no more.';
    end if;
    if v_migration.version like 'tenantry\_%' then
        raise exception 'Tenant migration "%" is Tenantry''s own and stays as it is.', v_migration.version
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Only tenant migrations that the project has registered can be withdrawn or replaced.';
    end if;

    perform
    from tenancy.tenant_migrations m
    where m.position >= v_migration.position
    order by m.position
    for update;

    return v_migration;
end;
$$;

comment on function tenancy.lock_tenant_migration(text) is
    'Locks a tenant migration of the project and all later ones until the transaction ends, and returns it: no tenant is created or migrated to one of them meanwhile (PT404 migration_not_found, PT422 invalid_request, 55P03).';

-- sql/20_tenancy/migrations/make_reference.sql

create function tenancy.make_reference()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'Reference schema: the tenant template after the latest tenant migration. It holds no rows and is never exposed.';
    end if;
end;
$$;

comment on function tenancy.make_reference() is 'Creates the reference schema if it does not exist.';

-- sql/20_tenancy/migrations/make_tenant_schema.sql

create function tenancy.make_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.build_tenant_schema(schema_name);
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        -- What the template needs was dropped or changed after the migration was registered.
        raise exception '%', rtrim(tenancy.one_line(sqlerrm), '.') || '.'
            using errcode = 'PT409', detail = 'template_broken',
                hint = 'Restore what this tenant migration needs, or replace it with replace_tenant_migration, or withdraw it with withdraw_tenant_migration. Until then no tenant can be created. tenantry doctor tells more.';
end;
$$;

comment on function tenancy.make_tenant_schema(text) is
    'Creates a tenant''s schema like build_tenant_schema, and says what to do if that fails (PT409 template_broken, 55P03).';

-- sql/20_tenancy/migrations/migration_status.sql

create function tenancy.migration_status()
    returns public.tenantry_tenant_migration_status
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
    v_status public.tenantry_tenant_migration_status;
begin
    v_status.latest_version := v_latest;
    select count(*) filter (where t.status <> 'pooled'),
        count(*) filter (where t.status <> 'pooled' and t.schema_version = v_latest),
        count(*) filter (where t.status = 'pooled' and t.schema_version <> v_latest)
    into v_status.tenant_count, v_status.up_to_date, v_status.pooled_behind
    from public.tenants t;
    v_status.behind := v_status.tenant_count - v_status.up_to_date;
    select count(*) into v_status.stuck
    from tenancy.unfinished_migrations u
    join public.tenants t on t.schema_name = u.schema_name
    where t.status <> 'pooled';
    select coalesce(jsonb_agg(to_jsonb(u) order by u.schema_name), '[]') into v_status.stuck_tenants
    from (
        select m.*
        from tenancy.unfinished_migrations m
        join public.tenants t on t.schema_name = m.schema_name
        where t.status <> 'pooled'
        order by m.schema_name
        limit 20
    ) u;
    v_status.unreachable_tables := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );
    v_status.warnings := array(
        select w.warning
        from tenancy.tenant_migrations m
        cross join lateral tenancy.registration_warnings(m.version, m.name, m.statements, m.limit_seconds) w (warning)
        where m.phase = 'change'
            and m.version !~ '^tenantry_'
            and m.position > (
                select min(r.position)
                from public.tenants t
                join tenancy.tenant_migrations r on r.version = t.schema_version
                where t.status <> 'pooled'
            )
        order by m.position
    );

    return v_status;
end;
$$;

comment on function tenancy.migration_status() is
    'The state of the tenant migrations, as get_migration_status returns it.';

-- sql/20_tenancy/migrations/next_migration.sql

create function tenancy.next_migration(version text)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language sql
as $$
    select m.*
    from tenancy.tenant_migrations m
    where m.position > (
        select c.position from tenancy.tenant_migrations c where c.version = next_migration.version
    )
    order by m.position
    limit 1
    for key share of m;
$$;

comment on function tenancy.next_migration(text) is
    'The tenant migration that a tenant at this version receives next; null if there is none. Locks it, so that it is neither withdrawn nor replaced until the transaction ends (55P03).';

-- sql/20_tenancy/migrations/next_phase.sql

-- Only a session of the database can build an index without CREATE INDEX blocking writers, and
-- can give a migration more time than the Data API does.
create function tenancy.next_phase(
    schema_name text,
    out version text,
    out phase tenancy.migration_phase,
    out limit_seconds integer,
    out search_path text,
    out build_index text,
    out drop_index text
)
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_index pg_catalog.pg_index;
    v_table text;
begin
    select m.* into v_migration
    from public.tenants t
    join tenancy.tenant_migrations c on c.version = t.schema_version
    join tenancy.tenant_migrations m on m.position = c.position + 1
    where t.schema_name = next_phase.schema_name;
    version := v_migration.version;
    phase := v_migration.phase;
    limit_seconds := v_migration.limit_seconds;
    search_path := tenancy.tenant_search_path(schema_name);
    if phase is distinct from 'index' then
        return;
    end if;

    v_index := tenancy.find_index(schema_name, tenancy.index_name(v_migration));
    if v_index.indexrelid is not null then
        if tenancy.is_index_as_registered(schema_name, v_migration, v_index) then
            return;
        end if;
        drop_index := format('drop index concurrently %s', v_index.indexrelid::regclass);
    end if;
    select o.table_name into v_table
    from tenancy.tenant_template_objects o
    where o.version = v_migration.version
        and o.object_kind = 'index'
        and o.object_name = o.table_name || '.' || tenancy.index_name(v_migration);
    -- The index of a small table is built in less time than it would wait for other transactions.
    if pg_relation_size(tenancy.find_table(schema_name, v_table)::regclass) < 16 * 1024 * 1024 then
        return;
    end if;
    build_index := regexp_replace(
        tenancy.single_statement(v_migration.statements), '\mindex\M', 'index concurrently', 'i'
    );
end;
$$;

comment on function tenancy.next_phase(text) is
    'What a tenant receives next; null if nothing. Of an index of a large table that is not there yet: the statement that builds it without blocking writers, for this search_path, and the one that drops what an interrupted build or an earlier text has left.';

-- sql/20_tenancy/migrations/pending_migrations.sql

create function tenancy.pending_migrations(version text)
    returns integer
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select count(*)::integer
    from tenancy.tenant_migrations m
    where m.position > (
        select c.position from tenancy.tenant_migrations c where c.version = pending_migrations.version
    );
$$;

comment on function tenancy.pending_migrations(text) is
    'How many tenant migrations a tenant at this version still lacks.';

-- sql/20_tenancy/migrations/phases_advice.sql

create function tenancy.phases_advice(version text, name text, statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_name constant text := '("[^"]+"|[a-z_][a-z0-9_$]*)';
    v_update constant text := '(?i)^update\s+(?:only\s+)?' || v_name || '(?:\s+(?:as\s+)?(?!set\M)([a-z_]\w*))?\s+set\s+' || v_name;
    v_index constant text := '(?i)^create\s+(?:unique\s+)?index\s+' || v_name || '\s+on\s+(?:only\s+)?' || v_name;
    v_statements constant text[] := tenancy.split_statements(statements);
    -- Tables that the migration both changes and updates, and has not created.
    v_tables constant text[] := array(
        select distinct u.parts[1]
        from unnest(v_statements) s (statement)
        cross join lateral regexp_match(s.statement, v_update) u (parts)
        where exists (
            select from unnest(v_statements) a (statement)
            where a.statement ~* '^alter\s+table\s'
                and (regexp_match(a.statement, '(?i)^alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?' || v_name))[1] = u.parts[1]
        )
            and not exists (
                select from unnest(v_statements) c (statement)
                where (regexp_match(c.statement, '(?i)^create\s+table\s+(?:if\s+not\s+exists\s+)?' || v_name))[1] = u.parts[1]
            )
    );
    v_statement text;
    v_parts text[];
    v_part text;
    v_change text := '';
    v_kinds text[] := array[]::text[];
    v_texts text[] := array[]::text[];
begin
    if cardinality(v_tables) = 0 then
        return null;
    end if;

    foreach v_statement in array array_append(v_statements, '') loop
        v_parts := regexp_match(v_statement, v_update);
        if v_statement <> '' and not coalesce(
            v_parts[1] = any (v_tables) or (regexp_match(v_statement, v_index))[2] = any (v_tables), false
        ) then
            v_change := v_change || v_statement || E';\n';
            continue;
        end if;
        if v_change <> '' then
            v_kinds := array_append(v_kinds, 'migration');
            v_texts := array_append(v_texts, v_change);
            v_change := '';
        end if;
        if v_parts is null and v_statement <> '' then
            v_kinds := array_append(v_kinds, 'index');
            v_texts := array_append(v_texts, v_statement || E'\n');
        elsif v_statement <> '' then
            v_part := format('%1$s.ctid >= $1 and %1$s.ctid < $2', coalesce(v_parts[2], v_parts[1]));
            v_kinds := array_append(v_kinds, 'backfill');
            v_texts := array_append(
                v_texts,
                case (select count(*) from regexp_matches(v_statement, '\mwhere\M', 'gi'))
                    when 0 then format(E'%s\nwhere %s is null and %s', v_statement, v_parts[3], v_part)
                    when 1 then regexp_replace(v_statement, '\mwhere\M\s*(.*)$', format(E'where (\\1)\n    and %s', v_part), 'i')
                    else format(E'%s\n-- Add to its condition: and %s', v_statement, v_part)
                end || E'\n'
            );
        end if;
    end loop;

    return (
        select string_agg(
            format(
                E'select tenancy.register_tenant_%s(%L, %L, $tenant$\n%s$tenant$);',
                p.kind, version || case p.place when 1 then '' else '_' || p.place end, name, p.text
            ),
            E'\n' order by p.place
        )
        from unnest(v_kinds, v_texts) with ordinality p (kind, text, place)
    );
end;
$$;

comment on function tenancy.phases_advice(text, text, text) is
    'The same tenant migration as registrations of its phases: change, backfill, index. Null unless it changes a table and updates the rows of that table. A person has to read it: nobody parses the SQL.';

-- sql/20_tenancy/migrations/pin_routines.sql

-- Without this, an unqualified name in a body would mean whatever the search path of the caller
-- finds: nothing, or a table of public in place of the tenant's.
create function tenancy.pin_routines(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_path constant text := tenancy.tenant_search_path(schema_name);
    v_statements text;
begin
    select string_agg(format('alter routine %s set search_path = %s;', p.oid::regprocedure, v_path), ' ')
    into v_statements
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    join pg_catalog.pg_language l on l.oid = p.prolang
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = to_regnamespace(quote_ident(schema_name))
        and d.classid = 'pg_proc'::regclass
        -- A tenant may have routines of its own. Those that this transaction has written are the
        -- migration's.
        and tenancy.is_written_now(p.xmin)
        and p.prosrc not like E'\n<<audit>>%'
        and p.prokind <> 'a'
        -- PostgreSQL makes routines of its own for a range type.
        and l.lanname not in ('internal', 'c')
        -- Standard SQL is bound to its objects when the routine is created, and a setting would
        -- keep PostgreSQL from inlining it.
        and p.prosqlbody is null
        and 'search_path=' || v_path <> all (coalesce(p.proconfig, '{}'))
        and not exists (
            select from pg_catalog.pg_depend e
            where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
        );

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.pin_routines(text) is
    'Gives the routines of a schema that this transaction has written the search path of the tenant, whatever they declare, except routines with a body of standard SQL.';

-- sql/20_tenancy/migrations/present_objects.sql

create function tenancy.present_objects(out object text, out title text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format('dropped %s %s', o.catalog, o.object), concat_ws(' ', o.kind, concat_ws('.', quote_ident(n.nspname), quote_ident(o.name)))
    from (
        select 'pg_class', c.oid,
            case c.relkind
                when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'v' then 'view'
                when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table'
            end,
            c.relnamespace, c.relname
        from pg_catalog.pg_class c
        union all
        select 'pg_proc', p.oid, 'routine', p.pronamespace, p.proname from pg_catalog.pg_proc p
        union all
        select 'pg_type', t.oid, 'type', t.typnamespace, t.typname
        from pg_catalog.pg_type t
        where t.typtype in ('d', 'e', 'r')
        union all
        select 'pg_namespace', s.oid, 'schema', null, s.nspname from pg_catalog.pg_namespace s
        union all
        select 'pg_publication', p.oid, 'publication', null, p.pubname from pg_catalog.pg_publication p
        union all
        select 'pg_extension', e.oid, 'extension', null, e.extname from pg_catalog.pg_extension e
        union all
        select 'pg_event_trigger', t.oid, 'event trigger', null, t.evtname from pg_catalog.pg_event_trigger t
        union all
        select 'pg_collation', c.oid, 'collation', c.collnamespace, c.collname from pg_catalog.pg_collation c
        union all
        select 'pg_foreign_server', s.oid, 'server', null, s.srvname from pg_catalog.pg_foreign_server s
    ) o (catalog, object, kind, namespace, name)
    left join pg_catalog.pg_namespace n on n.oid = o.namespace
    where n.nspname is null or n.nspname !~ '^(tenant_template$|pg_toast|pg_temp)';
$$;

comment on function tenancy.present_objects() is
    'The objects outside the reference schema, by the texts with which external_locks reports a dropped one. Read before a migration and fetched after it, they name what the migration has dropped.';

-- sql/20_tenancy/migrations/rebuild_reference.sql

-- The migrations before that position have not changed, and so their recorded objects stay.
create function tenancy.rebuild_reference(first_position integer)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    perform tenancy.require_no_dependents('tenant_template');
    drop schema tenant_template cascade;
    perform tenancy.make_reference();

    for v_migration in
        select m.* from tenancy.tenant_migrations m order by m.position
    loop
        if v_migration.position < first_position then
            perform tenancy.apply_tenant_migration('tenant_template', v_migration);
        else
            delete from tenancy.tenant_template_objects o where o.version = v_migration.version;
            delete from tenancy.tenant_template_limits l where l.version = v_migration.version;
            perform tenancy.advance_reference(v_migration);
        end if;
    end loop;
    perform tenancy.apply_tenant_privileges('tenant_template');
    perform tenancy.require_creatable(tenancy.latest_tenant_version());
    perform tenancy.reload_schema_cache();
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if sqlstate like 'PT%' then
            raise;
        end if;
        if v_migration.position < first_position then
            raise exception 'The tenant template cannot be built: an earlier tenant migration, "%", fails now: %. Restore what it needs, or replace or withdraw it first.', v_migration.version, rtrim(tenancy.one_line(sqlerrm), '.')
                using errcode = 'PT422', detail = 'migration_refused',
                    hint = 'Nothing was changed. Restore what the earlier migration needs, or replace or withdraw it first.';
        end if;
        raise exception 'The tenant template cannot be built: %', tenancy.one_line(sqlerrm)
            using errcode = 'PT422', detail = 'migration_refused',
                hint = 'Nothing was changed. Correct the text, or the migrations that were registered after it.';
end;
$$;

comment on function tenancy.rebuild_reference(integer) is
    'Builds the reference schema again from all registered migrations, and records its objects from this position on (PT422 migration_refused). Only under lock_tenant_migration.';

-- sql/20_tenancy/migrations/record_failed_migration.sql

create function tenancy.record_failed_migration(schema_name text, version text, code text, message text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    insert into tenancy.unfinished_migrations as u
        (schema_name, version, sqlstate, message, stuck_since, failed_at, attempts)
    values (schema_name, version, code, message, clock_timestamp(), clock_timestamp(), 1)
    on conflict on constraint unfinished_migrations_pkey do update
    set version = excluded.version,
        sqlstate = excluded.sqlstate,
        message = excluded.message,
        stuck_since = case when u.version = excluded.version then u.stuck_since else excluded.stuck_since end,
        failed_at = excluded.failed_at,
        attempts = case when u.version = excluded.version then u.attempts + 1 else 1 end;
$$;

comment on function tenancy.record_failed_migration(text, text, text, text) is
    'Records that the next migration of a tenant has failed and was rolled back: the tenant is stuck. Only under lock_tenant.';

-- sql/20_tenancy/migrations/register_tenant_backfill.sql

create function tenancy.register_tenant_backfill(
    version text,
    name text,
    statement text,
    batch integer default 10000,
    audit_rows boolean default false
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_project_registration(version, statement);

    perform tenancy.add_tenant_migration(
        version, name, statement, phase => 'backfill', batch => coalesce(batch, 10000), audit_rows => audit_rows
    );
end;
$$;

comment on function tenancy.register_tenant_backfill(text, text, text, integer, boolean) is
    'Registers a backfill: one UPDATE or DELETE that `tenantry migrate` repeats for one part of a table after the other, from row $1 to before row $2 of its ctid, until it changes none. Each batch of about a second is a transaction; the first one reads that many rows. New tenants pass it. The audit log of the tenant gets an entry for each batch, or with audit_rows for each row.';

-- sql/20_tenancy/migrations/register_tenant_index.sql

create function tenancy.register_tenant_index(version text, name text, statement text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_project_registration(version, statement);

    perform tenancy.add_tenant_migration(version, name, statement, phase => 'index');
end;
$$;

comment on function tenancy.register_tenant_index(text, text, text) is
    'Registers an index. `tenantry migrate` with the URL of the database builds it in a large table while the table is written; otherwise it is built within 5 seconds, in which nobody writes the table.';

-- sql/20_tenancy/migrations/register_tenant_migration.sql

-- Tenantry's own tenant migrations arrive with an upgrade, under versions that begin with
-- tenantry_. If a project had registered such a version before, the upgrade would fail. So
-- this function, which projects call, refuses the prefix, and Tenantry's own baseline and
-- upgrade files call add_tenant_migration, which does the work and takes any version.
--
-- Both are definers, so that the reference schema belongs to their owner and not to the role
-- that pushes.
create function tenancy.register_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}',
    limit_seconds integer default 5
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_warning text;
begin
    perform tenancy.require_project_registration(version, statements);
    perform tenancy.add_tenant_migration(version, name, statements, callable_routines, limit_seconds => limit_seconds);

    -- The Supabase CLI does not show it. get_migration_status repeats it until every tenant has the
    -- migration.
    for v_warning in select * from tenancy.registration_warnings(version, name, statements, limit_seconds) loop
        raise warning '%', v_warning;
    end loop;
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[], integer) is
    'Registers a tenant migration of the project: see add_tenant_migration. It is cancelled in a tenant if it would keep tables locked for more than limit_seconds, 1 to 3600. A version with the prefix tenantry_ and an empty text are refused.';

-- sql/20_tenancy/migrations/registration_warnings.sql

create function tenancy.registration_warnings(version text, name text, statements text, limit_seconds integer)
    returns setof text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        'Tenant migration %s: tables of a tenant may be locked for %s seconds. The Data API waits for them when it loads its schema cache, and until then no tenant is served. Only `tenantry migrate` with the URL of the database gives so much time.',
        version, limit_seconds
    )
    where limit_seconds > 5
    union all
    select format(
        E'Tenant migration %s changes a table and updates its rows in one transaction, in which nobody uses the table. In a tenant with many rows it is cancelled after %s seconds. Unless all tenants are small, withdraw it and register it in phases:\n\n%s',
        version, limit_seconds, p.phases
    )
    from tenancy.phases_advice(version, name, statements) p (phases)
    where p.phases is not null;
$$;

comment on function tenancy.registration_warnings(text, text, text, integer) is
    'What a person has to know of a tenant migration before tenants receive it: that it locks tables for long, or that it could be phases.';

-- sql/20_tenancy/migrations/renew_creation_script.sql

create function tenancy.renew_creation_script(
    version text default tenancy.latest_tenant_version(),
    tried_tables text[] default '{}',
    out problem text,
    out details text,
    out hint text
)
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_found record;
begin
    select * into v_found from tenancy.check_creatable(version, tried_tables);

    -- New tenants start at the latest version, so there is one script.
    delete from tenancy.tenant_template_scripts where true;
    insert into tenancy.tenant_template_scripts (version, release, default_privileges, statements, grants, opening, obstacle)
    values (
        version,
        tenancy.release(),
        tenancy.default_privileges(),
        case when v_found.problem is null then v_found.statements end,
        case when v_found.problem is null then v_found.grants end,
        case when v_found.problem is null then v_found.opening end,
        coalesce(v_found.problem, v_found.obstacle)
    );
    problem := v_found.problem;
    details := v_found.details;
    hint := v_found.hint;
end;
$$;

comment on function tenancy.renew_creation_script(text, text[]) is
    'Compiles and stores the script that makes new tenants at this version, which is the latest one, or the obstacle. Returns what check_creatable finds (40P01, 55P03).';

-- sql/20_tenancy/migrations/replace_tenant_migration.sql

-- Tenants that have the old text keep it. So wherever such a tenant stands, the new text must
-- lead to the same objects, or the tenant would differ from the reference schema.
create function tenancy.replace_tenant_migration(
    version text,
    statements text,
    callable_routines text[] default null
)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration constant tenancy.tenant_migrations := tenancy.lock_tenant_migration(version);
    v_holders constant text[] := tenancy.tenants_with(v_migration);
    v_before tenancy.tenant_template_objects[];
    v_limits_before tenancy.tenant_template_limits[];
    v_problem text;
    v_after tenancy.tenant_migrations;
begin
    perform tenancy.require_statements(version, statements);
    v_before := array(
        select row(o.*)::tenancy.tenant_template_objects
        from tenancy.tenant_template_objects o
        join tenancy.tenant_migrations m on m.version = o.version
        where m.position >= v_migration.position
            and exists (select from public.tenants t where t.schema_version = o.version)
    );
    v_limits_before := array(
        select row(l.*)::tenancy.tenant_template_limits
        from tenancy.tenant_template_limits l
        join tenancy.tenant_migrations m on m.version = l.version
        where m.position >= v_migration.position
            and exists (select from public.tenants t where t.schema_version = l.version)
    );

    update tenancy.tenant_migrations m
    set statements = replace_tenant_migration.statements,
        callable_routines = coalesce(replace_tenant_migration.callable_routines, m.callable_routines)
    where m.version = v_migration.version
    returning m.* into v_after;
    -- An index of the same name is built anew wherever it differs.
    if v_migration.phase = 'index' and tenancy.index_name(v_after) <> tenancy.index_name(v_migration) then
        perform tenancy.require_no_leftover_index(v_migration, 'replaced by an index of another name');
    end if;
    delete from tenancy.unfinished_migrations u where u.version = v_migration.version;
    delete from tenancy.unfinished_backfills b where b.version = v_migration.version;
    perform tenancy.rebuild_reference(v_migration.position);

    select string_agg(distinct d.difference, ', ' order by d.difference) into v_problem
    from (
        select coalesce(b.object_kind || ' ' || b.object_name, a.object_kind || ' ' || a.object_name) as difference
        from unnest(v_before) b
        full join (
            select o.*
            from tenancy.tenant_template_objects o
            where o.version in (select t.schema_version from public.tenants t)
                and o.version in (
                    select m.version from tenancy.tenant_migrations m where m.position >= v_migration.position
                )
        ) a
            on a.version = b.version and a.object_kind = b.object_kind and a.object_name = b.object_name
        where a.definition is distinct from b.definition
        union all
        select format('%s on %s %s', coalesce(a.privilege, b.privilege), coalesce(a.object_kind, b.object_kind), coalesce(a.object_name, b.object_name))
        from unnest(v_limits_before) b
        full join (
            select l.*
            from tenancy.tenant_template_limits l
            where l.version in (select t.schema_version from public.tenants t)
                and l.version in (
                    select m.version from tenancy.tenant_migrations m where m.position >= v_migration.position
                )
        ) a
            on a.version = b.version and a.object_kind = b.object_kind and a.object_name = b.object_name
                and a.grantee = b.grantee and a.privilege = b.privilege
        where a.columns is distinct from b.columns
        union all
        -- Who may call a routine follows from this list, for every tenant that has the migration.
        select 'callable routines'
        where cardinality(v_holders) > 0
            and replace_tenant_migration.callable_routines is distinct from v_migration.callable_routines
            and replace_tenant_migration.callable_routines is not null
    ) d;
    if v_problem is not null then
        raise exception 'Tenant migration "%" cannot be replaced by this text: % received the old one, such as "%", and would differ from the template: %. First register a migration that leads from both texts to the same objects, and migrate these tenants.',
            version,
            case cardinality(v_holders) when 1 then 'one tenant has' else cardinality(v_holders) || ' tenants have' end,
            v_holders[1], tenancy.one_line(v_problem)
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Nothing was changed. First register a migration that leads from both texts to the same objects, and migrate these tenants.';
    end if;

    return v_migration;
end;
$$;

comment on function tenancy.replace_tenant_migration(text, text, text[]) is
    'Replaces the text of a tenant migration for the tenants that lack it, builds the reference schema again, and returns the migration as it was. Refused if a tenant that has the old text would differ from the template at its version. Without callable_routines the list stays. (PT404 migration_not_found, PT409 migration_received, PT422: invalid_request, migration_refused; 55P03.)';

-- sql/20_tenancy/migrations/replay_migrations.sql

create function tenancy.replay_migrations(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_details text;
begin
    -- Up to the version in the registry row. migrate_tenant applies a migration that was
    -- registered after that row was written.
    for v_migration in
        select m.*
        from tenancy.tenant_migrations m
        where m.position <= (
            select c.position
            from public.tenants t
            join tenancy.tenant_migrations c on c.version = t.schema_version
            where t.schema_name = replay_migrations.schema_name
        )
            -- A migration that has only comments refreshes audit triggers, which are new here.
            and m.statements !~ '^(\s|--[^\n]*(\n|$))*$'
            -- A new tenant has no rows.
            and m.phase <> 'backfill'
        order by m.position
    loop
        perform tenancy.apply_tenant_migration(schema_name, v_migration);
    end loop;
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if v_migration.version is null then
            raise;
        end if;
        get stacked diagnostics v_details = pg_exception_detail;
        raise exception 'Tenant migration "%" fails in a new tenant: %', v_migration.version, sqlerrm
            using errcode = sqlstate, detail = v_details;
end;
$$;

comment on function tenancy.replay_migrations(text) is
    'Applies the tenant migrations to a schema that has none of their objects, up to the version in its registry row. Names the migration that fails. apply_tenant_privileges sets the privileges afterwards. Only in the transaction that inserts that row.';

-- sql/20_tenancy/migrations/require_clean_session.sql

-- A migration runs in a session of PostgREST, too, which serves other requests afterwards.
create function tenancy.require_clean_session(
    migration tenancy.tenant_migrations,
    leftovers_before text[],
    locks_before text[]
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_locks constant text[] := tenancy.release_session_locks(locks_before);
    v_leftovers_now constant text[] := tenancy.session_leftovers();
    v_problem text;
begin
    if cardinality(v_locks) > 0 then
        raise exception 'Tenant migration % keeps the advisory lock %, which belongs to the session. Use pg_advisory_xact_lock: other requests use the same session afterwards.', migration.version, array_to_string(v_locks, ', ')
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select string_agg(distinct l.name, ', ') into v_problem
    from unnest(v_leftovers_now) l (name)
    where l.name <> all (leftovers_before);
    if v_problem is not null then
        raise exception 'Tenant migration % leaves in the session: %. Drop, deallocate or close it at the end of the migration: other tenants are migrated in the same session.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_clean_session(tenancy.tenant_migrations, text[], text[]) is
    'Refuses a tenant migration that has left advisory locks, prepared statements, cursors or temporary objects in the session (55000).';

-- sql/20_tenancy/migrations/require_closed_policies.sql

create function tenancy.require_closed_policies()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_open record;
    v_unclosed record;
begin
    select * into v_open from tenancy.open_policies('tenant_template') limit 1;
    if found then
        raise exception 'The tenant template does not allow this: policy "%" of table "%" has the condition %, which is the same for members and for everybody else who has signed in. Members get access without it: by tenancy.enable_tenant_table(current_schema(), ''%''), or if the migration writes no policies. Write policies that narrow this "as restrictive".', v_open.policy_name, v_open.table_name, v_open.condition, v_open.table_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select u.verb, c.relname, u.policy_name into v_unclosed
    from tenancy.unclosed_policies('tenant_template') u
    join pg_catalog.pg_class c on c.oid = u.relation
    order by c.relname, u.verb
    limit 1;
    if found then
        raise exception 'The tenant template does not allow this: people who are not members, or no longer, could % rows of table "%", because its restrictive policy "%" was dropped or changed. Leave the policies "only_…" as they are, and write other policies that narrow access "as restrictive".', v_unclosed.verb, v_unclosed.relname, v_unclosed.policy_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_closed_policies() is
    'Refuses policies of the reference schema that let in strangers, and a restrictive policy of close_policies that was dropped or changed (55000).';

-- sql/20_tenancy/migrations/require_creatable.sql

create function tenancy.require_creatable(version text, tried_tables text[] default null)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_found record;
    v_before record;
begin
    select * into v_found from tenancy.renew_creation_script(version, tried_tables);
    if v_found.problem is null then
        return;
    end if;

    -- If creation was impossible before this migration, then this migration is not the cause
    -- and may even repair the problem.
    select p.* into v_before
    from (
        select m.version
        from tenancy.tenant_migrations m
        where m.position < (
            select c.position from tenancy.tenant_migrations c where c.version = require_creatable.version
        )
        order by m.position desc
        limit 1
    ) b
    cross join lateral tenancy.check_creatable(b.version, tried_tables) p;
    if v_before.problem is not null then
        raise warning 'Before this tenant migration there was a problem, too: %.%', left(v_before.problem, 1000), coalesce(' ' || v_before.hint, '')
            using detail = coalesce(v_before.details, '');
        return;
    end if;

    raise exception 'After tenant migration %, %.%', version, left(v_found.problem, 1000), coalesce(' ' || v_found.hint, '')
        using detail = coalesce(v_found.details, '');
end;
$$;

comment on function tenancy.require_creatable(text, text[]) is
    'Stores the creation script at this version, and refuses a tenant migration after which no tenant could be created; only warns if none could be created before it. tried_tables are the tables that members and strangers try; null for all.';

-- sql/20_tenancy/migrations/require_effective_revokes.sql

-- PostgreSQL revokes a privilege on columns without a word, and without effect, while the role has
-- it on the whole table. A member would read the column.
create function tenancy.require_effective_revokes(migration tenancy.tenant_migrations)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table record;
begin
    select c.relname, v.verb, a.grantee::regrole as grantee into v_table
    from regexp_matches(
        lower(tenancy.without_comments(migration.statements, even_in_bodies => true)),
        '\mrevoke\s+((?:(?!\mon\M)[^;(])*\([^;)]*\)(?:(?!\mon\M)[^;])*)\son\s+(?:table\s+)?([^;]*?)\s+from\s+([^;]+)',
        'g'
    ) r (parts)
    cross join regexp_split_to_table(r.parts[2], '\s*,\s*') t (name)
    join pg_catalog.pg_class c
        on c.relnamespace = 'tenant_template'::regnamespace and lower(c.relname) = trim(t.name, '"')
    cross join aclexplode(c.relacl) a
    cross join lateral lower(a.privilege_type) v (verb)
    where v.verb in ('select', 'insert', 'update')
        and r.parts[1] ~ format('\m(%s|all)\M', v.verb)
        and a.grantee = any (array['authenticated'::regrole, 'service_role'::regrole])
        and r.parts[3] ~ format('\m%s\M', a.grantee::regrole)
    order by c.relname, v.verb, 3
    limit 1;
    if not found then
        return;
    end if;

    raise exception 'Tenant migration % revokes % on columns of "%", and % keeps it on the whole table, so PostgreSQL revokes nothing. Write: revoke % on % from %; grant % (<the other columns>) on % to %;',
        migration.version, v_table.verb, v_table.relname, v_table.grantee,
        v_table.verb, quote_ident(v_table.relname), v_table.grantee,
        v_table.verb, quote_ident(v_table.relname), v_table.grantee
        using errcode = 'object_not_in_prerequisite_state';
end;
$$;

comment on function tenancy.require_effective_revokes(tenancy.tenant_migrations) is
    'Refuses a tenant migration that revokes a privilege on columns which the role has on the whole table (55000). Only between open_reference and apply_tenant_privileges.';

-- sql/20_tenancy/migrations/require_end_of_backfill.sql

create function tenancy.require_end_of_backfill(backfill tenancy.unfinished_backfills)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if backfill.pass > 1 and backfill.rows_done_in_pass >= greatest(1000, backfill.rows_done_in_first_pass / 2)
        or backfill.pass > 20
    then
        raise exception 'The backfill reaches no end: pass % over table "%" has changed % rows again. Replace its statement by one whose condition is false for a changed row, and let the application or a default fill new rows.', backfill.pass, backfill.table_name, backfill.rows_done_in_pass
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_end_of_backfill(tenancy.unfinished_backfills) is
    'Refuses a backfill whose later passes change as many rows as half of the first, or which has more than 20 passes (55000).';

-- sql/20_tenancy/migrations/require_executable_routines.sql

create function tenancy.require_executable_routines()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_call record;
begin
    select * into v_call from tenancy.unexecutable_routines('tenant_template') limit 1;
    if not found then
        return;
    end if;

    raise exception 'The tenant template does not allow this: the % calls the routine %, which members may not execute, so their requests would fail. %',
        v_call.used_by,
        v_call.routine,
        case
            when v_call.own_name is null then format(
                'Write before the registration: grant execute on function %s to authenticated, service_role;', v_call.routine
            )
            else format(
                'Name it in the fourth argument, array[%L], if the API may call it, too. Otherwise create it before the registration, in a schema that the Data API does not expose, and grant execute on it to authenticated and service_role.',
                v_call.own_name
            )
        end
        using errcode = 'object_not_in_prerequisite_state';
end;
$$;

comment on function tenancy.require_executable_routines() is
    'Requires that members may execute every routine that the tables and views of the reference schema call (55000).';

-- sql/20_tenancy/migrations/require_kept_parameters.sql

create function tenancy.require_kept_parameters(migration tenancy.tenant_migrations, parameters_before jsonb)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    -- A library, such as that of pgvector, defines its parameters when a session first uses it.
    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each_text(tenancy.session_parameters(migration.statements)) s
    left join pg_catalog.pg_settings p on p.name = s.key
    where case
        when parameters_before ? s.key then s.value is distinct from parameters_before ->> s.key
        else p.source = 'session'
    end
        -- A library has taken over a name that the text contains.
        and (p.name is null or p.source = 'session' or parameters_before ->> s.key <> '');
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %. Remove SET and set_config from it, or set the old value at its end: other requests use the same session afterwards.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_kept_parameters(tenancy.tenant_migrations, jsonb) is
    'Refuses a tenant migration that has changed parameters of the session, from what session_parameters reported before it (55000).';

-- sql/20_tenancy/migrations/require_migration_text.sql

-- Most mistakes show in what a migration has done. These show only later: in a tenant, after the
-- commit, or when a routine is called.
create function tenancy.require_migration_text(migration tenancy.tenant_migrations)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_code constant text := tenancy.without_comments(migration.statements, even_in_bodies => true);
begin
    if migration.statements ~ '\mtenant_template\M' then
        raise exception 'Tenant migration % names the reference schema tenant_template. Leave names unqualified: the migration runs once in each tenant.', migration.version;
    end if;
    if v_code ~* '\mpg_(try_)?advisory_lock(_shared)?\s*\(' then
        raise exception 'Tenant migration % takes an advisory lock of the session, which outlives an error. Use pg_advisory_xact_lock, which ends with the transaction.', migration.version
            using errcode = 'feature_not_supported';
    end if;
    if v_code ~* '\mset_config\s*\(([^();]|\([^()]*\))*,\s*(is_local\s*=>\s*)?(false|''f(alse)?'')\s*(::\s*bool(ean)?\s*)?\)' then
        raise exception 'Tenant migration % sets a parameter for the session with set_config(…, false). Write true: other requests use the same session afterwards.', migration.version
            using errcode = 'feature_not_supported';
    end if;
    if v_code ~* '(^|;)\s*(un)?listen\s' then
        raise exception 'Tenant migration % listens to notifications, which belongs to the session of a client. Remove LISTEN and UNLISTEN from it.', migration.version
            using errcode = 'feature_not_supported';
    end if;
end;
$$;

comment on function tenancy.require_migration_text(tenancy.tenant_migrations) is
    'Refuses statements of a tenant migration whose harm would show only in a tenant, after the commit, or when a routine is called (0A000).';

-- sql/20_tenancy/migrations/require_no_leftover_index.sql

-- `tenantry migrate` builds the index of a large table before the tenant has the version.
create function tenancy.require_no_leftover_index(migration tenancy.tenant_migrations, doing text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenants bigint;
    v_first text;
    v_statements text;
begin
    if migration.phase <> 'index' then
        return;
    end if;

    select count(*), min(t.schema_name),
        string_agg(format('drop index concurrently %I.%I;', t.schema_name, c.relname), ' ' order by t.schema_name)
    into v_tenants, v_first, v_statements
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class r on r.oid = i.indrelid
    join public.tenants t on t.schema_name = n.nspname
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where c.relname = tenancy.index_name(migration)
        and m.position = migration.position - 1
        and tenancy.is_template_table(t.schema_name, r.relname::text);
    if v_tenants > 0 then
        raise exception 'Tenant migration "%" cannot be % yet: `tenantry migrate` has built its index in %, such as "%", which would keep it without the migration. First run: %',
            migration.version, doing,
            case v_tenants when 1 then 'one tenant' else v_tenants || ' tenants' end, v_first,
            left(v_statements, 1000)
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Nothing was changed. Stop `tenantry migrate`, drop these indexes, and try again.';
    end if;
end;
$$;

comment on function tenancy.require_no_leftover_index(tenancy.tenant_migrations, text) is
    'Refuses to withdraw or replace a registered index that tenants without its version have already (PT409 migration_received), with the statements that drop it. Only under lock_tenant_migration.';

-- sql/20_tenancy/migrations/require_project_registration.sql

create function tenancy.require_project_registration(version text, statements text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if version like 'tenantry\_%' then
        raise exception 'Tenant migration % has a version with the prefix tenantry_, which is reserved for Tenantry''s own migrations. Give it another version, such as the timestamp that `tenantry new` writes.', version;
    end if;

    if statements ~ '^\s*$' then
        raise exception 'Tenant migration % is empty: fill it in, then push again. Its text cannot be changed once it is registered.', version;
    end if;
end;
$$;

comment on function tenancy.require_project_registration(text, text) is
    'Refuses a version that is reserved for Tenantry, and an empty text.';

-- sql/20_tenancy/migrations/require_registration.sql

create function tenancy.require_registration(
    version text,
    name text,
    statements text,
    callable_routines text[]
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if version is null or version !~ '^[a-z0-9][a-z0-9_]{0,62}$' then
        raise exception 'Tenant migration % has no valid version. Write 1 to 63 of the characters a-z, 0-9 and _, and do not begin with _.', version
            using errcode = 'check_violation';
    end if;
    if name is null or statements is null or callable_routines is null then
        raise exception 'Tenant migration % lacks a name, its statements or the list of callable routines: none of the arguments may be null.', version
            using errcode = 'check_violation';
    end if;
    if array_position(callable_routines, null) is not null then
        raise exception 'Tenant migration % names null as a callable routine. The fourth argument takes names of routines.', version
            using errcode = 'check_violation';
    end if;
end;
$$;

comment on function tenancy.require_registration(text, text, text, text[]) is
    'Refuses arguments that no tenant migration may have (23514).';

-- sql/20_tenancy/migrations/require_registration_numbers.sql

create function tenancy.require_registration_numbers(
    version text,
    limit_seconds integer,
    batch integer,
    audit_rows boolean
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem constant text := case
        when limit_seconds is null or limit_seconds not between 1 and 3600
            then format('limit_seconds must be 1 to 3600, not %s', coalesce(limit_seconds::text, 'null'))
        when batch not between 1 and 1000000 then format('batch must be 1 to 1000000 rows, not %s', batch)
        when audit_rows is null then 'audit_rows must be true or false, not null'
    end;
begin
    if v_problem is not null then
        raise exception 'Tenant migration %: %.', version, v_problem using errcode = 'check_violation';
    end if;
end;
$$;

comment on function tenancy.require_registration_numbers(text, integer, integer, boolean) is
    'Refuses a limit in seconds, a size of a batch in rows and a choice of audit that no tenant migration may have (23514).';

-- sql/20_tenancy/migrations/require_settled_rows.sql

-- A changed row may come up again, in a later batch or in the next pass: it has moved to another
-- block. So the statement runs a second time where the rows are now, and is rolled back. It may
-- find rows that others have added meanwhile, but none of those that it has changed.
create function tenancy.require_settled_rows(
    schema_name text,
    migration tenancy.tenant_migrations,
    backfill tenancy.unfinished_backfills,
    places tid[]
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- Reading some blocks in vain costs less than another statement.
    v_gap constant integer := 32;
    v_moved constant text := format(
        'select count(*) from unnest($1) p (place) where not exists (select from only %I.%I t where t.ctid = p.place)',
        schema_name, backfill.table_name
    );
    v_part record;
    v_changed bigint;
    v_moved_before bigint;
    v_moved_after bigint;
begin
    for v_part in
        select min(g.block) as first_block, max(g.block) + 1 as end_block
        from (
            select s.block, count(*) filter (where s.is_first) over (order by s.block) as number
            from (
                select b.block, b.block - lag(b.block) over (order by b.block) > v_gap as is_first
                from (select distinct ((p.place::text::point)[0])::bigint as block from unnest(places) p (place)) b
            ) s
        ) g
        group by g.number
    loop
        v_moved_after := 0;
        begin
            select r.row_count into v_changed
            from tenancy.run_backfill_statement(
                schema_name, migration, backfill.alias, v_part.first_block, v_part.end_block
            ) r;
            if v_changed > 0 then
                execute v_moved into v_moved_after using places;
            end if;
            raise sqlstate 'TN000';
        exception
            when sqlstate 'TN000' then
                null;
        end;
        continue when v_moved_after = 0;

        -- A trigger of the tenant may have moved rows at once.
        execute v_moved into v_moved_before using places;
        if v_moved_after > v_moved_before then
            raise exception 'The backfill would change rows again: % of the % rows that a batch has changed in table "%" fulfil its condition still. The batch was rolled back. Replace the statement by one whose condition is false for a changed row, as "total is null" is; and if the new value may be null, exclude that.',
                v_moved_after - v_moved_before, cardinality(places), backfill.table_name
                using errcode = 'object_not_in_prerequisite_state';
        end if;
    end loop;
end;
$$;

comment on function tenancy.require_settled_rows(text, tenancy.tenant_migrations, tenancy.unfinished_backfills, tid[]) is
    'Refuses a backfill whose statement would change a row again that it has just changed and that is at one of these places (55000).';

-- sql/20_tenancy/migrations/require_statements.sql

create function tenancy.require_statements(version text, statements text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if coalesce(statements, '') ~ '^\s*$' then
        raise exception 'The text for tenant migration "%" is empty.', version
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give the SQL as for one tenant. To remove the migration altogether, withdraw it.';
    end if;
    if statements ~ '\mtenant_template\M' then
        raise exception 'The text for tenant migration "%" names the reference schema.', version
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Leave names unqualified: the migration runs once in each tenant.';
    end if;
end;
$$;

comment on function tenancy.require_statements(text, text) is
    'Requires a text for a tenant migration that is not empty and does not name the reference schema (PT422 invalid_request).';

-- sql/20_tenancy/migrations/require_template_shape.sql

create function tenancy.require_template_shape()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    select case o.object_kind
        when 'column' then format('column "%s" has the prefix x_, which is reserved for the tenants'' own columns. Give it another name', o.object_name)
        -- Every tenant would have such a key: creating a tenant stops writers of that table.
        when 'constraint' then format(
            'foreign key "%s" references a table outside the tenant''s schema, %s, which %s',
            o.object_name, o.target,
            case
                when o.target = 'auth.users'::regclass then 'cannot be shared. Write a plain uuid column, or reference the tenant''s own table users'
                when o.obstacle is not null then format('cannot be shared: %s. Write a plain column without this key', o.obstacle)
                else format('is not shared. If every tenant may reference it, write before the registration: select tenancy.share_table(%L)', o.target)
            end
        )
        when 'sequence' then format('sequence "%s" is not a sequence of a table''s column. Write: alter sequence %I owned by <table>.<column>; or make the column an identity column', o.object_name, o.object_name)
        -- A rule writes with the rights of the table''s owner, past the policies.
        when 'rule' then format('"%s" is a rule, which would run with the rights of the table''s owner. Write a trigger', o.object_name)
        when 'view' then format('view "%s" is not a view with security_invoker, so it would show what policies hide. Write: create view %I with (security_invoker = true) as …', o.object_name, o.object_name)
        else format(
            '"%s" is a %s, and neither a table, nor a sequence of a table''s column, nor a view with security_invoker. %s',
            o.object_name,
            case o.relkind when 'm' then 'materialized view' when 'f' then 'foreign table' else 'relation of another kind' end,
            case o.relkind
                when 'm' then 'No policy applies to it. Make it a view with (security_invoker = true), or a table that triggers or a job fill'
                when 'f' then 'Create foreign tables before the registration, in a schema that the Data API does not expose'
                else 'Make it a table'
            end
        )
    end
    into v_problem
    from (
        select s.*, c.relkind, c.reloptions, f.target, f.obstacle
        from tenancy.schema_objects('tenant_template') s
        left join pg_catalog.pg_class c
            on c.relname = s.object_name
            and c.relnamespace = 'tenant_template'::regnamespace
            and s.object_kind in ('relation', 'view')
        left join lateral (
            select k.confrelid::regclass as target, tenancy.sharing_obstacle(k.confrelid) as obstacle
            from pg_catalog.pg_constraint k
            join pg_catalog.pg_class c on c.oid = k.confrelid
            where s.object_kind = 'constraint'
                and k.contype = 'f'
                and k.conrelid = tenancy.find_table('tenant_template', s.table_name)
                and k.conname = substr(s.object_name, length(s.table_name) + 2)
                and c.relnamespace <> 'tenant_template'::regnamespace
                and k.confrelid not in (select h.relation from tenancy.shared_tables h)
        ) f on true
    ) o
    where o.object_kind = 'relation'
        or (o.object_kind = 'sequence' and o.table_name is null)
        or (o.object_kind = 'view' and not tenancy.is_security_invoker(o.reloptions))
        or (o.object_kind = 'column' and o.is_extension)
        or o.target is not null
    order by o.object_kind, o.object_name
    limit 1;

    if v_problem is null then
        select format(
            'foreign key "%s" references the shared table %s and has no index, so deleting a row there would read '
            'table "%s" of every tenant. Write: create index on %I (%I)',
            k.conname, k.confrelid::regclass, c.relname, c.relname, (tenancy.column_names(k.conrelid, k.conkey))[1]
        )
        into v_problem
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        where c.relnamespace = 'tenant_template'::regnamespace
            and k.contype = 'f'
            and k.confrelid in (select s.relation from tenancy.shared_tables s)
            and not exists (
                select from pg_catalog.pg_index i where i.indrelid = k.conrelid and i.indkey[0] = k.conkey[1]
            )
        order by k.conname
        limit 1;
    end if;

    if v_problem is null then
        -- If a row of the child is changed through the parent, the audit triggers see only the
        -- parent's columns.
        select format('table "%s" inherits from another table and has columns of its own, which the audit log would miss. Make it a table without INHERITS', c.relname)
        into v_problem
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where c.relnamespace = 'tenant_template'::regnamespace
            and c.relkind = 'r'
            and not c.relispartition
            and exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attinhcount = 0
            )
        order by c.relname
        limit 1;
    end if;

    if v_problem is null then
        -- A rule writes with the rights of the table's owner, past the policies.
        select format('"%s" is a rule of "%s", which would run with the rights of the owner. Write a trigger', r.rulename, c.relname)
        into v_problem
        from pg_catalog.pg_rewrite r
        join pg_catalog.pg_class c on c.oid = r.ev_class
        where c.relnamespace = 'tenant_template'::regnamespace and r.rulename <> '_RETURN'
        order by r.rulename
        limit 1;
    end if;

    if v_problem is null then
        -- Policies do not apply to the owner of a table.
        select format('%s belongs to role %s. Leave the owner as it is', o.title, o.owner::regrole)
        into v_problem
        from (
            select 'pg_class'::regclass, c.oid, format('relation "%s"', c.relname), c.relowner
            from pg_catalog.pg_class c
            where c.relnamespace = 'tenant_template'::regnamespace
            union all
            select 'pg_proc'::regclass, p.oid, format('routine "%s"', p.proname), p.proowner
            from pg_catalog.pg_proc p
            join pg_catalog.pg_language l on l.oid = p.prolang
            where p.pronamespace = 'tenant_template'::regnamespace and l.lanname not in ('internal', 'c')
            union all
            select 'pg_type'::regclass, t.oid, format('type "%s"', t.typname), t.typowner
            from pg_catalog.pg_type t
            where t.typnamespace = 'tenant_template'::regnamespace and t.typtype in ('d', 'e')
        ) o (catalog, oid, title, owner)
        where o.owner <> (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'tenant_template')
            -- An extension is refused with a better reason.
            and not exists (
                select from pg_catalog.pg_depend e
                where e.classid = o.catalog and e.objid = o.oid and e.deptype = 'e'
            )
        order by o.title
        limit 1;
    end if;

    if v_problem is null then
        -- Such a setting says who is calling, or turns a protection off, while the routine runs.
        select format('routine "%s" sets the parameter %s. Remove this SET from it', p.proname, split_part(s.setting, '=', 1))
        into v_problem
        from pg_catalog.pg_proc p
        cross join unnest(p.proconfig) s (setting)
        where p.pronamespace = 'tenant_template'::regnamespace
            and s.setting ~* '^(role|session_authorization|row_security|session_replication_role|(request|tenancy|pgrst|safeupdate)\..*)='
        order by p.proname
        limit 1;
    end if;

    if v_problem is not null then
        raise exception 'The tenant template does not allow this: %. Nothing was registered.', v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_template_shape() is
    'Requires of the reference schema: tables, their sequences and views with security_invoker are the only relations; no column has the prefix x_; foreign keys that leave the schema reference shared tables, and have an index; no table inherits columns from another and adds some; no rules; everything belongs to the owner; no routine sets a parameter that says who is calling (55000).';

-- sql/20_tenancy/migrations/require_unchanged_outside.sql

create function tenancy.require_unchanged_outside(
    migration tenancy.tenant_migrations,
    changes_before text[],
    locks_before text[],
    objects_before refcursor
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- The planner evaluates a stable function in FROM, too. So each is called here.
    v_changes_now constant text[] := tenancy.external_changes();
    v_locks_now constant text[] := tenancy.external_locks();
    v_new_locks constant text[] := array(
        select l.name from unnest(v_locks_now) l (name) where l.name <> all (locks_before)
    );
    v_changed text[] := array(
        select regexp_replace(c.name, ' \([0-9a-f,]+\)$', '')
        from unnest(v_changes_now) c (name)
        where c.name <> all (changes_before)
        union
        select l.name from unnest(v_new_locks) l (name) where l.name not like 'dropped %'
    );
    v_object record;
    v_extensions constant text[] := array(
        select substr(c.name, length('extension ') + 1) from unnest(v_changed) c (name) where c.name like 'extension %'
    );
begin
    if exists (select from unnest(v_new_locks) l (name) where l.name like 'dropped %') then
        loop
            fetch objects_before into v_object;
            exit when not found;
            if v_object.object = any (v_new_locks) then
                v_changed := v_changed || v_object.title;
            end if;
        end loop;
    end if;

    if cardinality(v_extensions) > 0 then
        raise exception 'Tenant migration % creates or changes an extension: %. An extension exists once for the whole project: write "create extension if not exists % with schema extensions;" before the registration, in the same file.', migration.version, array_to_string(v_extensions, ', '), v_extensions[1]
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if cardinality(v_changed) > 0 then
        raise exception 'Tenant migration % changes objects outside the tenant''s schema: %. The migration runs once in each tenant. Statements that must run once belong before the registration, in the same file.', migration.version, left(array_to_string(array(select c.name from unnest(v_changed) c (name) order by c.name), ', '), 1000)
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_unchanged_outside(tenancy.tenant_migrations, text[], text[], refcursor) is
    'Refuses a tenant migration that has created, changed or dropped something outside the reference schema, from what external_changes and external_locks reported before it and an open cursor on present_objects (55000).';

-- sql/20_tenancy/migrations/rows_a_block.sql

-- Statistics may be missing or old, and reading a few blocks costs little. They are spread over the
-- table, because its beginning may be full of dead rows, or its end.
create function tenancy.rows_a_block(schema_name text, table_name text)
    returns double precision
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_blocks constant bigint := tenancy.block_count(schema_name, table_name);
    v_step constant bigint := greatest(v_blocks / 50, 1::bigint);
    v_first bigint;
    v_found bigint;
    v_read bigint := 0::bigint;
    v_rows bigint := 0::bigint;
begin
    for v_first in select * from generate_series(0::bigint, v_blocks - 1, v_step) loop
        execute format('select count(*) from only %I.%I where ctid >= $1 and ctid < $2', schema_name, table_name)
        into v_found
        using format('(%s,0)', v_first)::tid, format('(%s,0)', v_first + 1)::tid;
        v_read := v_read + 1;
        v_rows := v_rows + v_found;
    end loop;

    return coalesce(v_rows::double precision / nullif(v_read, 0), 0);
end;
$$;

comment on function tenancy.rows_a_block(text, text) is
    'Estimate of the rows in one block of a tenant''s table, from some 50 of its blocks (PT404 table_not_found).';

-- sql/20_tenancy/migrations/run_backfill_batch.sql

create function tenancy.run_backfill_batch(
    schema_name text,
    migration tenancy.tenant_migrations,
    backfill tenancy.unfinished_backfills,
    first_block bigint,
    end_block bigint
)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_result record;
begin
    select r.row_count, r.places into v_result
    from tenancy.run_backfill_statement(schema_name, migration, backfill.alias, first_block, end_block) r;
    if backfill.alias is not null and v_result.row_count > 0 then
        perform tenancy.require_settled_rows(schema_name, migration, backfill, v_result.places);
    end if;

    return v_result.row_count;
end;
$$;

comment on function tenancy.run_backfill_batch(text, tenancy.tenant_migrations, tenancy.unfinished_backfills, bigint, bigint) is
    'Runs the statement of a backfill for the blocks from the first to before the end, and returns how many rows it has changed. Refuses a statement that would change one of these rows again (55000). Only between the writing of writing_in and its removal, and under lock_tenant.';

-- sql/20_tenancy/migrations/run_backfill_statement.sql

create function tenancy.run_backfill_statement(
    schema_name text,
    migration tenancy.tenant_migrations,
    alias text,
    first_block bigint,
    end_block bigint,
    out row_count bigint,
    out places tid[]
)
    volatile
    security invoker
    set search_path = ''
    -- The same as of apply_tenant_migration.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    language plpgsql
as $$
begin
    perform set_config('safeupdate.enabled', 'off', true);
    -- The audit triggers look at the row of unfinished_backfills only if this parameter is set.
    -- Alone it means nothing, because everybody may set it.
    if not migration.audit_rows then
        perform set_config('tenancy.backfill', migration.version, true);
    end if;

    perform set_config('search_path', tenancy.tenant_search_path(schema_name), true);
    execute format(
        E'with backfill as (%s\n returning %s as place) select count(*), array_agg(b.place) from backfill b',
        tenancy.single_statement(migration.statements), coalesce(quote_ident(alias) || '.ctid', 'null::tid')
    )
    into row_count, places
    using format('(%s,0)', first_block)::tid, format('(%s,0)', end_block)::tid;
    set constraints all immediate;
    perform set_config('search_path', '', true);
    perform set_config('tenancy.backfill', '', true);
end;
$$;

comment on function tenancy.run_backfill_statement(text, tenancy.tenant_migrations, text, bigint, bigint) is
    'Runs the statement of a backfill for the blocks from the first to before the end. Returns how many rows it has changed and, of an UPDATE, where they are now.';

-- sql/20_tenancy/migrations/sends_notifications.sql

create function tenancy.sends_notifications(statements text)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select coalesce(bool_or(t.token ~* '\m(pg_)?notify\M'), false)
    from (
        select p.kind, p.token, lag(p.token) over (order by p.place) as code_before
        from tenancy.sql_tokens(
            tenancy.without_comments(statements, even_in_bodies => true)
        ) with ordinality p (kind, token, place)
    ) t
    -- Not the body of a routine, which does not run now.
    where not (t.kind = 'literal' and t.token like '$%' and coalesce(t.code_before ~* '\mas\s*$', false));
$$;

comment on function tenancy.sends_notifications(text) is
    'Whether the text of a tenant migration says NOTIFY or pg_notify outside the bodies of routines.';

-- sql/20_tenancy/migrations/session_leftovers.sql

create function tenancy.session_leftovers()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        select format('prepared statement "%s"', p.name) from pg_catalog.pg_prepared_statements p where p.from_sql
        union all
        select format('cursor "%s"', c.name) from pg_catalog.pg_cursors c where c.is_holdable
        union all
        select format('temporary object "%s"', coalesce(i.name, i.identity))
        from pg_catalog.pg_depend d
        cross join lateral pg_identify_object(d.classid, d.objid, 0) i
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = pg_my_temp_schema()
    );
$$;

comment on function tenancy.session_leftovers() is
    'What belongs to this session and outlives the transaction: prepared statements, cursors with hold, temporary objects.';

-- sql/20_tenancy/migrations/session_parameters.sql

-- pg_settings does not list a parameter that nobody has defined, such as app.tenant. So the names
-- come from the text, and those on which a protection depends are always read.
create function tenancy.session_parameters(statements text)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select jsonb_object_agg(s.name, s.setting)
    from (
        select s.name, s.setting from pg_catalog.pg_settings s
        union all
        select n.name, coalesce(current_setting(n.name, true), '')
        from (
            select distinct lower(m[1]) as name
            from regexp_matches(statements, '([a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)+)', 'gi') m
            union
            select unnest(array[
                'tenancy.acting_as_owner', 'tenancy.maintaining', 'request.jwt.claims', 'request.jwt.claim.sub',
                'request.headers', 'request.method', 'request.path'
            ])
        ) n
        where not exists (select from pg_catalog.pg_settings s where s.name = n.name)
    ) s;
$$;

comment on function tenancy.session_parameters(text) is
    'Every parameter of this session with its value, and of those without a definition the ones that these statements name or that Tenantry reads.';

-- sql/20_tenancy/migrations/single_statement.sql

create function tenancy.single_statement(statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select regexp_replace(tenancy.without_comments(statements), '[\s;]+$', '');
$$;

comment on function tenancy.single_statement(text) is
    'The text of a backfill or an index without comments and without the semicolon at its end.';

-- sql/20_tenancy/migrations/split_statements.sql

create function tenancy.split_statements(statements text)
    returns text[]
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select trim(E' \t\r\n' from s.statement)
        from (
            select t.number, string_agg(t.token, '' order by t.place) filter (where t.kind <> 'end') as statement
            from (
                select p.*, count(*) filter (where p.kind = 'end') over (order by p.place) - (p.kind = 'end')::integer as number
                from tenancy.sql_tokens(statements) with ordinality p (kind, token, place)
                where p.kind <> 'comment'
            ) t
            group by t.number
        ) s
        where s.statement ~ '\S'
        order by s.number
    );
end;
$$;

comment on function tenancy.split_statements(text) is
    'The statements of a tenant migration one by one, without comments. It does not know bodies of standard SQL (begin atomic).';

-- sql/20_tenancy/migrations/sql_tokens.sql

-- As the scanner of PostgreSQL reads a text. Quotes mean nothing in a comment, comments mean nothing
-- in quotes, and comments nest. One pass over the text, so that a long one takes no long time.
create function tenancy.sql_tokens(statements text, out kind text, out token text)
    returns setof record
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_atoms constant text[] := array(
        select m.parts[1]
        from regexp_matches(
            statements, '(--|[^-/*''"$\\;\n\r]+|.)', 'g'
        ) with ordinality m (parts, place)
        order by m.place
    );
    v_number integer := 1;
    v_atom text;
    v_size integer;
    v_tag text;
    v_tag_size integer;
    -- Of each atom that begins a token.
    v_kinds text[] := array_fill(null::text, array[cardinality(v_atoms)]);
    v_is_new boolean := true;
    v_depth integer;
    -- The code since the last literal, of a longer one only the end, and whether a backslash escapes there.
    v_between text := '';
    v_escapes boolean := false;
begin
    while v_number <= cardinality(v_atoms) loop
        v_atom := v_atoms[v_number];
        kind := 'code';
        v_size := 1;
        if v_atom = '--' then
            kind := 'comment';
            while v_atoms[v_number + v_size] not in (E'\n', E'\r') loop
                v_size := v_size + 1;
            end loop;
        elsif v_atom = '/' and v_atoms[v_number + 1] = '*' then
            kind := 'comment';
            v_depth := 1;
            v_size := 2;
            while v_depth > 0 and v_number + v_size <= cardinality(v_atoms) loop
                case v_atoms[v_number + v_size] || coalesce(v_atoms[v_number + v_size + 1], '')
                    when '/*' then
                        v_depth := v_depth + 1;
                        v_size := v_size + 2;
                    when '*/' then
                        v_depth := v_depth - 1;
                        v_size := v_size + 2;
                    else
                        v_size := v_size + 1;
                end case;
            end loop;
        elsif v_atom = '"' then
            kind := 'identifier';
            while v_atoms[v_number + v_size] <> '"' loop
                v_size := v_size + 1;
            end loop;
            v_size := v_size + 1;
        elsif v_atom = '''' then
            kind := 'literal';
            -- A literal that goes on in another line is of the same kind there.
            v_escapes := v_between ~* '(^|[^a-z0-9_$\u0080-\uffff])e$'
                or (v_escapes and v_between ~ '^\s*[\n\r]\s*$');
            loop
                if v_escapes and v_atoms[v_number + v_size] = '\' then
                    -- A run of other characters begins with the escaped one.
                    v_size := v_size + 2;
                elsif v_atoms[v_number + v_size] = '''' and v_atoms[v_number + v_size + 1] = '''' then
                    v_size := v_size + 2;
                elsif coalesce(v_atoms[v_number + v_size], '''') = '''' then
                    v_size := v_size + 1;
                    exit;
                else
                    v_size := v_size + 1;
                end if;
            end loop;
        elsif v_atom = '$' and v_between !~* '[a-z0-9_$\u0080-\uffff]$' then
            v_tag := case
                when v_atoms[v_number + 1] = '$' then ''
                when v_atoms[v_number + 2] = '$'
                    then substring(v_atoms[v_number + 1] from '(?i)^[a-z_\u0080-\uffff][a-z0-9_\u0080-\uffff]*$')
            end;
            if v_tag is not null then
                kind := 'literal';
                v_tag_size := case v_tag when '' then 2 else 3 end;
                v_size := v_tag_size;
                while v_number + v_size <= cardinality(v_atoms) loop
                    if v_atoms[v_number + v_size] = '$'
                        and v_atoms[v_number + v_size + v_tag_size - 1] = '$'
                        and (v_tag = '' or v_atoms[v_number + v_size + 1] = v_tag)
                    then
                        v_size := v_size + v_tag_size;
                        exit;
                    end if;
                    v_size := v_size + 1;
                end loop;
            end if;
        elsif v_atom = ';' then
            kind := 'end';
        end if;

        if kind <> 'code' or v_is_new then
            v_kinds[v_number] := kind;
        end if;
        v_is_new := kind <> 'code';
        v_between := case
            when kind = 'comment' then v_between || ' '
            when kind = 'identifier' then '"'
            when kind <> 'code' then ''
            when v_between ~ '^\s*$' then v_between || v_atom
            else 'x ' || right(v_between, 1) || v_atom
        end;
        v_number := v_number + v_size;
    end loop;

    return query
    select min(t.kind), string_agg(t.atom, '' order by t.place)
    from (
        select a.*, count(a.kind) over (order by a.place) as number
        from unnest(v_atoms, v_kinds) with ordinality a (atom, kind, place)
    ) t
    group by t.number
    order by t.number;
end;
$$;

comment on function tenancy.sql_tokens(text) is
    'The text in its order as tokens of these kinds: "comment", "literal" in single or dollar quotes, "identifier" in double quotes, "end" for a semicolon, and "code" for what is between them.';

-- sql/20_tenancy/migrations/tenant_search_path.sql

create function tenancy.tenant_search_path(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return format('%I, extensions, pg_temp', schema_name);
end;
$$;

comment on function tenancy.tenant_search_path(text) is
    'The search path of a tenant migration and of the routines that it makes: the tenant''s schema, then extensions. PostgreSQL looks into pg_catalog before both.';

-- sql/20_tenancy/migrations/tenants_with.sql

create function tenancy.tenants_with(migration tenancy.tenant_migrations)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.schema_name
        from tenancy.tenant_migrations m
        join public.tenants t on t.schema_version = m.version
        where m.position >= migration.position
        order by t.schema_name
    );
end;
$$;

comment on function tenancy.tenants_with(tenancy.tenant_migrations) is
    'The tenants that have received a tenant migration, by name.';

-- sql/20_tenancy/migrations/try_backfill.sql

create function tenancy.try_backfill(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_backfill tenancy.unfinished_backfills;
    v_insert text;
    v_try record;
    v_problem text;
begin
    select t.table_name, t.alias into v_backfill.table_name, v_backfill.alias
    from tenancy.backfill_table(schema_name, migration) t;
    v_insert := tenancy.trial_insert(tenancy.require_table(schema_name, v_backfill.table_name), with_nullable => true);
    begin
        select t.* into v_try from tenancy.try_statement(v_insert) t;
        if v_try.code = '23503' then
            perform tenancy.drop_trial_hurdles(schema_name);
            perform tenancy.try_statement(v_insert);
        end if;
        perform tenancy.run_backfill_batch(
            schema_name, migration, v_backfill, 0, tenancy.block_count(schema_name, v_backfill.table_name)
        );
        raise sqlstate 'TN000';
    exception
        when deadlock_detected or lock_not_available then
            raise;
        when others then
            -- Other errors may be due to the made-up values.
            if starts_with(sqlerrm, 'The backfill would change rows again') then
                v_problem := sqlerrm;
            end if;
    end;
    if v_problem is not null then
        raise exception 'Tenant migration % cannot be run in batches. In a trial with one row, this happened: %', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.try_backfill(text, tenancy.tenant_migrations) is
    'Runs a backfill for a made-up row and rolls that back. Refuses a statement that would change the row again, or that backfill_table refuses (55000). Only in the reference schema.';

-- sql/20_tenancy/migrations/withdraw_tenant_migration.sql

create function tenancy.withdraw_tenant_migration(version text)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration constant tenancy.tenant_migrations := tenancy.lock_tenant_migration(version);
    v_holders constant text[] := tenancy.tenants_with(v_migration);
    v_is_pooled constant boolean := not exists (
        select from public.tenants t where t.schema_name = any (v_holders) and t.status <> 'pooled'
    );
    v_later tenancy.tenant_migrations;
begin
    if cardinality(v_holders) > 0 and v_is_pooled then
        raise exception 'Tenant migration "%" cannot be withdrawn: % tenants of the pool have received it, and no other. Empty the pool: set tenancy.platform_settings.pool_size to 0 and run tenantry pool refill.',
            version, cardinality(v_holders)
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Set tenancy.platform_settings.pool_size to 0, call refill_tenant_pool until the pool is empty, and withdraw again.';
    end if;
    if cardinality(v_holders) > 0 then
        raise exception 'Tenant migration "%" cannot be withdrawn: % received it, such as "%". Replace it for the tenants that lack it, or register a migration that undoes it.',
            version,
            case cardinality(v_holders) when 1 then 'one tenant has' else cardinality(v_holders) || ' tenants have' end,
            v_holders[1]
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Replace it for the tenants that lack it, or register a migration that undoes it.';
    end if;
    perform tenancy.require_no_leftover_index(v_migration, 'withdrawn');

    -- With it go what is recorded of the reference schema, and the failures.
    delete from tenancy.tenant_migrations m where m.version = v_migration.version;
    -- Positions stay without gaps. One by one, because they are unique at any time.
    for v_later in
        select m.* from tenancy.tenant_migrations m where m.position > v_migration.position order by m.position
    loop
        update tenancy.tenant_migrations m
        set position = m.position - 1
        where m.version = v_later.version;
    end loop;
    perform tenancy.rebuild_reference(v_migration.position);

    return v_migration;
end;
$$;

comment on function tenancy.withdraw_tenant_migration(text) is
    'Removes a tenant migration that no tenant has received, builds the reference schema again without it, and returns it (PT404 migration_not_found, PT409 migration_received, PT422: invalid_request, migration_refused; 55P03).';

-- sql/20_tenancy/migrations/without_comments.sql

create function tenancy.without_comments(statements text, even_in_bodies boolean default false)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if statements !~ '--|/\*' then
        return statements;
    end if;

    return (
        select string_agg(
            case
                when t.kind = 'comment' then ' '
                when even_in_bodies and t.kind = 'literal' and b.parts is not null
                    then b.parts[1] || tenancy.without_comments(b.parts[2], even_in_bodies) || b.parts[3]
                else t.token
            end,
            '' order by t.place
        )
        from tenancy.sql_tokens(statements) with ordinality t (kind, token, place)
        cross join lateral regexp_match(t.token, '^([$][^$]*[$])(.*)([$][^$]*[$])$') b (parts)
    );
end;
$$;

comment on function tenancy.without_comments(text, boolean) is
    'The text of a tenant migration without its comments. Literals stay as they are; with even_in_bodies those in dollar quotes lose their comments too, for searches in the bodies of routines.';

-- sql/20_tenancy/pool/claim_pooled_tenant.sql

-- No DDL on tables and no reload: PostgREST knows the schema and its tables already. Callers at
-- the same time take different tenants, and none of them waits.
create function tenancy.claim_pooled_tenant(display_name text, created_by uuid)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_version constant text := tenancy.lock_latest_version();
    v_tenant public.tenants;
begin
    update public.tenants t
    set
        -- Entries about the time in the pool keep the old id, and the tenant's admins do not see them.
        id = gen_random_uuid(),
        display_name = coalesce(claim_pooled_tenant.display_name, t.schema_name),
        status = 'active',
        created_at = now(),
        created_by = claim_pooled_tenant.created_by,
        updated_at = now()
    where t.id = (
        select p.id
        from public.tenants p
        where p.status = 'pooled'
            and p.schema_version = v_version
            -- PostgREST has to know the tables, and SQL cannot see what PostgREST knows.
            and p.updated_at <= now() - (
                select make_interval(secs => s.pool_wait_seconds) from tenancy.platform_settings s
            )
            and exists (select from pg_catalog.pg_namespace n where n.nspname = p.schema_name)
            -- A grant that was there before would open the tenant to a stranger.
            and not exists (select from public.user_schema_access a where a.schema_name = p.schema_name)
        order by p.updated_at
        limit 1
        for update skip locked
    )
    returning * into v_tenant;

    return v_tenant;
end;
$$;

comment on function tenancy.claim_pooled_tenant(text, uuid) is
    'Makes an active tenant of one in the pool and returns it; null if none is ready. open_pooled_tenant opens it. Only after lock_users (55P03).';

-- sql/20_tenancy/pool/fill_pool.sql

-- All schemas of a call are exposed in one step at the end, because the exposure lock is the last
-- one. The call is short, because it keeps writers of shared tables waiting and needs some
-- hundred entries of PostgreSQL's lock table.
create function tenancy.fill_pool(at_most integer)
    returns text[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_until constant timestamptz := clock_timestamp() + interval '250 milliseconds';
    v_version constant text := tenancy.lock_latest_version();
    v_name text;
    v_made text[] := array[]::text[];
begin
    perform tenancy.refresh_catalog_statistics();
    while cardinality(v_made) < least(at_most, 10) and clock_timestamp() < v_until loop
        v_name := tenancy.opaque_schema_name();
        insert into public.tenants (schema_name, display_name, status, schema_version)
        values (v_name, v_name, 'pooled', v_version);
        perform tenancy.make_tenant_schema(v_name);
        v_made := v_made || v_name;
    end loop;

    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(tenancy.exposed_schemas() || v_made);

    return v_made;
end;
$$;

comment on function tenancy.fill_pool(integer) is
    'Makes tenants for the pool, at least one and as many as fit 250 ms, and returns their schema names (PT409 template_broken, 55P03).';

-- sql/20_tenancy/pool/open_pooled_tenant.sql

-- Grants on tables, and not on the schema: a grant on a schema makes every session forget its plans,
-- and the next request of each is planned anew.
create function tenancy.open_pooled_tenant(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Computing the privileges costs more than granting them.
    perform tenancy.run_creation_script(
        schema_name,
        (
            select s.grants
            from public.tenants t
            join tenancy.tenant_template_scripts s on s.version = t.schema_version
            where t.schema_name = open_pooled_tenant.schema_name
                and s.statements is not null
                and s.release = tenancy.release()
                and s.default_privileges = tenancy.default_privileges()
        )
    );
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        -- There is no script, or the tenant differs from it.
        perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.open_pooled_tenant(text) is
    'Grants what a tenant in the pool lacks: everything but usage of the schema. Only in the transaction that makes the tenant active.';

-- sql/20_tenancy/pool/pool_status.sql

create function tenancy.pool_status()
    returns public.tenantry_tenant_pool
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
    v_settings tenancy.platform_settings;
    v_count integer;
    v_pool public.tenantry_tenant_pool;
begin
    select * into strict v_settings from tenancy.platform_settings;
    v_pool.pool_size := v_settings.pool_size;
    v_pool.surplus := cardinality(tenancy.surplus_pooled_tenants());
    select count(*) filter (where t.schema_version = v_latest and t.updated_at <= w.until),
        count(*) filter (where t.schema_version = v_latest and t.updated_at > w.until),
        count(*) filter (where t.schema_version <> v_latest),
        count(*)
    into v_pool.ready, v_pool.waiting, v_pool.behind, v_count
    from public.tenants t
    cross join (select now() - make_interval(secs => v_settings.pool_wait_seconds)) w (until)
    where t.status = 'pooled';
    v_pool.missing := greatest(v_settings.pool_size - v_count + v_pool.surplus, 0);
    v_pool.made := 0;
    v_pool.removed := 0;

    return v_pool;
end;
$$;

comment on function tenancy.pool_status() is
    'The state of the pool, as get_tenant_pool returns it.';

-- sql/20_tenancy/pool/remove_pooled_tenant.sql

-- One tenant in a call: dropping a schema needs many entries of PostgreSQL's lock table, and the
-- exposure lock, which is the last one, at its end.
create function tenancy.remove_pooled_tenant(candidates uuid[])
    returns text[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    -- A tenant that is being taken or migrated stays.
    select t.* into v_tenant
    from public.tenants t
    where t.id = any (candidates) and t.status = 'pooled'
    order by array_position(candidates, t.id)
    limit 1
    for update skip locked;
    if v_tenant.id is null then
        return array[]::text[];
    end if;

    delete from public.tenants t where t.id = v_tenant.id;
    if to_regnamespace(v_tenant.schema_name) is null then
        perform tenancy.unexpose_schema(v_tenant.schema_name);
    else
        perform tenancy.drop_tenant_schema(v_tenant.schema_name);
    end if;

    return array[v_tenant.schema_name];
end;
$$;

comment on function tenancy.remove_pooled_tenant(uuid[]) is
    'Drops the first of these tenants that is still in the pool and free, and returns its schema name (55P03).';

-- sql/20_tenancy/pool/surplus_pooled_tenants.sql

create function tenancy.surplus_pooled_tenants()
    returns uuid[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with pool as (
        select t.id,
            row_number() over (
                -- Those that are ready stay.
                order by t.schema_version = tenancy.latest_tenant_version() desc, t.updated_at
            ) as place,
            not exists (select from pg_catalog.pg_namespace n where n.nspname = t.schema_name)
                or exists (select from tenancy.unfinished_migrations u where u.schema_name = t.schema_name)
                as is_unusable
        from public.tenants t
        where t.status = 'pooled'
    )
    select array(
        select p.id
        from pool p
        where p.is_unusable or p.place > (select s.pool_size from tenancy.platform_settings s)
        order by p.is_unusable desc, p.place desc
    );
$$;

comment on function tenancy.surplus_pooled_tenants() is
    'The tenants of the pool that are too many, and those that nobody can use, because a tenant migration has failed there or the schema is gone, by id.';

-- sql/20_tenancy/pre_request/calls_guard.sql

create function tenancy.calls_guard(pre_request oid)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select exists (
        select
        from pg_catalog.pg_proc p
        where p.oid = pre_request
            -- The guard reads the schema of the request from search_path.
            and not exists (
                select from unnest(p.proconfig) c (entry) where starts_with(c.entry, 'search_path=')
            )
            and (
                p.prosrc like '%tenancy.guard\_request%'
                -- A body of standard SQL is not kept as text.
                or exists (
                    select
                    from pg_catalog.pg_depend d
                    where d.classid = 'pg_proc'::regclass
                        and d.objid = p.oid
                        and d.refclassid = 'pg_proc'::regclass
                        and d.refobjid = 'tenancy.guard_request(text, tenancy.access_level)'::regprocedure
                )
            )
    );
$$;

comment on function tenancy.calls_guard(oid) is
    'Whether a pre-request function of the project calls the guard itself, with the search_path of the request.';

-- sql/20_tenancy/pre_request/find_pre_request.sql

-- Once the guard is installed, its setting hides that of the project. So install_guard writes
-- the project's into the comment of tenancy.pre_request(), unless the setting for all databases
-- still has it.
create function tenancy.find_pre_request(out function_name text, out setting text)
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_ours constant text[] := array['tenancy.guard_request', 'tenancy.pre_request'];
    v_here text;
    v_everywhere text;
    v_kept text;
begin
    select s.in_this_database, s.in_all_databases into v_here, v_everywhere
    from tenancy.pre_request_settings() s;
    v_kept := substring(
        obj_description(to_regprocedure('tenancy.pre_request()'), 'pg_proc')
        from '^Calls (.+), which the project has set for this database, and then the guard\.$'
    );

    if v_here <> all (v_ours) then
        function_name := v_here;
        setting := 'this database';
    elsif v_kept is not null then
        function_name := v_kept;
        setting := 'this database';
    elsif v_everywhere <> all (v_ours) then
        function_name := v_everywhere;
        setting := 'all databases';
    end if;

    if function_name = '' then
        function_name := null;
        setting := null;
    end if;
end;
$$;

comment on function tenancy.find_pre_request() is
    'The pre-request function of the project, and whether the project has set it for "this database" or for "all databases". Null if it has none.';

-- sql/20_tenancy/pre_request/grant_guard.sql

create function tenancy.grant_guard()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_role name;
begin
    for v_role in
        select r.name
        from tenancy.roles_without_guard() r (name)
    loop
        execute format('grant usage on schema tenancy to %I', v_role);
        execute format(
            'grant execute on function tenancy.guard_request(text, tenancy.access_level)%s to %I',
            case when to_regprocedure('tenancy.pre_request()') is not null then ', tenancy.pre_request()' end,
            v_role
        );
    end loop;
end;
$$;

comment on function tenancy.grant_guard() is
    'Lets the API roles of the project execute the guard, before each of their requests. It refuses them every tenant, and lets other requests pass.';

-- sql/20_tenancy/pre_request/install_guard.sql

create function tenancy.install_guard()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_name text;
    v_setting text;
    v_function oid;
    v_excluded text;
    v_unset text;
    v_installed text := 'tenancy.guard_request';
begin
    -- Two transactions that alter a role fail with "tuple concurrently updated".
    perform tenancy.lock_exposure();
    select f.function_name, f.setting into v_name, v_setting from tenancy.find_pre_request() f;

    if v_name is null then
        v_unset := tenancy.unset_pre_request();
        if v_unset is not null then
            raise warning 'The Data API does not call % any more, because the role authenticator has no setting for it. To have it called again: alter role authenticator set pgrst.db_pre_request = %; select tenancy.install_guard();',
                v_unset, quote_literal(v_unset);
        end if;
        if to_regprocedure('tenancy.pre_request()') is not null then
            drop function tenancy.pre_request();
        end if;
    else
        v_function := tenancy.resolve_pre_request(v_name);
        -- A push shows no hint of an error.
        if v_function is null then
            raise exception 'The pre-request function of this project, %, does not exist, so the Data API can answer no request. Create it, or remove its setting from the role authenticator, then try again.',
                v_name using errcode = 'undefined_function';
        end if;

        select string_agg(r.name, ' and ' order by r.name) into v_excluded
        from unnest(array['anon', 'authenticated', 'service_role']) r (name)
        join pg_catalog.pg_proc p on p.oid = v_function
        where not has_function_privilege(r.name, p.oid, 'execute')
            or not has_schema_privilege(r.name, p.pronamespace, 'usage');
        if v_excluded is not null then
            raise warning 'The pre-request function of this project, %, cannot be executed by %. The Data API refuses every request of such a caller. To change that, grant execute on the function and usage on its schema.',
                v_name, v_excluded;
        end if;

        if tenancy.calls_guard(v_function) and v_name = (
            select coalesce(s.in_this_database, s.in_all_databases) from tenancy.pre_request_settings() s
        ) then
            perform tenancy.grant_guard();
            return;
        end if;

        execute format(
            'create or replace function tenancy.pre_request() returns void '
            'volatile security invoker language plpgsql as %L',
            tenancy.pre_request_source(v_function)
        );
        execute format(
            'comment on function tenancy.pre_request() is %L',
            format('Calls %s, which the project has set for %s, and then the guard.', v_name, v_setting)
        );
        revoke all on function tenancy.pre_request() from public, anon, authenticated, service_role;
        grant execute on function tenancy.pre_request() to anon, authenticated, service_role;
        v_installed := 'tenancy.pre_request';
    end if;

    perform tenancy.grant_guard();
    execute format(
        'alter role authenticator in database %I set pgrst.db_pre_request = %L',
        current_database(), v_installed
    );
    perform pg_notify('pgrst', 'reload config');
end;
$$;

comment on function tenancy.install_guard() is
    'Has the Data API call the guard before each request. If the project has a pre-request function, the Data API calls tenancy.pre_request(), which this function makes: it calls the project''s function and then the guard. API roles of the project may execute the guard. A repeat changes nothing. If the project''s function is missing, raises 42883. If the project shall have none any more: drop function tenancy.pre_request(), then call this function.';

-- sql/20_tenancy/pre_request/pre_request_settings.sql

create function tenancy.pre_request_settings(out in_this_database text, out in_all_databases text)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        max(e.name) filter (where s.setdatabase <> 0),
        max(e.name) filter (where s.setdatabase = 0)
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    cross join substr(c.entry, length('pgrst.db_pre_request=') + 1) e (name)
    where s.setrole = 'authenticator'::regrole
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and starts_with(c.entry, 'pgrst.db_pre_request=');
$$;

comment on function tenancy.pre_request_settings() is
    'The function that the Data API calls before each request, by the settings of PostgREST''s role. The first setting overrides the second one, also with an empty text.';

-- sql/20_tenancy/pre_request/pre_request_source.sql

create function tenancy.pre_request_source(pre_request oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        $body$
declare
    -- First: the function of the project may change search_path.
    v_path constant pg_catalog.text := pg_catalog.current_setting('search_path');
begin
    perform %I.%I();
    perform tenancy.guard_request(v_path);
end;
$body$,
        n.nspname, p.proname
    )
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.oid = pre_request;
$$;

comment on function tenancy.pre_request_source(oid) is
    'The body of tenancy.pre_request() for this pre-request function of the project.';

-- sql/20_tenancy/pre_request/resolve_pre_request.sql

-- PostgREST takes what comes before the first dot as the schema and quotes both parts. Without
-- a dot the request's search_path decides, which ends with these two schemas.
create function tenancy.resolve_pre_request(function_name text)
    returns oid
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select p.oid
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.prokind = 'f'
        -- Callable without arguments.
        and p.pronargs = p.pronargdefaults
        and p.proname = substr(function_name, strpos(function_name, '.') + 1)
        and case
            when strpos(function_name, '.') > 0 then n.nspname = split_part(function_name, '.', 1)
            else n.nspname in ('public', 'extensions')
        end
    order by n.nspname = 'public' desc, p.pronargs
    limit 1;
$$;

comment on function tenancy.resolve_pre_request(text) is
    'The function that PostgREST calls by this name; null if there is none.';

-- sql/20_tenancy/pre_request/roles_without_guard.sql

-- A project may have API roles of its own. A member of anon inherits what the guard needs.
create function tenancy.roles_without_guard()
    returns setof name
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select r.rolname
    from pg_catalog.pg_roles r
    where pg_has_role('authenticator', r.oid, 'member')
        and r.rolname <> all ('{authenticator,anon,authenticated,service_role}')
        and not r.rolname ~ '^pg_'
        and not (
            has_schema_privilege(r.oid, 'tenancy', 'usage')
            and has_function_privilege(r.oid, 'tenancy.guard_request(text, tenancy.access_level)', 'execute')
            and coalesce(has_function_privilege(r.oid, to_regprocedure('tenancy.pre_request()'), 'execute'), true)
        )
    order by 1;
$$;

comment on function tenancy.roles_without_guard() is
    'The roles of the project that the Data API may take on, and whose requests all fail, because they cannot execute the guard.';

-- sql/20_tenancy/pre_request/unset_pre_request.sql

create function tenancy.unset_pre_request()
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select l.name
    from tenancy.find_pre_request() f
    cross join substring(
        obj_description(to_regprocedure('tenancy.pre_request()'), 'pg_proc')
        from '^Calls (.+), which the project has set for all databases, and then the guard\.$'
    ) l (name)
    where f.function_name is null
        and tenancy.resolve_pre_request(l.name) is not null;
$$;

comment on function tenancy.unset_pre_request() is
    'The function of the project that tenancy.pre_request() was made for, if it still exists and the project has no setting for a pre-request function any more; otherwise null.';

-- sql/20_tenancy/privileges/apply_tenant_privileges.sql

-- The only function that grants privileges in a tenant, beside open_pooled_tenant. It changes only what grant_differences
-- reports, because writing all privileges again would cost more the larger the schema is.
create function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    -- The privilege on the schema is revoked first and granted last.
    with wrong as materialized (
        select g.* from tenancy.grant_differences(schema_name) g
    ),
    statements as (
        select 1 as step, w.object_kind,
            format('revoke all on %s %s from %s;',
                w.object_kind, string_agg(w.object_name, ', '), w.grantee) as statement
        from wrong w
        where w.found is not null
        group by w.object_kind, w.grantee
        union all
        select 2, o.object_kind,
            format('grant %s on %s %s to %s;',
                o.expected, o.object_kind, string_agg(o.object_name, ', '), o.grantees)
        from (
            select w.object_kind, w.object_name, w.expected, string_agg(w.grantee, ', ' order by w.grantee) as grantees
            from wrong w
            where w.expected is not null
            group by w.object_kind, w.object_name, w.expected
        ) o
        group by o.object_kind, o.expected, o.grantees
    )
    select string_agg(
        s.statement, ' '
        order by s.step, case s.step when 1 then s.object_kind <> 'schema' else s.object_kind = 'schema' end
    )
    into v_statements
    from statements s;

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.apply_tenant_privileges(text) is
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to what grant_differences expects. Only under lock_tenant.';

-- sql/20_tenancy/privileges/close_policies.sql

create function tenancy.close_policies(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    select string_agg(
        format(
            'create policy %I on %s as restrictive for %s to authenticated %s;',
            u.policy_name, u.relation::regclass, u.verb,
            format(
                case u.verb
                    when 'insert' then 'with check (%s)'
                    when 'update' then 'using (%1$s) with check (%1$s)'
                    else 'using (%s)'
                end,
                tenancy.policy_test(schema_name, u.level)
            )
        ),
        ' '
    )
    into v_statements
    from tenancy.unclosed_policies(schema_name) u
    -- A tenant may have tables of its own. What this transaction has written is the migration's.
    where u.is_new
        -- A policy of this name that does not ask is refused in the reference schema.
        and not exists (
            select from pg_catalog.pg_policy p where p.polrelid = u.relation and p.polname = u.policy_name
        );

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.close_policies(text) is
    'Adds restrictive policies that ask for membership to the tables of a schema for which this transaction has written permissive policies that do not ask for it: members read, writers write.';

-- sql/20_tenancy/privileges/close_reference.sql

create function tenancy.close_reference()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    alter default privileges in schema tenant_template
        revoke select, insert, update, delete on tables from authenticated, service_role;
    alter default privileges in schema tenant_template
        revoke select, usage on sequences from authenticated, service_role;
    perform tenancy.apply_tenant_privileges('tenant_template');
end;
$$;

comment on function tenancy.close_reference() is
    'Takes back everything that open_reference has granted in the reference schema.';

-- sql/20_tenancy/privileges/enable_tenant_table.sql

create function tenancy.enable_tenant_table(
    schema_name text,
    table_name text,
    reads tenancy.access_level default 'read',
    writes tenancy.access_level default 'write',
    audited boolean default true
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_read_test constant text := tenancy.policy_test(schema_name, reads);
    v_write_test constant text := tenancy.policy_test(schema_name, writes);
begin
    execute format(
        'alter table %1$I.%2$I enable row level security;'
        'create policy %3$I on %1$I.%2$I for select to authenticated using (%4$s);',
        schema_name, table_name, 'select_' || tenancy.policy_suffix(reads), v_read_test
    );

    if writes is not null then
        execute format(
            'create policy %3$I on %1$I.%2$I for insert to authenticated with check (%6$s);'
            'create policy %4$I on %1$I.%2$I for update to authenticated using (%6$s) with check (%6$s);'
            'create policy %5$I on %1$I.%2$I for delete to authenticated using (%6$s);',
            schema_name, table_name,
            'insert_' || tenancy.policy_suffix(writes),
            'update_' || tenancy.policy_suffix(writes),
            'delete_' || tenancy.policy_suffix(writes),
            v_write_test
        );
    end if;

    if audited then
        perform tenancy.audit_table(schema_name, table_name);
    else
        perform tenancy.leave_unaudited(schema_name, table_name);
    end if;
end;
$$;

comment on function tenancy.enable_tenant_table(text, text, tenancy.access_level, tenancy.access_level, boolean) is
    'Turns a table into a tenant table: enables row level security, and creates the audit triggers and the policies that let these access levels read and write. If writes is null, nobody can write through the API. The privileges follow from the policies: call apply_tenant_privileges afterwards.';

-- sql/20_tenancy/privileges/grant_differences.sql

-- The expected privileges follow from the registry and the catalog alone, so a tenant that is
-- suspended and activated has the same privileges as before. Objects are read from pg_depend,
-- which has an index by schema, so that other schemas cost nothing.
create function tenancy.grant_differences(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    -- The API roles, and PUBLIC, which is 0. other_grants reports the others.
    v_grantees constant oid[] := array['anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole] || 0::oid;
    v_version text;
    v_position integer;
    v_is_pooled boolean;
begin
    v_is_pooled := exists (
        select from public.tenants t where t.schema_name = grant_differences.schema_name and t.status = 'pooled'
    );
    select m.version, m.position into v_version, v_position
    from public.tenants t
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where t.schema_name = grant_differences.schema_name and t.status = 'active';

    return query
    with limits as materialized (
        select l.* from tenancy.tenant_template_limits l where l.version = v_version
    ),
    objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name,
            null::text as own_name, null::oid as relation, n.nspacl as acl, 'usage' as verbs
        -- Expected even if the schema is missing: the grant then fails, and opens nothing.
        from (select) tenant
        left join pg_catalog.pg_namespace n on n.oid = v_namespace
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
            c.relname::text, c.oid, c.relacl,
            -- Privileges follow the policies: a table without policies stays unreachable.
            case
                when v_position is null then null
                when c.relkind in ('r', 'p') and c.relrowsecurity then tenancy.policy_verbs(c.oid)
                when c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions) then tenancy.view_verbs(c.oid)
                when c.relkind = 'S' then tenancy.sequence_verbs(c.oid)
            end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and c.relkind <> 'c'
        union all
        -- PostgreSQL lets everybody execute a new routine.
        select 'routine', p.oid::regprocedure::text,
            p.proname::text, null, coalesce(p.proacl, acldefault('f', p.proowner)),
            case when exists (
                select from tenancy.tenant_migrations m
                where m.position <= v_position and p.proname = any (m.callable_routines)
            )
            -- A migration means its own routine, not another one of that name.
            and not exists (
                select from tenancy.tenants_own_objects w
                where w.schema_name = grant_differences.schema_name
                    and w.object_kind = 'routine'
                    and w.object_name = format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
            ) then 'execute' end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_proc'::regclass
            -- PostgreSQL makes the constructors of a range type. They belong to a superuser, and only
            -- return a value.
            and not exists (
                select from pg_catalog.pg_depend i
                where i.classid = 'pg_proc'::regclass and i.objid = p.oid and i.deptype = 'i'
            )
    )
    select o.object_kind, o.object_name, g.grantee, g.expected, g.found
    from objects o
    cross join lateral (
        select case v.grantee when 0 then 'public' else v.grantee::regrole::text end as grantee,
            string_agg(v.verb, ', ' order by v.verb) filter (where v.is_due) as expected,
            string_agg(v.verb, ', ' order by v.verb) filter (where not v.is_due) as found
        from (
            select r.oid, e.verb, true
            from unnest(array['authenticated'::regrole::oid, 'service_role'::regrole]) r (oid)
            cross join string_to_table(o.verbs, ', ') e (verb)
            -- Of a tenant in the pool only the schema: open_pooled_tenant grants the rest.
            where (v_position is not null or (v_is_pooled and o.object_kind = 'schema'))
                and not exists (
                    select
                    from limits l
                    where l.object_kind = o.object_kind
                        and l.object_name = o.own_name
                        and l.grantee::regrole = r.oid
                        and l.privilege = e.verb
                )
            union all
            select l.grantee::regrole, format('%s (%I)', e.verb, c.attname), true
            from string_to_table(o.verbs, ', ') e (verb)
            join limits l on l.object_kind = o.object_kind and l.object_name = o.own_name and l.privilege = e.verb
            join pg_catalog.pg_attribute c on c.attrelid = o.relation
            where c.attnum > 0
                and not c.attisdropped
                -- A column of the tenant's own is beside the template.
                and (c.attname = any (l.columns) or (c.attname like 'x\_%' and cardinality(l.columns) > 0))
            union all
            select a.grantee, lower(a.privilege_type), false
            from aclexplode(o.acl) a
            where a.grantee = any (v_grantees)
            union all
            -- Revoking the privileges on the table revokes those on its columns.
            select a.grantee, format('%s (%I)', lower(a.privilege_type), c.attname), false
            from pg_catalog.pg_attribute c
            cross join aclexplode(c.attacl) a
            where c.attrelid = o.relation and a.grantee = any (v_grantees)
        ) v (grantee, verb, is_due)
        group by v.grantee
    ) g
    where g.expected is distinct from g.found;
end;
$$;

comment on function tenancy.grant_differences(text) is
    'The privileges in a tenant that differ from the expected ones, by object and role. Expected for authenticated and service_role: nothing in a suspended tenant; only usage of the schema in one of the pool; the commands of each table''s policies, and those that a view can serve, without what a migration has revoked or limited to columns; execute on the routines that a migration declared callable. Expected for anon and PUBLIC: nothing.';

-- sql/20_tenancy/privileges/open_policies.sql

-- A condition that asks neither a row nor a table has one answer for all members and strangers.
-- pg_node_tree shows what a condition reads: columns as VAR, tables as rtekind 0.
create function tenancy.open_policies(
    schema_name text,
    out policy_name text,
    out table_name text,
    out condition text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select p.polname::text, c.relname::text, pg_get_expr(e.tree, p.polrelid)
    from unnest(tenancy.table_oids(schema_name)) t (oid)
    join pg_catalog.pg_class c on c.oid = t.oid
    join pg_catalog.pg_policy p on p.polrelid = c.oid
    cross join lateral (
        select p.polqual where p.polcmd <> 'a'
        union all
        -- Without a check, the condition of USING decides.
        select coalesce(p.polwithcheck, p.polqual) where p.polcmd in ('a', 'w', '*')
    ) e (tree)
    where p.polpermissive
        and p.polroles && array[0::oid, 'anon'::regrole, 'authenticated'::regrole]
        and e.tree::text !~ '\{VAR |:rtekind 0 '
        and pg_get_expr(e.tree, p.polrelid) <> 'false'
        -- A routine of the project may ask the rest. Those of PostgreSQL are not in pg_depend, and
        -- those of Auth only say that somebody has signed in.
        and not exists (
            select
            from pg_catalog.pg_depend d
            join pg_catalog.pg_proc f on f.oid = d.refobjid
            where d.classid = 'pg_policy'::regclass
                and d.objid = p.oid
                and d.refclassid = 'pg_proc'::regclass
                and f.pronamespace <> 'auth'::regnamespace
        )
    order by c.relname, p.polname;
$$;

comment on function tenancy.open_policies(text) is
    'The permissive policies of a schema for signed-in users whose condition is the same for members and strangers.';

-- sql/20_tenancy/privileges/open_reference.sql

-- REVOKE leaves no trace where nothing is granted. So the reference schema has privileges while a
-- migration runs in it, and new objects get them at once. No role reaches the schema, because
-- USAGE on it is not granted, and nothing of this is committed.
create function tenancy.open_reference(version text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statement text;
begin
    for v_statement in
        select 'alter default privileges in schema tenant_template '
            || 'grant select, insert, update, delete on tables to authenticated, service_role'
        union all
        select 'alter default privileges in schema tenant_template '
            || 'grant select, usage on sequences to authenticated, service_role'
        union all
        select 'grant select, insert, update, delete on all tables in schema tenant_template to authenticated, service_role'
        union all
        select 'grant select, usage on all sequences in schema tenant_template to authenticated, service_role'
        union all
        select format('grant execute on routine %s to authenticated, service_role', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'tenant_template'::regnamespace
            and exists (select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines))
            and not exists (
                select
                from tenancy.tenant_template_limits l
                where l.version = open_reference.version and l.object_kind = 'routine' and l.object_name = p.proname
            )
    loop
        execute v_statement;
    end loop;

    for v_statement in
        select format(
            'revoke %s on %s tenant_template.%I from %I; ',
            l.privilege, l.object_kind, l.object_name, l.grantee
        ) || case when cardinality(l.columns) > 0 then format(
            'grant %s (%s) on tenant_template.%I to %I',
            l.privilege, (select string_agg(quote_ident(c.name), ', ') from unnest(l.columns) c (name)),
            l.object_name, l.grantee
        ) else '' end
        from tenancy.tenant_template_limits l
        where l.version = open_reference.version and l.object_kind <> 'routine'
    loop
        execute v_statement;
    end loop;
end;
$$;

comment on function tenancy.open_reference(text) is
    'Grants on the objects of the reference schema whatever a policy could allow, except what the migrations up to this version have revoked. Only until record_limits, in the same transaction.';

-- sql/20_tenancy/privileges/policy_suffix.sql

create function tenancy.policy_suffix(level tenancy.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select case level when 'read' then 'member' when 'write' then 'writer' else 'admin' end;
$$;

comment on function tenancy.policy_suffix(tenancy.access_level) is
    'The suffix of a policy''s name for an access level, as in select_member, insert_writer and update_admin.';

-- sql/20_tenancy/privileges/policy_test.sql

create function tenancy.policy_test(schema_name text, level tenancy.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- An uncorrelated subselect, so that PostgreSQL evaluates it once a statement and not once a
    -- row.
    select format(
        'exists (select from tenancy.open_tenants o where o.schema_name = %L and o.access_level >= %L)',
        schema_name, level
    );
$$;

comment on function tenancy.policy_test(text, tenancy.access_level) is
    'The condition of every policy on a tenant''s tables, as SQL.';

-- sql/20_tenancy/privileges/policy_verbs.sql

create function tenancy.policy_verbs(relation oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select string_agg(v.verb, ', ' order by v.verb)
        from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) v (command, verb)
        where exists (
            select from pg_catalog.pg_policy p
            where p.polrelid = relation
                and p.polcmd::text in (v.command, '*')
                and 'authenticated'::regrole = any (p.polroles)
        )
    );
end;
$$;

comment on function tenancy.policy_verbs(oid) is
    'The commands for which a table has a policy for signed-in users, as GRANT lists them; null if there is none.';

-- sql/20_tenancy/privileges/privileges_digest.sql

-- All that the privileges in a schema depend on, beside its objects. Names of the tenant itself
-- are left out, so that two tenants can have the same digest.
-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.privileges_digest(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- Each step reads few rows by index.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_text text;
begin
    select string_agg(format('%s %L %s', o.kind, o.name, o.state), ' ' order by o.kind, o.name, o.state)
    into v_text
    from (
        select 'schema' as kind, '' as name, concat_ws(' ', n.nspacl::text, n.nspowner::regrole) as state
        from pg_catalog.pg_namespace n
        where n.oid = v_schema
        union all
        select 'relation', c.relname::text, concat_ws(' ', c.relacl::text, c.relowner::regrole)
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_class'::regclass
        union all
        select 'column', format('%I.%I', c.relname, a.attname), a.attacl::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        join pg_catalog.pg_attribute a on a.attrelid = c.oid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_class'::regclass
            and a.attacl is not null
        union all
        -- The owner has the privileges that are not written down. schema_objects leaves out the
        -- attributes of an audit routine.
        select 'routine',
            format(
                '%I(%s)', p.proname,
                replace(pg_get_function_identity_arguments(p.oid), quote_ident(schema_name) || '.', '')
            ),
            concat_ws(
                ' ', p.proacl::text, p.proowner::regrole, p.prosecdef, 'search_path=""' = any (p.proconfig),
                (
                    select string_agg(e.deptype::text, '' order by e.deptype)
                    from pg_catalog.pg_depend e
                    where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
                )
            )
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_proc'::regclass
        union all
        select 'type', t.typname::text, t.typowner::regrole::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_type t on t.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_type'::regclass
    ) o;

    return encode(sha256(convert_to(v_text, 'UTF8')), 'hex');
end;
$$;

comment on function tenancy.privileges_digest(text) is
    'A hash of the owners and privileges in a schema, with the attributes of its routines. Two tenants with equal objects and equal digests give the same privileges to the same roles.';

-- sql/20_tenancy/privileges/record_limits.sql

-- What the reference schema has lost since open_reference, or has on columns alone, is what the
-- migration means to limit. Suspending, activating and creating a tenant compute privileges from
-- the policies, so without this record they would give back what the migration took away.
create function tenancy.record_limits(migration tenancy.tenant_migrations, objects_before oid[])
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    insert into tenancy.tenant_template_limits (version, object_kind, object_name, grantee, privilege, columns)
    with objects as materialized (
        select case c.relkind when 'S' then 'sequence' else 'table' end as kind, c.relname::text as name,
            c.oid, c.relacl as acl,
            case c.relkind when 'S' then '{select,usage}' else '{select,insert,update,delete}' end::text[] as verbs
        from pg_catalog.pg_class c
        where c.relnamespace = 'tenant_template'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
        union all
        -- A new routine has nothing to lose, and a migration that declares a routine callable
        -- opens it again.
        select 'routine', p.proname, p.oid, coalesce(p.proacl, acldefault('f', p.proowner)), '{execute}'
        from pg_catalog.pg_proc p
        where p.pronamespace = 'tenant_template'::regnamespace
            and p.oid = any (objects_before)
            and p.proname <> all (migration.callable_routines)
            and exists (select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines))
    ),
    states as (
        select o.kind, o.name, g.grantee, v.verb, o.oid = any (objects_before) as is_old,
            exists (
                select from aclexplode(o.acl) a
                where a.grantee = g.grantee::regrole and lower(a.privilege_type) = v.verb
            ) as is_whole,
            array(
                select c.attname::text
                from pg_catalog.pg_attribute c
                cross join aclexplode(c.attacl) a
                where c.attrelid = o.oid
                    and not c.attisdropped
                    and a.grantee = g.grantee::regrole
                    and lower(a.privilege_type) = v.verb
                order by c.attname
            ) as columns
        from objects o
        cross join (values ('authenticated'), ('service_role')) g (grantee)
        cross join unnest(o.verbs) v (verb)
    )
    select distinct on (s.kind, s.name, s.grantee, s.verb)
        migration.version, s.kind, s.name, s.grantee, s.verb, s.columns
    from states s
    left join tenancy.tenant_template_limits b
        on b.version = (
            select m.version
            from tenancy.tenant_migrations m
            where m.position < migration.position
            order by m.position desc
            limit 1
        )
        and b.object_kind = s.kind
        and b.object_name = s.name
        and b.grantee = s.grantee
        and b.privilege = s.verb
    where not s.is_whole
        -- Columns count more than the whole table, which a new table has without being asked for.
        -- But a migration may grant the whole table again.
        or (cardinality(s.columns) > 0 and not (s.is_old and b.version is not null))
    order by s.kind, s.name, s.grantee, s.verb, cardinality(s.columns);
end;
$$;

comment on function tenancy.record_limits(tenancy.tenant_migrations, oid[]) is
    'Records the privileges that a tenant migration has revoked, or limited to columns, in tenant_template_limits. objects_before are the relations and routines of the reference schema before the migration.';

-- sql/20_tenancy/privileges/require_keepable_grants.sql

-- Privileges in a tenant follow from its status, its policies and the declared routines. A
-- migration that grants more would lose it at once, without a word.
create function tenancy.require_keepable_grants(migration tenancy.tenant_migrations)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    with granted as (
        select 'table' as kind, c.relname::text as name, a.grantee
        from pg_catalog.pg_class c
        cross join aclexplode(c.relacl) a
        where c.relnamespace = 'tenant_template'::regnamespace
        union
        select 'table', c.relname, a.grantee
        from pg_catalog.pg_class c
        join pg_catalog.pg_attribute t on t.attrelid = c.oid
        cross join aclexplode(t.attacl) a
        where c.relnamespace = 'tenant_template'::regnamespace
        union
        select 'routine', p.proname, a.grantee
        from pg_catalog.pg_proc p
        cross join aclexplode(p.proacl) a
        where p.pronamespace = 'tenant_template'::regnamespace
            -- PostgreSQL lets PUBLIC execute a new routine.
            and a.grantee <> 0
    )
    select case g.kind
        when 'routine' then format(
            'grants EXECUTE on the routine "%s". Name the routine in the fourth argument instead, array[%L], so that the API may call it while a tenant is active',
            g.name, g.name
        )
        else format(
            'grants privileges on "%s" to %s. Nobody reaches a tenant without signing in: grant to authenticated',
            g.name, case g.grantee when 0 then 'PUBLIC' else g.grantee::regrole::text end
        )
    end
    into v_problem
    from granted g
    where (
            g.grantee in (0, 'anon'::regrole)
            or (
                g.kind = 'routine'
                and g.grantee in ('authenticated'::regrole, 'service_role'::regrole)
                and not exists (
                    select from tenancy.tenant_migrations m
                    where m.position <= migration.position and g.name = any (m.callable_routines)
                )
            )
        )
        -- Default privileges of the project for every schema are no statement of the migration.
        and not exists (
            select
            from pg_catalog.pg_default_acl d
            cross join aclexplode(d.defaclacl) a
            where d.defaclnamespace = 0
                and d.defaclobjtype = any (case g.kind when 'routine' then '{f}' else '{r,S}' end::"char"[])
                and a.grantee = g.grantee
        )
    order by g.kind, g.name
    limit 1;

    if v_problem is null then
        select format(
            'has an INSTEAD OF trigger on the view "%s" whose function "%s" is security definer. It would write with the rights of its owner, past every policy. Make the function security invoker',
            c.relname, p.proname
        )
        into v_problem
        from pg_catalog.pg_trigger g
        join pg_catalog.pg_class c on c.oid = g.tgrelid
        join pg_catalog.pg_proc p on p.oid = g.tgfoid
        where c.relnamespace = 'tenant_template'::regnamespace and c.relkind = 'v' and p.prosecdef
        order by c.relname, g.tgname
        limit 1;
    end if;

    if v_problem is not null then
        raise exception 'Tenant migration % %.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was registered. Change the tenant migration.';
    end if;
end;
$$;

comment on function tenancy.require_keepable_grants(tenancy.tenant_migrations) is
    'Refuses a tenant migration that grants what a tenant never has: anything to anon or PUBLIC, or a routine that is not declared callable; and a view that would be written with its owner''s rights (55000). Only between open_reference and apply_tenant_privileges.';

-- sql/20_tenancy/privileges/sequence_verbs.sql

-- A serial column and a nextval() of a migration need USAGE on the sequence for each insert. An
-- identity column needs it where PostgREST writes its default as an expression (missing=default).
-- USAGE allows nextval and no setval.
create function tenancy.sequence_verbs(sequence oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- By the sequence alone. With the kind of the dependent in the same condition, PostgreSQL may
    -- read the defaults of all tenants.
    v_defaults constant oid[] := array(
        with dependents as materialized (
            select d.classid, d.objid
            from pg_catalog.pg_depend d
            where d.refclassid = 'pg_class'::regclass and d.refobjid = sequence
        )
        select d.objid from dependents d where d.classid = 'pg_attrdef'::regclass
    );
begin
    return case when exists (
        select
        from (
            select d.refobjid as relation
            from pg_catalog.pg_depend d
            join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass
                and d.objid = sequence
                and d.refclassid = 'pg_class'::regclass
                -- Nobody can give a number to a column that is always generated.
                and (d.deptype = 'a' or (d.deptype = 'i' and a.attidentity = 'd'))
            union all
            -- A default depends on the sequence that it reads, and on its own column.
            select d.refobjid
            from pg_catalog.pg_depend d
            where d.classid = 'pg_attrdef'::regclass
                and d.objid = any (v_defaults)
                and d.refclassid = 'pg_class'::regclass
                and d.deptype = 'a'
        ) t
        join pg_catalog.pg_class c on c.oid = t.relation
        join pg_catalog.pg_class s on s.oid = sequence and s.relnamespace = c.relnamespace
        where c.relrowsecurity and tenancy.policy_verbs(c.oid) ~ 'insert|update'
    ) then 'usage' end;
end;
$$;

comment on function tenancy.sequence_verbs(oid) is
    'The privileges on a sequence that writers of its tables need, as GRANT lists them: usage if signed-in users can write a table that the sequence belongs to or numbers; otherwise null.';

-- sql/20_tenancy/privileges/unclosed_policies.sql

-- The policies of a migration say which rows a user may see, and a user who is no member, or no
-- longer, may own rows. A restrictive policy has to stop them.
create function tenancy.unclosed_policies(
    schema_name text,
    out relation oid,
    out verb text,
    out level tenancy.access_level,
    out policy_name text,
    out is_new boolean
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select c.oid, v.verb, v.level, 'only_' || v.verb || '_' || tenancy.policy_suffix(v.level), w.is_new
    from unnest(tenancy.table_oids(schema_name)) t (oid)
    join pg_catalog.pg_class c on c.oid = t.oid
    cross join (
        values
        ('r', 'select', 'read'::tenancy.access_level),
        ('a', 'insert', 'write'),
        ('w', 'update', 'write'),
        ('d', 'delete', 'write')
    ) v (command, verb, level)
    cross join lateral (
        select bool_or(tenancy.is_written_now(p.xmin)) as is_new
        from pg_catalog.pg_policy p
        cross join lateral (
            select p.polqual where v.command <> 'a'
            union all
            -- Without a check, the condition of USING decides.
            select coalesce(p.polwithcheck, p.polqual) where v.command in ('a', 'w')
        ) e (tree)
        where p.polrelid = c.oid
            and p.polcmd::text in (v.command, '*')
            and p.polpermissive
            and p.polroles && array[0::oid, 'authenticated'::regrole]
            and pg_get_expr(e.tree, p.polrelid) !~ 'tenancy\.open_tenants|^false$'
    ) w
    -- Nobody has a privilege that only policies to PUBLIC would justify.
    where strpos(tenancy.policy_verbs(c.oid), v.verb) > 0
        and w.is_new is not null
        and not exists (
            select
            from pg_catalog.pg_policy p
            where p.polrelid = c.oid
                and p.polcmd::text in (v.command, '*')
                and not p.polpermissive
                and p.polroles && array[0::oid, 'authenticated'::regrole]
                and (v.command = 'a' or pg_get_expr(p.polqual, p.polrelid) ~ 'tenancy\.open_tenants')
                and (
                    v.command not in ('a', 'w')
                    or pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid) ~ 'tenancy\.open_tenants'
                )
        );
end;
$$;

comment on function tenancy.unclosed_policies(text) is
    'The commands for which permissive policies of a table do not ask for membership, and no restrictive policy does: each with the access level and the name of the policy that is missing. is_new says that this transaction has written such a permissive policy.';

-- sql/20_tenancy/privileges/unexecutable_routines.sql

-- PostgreSQL checks whether the user who reads or writes may execute what an expression calls.
create function tenancy.unexecutable_routines(
    schema_name text,
    out used_by text,
    out routine text,
    out own_name text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
begin
    return query
    with tables as materialized (
        select t.oid, tenancy.policy_verbs(t.oid) as verbs
        from unnest(tenancy.table_oids(schema_name)) t (oid)
    ),
    -- What members start by reading or writing. Members write no table without such a policy.
    users as (
        select 'pg_constraint'::regclass as catalog, k.oid, 0::oid as trigger_routine
        from tables t
        join pg_catalog.pg_constraint k on k.conrelid = t.oid
        where t.verbs ~ 'insert|update' and k.contype in ('c', 'x')
        union all
        -- Defaults and generated columns.
        select 'pg_attrdef'::regclass, d.oid, 0
        from tables t
        join pg_catalog.pg_attrdef d on d.adrelid = t.oid
        where t.verbs ~ 'insert|update'
        union all
        -- Indexes with expressions or conditions.
        select 'pg_class'::regclass, i.indexrelid, 0
        from tables t
        join pg_catalog.pg_index i on i.indrelid = t.oid
        where t.verbs ~ 'insert|update'
        union all
        -- The keys of partitions.
        select 'pg_class'::regclass, t.oid, 0
        from tables t
        where t.verbs ~ 'insert|update'
        union all
        -- The condition of a trigger, and not its function, which nobody needs to execute.
        select 'pg_trigger'::regclass, g.oid, g.tgfoid
        from tables t
        join pg_catalog.pg_trigger g on g.tgrelid = t.oid
        where t.verbs ~ 'insert|update|delete' and not g.tgisinternal and g.tgqual is not null
        union all
        select 'pg_policy'::regclass, p.oid, 0
        from tables t
        join pg_catalog.pg_policy p on p.polrelid = t.oid
        where p.polroles && array[0::oid, 'authenticated'::regrole]
        union all
        select 'pg_constraint'::regclass, k.oid, 0
        from pg_catalog.pg_type y
        join pg_catalog.pg_constraint k on k.contypid = y.oid
        where y.typnamespace = v_namespace
        union all
        select 'pg_rewrite'::regclass, r.oid, 0
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'v'
        join pg_catalog.pg_rewrite r on r.ev_class = c.oid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
    ),
    calls as (
        select u.catalog, u.oid, coalesce(o.oprcode::oid, d.refobjid) as routine
        from users u
        join pg_catalog.pg_depend d
            on d.classid = u.catalog
            and d.objid = u.oid
            and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
            and d.refobjid <> u.trigger_routine
        left join pg_catalog.pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
    )
    select distinct
        replace(
            case c.catalog
                -- A view is a rule for PostgreSQL.
                when 'pg_rewrite'::regclass then (
                    select pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                    from pg_catalog.pg_rewrite r
                    where r.oid = c.oid
                )
                else pg_describe_object(c.catalog, c.oid, 0)
            end,
            quote_ident(schema_name) || '.', ''
        ),
        replace(p.oid::regprocedure::text, quote_ident(schema_name) || '.', ''),
        case when p.pronamespace = v_namespace then p.proname::text end
    from calls c
    join pg_catalog.pg_proc p on p.oid = c.routine
    where case
        when p.pronamespace = v_namespace then
            not exists (
                select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines)
            )
            or exists (
                select from tenancy.tenants_own_objects w
                where w.schema_name = unexecutable_routines.schema_name
                    and w.object_kind = 'routine'
                    and w.object_name = format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
            )
        else not has_function_privilege('authenticated', p.oid, 'execute')
    end
    order by 1, 2;
end;
$$;

comment on function tenancy.unexecutable_routines(text) is
    'The routines that members start by reading or writing a schema''s tables and views, and may not execute, each with the object that calls it. own_name is the name of a routine of the schema itself.';

-- sql/20_tenancy/privileges/unreachable_tables.sql

create function tenancy.unreachable_tables(
    schema_name text,
    out table_name text,
    out reason text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with recursive tables as materialized (
        select c.oid, c.relname::text as name, c.relrowsecurity as is_secured,
            -- Only a permissive policy lets a row through; restrictive ones take rows away.
            coalesce(p.is_open, false) as is_open,
            p.is_for_users
        from unnest(tenancy.table_oids(schema_name)) t (oid)
        join pg_catalog.pg_class c on c.oid = t.oid
        left join (
            select o.polrelid,
                bool_or(o.polpermissive and 'authenticated'::regrole = any (o.polroles)) as is_open,
                bool_or('authenticated'::regrole = any (o.polroles)) as is_for_users
            from pg_catalog.pg_policy o
            where o.polrelid = any (tenancy.table_oids(schema_name))
            group by o.polrelid
        ) p on p.polrelid = c.oid
    ),
    -- Who reaches a partitioned table reaches the rows of its partitions.
    reachable as (
        select t.oid from tables t where t.is_secured and t.is_open
        union
        select i.inhrelid
        from reachable r
        join pg_catalog.pg_inherits i on i.inhparent = r.oid
    )
    select t.name, case
        when not t.is_secured and t.is_for_users is null then
            'no client can reach it, because row level security is not enabled on it. Write: alter table … enable row level security; and policies to authenticated.'
        when not t.is_secured then
            'no client can reach it, because it has policies, and row level security is not enabled on it. Write: alter table … enable row level security;'
        when t.is_for_users is null then
            'no client can reach it, not even with the service key, because row level security is enabled on it and it has no policy. Write a policy to authenticated; with using (false) it lets only the service key in.'
        when not t.is_for_users then
            'no client can reach it, not even with the service key, because none of its policies is to authenticated. Write "to authenticated" in them; public does not count.'
        else
            'no signed-in user can reach it, because its policies to authenticated are all restrictive. Add a permissive one.'
    end
    from tables t
    where t.oid not in (select r.oid from reachable r)
    order by t.name;
end;
$$;

comment on function tenancy.unreachable_tables(text) is
    'The tables of a schema that no signed-in user can reach, whatever their access level, each with the reason as a sentence. They may be meant so: this is for warnings.';

-- sql/20_tenancy/privileges/view_verbs.sql

-- A view with security_invoker reads and writes with the rights of its caller, so the privileges
-- and the policies of its tables apply. A rule, and a trigger function with the rights of its
-- owner, would get around them.
create function tenancy.view_verbs(relation oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := (select c.relnamespace from pg_catalog.pg_class c where c.oid = relation);
begin
    return (
        select string_agg(v.verb, ', ' order by v.verb)
        from (values ('select', 0, 0), ('insert', 8, 4), ('update', 4, 16), ('delete', 16, 8)) v (verb, event, trigger_event)
        where v.verb = 'select'
            or not exists (
                select from pg_catalog.pg_rewrite r where r.ev_class = relation and r.ev_type <> '1'
            )
            and not exists (
                select
                from pg_catalog.pg_trigger g
                join pg_catalog.pg_proc p on p.oid = g.tgfoid
                where g.tgrelid = relation and p.prosecdef
            )
            and (
                -- Views that read one another are not updatable, so the recursion ends.
                case when pg_relation_is_updatable(relation, false) & v.event > 0 then exists (
                    select
                    from pg_catalog.pg_depend d
                    join pg_catalog.pg_class c on c.oid = d.refobjid
                    where d.classid = 'pg_rewrite'::regclass
                        and d.objid = (
                            select r.oid from pg_catalog.pg_rewrite r where r.ev_class = relation and r.ev_type = '1'
                        )
                        and d.refclassid = 'pg_class'::regclass
                        and c.oid <> relation
                        and case
                            when c.relnamespace <> v_namespace then has_table_privilege('authenticated', c.oid, v.verb)
                            when c.relkind = 'v' then tenancy.view_verbs(c.oid) ~ v.verb
                            when c.relrowsecurity then tenancy.policy_verbs(c.oid) ~ v.verb
                        end
                ) end
                or exists (
                    select
                    from pg_catalog.pg_trigger g
                    -- 64 is INSTEAD OF.
                    where g.tgrelid = relation and g.tgtype & 64 > 0 and g.tgtype & v.trigger_event > 0
                )
            )
    );
end;
$$;

comment on function tenancy.view_verbs(oid) is
    'The commands that a view with security_invoker can serve, as GRANT lists them: select; those that PostgreSQL passes on to a table that signed-in users may so write; and those that an INSTEAD OF trigger serves.';

-- sql/20_tenancy/profiles/find_profile.sql

create function tenancy.find_profile(schema_name text, user_id uuid)
    returns public.tenantry_user_profile
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_profile public.tenantry_user_profile;
begin
    -- The address is Auth's. The tenant's table has a copy, which may be older, and which stays
    -- when the user is deleted or loses access: the later addresses are not the tenant's business.
    execute format(
        'select u.id, case when a.id is null or g.user_id is null then u.email else a.email end,'
        '    u.display_name, u.role, u.metadata, u.created_at, u.updated_at,'
        '    g.user_id is not null and exists (select from tenancy.active_users v where v.id = u.id)'
        ' from %1$I.users u'
        ' left join auth.users a on a.id = u.id'
        ' left join public.user_schema_access g on g.user_id = u.id and g.schema_name = %1$L'
        '     and (g.expires_at is null or g.expires_at > statement_timestamp())'
        ' where u.id = $1',
        schema_name
    )
    into v_profile
    using user_id;

    return v_profile;
end;
$$;

comment on function tenancy.find_profile(text, uuid) is
    'A user''s profile in a tenant, with the e-mail address that Auth has now, or had when the user lost access; all fields are null if there is none.';

-- sql/20_tenancy/profiles/insert_profile.sql

create function tenancy.insert_profile(
    schema_name text,
    user_id uuid,
    display_name text,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_inserted bigint;
begin
    -- `on conflict` waits until a concurrent insert of the same id commits or rolls back. So
    -- exactly one of several simultaneous callers inserts the row.
    execute format(
        'insert into %I.users (id, email, display_name, role, metadata)'
        ' select a.id, a.email, $2, $3, $4 from auth.users a where a.id = $1'
        ' on conflict (id) do nothing',
        schema_name
    )
    using user_id, display_name, role, metadata;

    get diagnostics v_inserted = row_count;
    return v_inserted = 1;
end;
$$;

comment on function tenancy.insert_profile(text, uuid, text, text, jsonb) is
    'Creates a user''s profile in a tenant, with the e-mail address from Auth. Returns false and changes nothing if the user has a profile already or does not exist in Auth.';

-- sql/20_tenancy/profiles/refresh_email.sql

-- For operations that read a profile. They return Auth's address in any case, so the copy is
-- refreshed only if nothing prevents it, and never waits for anybody.
create function tenancy.refresh_email(schema_name text, user_id uuid)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    -- PostgREST runs a GET in a read-only transaction.
    if current_setting('transaction_read_only')::boolean
        or not exists (select from tenancy.stale_profiles(schema_name, at_most => 1, user_id => user_id))
    then
        return false;
    end if;

    v_tenant := tenancy.lock_tenant_if_free(schema_name, platform => null, member => 'read');
    if v_tenant.id is null then
        return false;
    end if;

    begin
        if tenancy.refresh_emails(schema_name, at_most => 1, user_id => user_id) = 0 then
            return false;
        end if;
    exception
        when deadlock_detected or lock_not_available then
            raise;
        -- A constraint or a trigger of the product's own, such as unique addresses, must not stop
        -- people from reading a profile. refresh_user_emails shows its error.
        when others then
            return false;
    end;

    -- Only the id, because platform staff read this log but no rows of tenants. The addresses
    -- are in the tenant's own audit log.
    perform tenancy.log_action(
        'profile.refresh', v_tenant,
        jsonb_build_object('after', jsonb_build_object('id', user_id), 'changed', jsonb_build_array('email'))
    );

    return true;
end;
$$;

comment on function tenancy.refresh_email(text, uuid) is
    'Copies the e-mail address of one user from Auth into the user''s profile, if the address has changed, the transaction may write and the tenant is free, and logs that. Returns whether it changed the profile (errors of require_permission for a member with the level read).';

-- sql/20_tenancy/profiles/refresh_emails.sql

create function tenancy.refresh_emails(schema_name text, at_most integer, user_id uuid default null)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_refreshed bigint;
begin
    execute format(
        'update %1$I.users u'
        ' set email = a.email, updated_at = now()'
        ' from tenancy.stale_profiles(%1$L, $1, $2) s (id)'
        ' join auth.users a on a.id = s.id'
        ' where s.id = u.id',
        schema_name
    )
    using at_most, user_id;

    get diagnostics v_refreshed = row_count;
    return v_refreshed;
end;
$$;

comment on function tenancy.refresh_emails(text, integer, uuid) is
    'Copies the present e-mail addresses from Auth into a tenant''s profiles, or into the profile of one user, and returns the number of profiles that it changed. Only under a lock of the tenant.';

-- sql/20_tenancy/profiles/stale_profiles.sql

-- auth.users is only read, and its rows are not locked: an address that changes meanwhile is left
-- for the next refresh. A tenant does not learn the later addresses of its former members.
create function tenancy.stale_profiles(schema_name text, at_most integer, user_id uuid default null)
    returns setof uuid
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query execute format(
        'select u.id'
        ' from %1$I.users u'
        ' join auth.users a on a.id = u.id'
        ' join public.user_schema_access g on g.user_id = u.id and g.schema_name = %1$L'
        ' where u.email is distinct from a.email and ($2 is null or u.id = $2)'
        '     and (g.expires_at is null or g.expires_at > statement_timestamp())'
        ' limit $1',
        schema_name
    )
    using at_most, user_id;
end;
$$;

comment on function tenancy.stale_profiles(text, integer, uuid) is
    'The users with access whose profile in a tenant has another e-mail address than Auth: among all profiles, or that of one user. Returns at most so many.';

-- sql/20_tenancy/profiles/update_profile.sql

create function tenancy.update_profile(
    schema_name text,
    user_id uuid,
    display_name text,
    metadata jsonb
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'update %I.users u'
        ' set display_name = coalesce($2, u.display_name),'
        '     metadata = coalesce($3, u.metadata),'
        '     updated_at = now()'
        ' where u.id = $1',
        schema_name
    )
    using user_id, display_name, metadata;
end;
$$;

comment on function tenancy.update_profile(text, uuid, text, jsonb) is
    'Changes a profile. A null argument leaves its field unchanged.';

-- sql/20_tenancy/release/release.sql

-- Written by `tenantry generate` from the version of the package `tenantry`.
create function tenancy.release()
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select '0.1.0';
$$;

comment on function tenancy.release() is
    'The release of Tenantry whose migrations this database has.';

-- sql/20_tenancy/repairs/audit_table_statements.sql

create function tenancy.audit_table_statements(schema_name text, table_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select concat_ws(
        ' ',
        -- audit_table replaces its own routine. Another one has to go first, with its triggers.
        case when not exists (
            select
            from pg_catalog.pg_proc p
            where p.oid = to_regprocedure(format('%I.%I()', schema_name, tenancy.audit_routine_name(table_name)))
                and p.prosrc like E'\n<<audit>>%'
        ) then format(
            'drop trigger if exists audit_insert on %1$I.%2$I; drop trigger if exists audit_update on %1$I.%2$I; '
            'drop trigger if exists audit_delete on %1$I.%2$I; drop trigger if exists audit_truncate on %1$I.%2$I; '
            'drop function if exists %1$I.%3$I();',
            schema_name, table_name, tenancy.audit_routine_name(table_name)
        ) end,
        format('select tenancy.audit_table(%L, %L);', schema_name, table_name)
    );
$$;

comment on function tenancy.audit_table_statements(text, text) is
    'The statements that give a table the audit triggers and the routine that audit_table creates, in place of others with their names.';

-- sql/20_tenancy/repairs/column_statements.sql

create function tenancy.column_statements(
    table_name text,
    column_name text,
    expected text,
    actual text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- The parts in the order in which schema_objects prints them.
    v_parts constant text := '^(.*?)( collate [^ ]+)?( not null)?( identity .)?( generated .)?( default .*)?$';
    v_expected constant text[] := regexp_match(expected, v_parts);
    v_found constant text[] := regexp_match(actual, v_parts);
begin
    -- A column that the template does not have may hold values.
    if expected is null then
        return null;
    end if;
    if actual is null then
        return format('alter table %s add column %I ', table_name, column_name)
            || v_expected[1] || coalesce(v_expected[2], '') || coalesce(v_expected[3], '')
            || case v_expected[4]
                when ' identity a' then ' generated always as identity'
                when ' identity d' then ' generated by default as identity'
                else ''
            end
            || case
                when v_expected[5] is null then coalesce(v_expected[6], '')
                else ' generated always as (' || substr(v_expected[6], length(' default ') + 1) || ') stored'
            end
            || ';';
    end if;
    -- An identity and a generated column are made anew, with other values.
    if (v_expected[4], v_expected[5]) is distinct from (v_found[4], v_found[5])
        or (v_expected[5] is not null and v_expected[6] is distinct from v_found[6])
    then
        return null;
    end if;

    return nullif(concat_ws(
        ' ',
        case when (v_expected[1], v_expected[2]) is distinct from (v_found[1], v_found[2]) then format(
            'alter table %s alter column %I type %s%s using %I::%s;',
            table_name, column_name, v_expected[1], coalesce(v_expected[2], ''), column_name, v_expected[1]
        ) end,
        case when v_expected[3] is distinct from v_found[3] then format(
            'alter table %s alter column %I %s not null;',
            table_name, column_name, case when v_expected[3] is null then 'drop' else 'set' end
        ) end,
        case when v_expected[6] is distinct from v_found[6] then format(
            'alter table %s alter column %I %s;',
            table_name, column_name, coalesce('set' || v_expected[6], 'drop default')
        ) end
    ), '');
end;
$$;

comment on function tenancy.column_statements(text, text, text, text) is
    'SQL that gives a column its expected definition, from both definitions as schema_objects prints them; null if its values would be lost or made up.';

-- sql/20_tenancy/repairs/difference_statements.sql

-- Statements for a person to read and run. What would lose rows or guess values has none.
create function tenancy.difference_statements(
    schema_name text,
    object_kind text,
    object_name text,
    expected text,
    actual text
)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- Objects of a table are named <table>.<object>.
    v_table constant text := format('%I.%I', schema_name, split_part(object_name, '.', 1));
    v_name constant text := substr(object_name, strpos(object_name, '.') + 1);
    v_audit constant text := format('%I.%I', schema_name, tenancy.audit_routine_name(split_part(object_name, '.', 1)));
begin
    return case object_kind
        when 'grant' then case
            when object_name ~ ' to (public|anon|authenticated|service_role)$' then
                format('select tenancy.apply_tenant_privileges(%L);', schema_name)
            -- A grant to another role: see other_grants.
            else regexp_replace(object_name, '^(on .*) to ("(?:[^"]|"")+"|[^" ]+)$', format('revoke %s \1 from \2;', actual))
        end
        -- What runs with the rights of its owner has to be read first: see check_owners.
        when 'owner' then (
            select format('alter %s owner to %s;', substr(difference_statements.object_name, 4), w.expected)
            from tenancy.wrong_owners(schema_name) w
            where format('of %s %s', w.object_kind, w.object_name) = difference_statements.object_name
                and (w.is_audit_routine or not w.runs_as_owner)
        )
        when 'table' then (
            select string_agg(format('alter table %s %s row level security;', v_table, c.change), ' ')
            from (values
                (case when expected ~ ', row level security' then 'enable' else 'disable' end,
                    (expected ~ ', row level security') <> (actual ~ ', row level security')),
                (case when expected ~ ', forced row level' then 'force' else 'no force' end,
                    (expected ~ ', forced row level') <> (actual ~ ', forced row level'))
            ) c (change, is_due)
            where c.is_due
        )
        when 'column' then tenancy.column_statements(v_table, v_name, expected, actual)
        when 'constraint' then concat_ws(
            ' ',
            case when actual is not null then format('alter table %s drop constraint %I;', v_table, v_name) end,
            case when expected is not null then format('alter table %s add constraint %I %s;', v_table, v_name, expected) end
        )
        -- The index of a constraint comes and goes with it.
        when 'index' then concat_ws(
            ' ',
            case when actual is not null then format('drop index if exists %I.%I;', schema_name, v_name) end,
            regexp_replace(regexp_replace(expected, ', invalid$', ''), ' INDEX ', ' INDEX IF NOT EXISTS ') || ';'
        )
        when 'policy' then concat_ws(
            ' ',
            case when actual is not null then format('drop policy %I on %s;', v_name, v_table) end,
            case when expected is not null then
                tenancy.policy_statement(schema_name, split_part(object_name, '.', 1), v_name, expected)
            end
        )
        when 'trigger' then case
            when expected is null then format('drop trigger %I on %s;', v_name, v_table)
            -- An audit routine that is missing comes back with its triggers.
            when strpos(expected, format('EXECUTE FUNCTION %s()', v_audit)) > 0 and to_regprocedure(v_audit || '()') is null then null
            else tenancy.trigger_statements(schema_name, split_part(object_name, '.', 1), v_name, expected, actual)
        end
        when 'rule' then case
            when expected is null then format('drop rule %I on %s;', v_name, v_table)
            else regexp_replace(expected, '^CREATE RULE', 'CREATE OR REPLACE RULE')
        end
        when 'routine' then case
            when expected is null then format(
                'drop routine %I.%I%s;',
                schema_name, split_part(object_name, '(', 1), substr(object_name, strpos(object_name, '('))
            )
            when expected like 'audits %' then tenancy.audit_table_statements(schema_name, substr(expected, 8))
            when expected like 'CREATE OR REPLACE %' then concat_ws(
                ' ',
                expected || ';',
                -- PostgreSQL lets everybody execute a new routine.
                case when actual is null then format('select tenancy.apply_tenant_privileges(%L);', schema_name) end
            )
        end
        when 'view' then case
            when expected is null then format('drop view %I.%I;', schema_name, object_name)
            -- The text of a view begins with a space: see schema_objects.
            else format(
                'create or replace view %I.%I%s as%s',
                schema_name, object_name,
                ' with (' || substring(split_part(expected, ',  ', 1) from '^kind v, persistence ., (.*)$') || ')',
                substr(expected, strpos(expected, ',  ') + 2)
            )
        end
    end;
end;
$$;

comment on function tenancy.difference_statements(text, text, text, text, text) is
    'SQL that removes one difference between a tenant and the template, from the definitions that schema_differences returns; null if a person has to decide.';

-- sql/20_tenancy/repairs/forget_missing_tenant.sql

create function tenancy.forget_missing_tenant(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    delete from public.tenants t
    where t.schema_name = forget_missing_tenant.schema_name
        and to_regnamespace(quote_ident(t.schema_name)) is null
    returning * into v_tenant;
    if v_tenant.id is null then
        return;
    end if;

    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object(
            'before', to_jsonb(v_tenant), 'audit_log', tenancy.forget_audit_log(schema_name),
            'by', 'tenantry doctor'
        )
    );
end;
$$;

comment on function tenancy.forget_missing_tenant(text) is
    'Removes a tenant whose schema does not exist, with its grants and seals.';

-- sql/20_tenancy/repairs/policy_statement.sql

-- The definition has everything that the catalog knows of a policy. repair_findings compares the
-- policy with it afterwards, so a test that this function would cut wrongly is rolled back.
create function tenancy.policy_statement(
    schema_name text,
    table_name text,
    policy_name text,
    definition text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_command constant text := substring(definition from '^[a-z]+ for (.)');
    v_rest text := substring(definition from '^[a-z]+ for . to (.*)$');
    v_check text;
    v_using text;
begin
    if v_command in ('a', 'w', '*') and strpos(v_rest, ' with check ') > 0 then
        v_check := substr(v_rest, strpos(v_rest, ' with check ') + length(' with check '));
        v_rest := left(v_rest, strpos(v_rest, ' with check ') - 1);
    end if;
    if v_command <> 'a' and strpos(v_rest, ' using ') > 0 then
        v_using := substr(v_rest, strpos(v_rest, ' using ') + length(' using '));
        v_rest := left(v_rest, strpos(v_rest, ' using ') - 1);
    end if;

    return concat_ws(
        ' ',
        format('create policy %I on %I.%I as', policy_name, schema_name, table_name),
        split_part(definition, ' ', 1),
        case v_command
            when 'r' then 'for select'
            when 'a' then 'for insert'
            when 'w' then 'for update'
            when 'd' then 'for delete'
            else 'for all'
        end,
        -- The catalog shows PUBLIC, who is no role, as a hyphen.
        'to ' || case v_rest when '-' then 'public' else v_rest end,
        'using (' || v_using || ')',
        'with check (' || v_check || ')'
    ) || ';';
end;
$$;

comment on function tenancy.policy_statement(text, text, text, text) is
    'The statement that creates a policy, from its definition as schema_objects prints it; null if there is no definition.';

-- sql/20_tenancy/repairs/register_found_schema.sql

create function tenancy.register_found_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_objects constant tenancy.schema_object[] := array(
        select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o
    );
    v_tenant public.tenants;
begin
    insert into public.tenants
        (schema_name, display_name, status, suspended_at, suspension_reason, schema_version)
    values (
        schema_name, schema_name, 'suspended', now(), 'Found without a registry row by tenantry doctor.',
        tenancy.nearest_version(schema_name, v_objects)
    )
    returning * into v_tenant;

    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.log_action(
        'tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant), 'by', 'tenantry doctor')
    );
    perform tenancy.expose_schema(schema_name);
end;
$$;

comment on function tenancy.register_found_schema(text) is
    'Registers a schema that has the tables of a tenant as a suspended tenant, at the version that it differs least from.';

-- sql/20_tenancy/repairs/trigger_statements.sql

create function tenancy.trigger_statements(
    schema_name text,
    table_name text,
    trigger_name text,
    expected text,
    found text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select concat_ws(
        ' ',
        case
            when e.creation = f.creation then null
            when f.creation is null then e.creation || ';'
            else format('drop trigger %I on %I.%I; %s;', trigger_name, schema_name, table_name, e.creation)
        end,
        case when e.creation = f.creation or e.state <> 'O' then format(
            'alter table %I.%I %s trigger %I;',
            schema_name, table_name,
            case e.state when 'O' then 'enable' when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end,
            trigger_name
        ) end
    )
    from (
        select regexp_replace(expected, ', enabled .$', '') as creation, right(expected, 1) as state
    ) e
    cross join (select regexp_replace(found, ', enabled .$', '') as creation) f;
$$;

comment on function tenancy.trigger_statements(text, text, text, text, text) is
    'The statements that give a trigger its expected definition, from both definitions as schema_objects prints them. found is null if the trigger is missing.';

-- sql/20_tenancy/sharing/lock_shared_tables.sql

-- Making a foreign key stops writers of the shared table until the transaction ends, and dropping
-- one stops its readers, too. So the lock is taken in short attempts, and a tenant that is created
-- or deleted does not make everybody else wait behind it.
create function tenancy.lock_shared_tables(schema_name text, mode text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables text;
begin
    -- Most projects share no table.
    if not exists (select from tenancy.shared_tables) then
        return;
    end if;

    select string_agg(s.relation::text, ', ' order by s.relation::text collate "C") into v_tables
    from tenancy.shared_tables s
    where s.relation in (
        select k.confrelid
        from pg_catalog.pg_constraint k
        where k.conrelid = any (tenancy.table_oids(lock_shared_tables.schema_name)) and k.contype = 'f'
    );
    if v_tables is not null then
        perform tenancy.lock_relations(v_tables, mode);
    end if;
end;
$$;

comment on function tenancy.lock_shared_tables(text, text) is
    'Locks the shared tables that the tables of a schema reference until the transaction ends. Tries for 2 s (55P03).';

-- sql/20_tenancy/sharing/share_table.sql

create function tenancy.share_table(relation regclass)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_obstacle constant text := tenancy.sharing_obstacle(relation);
    v_table pg_catalog.pg_class;
    v_is_granted boolean;
begin
    if v_obstacle is not null then
        raise exception 'Table % cannot be shared: %. Share a table of the project, such as public.products. A foreign key of the template can reference nothing else outside the tenant: write a plain column there.', relation, v_obstacle
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select * into strict v_table from pg_catalog.pg_class c where c.oid = share_table.relation;
    v_is_granted := not has_table_privilege('authenticated', relation, 'select');
    insert into tenancy.shared_tables (relation, is_granted)
    values (relation, v_is_granted)
    on conflict on constraint shared_tables_pkey do nothing;
    if v_is_granted then
        execute format('grant select on %s to authenticated', relation);
        perform tenancy.reload_schema_cache();
    end if;
    if not v_table.relrowsecurity then
        raise warning 'Table % has no row level security: every signed-in user reads all its rows. Unless that is meant, enable it and write a policy.', relation;
    end if;
end;
$$;

comment on function tenancy.share_table(regclass) is
    'Lets foreign keys of the template reference a table of the project. Grants SELECT on it to authenticated; which rows a user reads is decided by the policies of the table. Grants nothing else, and nothing to anon. Repeating a call changes nothing.';

-- sql/20_tenancy/sharing/sharing_obstacle.sql

create function tenancy.sharing_obstacle(relation regclass)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table pg_catalog.pg_class;
    v_schema_name text;
begin
    select * into strict v_table from pg_catalog.pg_class c where c.oid = sharing_obstacle.relation;
    select n.nspname::text into strict v_schema_name from pg_catalog.pg_namespace n where n.oid = v_table.relnamespace;
    if v_table.relkind not in ('r', 'p') then
        return 'it is no table';
    end if;
    if v_schema_name in ('tenancy', 'tenant_template')
        or relation in (
            'public.tenants'::regclass, 'public.admin_users'::regclass,
            'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
        )
    then
        return 'it belongs to Tenantry itself';
    end if;
    if exists (select from public.tenants t where t.schema_name = v_schema_name) then
        return 'it belongs to a tenant';
    end if;
    -- A key to auth.users, for example, would make every sign-up wait while a tenant is created.
    if not pg_has_role(v_table.relowner, 'usage') then
        return format('it belongs to the role %s', v_table.relowner::regrole);
    end if;

    return null;
end;
$$;

comment on function tenancy.sharing_obstacle(regclass) is
    'Why share_table refuses this table, as the end of a sentence; null if the table can be shared.';

-- sql/20_tenancy/sharing/unshare_table.sql

create function tenancy.unshare_table(relation regclass)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_keys text[];
    v_is_granted boolean;
begin
    v_keys := array(
        select format('%s of %s', k.conname, k.conrelid::regclass)
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        where k.contype = 'f'
            and k.confrelid = unshare_table.relation
            and k.conparentid = 0
            and (
                c.relnamespace = 'tenant_template'::regnamespace
                or exists (
                    select from public.tenants t
                    where t.schema_name = (select n.nspname from pg_catalog.pg_namespace n where n.oid = c.relnamespace)
                )
            )
        order by 1
    );
    if cardinality(v_keys) > 0 then
        raise exception 'Table % is still referenced by % foreign keys of the template and the tenants, such as %. Drop them by a tenant migration first, and migrate every tenant.',
            relation, cardinality(v_keys), v_keys[1]
            using errcode = 'dependent_objects_still_exist';
    end if;

    delete from tenancy.shared_tables s
    where s.relation = unshare_table.relation
    returning s.is_granted into v_is_granted;
    if v_is_granted then
        execute format('revoke select on %s from authenticated', relation);
    end if;
end;
$$;

comment on function tenancy.unshare_table(regclass) is
    'Takes back share_table, with the privilege that it granted. Refused while a foreign key of the template or of a tenant references the table (2BP01).';

-- sql/20_tenancy/splitting/advance_split_sequences.sql

create function tenancy.advance_split_sequences(split tenancy.tenants_splits)
    returns void
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_statements constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
    v_sequence record;
begin
    for v_sequence in
        select distinct d.objid::regclass as name, a.attname::text as column_name
        from pg_catalog.pg_attribute a
        cross join lateral (
            -- The sequence of an identity or serial column, and one that the default names.
            select o.objid
            from pg_catalog.pg_depend o
            where o.classid = 'pg_class'::regclass and o.refclassid = 'pg_class'::regclass
                and o.refobjid = a.attrelid and o.refobjsubid = a.attnum and o.deptype in ('a', 'i')
            union all
            select u.refobjid
            from pg_catalog.pg_attrdef f
            join pg_catalog.pg_depend u
                on u.classid = 'pg_attrdef'::regclass and u.objid = f.oid and u.refclassid = 'pg_class'::regclass
            where f.adrelid = a.attrelid and f.adnum = a.attnum
        ) d
        join pg_catalog.pg_sequence q on q.seqrelid = d.objid and q.seqincrement > 0
        where a.attrelid = v_statements.target
            and a.attname = any (v_statements.compared_columns)
            and a.atttypid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
    loop
        execute format(
            'select setval(%L::regclass, m.largest) from (select max(s.%I) as largest from %s s where %s) m, %s q'
            ' where m.largest > q.last_value or (m.largest = q.last_value and not q.is_called)',
            v_sequence.name, v_sequence.column_name, split.relation, v_statements.is_of_value, v_sequence.name
        );
    end loop;
end;
$$;

comment on function tenancy.advance_split_sequences(tenancy.tenants_splits) is
    'Sets the sequences of the tenant''s table past the largest values of the source''s rows. No sequence is set back.';

-- sql/20_tenancy/splitting/begin_split.sql

create function tenancy.begin_split(relation regclass, column_name text, value text, schema_name text)
    returns tenancy.tenants_splits
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_split tenancy.tenants_splits;
    v_statements record;
    v_is_new boolean;
begin
    perform tenancy.lock_active_tenant(schema_name);

    -- A table that was dropped may have left rows, and another table may get its number.
    delete from tenancy.tenants_splits p
    where not exists (select from pg_catalog.pg_class c where c.oid = p.relation);
    perform tenancy.require_fitting_table(relation, column_name, schema_name);

    v_statements := tenancy.split_statements(relation, column_name, value, schema_name);
    insert into tenancy.tenants_splits (relation, column_name, value, schema_name, compared_columns)
    values (relation, column_name, value, schema_name, v_statements.compared_columns)
    on conflict on constraint tenants_splits_value_key do nothing;
    v_is_new := found;
    select p.* into strict v_split
    from tenancy.tenants_splits p
    where p.relation = begin_split.relation
        and p.column_name = begin_split.column_name
        and p.value = begin_split.value;
    if v_split.schema_name <> schema_name or v_split.compared_columns <> v_statements.compared_columns then
        raise exception 'Table % has been split for the value % before, into another tenant or with other columns.', relation, tenancy.printable(value)
            using errcode = 'object_not_in_prerequisite_state',
                hint = format(
                    'To begin again, remove its copies by hand, and then: delete from tenancy.tenants_splits where id = %s;',
                    v_split.id
                );
    end if;
    -- Before any row is copied, so that a row which the tenant writes meanwhile gets a new number.
    if v_is_new then
        perform tenancy.advance_split_sequences(v_split);
    end if;

    return v_split;
end;
$$;

comment on function tenancy.begin_split(regclass, text, text, text) is
    'Registers that the rows with this value go to this tenant, and sets the sequences of the tenant''s table past the largest values. Repeating a call changes nothing (55000, 55P03, PT404).';

-- sql/20_tenancy/splitting/compare_split_rows.sql

create function tenancy.compare_split_rows(
    split tenancy.tenants_splits,
    accept_changes boolean,
    out row_count bigint,
    out clashing_count bigint,
    out changed_count bigint,
    out changed_columns text[],
    out checksum bytea,
    out copy_checksum bytea
)
    returns record
    volatile
    security invoker
    set search_path = ''
    -- Statistics of rows that came a moment ago are wrong, and a nested loop would take forever.
    set enable_nestloop = off
    language plpgsql
as $$
declare
    v_parts constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
begin
    -- After the verification the tenant may change its rows, and only rows that have changed in
    -- the source are compared again.
    execute format(
        $sql$
        with compared as materialized (
            select h.key_hash, h.row_hash, h.copy_hash, l.key_hash is null as is_clashing,
                l.key_hash is not null
                and (
                    l.row_hash <> h.row_hash
                    or case $2 when 'verified' then l.copy_hash is not null else h.copy_hash is distinct from h.row_hash end
                ) as is_changed,
                h.differing_columns
            from (
                select %3$s as key_hash, %4$s as row_hash,
                    case when t.tableoid is not null then %7$s end as copy_hash,
                    case when t.tableoid is not null and %7$s <> %4$s then %8$s end as differing_columns
                from %1$s s
                left join %5$s t on %6$s
                where %2$s
                offset 0
            ) h
            left join tenancy.tenants_splits_rows l on l.split_id = $1 and l.key_hash = h.key_hash
        ),
        accepted as (
            update tenancy.tenants_splits_rows l
            set row_hash = c.row_hash, copy_hash = null
            from compared c
            where $3 and c.is_changed and l.split_id = $1 and l.key_hash = c.key_hash
        )
        select count(*),
            count(*) filter (where c.is_clashing),
            count(*) filter (where c.is_changed),
            (select array_agg(distinct d.name) from compared k cross join lateral unnest(k.differing_columns) d (name) where k.is_changed),
            sha256(string_agg(c.row_hash, '' order by c.key_hash)),
            sha256(string_agg(c.copy_hash, '' order by c.key_hash))
        from compared c
        $sql$,
        split.relation, v_parts.is_of_value, v_parts.key_hash_of_source, v_parts.row_hash_of_source,
        v_parts.target::regclass, v_parts.is_same_key, v_parts.row_hash_of_target, v_parts.differing_columns
    )
    into row_count, clashing_count, changed_count, changed_columns, checksum, copy_checksum
    using split.id, split.state, accept_changes;
end;
$$;

comment on function tenancy.compare_split_rows(tenancy.tenants_splits, boolean) is
    'Compares all rows of the source with those of the tenant, by key. Clashing rows could not be copied: the tenant has another row with such a key, or a trigger refuses them. Changed rows were copied, and triggers or the tenant have changed them; accept_changes takes them for copied. Only under the locks of verify_split.';

-- sql/20_tenancy/splitting/copy_split_batch.sql

create function tenancy.copy_split_batch(
    relation regclass,
    column_name text,
    value text,
    schema_name text,
    batch_size integer
)
    returns tenancy.tenants_splits
    volatile
    security invoker
    set search_path = ''
    -- The text of a value, of which hashes are made, must not depend on the session.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    language plpgsql
as $$
declare
    v_split tenancy.tenants_splits;
    v_target oid;
    v_batch record;
    v_size integer := batch_size;
    v_is_retried boolean := false;
begin
    v_split := tenancy.begin_split(relation, column_name, value, schema_name);
    if v_split.state <> 'copying' then
        return v_split;
    end if;
    v_target := tenancy.require_table(schema_name, (select c.relname from pg_catalog.pg_class c where c.oid = relation));
    -- A row may reference one that comes later. Such a key is checked when the statement ends.
    if exists (
        select from pg_catalog.pg_constraint k
        where k.conrelid = v_target and k.confrelid = v_target and k.contype = 'f'
    ) then
        v_size := null;
    end if;

    begin
        v_batch := tenancy.copy_split_rows(v_split, 'next', v_split.last_key, v_size);
    exception
        when foreign_key_violation then
            v_is_retried := true;
    end;
    if v_is_retried then
        -- The missing row may have come into the source after the rows of its table were copied.
        -- Both statements have one snapshot, if the transaction is repeatable read.
        perform tenancy.copy_split_rows(p, 'missing')
        from tenancy.tenants_splits p
        where p.schema_name = copy_split_batch.schema_name
            and p.value = copy_split_batch.value
            and p.column_name = copy_split_batch.column_name
            and p.id < v_split.id
        order by p.id;
        v_batch := tenancy.copy_split_rows(v_split, 'next', v_split.last_key, v_size);
    end if;

    update tenancy.tenants_splits p
    set last_key = coalesce(v_batch.last_key, p.last_key),
        rows_copied = p.rows_copied + v_batch.rows_copied,
        state = case when v_batch.rows_read < v_size then 'copied' when v_size is null then 'copied' else p.state end
    where p.id = v_split.id
    returning p.* into v_split;

    return v_split;
exception
    when deadlock_detected or lock_not_available or query_canceled or serialization_failure then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.copy_split_batch(regclass, text, text, text, integer) is
    'Copies the next rows of one tenant from a table of the project, and returns how far the copying is; call it until the state is no more "copying". Rows that were changed meanwhile are left to verify_split. If a table references itself, all rows are one batch. Call it in a transaction of its own, repeatable read. Only the owner can execute it (23503, 55000, PT404, PT429 busy).';

-- sql/20_tenancy/splitting/copy_split_rows.sql

create function tenancy.copy_split_rows(
    split tenancy.tenants_splits,
    which text,
    after_key text[] default null,
    batch_size integer default null,
    out rows_read bigint,
    out rows_copied bigint,
    out last_key text[]
)
    returns record
    volatile
    security invoker
    set search_path = ''
    -- Statistics of rows that came a moment ago are wrong, and a nested loop would take forever.
    set enable_nestloop = off
    language plpgsql
as $$
declare
    v_parts constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
begin
    execute format(
        $sql$
        with page as materialized (
            select s.*, array[%3$s] as split_texts, row_number() over (order by %2$s) as split_place,
                %7$s as split_key_hash, %8$s as split_row_hash
            from %1$s s
            where %4$s and %5$s
            order by %2$s
            limit $2
        ),
        copied as (
            insert into %6$s as t (%9$s) overriding system value
            select %10$s from page s order by s.split_place
            on conflict do nothing
            returning %11$s as key_hash, %12$s as copy_hash
        ),
        noted as (
            insert into tenancy.tenants_splits_rows (split_id, key_hash, row_hash, copy_hash)
            select $3, s.split_key_hash, s.split_row_hash, nullif(c.copy_hash, s.split_row_hash)
            from page s
            join copied c on c.key_hash = s.split_key_hash
            returning 1
        )
        select
            (select count(*) from page),
            (select count(*) from noted),
            (select s.split_texts from page s order by s.split_place desc limit 1)
        $sql$,
        split.relation, v_parts.key_columns, v_parts.key_texts, v_parts.is_of_value,
        case which
            when 'next' then v_parts.is_after_key
            else format(
                '($1 is null or true) and not exists (select from tenancy.tenants_splits_rows l where l.split_id = $3 and l.key_hash = %s)',
                v_parts.key_hash_of_source
            )
        end,
        v_parts.target::regclass,
        v_parts.key_hash_of_source, v_parts.row_hash_of_source,
        v_parts.columns, v_parts.source_values,
        v_parts.key_hash_of_target, v_parts.row_hash_of_target
    )
    into rows_read, rows_copied, last_key
    using after_key, batch_size, split.id;
end;
$$;

comment on function tenancy.copy_split_rows(tenancy.tenants_splits, text, text[], integer) is
    'Copies rows of the source into the tenant''s table, and notes their hashes. which is "next" for the rows behind a key, or "missing" for all that have not been copied. A row that meets another of the tenant''s rows in a unique key is left. Only under the lock of the tenant.';

-- sql/20_tenancy/splitting/delete_split_batch.sql

create function tenancy.delete_split_batch(
    relation regclass,
    column_name text,
    value text,
    schema_name text,
    after_key text[],
    batch_size integer,
    out rows_deleted bigint,
    out rows_left bigint,
    out last_key text[]
)
    returns record
    volatile
    security invoker
    set search_path = ''
    -- The text of a value, of which hashes are made, must not depend on the session.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    language plpgsql
as $$
declare
    v_tenant constant public.tenants := tenancy.lock_active_tenant(schema_name);
    v_split tenancy.tenants_splits;
    v_parts record;
    v_is_unreferenced text;
begin
    select p.* into v_split
    from tenancy.tenants_splits p
    where p.relation = delete_split_batch.relation
        and p.column_name = delete_split_batch.column_name
        and p.value = delete_split_batch.value
        and p.schema_name = delete_split_batch.schema_name;
    if v_split.state is distinct from 'verified' then
        raise exception 'The rows of table % with the value % are not verified.', relation, tenancy.printable(value)
            using errcode = 'object_not_in_prerequisite_state', hint = 'Verify them first with tenantry split.';
    end if;
    v_parts := tenancy.split_statements(relation, column_name, value, schema_name);

    -- A row goes when nothing references it any more.
    v_is_unreferenced := tenancy.split_unreferenced(relation, 's');
    perform tenancy.lock_relations(
        (
            select string_agg(r.name, ', ' order by r.name collate "C")
            from (
                select relation::text as name
                union
                select k.conrelid::regclass::text
                from pg_catalog.pg_constraint k
                where k.contype = 'f' and k.confrelid = delete_split_batch.relation
            ) r
        ),
        'share row exclusive'
    );
    -- A column that came after the verification has values that nobody has copied.
    perform tenancy.require_fitting_table(relation, column_name, schema_name);

    -- Triggers of the project may use names without a schema.
    perform set_config('search_path', 'public, extensions', true);
    execute format(
        $sql$
        with page as materialized (
            select s.*, array[%3$s] as split_texts, row_number() over (order by %2$s) as split_place
            from %1$s s
            where %4$s and %5$s%8$s
            order by %2$s
            limit $2
        ),
        verified as materialized (
            select s.*, l.key_hash as split_key_hash, l.row_hash as split_row_hash
            from page s
            -- A search by the key for each row, whatever the statistics say.
            cross join lateral (
                select l.key_hash, l.row_hash
                from tenancy.tenants_splits_rows l
                where l.split_id = $3 and l.key_hash = %6$s and l.row_hash = %7$s and l.copy_hash is null
                limit 1
            ) l
        ),
        deleted as (
            delete from %1$s s
            using verified t
            where %9$s and %4$s and %7$s = t.split_row_hash
            returning t.split_key_hash
        ),
        forgotten as (
            delete from tenancy.tenants_splits_rows l
            using deleted d
            where l.split_id = $3 and l.key_hash = d.split_key_hash
        )
        select
            (select count(*) from deleted),
            (select p.split_texts from page p order by p.split_place desc limit 1)
        $sql$,
        relation, v_parts.key_columns, v_parts.key_texts, v_parts.is_of_value, v_parts.is_after_key,
        v_parts.key_hash_of_source, v_parts.row_hash_of_source, v_is_unreferenced, v_parts.is_same_key
    )
    into rows_deleted, last_key
    using after_key, batch_size, v_split.id;
    perform set_config('search_path', '', true);
    if last_key is not null then
        update tenancy.tenants_splits p
        set rows_deleted = p.rows_deleted + delete_split_batch.rows_deleted
        where p.id = v_split.id;
        return;
    end if;

    execute format('select count(*) from %s s where %s', relation, v_parts.is_of_value) into rows_left;
    if v_split.rows_deleted > 0 then
        perform tenancy.log_action(
            'tenant.split_delete', v_tenant,
            jsonb_build_object('table', relation::text, 'deleted', v_split.rows_deleted, 'left', rows_left)
        );
    end if;
    update tenancy.tenants_splits p set rows_deleted = 0 where p.id = v_split.id;
    delete from tenancy.tenants_splits p where p.id = v_split.id and delete_split_batch.rows_left = 0;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.delete_split_batch(regclass, text, text, text, text[], integer) is
    'Deletes verified rows of one tenant from a table of the project, behind a key: those that are what they were when they were copied, and that no row references. Without a last key there was no such row, and rows_left says how many stay. Call it from the beginning until it deletes nothing. Only the owner can execute it (55000, PT404, PT429 busy).';

-- sql/20_tenancy/splitting/lock_active_tenant.sql

create function tenancy.lock_active_tenant(schema_name text)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant constant public.tenants := tenancy.lock_tenant(schema_name, 'super_admin', null);
begin
    if v_tenant.status <> 'active' then
        raise exception 'Tenant "%" is suspended, so no row is moved.', schema_name
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Activate it with activate_tenant, or split without it later.';
    end if;

    return v_tenant;
end;
$$;

comment on function tenancy.lock_active_tenant(text) is
    'Locks a tenant like lock_tenant, for the owner, and refuses a suspended one (55000, 55P03, PT404 tenant_not_found).';

-- sql/20_tenancy/splitting/note_equal_rows.sql

create function tenancy.note_equal_rows(split tenancy.tenants_splits)
    returns void
    volatile
    security invoker
    set search_path = ''
    -- Statistics of rows that came a moment ago are wrong, and a nested loop would take forever.
    set enable_nestloop = off
    language plpgsql
as $$
declare
    v_parts constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
begin
    execute format(
        $sql$
        insert into tenancy.tenants_splits_rows (split_id, key_hash, row_hash)
        select $1, %3$s, %4$s
        from %1$s s
        join %5$s t on %6$s
        where %2$s
            and %4$s = %7$s
            and not exists (select from tenancy.tenants_splits_rows l where l.split_id = $1 and l.key_hash = %3$s)
        $sql$,
        split.relation, v_parts.is_of_value, v_parts.key_hash_of_source, v_parts.row_hash_of_source,
        v_parts.target::regclass, v_parts.is_same_key, v_parts.row_hash_of_target
    )
    using split.id;
end;
$$;

comment on function tenancy.note_equal_rows(tenancy.tenants_splits) is
    'Notes the hashes of rows that the tenant has already, equal to those of the source: somebody copied them by hand. Only under the locks of verify_split.';

-- sql/20_tenancy/splitting/remove_split_rows.sql

create function tenancy.remove_split_rows(split tenancy.tenants_splits)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    -- Statistics of rows that came a moment ago are wrong, and a nested loop would take forever.
    set enable_nestloop = off
    language plpgsql
as $$
declare
    v_parts constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
    v_removed bigint;
    v_kept bigint;
begin
    -- A row that is referenced by a removed row of its own table goes in a later round.
    loop
        execute format(
            $sql$
            with gone as materialized (
                select l.key_hash, coalesce(l.copy_hash, l.row_hash) as copy_hash
                from tenancy.tenants_splits_rows l
                where l.split_id = $1
                    and not exists (select from %2$s s where %3$s and %1$s = l.key_hash)
            ),
            present as materialized (
                select g.key_hash
                from %4$s t
                join gone g on %5$s = g.key_hash
            ),
            removed as (
                delete from %4$s t
                using gone g
                where %5$s = g.key_hash and %6$s = g.copy_hash%7$s
                returning g.key_hash
            ),
            forgotten as (
                delete from tenancy.tenants_splits_rows l
                using gone g
                left join present p on p.key_hash = g.key_hash
                left join removed r on r.key_hash = g.key_hash
                where l.split_id = $1 and l.key_hash = g.key_hash
                    and (p.key_hash is null or r.key_hash is not null)
            )
            select (select count(*) from removed), (select count(*) from present) - (select count(*) from removed)
            $sql$,
            v_parts.key_hash_of_source, split.relation, v_parts.is_of_value,
            v_parts.target::regclass, v_parts.key_hash_of_target, v_parts.row_hash_of_target,
            tenancy.split_unreferenced(v_parts.target, 't')
        )
        into v_removed, v_kept
        using split.id;
        exit when v_removed = 0 or v_kept = 0;
    end loop;

    return v_kept;
end;
$$;

comment on function tenancy.remove_split_rows(tenancy.tenants_splits) is
    'Removes the copies of rows that are no longer in the source, and returns how many stay, because the tenant has changed them or other rows reference them. Only before the rows are verified, and under the locks of verify_split.';

-- sql/20_tenancy/splitting/require_fitting_table.sql

create function tenancy.require_fitting_table(relation regclass, column_name text, schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_list text;
begin
    select string_agg(concat_ws(' ', f.object || ':', f.detail, f.remediation), E'\n') into v_list
    from tenancy.split_findings(relation, column_name, schema_name) f
    where f.kind not like 'warning: %';
    if v_list is not null then
        raise exception 'Table % does not fit the one of tenant "%":%', relation, schema_name, E'\n' || v_list
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_fitting_table(regclass, text, text) is
    'Refuses a table whose rows cannot be copied whole into the table of the same name in a tenant (55000).';

-- sql/20_tenancy/splitting/split_deletion_findings.sql

create function tenancy.split_deletion_findings(relations regclass[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select 'foreign key', format('%s.%I', k.conrelid::regclass, k.conname),
        format('It references %s, whose rows would be deleted.', k.confrelid::regclass),
        format('Split %1$s, too; or: alter table %1$s drop constraint %2$I;', k.conrelid::regclass, k.conname),
        null
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = any (relations) and k.conrelid <> all (relations) and k.conparentid = 0
    union all
    select 'warning: index', format('%s.%I', k.conrelid::regclass, k.conname),
        format('No index begins with the columns of this key, so %s is read once for each deleted row.', k.conrelid::regclass),
        format(
            'create index concurrently on %s (%s);',
            k.conrelid::regclass,
            (
                select string_agg(quote_ident(a.attname), ', ' order by c.place)
                from unnest(k.conkey) with ordinality c (number, place)
                join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.number
            )
        ),
        null
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = any (relations) and k.conparentid = 0
        and tenancy.row_estimate(k.conrelid) > 1000
        and not exists (
            select
            from pg_catalog.pg_index i
            where i.indrelid = k.conrelid and i.indpred is null
                and (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
        );
$$;

comment on function tenancy.split_deletion_findings(regclass[]) is
    'Foreign keys by which tables outside of this list reference tables in it, and which keep `tenantry split --delete-source` from deleting; and warnings.';

-- sql/20_tenancy/splitting/split_findings.sql

create function tenancy.split_findings(
    relation regclass,
    column_name text,
    schema_name text default 'tenant_template'
)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_obstacle text := tenancy.sharing_obstacle(relation);
    v_name constant text := (select c.relname::text from pg_catalog.pg_class c where c.oid = split_findings.relation);
    v_target constant oid := tenancy.find_table(schema_name, v_name);
    v_key constant text[] := tenancy.split_key(relation, column_name);
begin
    if v_obstacle is null and row_security_active(relation) then
        v_obstacle := 'its policies hide rows from the owner, too';
    end if;
    if v_obstacle is not null then
        return query
        select 'table', relation::text, format('Its rows cannot be split: %s.', v_obstacle),
            'Give a table of the project that its owner reads whole.', null;
        return;
    end if;
    if not exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = split_findings.relation and a.attname = column_name and a.attnum > 0 and not a.attisdropped
    ) then
        return query
        select 'column', relation::text, format('It has no column %I.', column_name),
            'Name the column that says to which tenant a row belongs.', null;
        return;
    end if;
    if v_key is null then
        return query
        select 'primary key', relation::text, o.detail, o.remediation, null
        from (
            select 'It has no primary key. Rows could not be told apart.',
                format('alter table %s add column id bigint generated always as identity primary key;', relation)
            where not exists (
                select from pg_catalog.pg_index i where i.indrelid = split_findings.relation and i.indisprimary
            )
            union all
            select format('%I is its whole primary key, so it has at most one row for each tenant.', column_name),
                'A list of the tenants stays shared. Another table needs a key beside this column.'
            where exists (
                select from pg_catalog.pg_index i where i.indrelid = split_findings.relation and i.indisprimary
            )
        ) o (detail, remediation);
        return;
    end if;
    if v_target is null then
        return query
        select 'table', relation::text, format('Schema %I has no table %I.', schema_name, v_name),
            format(
                E'Write a tenant migration that creates it: tenantry new add_%s. For example:\n%s',
                v_name, tenancy.split_table_text(relation, column_name)
            ),
            null;
        return;
    end if;

    return query
    with columns as (
        select a.attname::text as name,
            format_type(a.atttypid, a.atttypmod) as source_type,
            format_type(t.atttypid, t.atttypmod) as target_type,
            a.attname is not null and t.attname is not null and (
                (a.atttypid = t.atttypid and t.atttypmod in (a.atttypmod, -1))
                -- Wider types, in which the values have the same texts.
                or (a.atttypid = 'smallint'::regtype and t.atttypid in ('integer'::regtype, 'bigint'::regtype))
                or (a.atttypid = 'integer'::regtype and t.atttypid = 'bigint'::regtype)
                or (a.atttypid = 'varchar'::regtype and t.atttypid = 'text'::regtype)
                or (
                    select array_agg(e.enumlabel order by e.enumlabel)
                    from pg_catalog.pg_enum e where e.enumtypid = a.atttypid
                ) <@ (
                    select array_agg(e.enumlabel order by e.enumlabel)
                    from pg_catalog.pg_enum e where e.enumtypid = t.atttypid
                )
            ) as has_same_type
        from pg_catalog.pg_attribute a
        left join pg_catalog.pg_attribute t on t.attrelid = v_target and t.attname = a.attname and not t.attisdropped
        where a.attrelid = split_findings.relation and a.attnum > 0 and not a.attisdropped
            and (a.attname <> column_name or t.attname is not null)
    )
    select 'column', format('%s.%I', relation, c.name),
        case
            when c.target_type is null then format('Table %I of schema %I has no such column.', v_name, schema_name)
            else format('Its type is %s, and in schema %I %s.', c.source_type, schema_name, c.target_type)
        end,
        'Change one of the two tables. The tenants'' table is changed by a tenant migration.', null
    from columns c
    where c.has_same_type is not true
    union all
    select 'column', format('%I.%I.%I', schema_name, v_name, t.attname),
        format('%s has no such column, and here it needs a value.', relation),
        'Give it a default by a tenant migration.', null
    from pg_catalog.pg_attribute t
    where t.attrelid = v_target and t.attnum > 0 and not t.attisdropped
        and t.attnotnull and not t.atthasdef and t.attidentity = ''
        and not exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = split_findings.relation and a.attname = t.attname and not a.attisdropped
        )
    union all
    select 'primary key', format('%I.%I', schema_name, v_name),
        format('No unique key of it has the columns %s, which identify a row within one tenant.', array_to_string(v_key, ', ')),
        'Give it this primary key by a tenant migration.', null
    where not exists (
        select
        from pg_catalog.pg_index i
        where i.indrelid = v_target and i.indisunique and i.indimmediate and i.indisvalid
            and i.indpred is null and i.indexprs is null
            and (
                select array_agg(a.attname::text order by a.attname::text)
                from unnest(i.indkey::smallint[]) with ordinality k (number, place)
                join pg_catalog.pg_attribute a on a.attrelid = v_target and a.attnum = k.number
                where k.place <= i.indnkeyatts and a.attname <> column_name
            ) = (select array_agg(k.name order by k.name) from unnest(v_key) k (name))
    )
    union all
    select 'warning: trigger', format('%I.%I.%I', schema_name, v_name, g.tgname),
        'It runs for every row that is copied. If it changes rows, they are not equal to the source.',
        'If so, --accept-changes accepts them.', null
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where g.tgrelid = v_target and not g.tgisinternal and g.tgenabled in ('O', 'A')
        and g.tgtype & 4 = 4
        and p.prosrc not like E'\n<<audit>>%'
    union all
    select 'warning: index', format('%s.%I', relation, column_name),
        'No index begins with this column, so the table is read once for each batch.',
        format('create index concurrently on %s (%I);', relation, column_name), null
    where tenancy.row_estimate(relation) > 10000
        and not exists (
            select
            from pg_catalog.pg_index i
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
            where i.indrelid = split_findings.relation and a.attname = column_name and i.indpred is null
        );
end;
$$;

comment on function tenancy.split_findings(regclass, text, text) is
    'Why the rows of a table cannot be copied into the table of the same name in a schema, and warnings. The schema is the reference schema, or that of a tenant.';

-- sql/20_tenancy/splitting/split_key.sql

create function tenancy.split_key(relation regclass, column_name text)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array_agg(a.attname::text order by k.place)
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::smallint[]) with ordinality k (number, place)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = split_key.relation and i.indisprimary and a.attname <> column_name;
$$;

comment on function tenancy.split_key(regclass, text) is
    'The columns of a table''s primary key, without the column that names the tenant: what identifies a row within one tenant. Null if there is none.';

-- sql/20_tenancy/splitting/split_order.sql

create function tenancy.split_order(relations regclass[])
    returns regclass[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_order regclass[] := '{}';
    v_next regclass[];
begin
    loop
        v_next := array(
            select r.relation
            from unnest(relations) r (relation)
            where r.relation <> all (v_order)
                and not exists (
                    select
                    from unnest(relations) other (relation)
                    join tenancy.split_references(r.relation) k on k.referenced = other.relation
                    where other.relation <> r.relation and other.relation <> all (v_order)
                )
            order by r.relation::text
        );
        exit when cardinality(v_next) = 0;
        v_order := v_order || v_next;
    end loop;

    return v_order;
end;
$$;

comment on function tenancy.split_order(regclass[]) is
    'The tables in the order in which their rows can be inserted: a referenced table first. Tables that reference one another in a circle are missing.';

-- sql/20_tenancy/splitting/split_references.sql

create function tenancy.split_references(relation regclass)
    returns table (referenced regclass)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select k.confrelid::regclass
    from pg_catalog.pg_constraint k
    where k.conrelid = split_references.relation and k.contype = 'f'
    union
    -- The template may have a foreign key that the project has not.
    select s.oid::regclass
    from pg_catalog.pg_class c
    join pg_catalog.pg_constraint k
        on k.conrelid = tenancy.find_table('tenant_template', c.relname) and k.contype = 'f'
    join pg_catalog.pg_class f on f.oid = k.confrelid and f.relnamespace = to_regnamespace('tenant_template')
    join pg_catalog.pg_class s on s.relname = f.relname and s.relnamespace = c.relnamespace
    where c.oid = split_references.relation;
$$;

comment on function tenancy.split_references(regclass) is
    'The tables that a table references, or that it would reference if it had the foreign keys of the template''s table.';

-- sql/20_tenancy/splitting/split_statements.sql

-- One place that reads the columns. The source is s, the tenant's table is t.
create function tenancy.split_statements(
    relation regclass,
    column_name text,
    value text,
    schema_name text,
    out target oid,
    out is_of_value text,
    out key_columns text,
    out key_texts text,
    out is_after_key text,
    out is_same_key text,
    out key_hash_of_source text,
    out key_hash_of_target text,
    out row_hash_of_source text,
    out row_hash_of_target text,
    out columns text,
    out source_values text,
    out assignments text,
    out differing_columns text,
    out compared_columns text[]
)
    returns record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_keys constant text[] := tenancy.split_key(relation, column_name);
begin
    target := tenancy.require_table(
        schema_name, (select c.relname from pg_catalog.pg_class c where c.oid = split_statements.relation)
    );
    -- Values with different texts may be equal: in citext, in a collation without case, in numeric.
    select format('s.%I = %L::%s', column_name, value, format_type(a.atttypid, a.atttypmod))
        || case
            when a.atttypid not in ('uuid'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'text'::regtype, 'varchar'::regtype)
                or exists (
                    select from pg_catalog.pg_collation o where o.oid = a.attcollation and not o.collisdeterministic
                ) then format(' and s.%I::text = %L collate "C"', column_name, value)
            else ''
        end
    into strict is_of_value
    from pg_catalog.pg_attribute a
    where a.attrelid = split_statements.relation and a.attname = column_name and not a.attisdropped;

    select
        string_agg(format('s.%I', c.name), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('s.%I::text', c.name), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('($1[%s])::%s', c.place_in_key, c.type), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('s.%1$I = t.%1$I', c.name), ' and ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('t.%I', c.name), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('s.%I%s', c.name, c.cast_for_hash), ', ' order by c.place),
        string_agg(format('t.%I%s', c.name, c.cast_for_hash), ', ' order by c.place),
        string_agg(quote_ident(c.name), ', ' order by c.place) filter (where not c.is_computed),
        string_agg(c.source_value, ', ' order by c.place) filter (where not c.is_computed),
        string_agg(format('%I = %s', c.name, c.source_value), ', ' order by c.place)
            filter (where not (c.is_computed or c.is_key or c.is_always_identity)),
        string_agg(
            format('case when s.%1$I::text is distinct from t.%1$I::text then %1$L end', c.name), ', ' order by c.place
        ),
        array_agg(c.name order by c.place)
    into key_columns, key_texts, is_after_key, is_same_key, key_hash_of_target, row_hash_of_source, row_hash_of_target,
        columns, source_values, assignments, differing_columns, compared_columns
    from (
        select a.attname::text as name,
            a.attnum as place,
            a.attname = any (v_keys) as is_key,
            array_position(v_keys, a.attname::text) as place_in_key,
            format_type(a.atttypid, a.atttypmod) as type,
            t.attgenerated <> '' as is_computed,
            t.attidentity = 'a' as is_always_identity,
            -- The text of a regclass depends on the search path, which a deletion changes.
            case when format_type(a.atttypid, null) ~ '^reg[a-z]+$' then '::oid' end as cast_for_hash,
            -- A wider type of the template may stand for the one of the project.
            case
                when a.atttypid = t.atttypid then format('s.%I', a.attname)
                else format('s.%I::text::%s', a.attname, format_type(t.atttypid, t.atttypmod))
            end as source_value
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_attribute t on t.attrelid = target and t.attname = a.attname and not t.attisdropped
        where a.attrelid = split_statements.relation and a.attnum > 0 and not a.attisdropped
    ) c;

    is_after_key := format('($1 is null or (%s) > (%s))', key_columns, is_after_key);
    key_hash_of_source := format('sha256(convert_to(row(%s)::text, ''UTF8''))', key_columns);
    key_hash_of_target := format('sha256(convert_to(row(%s)::text, ''UTF8''))', key_hash_of_target);
    row_hash_of_source := format('sha256(convert_to(row(%s)::text, ''UTF8''))', row_hash_of_source);
    row_hash_of_target := format('sha256(convert_to(row(%s)::text, ''UTF8''))', row_hash_of_target);
    differing_columns := format('array_remove(array[%s], null)', differing_columns);
end;
$$;

comment on function tenancy.split_statements(regclass, text, text, text) is
    'The parts of the statements that copy and compare the rows of a table of the project, s, with those of a tenant''s table, t. In is_after_key, $1 is the last key as texts. A hash is of the text of the values, so its caller has to fix the settings that texts depend on (PT404 table_not_found).';

-- sql/20_tenancy/splitting/split_table_text.sql

create function tenancy.split_table_text(relation regclass, column_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        E'-- Add the foreign keys, checks, unique constraints, indexes and triggers that it needs.\ncreate table %I (\n    %s,\n    primary key (%s)\n);',
        c.relname,
        string_agg(
            concat_ws(
                ' ',
                quote_ident(a.attname),
                format_type(a.atttypid, a.atttypmod),
                case when a.attnotnull then 'not null' end,
                case
                    when a.attidentity = 'a' then 'generated always as identity'
                    when a.attidentity = 'd' or pg_get_serial_sequence(relation::text, a.attname) is not null
                        then 'generated by default as identity'
                    when a.attgenerated <> '' then format('generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
                    when d.adbin is not null then 'default ' || pg_get_expr(d.adbin, d.adrelid)
                end
            ),
            E',\n    ' order by a.attnum
        ),
        (select string_agg(quote_ident(k.name), ', ') from unnest(tenancy.split_key(relation, column_name)) k (name))
    )
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.oid = split_table_text.relation and a.attname <> column_name
    group by c.relname;
$$;

comment on function tenancy.split_table_text(regclass, text) is
    'The text of a tenant migration that creates the tenants'' table for a table of the project, without the column that names the tenant. Foreign keys, checks and indexes are missing.';

-- sql/20_tenancy/splitting/split_unreferenced.sql

create function tenancy.split_unreferenced(relation oid, alias text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select coalesce(
        string_agg(
            format(
                ' and not exists (select from %s r where %s%s)',
                k.conrelid::regclass,
                -- A row may reference itself.
                case when k.conrelid = k.confrelid then format('(r.tableoid, r.ctid) <> (%1$I.tableoid, %1$I.ctid) and ', alias) end,
                (
                    select string_agg(format('r.%I = %s.%I', a.attname, alias, f.attname), ' and ')
                    from unnest(k.conkey, k.confkey) c (referencing, referenced)
                    join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.referencing
                    join pg_catalog.pg_attribute f on f.attrelid = k.confrelid and f.attnum = c.referenced
                )
            ),
            ''
        ),
        ''
    )
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = relation and k.conparentid = 0;
$$;

comment on function tenancy.split_unreferenced(oid, text) is
    'SQL, to follow a condition: no foreign key references the row of this alias. A foreign key may delete or change the rows that reference a deleted one, and nobody has compared these.';

-- sql/20_tenancy/splitting/split_values.sql

create function tenancy.split_values(
    relation regclass,
    column_name text,
    tenants_from regclass default null,
    key_column text default null,
    name_column text default null
)
    returns table (value text, schema_name text, row_count bigint, obstacle text)
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_mapping constant text := case
        when tenants_from is null then
            'select t.id::text, t.schema_name from public.tenants t union all select t.schema_name, t.schema_name from public.tenants t'
        else format('select m.%I::text collate "C", m.%I::text collate "C" from %s m', key_column, name_column, tenants_from)
    end;
begin
    return query execute format(
        -- By their texts, because rows are copied by the text of the value.
        $sql$
        select v.value, t.schema_name, v.row_count,
            case
                when v.value is null then 'The column is null.'
                when m.names > 1 then format('%%s names several tenants.', v.value)
                when t.schema_name is null and m.name is not null then format('There is no tenant "%%s".', m.name)
                when t.schema_name is null then 'No tenant has this id or schema name.'
                when v.known_name <> t.schema_name then format('Its rows have been copied to tenant "%%s" before.', v.known_name)
                when t.status <> 'active' then format('Tenant "%%s" is suspended.', t.schema_name)
                when t.schema_version <> tenancy.latest_tenant_version() then format('Tenant "%%s" is not at the latest version: tenantry migrate.', t.schema_name)
            end
        from (
            select coalesce(c.value, p.value) as value, coalesce(c.row_count, 0) as row_count, p.schema_name as known_name
            from (select s.%1$I::text collate "C" as value, count(*) as row_count from %2$s s group by 1) c
            full join (
                select p.value, p.schema_name from tenancy.tenants_splits p where p.relation = $1 and p.column_name = $2
            ) p on p.value = c.value
        ) v
        left join (
            select m.value, min(m.name) as name, count(distinct m.name) as names
            from (%3$s) m (value, name)
            group by m.value
        ) m on m.value = v.value
        left join public.tenants t on t.schema_name = m.name and m.names = 1 and t.status <> 'pooled'
        order by t.schema_name, v.value
        $sql$,
        column_name, relation, v_mapping
    )
    using relation, column_name;
end;
$$;

comment on function tenancy.split_values(regclass, text, regclass, text, text) is
    'The values of the column that names the tenant, with their tenants, the number of their rows, and what keeps these rows from being copied. A value is a tenant''s id or schema name; or tenants_from is a table with the value in key_column and the schema name in name_column. Counts all rows.';

-- sql/20_tenancy/splitting/update_split_rows.sql

create function tenancy.update_split_rows(split tenancy.tenants_splits)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    -- Statistics of rows that came a moment ago are wrong, and a nested loop would take forever.
    set enable_nestloop = off
    language plpgsql
as $$
declare
    v_parts constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
    v_count bigint := 0;
begin
    -- A table may have nothing but its key.
    if v_parts.assignments is not null then
        execute format(
            $sql$
            with changed as materialized (
                select s.*, coalesce(l.copy_hash, l.row_hash) as split_copy_hash,
                    l.key_hash as split_key_hash, %4$s as split_row_hash
                from %1$s s
                join tenancy.tenants_splits_rows l on l.split_id = $1 and l.key_hash = %3$s
                where %2$s and l.row_hash <> %4$s
            ),
            updated as (
                update %5$s t
                set %6$s
                from changed s
                where %7$s and %8$s = s.split_copy_hash
                returning s.split_key_hash, s.split_row_hash, %8$s as copy_hash
            )
            update tenancy.tenants_splits_rows l
            set row_hash = u.split_row_hash, copy_hash = nullif(u.copy_hash, u.split_row_hash)
            from updated u
            where l.split_id = $1 and l.key_hash = u.split_key_hash
            $sql$,
            split.relation, v_parts.is_of_value, v_parts.key_hash_of_source, v_parts.row_hash_of_source,
            v_parts.target::regclass, v_parts.assignments, v_parts.is_same_key, v_parts.row_hash_of_target
        )
        using split.id;
        get diagnostics v_count = row_count;
    end if;

    return v_count;
end;
$$;

comment on function tenancy.update_split_rows(tenancy.tenants_splits) is
    'Brings the copies of rows that have changed in the source up to date, unless the tenant has changed them, and returns how many. Only under the locks of verify_split.';

-- sql/20_tenancy/splitting/verify_split.sql

create function tenancy.verify_split(
    relations regclass[],
    column_name text,
    value text,
    schema_name text,
    accept_changes boolean default false
)
    returns table (
        relation regclass,
        state text,
        row_count bigint,
        rows_copied bigint,
        clashing_count bigint,
        changed_count bigint,
        changed_columns text[],
        kept_count bigint,
        checksum text
    )
    volatile
    security invoker
    set search_path = ''
    -- The text of a value, of which hashes are made, must not depend on the session.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    language plpgsql
as $$
#variable_conflict use_variable
declare
    v_tenant constant public.tenants := tenancy.lock_active_tenant(schema_name);
    v_splits constant tenancy.tenants_splits[] := array(
        select p
        from unnest(relations) with ordinality r (relation, place)
        cross join lateral tenancy.begin_split(r.relation, verify_split.column_name, verify_split.value, verify_split.schema_name) p
        order by r.place
    );
    v_split tenancy.tenants_splits;
    v_compared record;
    v_copied bigint;
    v_kept bigint[] := array_fill(0::bigint, array[cardinality(v_splits)]);
begin
    -- Each statement has to see what was written before the lock.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'Rows are verified in a transaction that is read committed.'
            using errcode = 'invalid_transaction_state';
    end if;
    -- Writers of the source wait; readers do not.
    perform tenancy.lock_relations(
        (select string_agg(r.relation::text, ', ' order by r.relation::text collate "C") from unnest(relations) r (relation)),
        'share row exclusive'
    );

    -- Rows that reference others go first.
    for place in reverse cardinality(v_splits)..1 loop
        if v_splits[place].state <> 'verified' then
            v_kept[place] := tenancy.remove_split_rows(v_splits[place]);
        end if;
    end loop;
    foreach v_split in array v_splits loop
        perform tenancy.advance_split_sequences(v_split);
        v_copied := 0;
        v_compared := tenancy.compare_split_rows(v_split, accept_changes => false);
        if v_compared.clashing_count + v_compared.changed_count > 0 then
            v_copied := (tenancy.copy_split_rows(v_split, 'missing')).rows_copied;
            -- A changed row may have given a unique value free for a row that is missing.
            if tenancy.update_split_rows(v_split) > 0 then
                v_copied := v_copied + (tenancy.copy_split_rows(v_split, 'missing')).rows_copied;
            end if;
            perform tenancy.note_equal_rows(v_split);
            v_compared := tenancy.compare_split_rows(v_split, accept_changes);
        end if;

        state := case
            when v_compared.clashing_count > 0 or (v_compared.changed_count > 0 and not accept_changes) then 'copied'
            else 'verified'
        end;
        update tenancy.tenants_splits p
        set rows_copied = p.rows_copied + v_copied,
            -- What was verified once stays so, whatever comes into the source later.
            state = case p.state when 'verified' then p.state else verify_split.state end,
            checksum = case verify_split.state when 'verified' then v_compared.checksum else p.checksum end,
            verified_at = case verify_split.state when 'verified' then now() else p.verified_at end
        where p.id = v_split.id
        returning p.rows_copied into rows_copied;
        if state = 'verified' and v_compared.row_count > 0 and (v_split.state <> 'verified' or v_copied > 0) then
            perform tenancy.log_action(
                'tenant.split', v_tenant,
                jsonb_build_object(
                    'table', v_split.relation::text, 'rows', v_compared.row_count,
                    'checksum', encode(v_compared.checksum, 'hex'), 'changed', v_compared.changed_count
                )
            );
        end if;
        relation := v_split.relation;
        row_count := v_compared.row_count;
        clashing_count := v_compared.clashing_count;
        changed_count := v_compared.changed_count;
        changed_columns := v_compared.changed_columns;
        kept_count := v_kept[array_position(relations, v_split.relation)];
        checksum := encode(v_compared.checksum, 'hex');
        return next;
    end loop;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.verify_split(regclass[], text, text, text, boolean) is
    'Keeps writers out of tables of the project, given in the order of split_order; brings the copies of one tenant''s rows up to date; and compares all of them. The state "verified" says that each row of the source is in the tenant''s table, equal or, with accept_changes, changed there since. Afterwards no copy is removed, and none that the tenant has changed is touched. Only the owner can execute it (23503, 55000, PT404, PT429 busy).';

-- sql/20_tenancy/tables/add_column.sql

create function tenancy.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean,
    default_value jsonb,
    default_expression text,
    is_identity boolean
)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_definition constant text := tenancy.column_definition(
        column_name, column_type, is_nullable, default_value, default_expression, is_identity => is_identity
    );
begin
    perform tenancy.lock_tables(schema_name, array[table_name]);
    -- Any other default that column_default allows is stored once for all rows.
    if is_identity or lower(btrim(default_expression, ' ')) = 'gen_random_uuid()' then
        perform tenancy.lock_rewrite(tenancy.require_table(schema_name, table_name));
    end if;

    begin
        execute format('alter table %I.%I add column %s', schema_name, table_name, v_definition);
    exception
        when query_canceled then
            -- The reason may be a suspension instead of the time.
            perform tenancy.require_not_closing(schema_name);
            raise exception 'Writing column "%" into all rows of table "%" takes too long: nobody could read the table meanwhile.',
                column_name, table_name
                using errcode = 'PT422', detail = 'invalid_request',
                    hint = 'Nothing was changed. Add the column without a default, and fill it by updates of some thousand rows each.';
    end;
    perform tenancy.audit_table(schema_name, table_name);
    if is_identity then
        perform tenancy.apply_tenant_privileges(schema_name);
    end if;
    perform tenancy.reload_schema_cache();
exception
    when duplicate_column then
        raise exception 'Table "%" already has a column "%".', table_name, column_name
            using errcode = 'PT409', detail = 'column_exists', hint = 'Choose another name.';
    when not_null_violation then
        raise exception 'The rows of table "%" would have no value in column "%".', table_name, column_name
            using errcode = 'PT409', detail = 'table_not_empty',
                hint = 'Give the column a default_value, or let it be nullable.';
    when datatype_mismatch then
        raise exception 'The default expression does not fit the type of the column.'
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'now() and current_date fit dates and times, gen_random_uuid() and auth.uid() fit uuid.';
    when sequence_generator_limit_exceeded then
        raise exception 'Table "%" has more rows than the type % has numbers.', table_name, column_type
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use the type bigint.';
    when program_limit_exceeded then
        raise exception 'Table "%" cannot take another column: %.', table_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use a second table.';
end;
$$;

comment on function tenancy.add_column(text, text, text, text, boolean, jsonb, text, boolean) is
    'Adds a column to a table of a tenant. Only under lock_tenant (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409: column_exists, table_not_empty; PT422 invalid_request; 55P03).';

-- sql/20_tenancy/tables/add_foreign_key.sql

create function tenancy.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text,
    on_delete text,
    on_update text
)
    returns text
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_foreign_table constant oid := tenancy.require_table(schema_name, foreign_table);
    v_foreign_number constant smallint := tenancy.require_column(schema_name, foreign_table, foreign_column);
    v_on_delete constant text := tenancy.require_foreign_key_action(on_delete);
    v_on_update constant text := tenancy.require_foreign_key_action(on_update);
    v_constraint_name text;
begin
    -- With two equal keys, PostgREST could not choose one when a client embeds the other table.
    v_constraint_name := tenancy.find_foreign_key(v_table, v_number, v_foreign_table, v_foreign_number);
    if v_constraint_name is not null then
        raise exception 'Column "%" of table "%" points at "%" of table "%" already, by the foreign key "%".',
            column_name, table_name, foreign_column, foreign_table, tenancy.printable(v_constraint_name)
            using errcode = 'PT409', detail = 'constraint_exists',
                hint = 'To change the actions on delete or update, first drop this foreign key with drop_foreign_key.';
    end if;
    if exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = v_table and a.attnum = v_number and a.attnotnull
            and ('SET NULL' in (v_on_delete, v_on_update)
                or ('SET DEFAULT' in (v_on_delete, v_on_update) and not a.atthasdef))
    ) then
        raise exception 'Column "%" of table "%" cannot be null, and this foreign key would set it to null.',
            column_name, table_name
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use CASCADE or RESTRICT, or a column that may be null.';
    end if;
    perform tenancy.lock_tables(schema_name, array[table_name, foreign_table], 'share row exclusive');

    -- Without an index, every delete in the other table would read this whole table.
    if not exists (
        select from pg_catalog.pg_index i where i.indrelid = v_table and i.indkey[0] = v_number
    ) then
        execute format('create index on %I.%I (%I)', schema_name, table_name, column_name);
    end if;

    -- PostgreSQL chooses a name for the constraint that is free and short enough.
    execute format(
        'alter table %1$I.%2$I add foreign key (%3$I) references %1$I.%4$I (%5$I) on delete %6$s on update %7$s not valid',
        schema_name, table_name, column_name, foreign_table, foreign_column, v_on_delete, v_on_update
    );
    v_constraint_name := tenancy.find_foreign_key(v_table, v_number, v_foreign_table, v_foreign_number);
    execute format('alter table %I.%I validate constraint %I', schema_name, table_name, v_constraint_name);
    perform tenancy.reload_schema_cache();

    return v_constraint_name;
exception
    when foreign_key_violation then
        raise exception 'Table "%" has values in column "%" that table "%" does not have in column "%".',
            table_name, column_name, foreign_table, foreign_column
            using errcode = 'PT409', detail = 'foreign_key_violation',
                hint = 'Nothing was changed. Correct those rows and try again.';
    when invalid_foreign_key then
        raise exception 'Column "%" of table "%" is neither its primary key nor unique.', foreign_column, foreign_table
            using errcode = 'PT409', detail = 'foreign_key_target',
                hint = 'Choose a primary key or a unique column.';
    when datatype_mismatch then
        raise exception 'Column "%" of table "%" and column "%" of table "%" have types that cannot be compared.',
            column_name, table_name, foreign_column, foreign_table
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Give both columns the same type.';
    when program_limit_exceeded then
        raise exception 'Values of column "%" are too long for the index that a foreign key needs: %.', column_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Use a column of short values, such as a uuid.';
    when undefined_object then
        raise exception 'A column of type json cannot be part of a foreign key.'
            using errcode = 'PT400', detail = 'invalid_column_type', hint = 'Use another column.';
end;
$$;

comment on function tenancy.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key between two tables of one tenant, with an index, validates it, and returns its name. Until the transaction ends, writers of both tables wait, and readers do not. Only under lock_tenant (PT400 invalid_column_type; PT404: table_not_found, column_not_found; PT409: constraint_exists, foreign_key_violation, foreign_key_target; PT422 invalid_request; 55P03).';

-- sql/20_tenancy/tables/budget_usage.sql

create function tenancy.budget_usage(schema_name text)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables constant oid[] := tenancy.table_oids(schema_name);
begin
    return jsonb_build_object(
        'columns', (
            select count(*) from pg_catalog.pg_attribute a
            where a.attrelid = any (v_tables) and a.attnum > 0 and not a.attisdropped
        ),
        'indexes', (select count(*) from pg_catalog.pg_index i where i.indrelid = any (v_tables)),
        'foreign_keys', (
            select count(*) from pg_catalog.pg_constraint c
            where c.conrelid = any (v_tables) and c.contype = 'f'
        ),
        'text_bytes', (
            select coalesce(sum(octet_length(pg_get_expr(d.adbin, d.adrelid))), 0)
            from pg_catalog.pg_attrdef d
            where d.adrelid = any (v_tables)
        ) + (
            select coalesce(sum(octet_length(d.description)), 0)
            from pg_catalog.pg_description d
            where d.classoid = 'pg_class'::regclass and d.objoid = any (v_tables)
        )
    );
end;
$$;

comment on function tenancy.budget_usage(text) is
    'What a tenant uses of the budgets in platform_settings: its columns, indexes and foreign keys, and the bytes of its defaults and comments.';

-- sql/20_tenancy/tables/column_default.sql

create function tenancy.column_default(column_type text, literal jsonb, expression text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_is_array constant boolean := column_type like '%[]';
    v_is_json constant boolean := column_type in ('json', 'jsonb');
    v_expression text;
    v_text text;
    v_fits boolean;
begin
    -- A JSON null means that no literal is given.
    if literal is null or literal = 'null' then
        if expression is null then
            return null;
        end if;
        v_expression := lower(btrim(expression, ' '));
        if v_expression in ('now()', 'gen_random_uuid()', 'auth.uid()', 'current_date') then
            return v_expression;
        end if;
        raise exception 'The default expression % is not allowed.', quote_literal(tenancy.printable(expression))
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Use now(), gen_random_uuid(), auth.uid() or current_date, or a literal as the default.';
    end if;

    if expression is not null then
        raise exception 'A column has a literal default or a default expression, not both.'
            using errcode = 'PT400', detail = 'invalid_default', hint = 'Leave one of them out.';
    end if;

    perform tenancy.require_short_default(literal::text);
    begin
        if v_is_json then
            v_text := literal::text;
        elsif v_is_array then
            -- Fails if the literal is no array. A nested array fails in the cast below.
            v_text := array(
                select e.value #>> '{}' from jsonb_array_elements(literal) with ordinality e (value, place)
                order by e.place
            )::text;
        elsif jsonb_typeof(literal) in ('object', 'array') then
            raise invalid_text_representation;
        else
            v_text := literal #>> '{}';
        end if;

        -- The default is the value after the cast: 'now' becomes the present time. A cast to
        -- varchar(3) cuts the text silently, which a comparison with a cast to varchar shows.
        execute format(
            'select (%1$L::%2$s)::text, (%1$L::%2$s)::text = (%1$L::%3$s)::text',
            v_text,
            column_type,
            case
                when column_type like 'character%'
                    then regexp_replace(replace(column_type, 'character(', 'bpchar('), '\(\d+\)', '')
                else column_type
            end
        )
        into v_text, v_fits;
    exception
        when data_exception or integrity_constraint_violation or program_limit_exceeded then
            v_fits := false;
    end;

    if not v_fits then
        raise exception 'The default % does not fit the type %.', tenancy.printable(literal::text), column_type
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Give a JSON value of that type, for example 0, "text", true or ["a", "b"].';
    end if;

    -- The value can be longer than the literal: 1e5000 is a number of 5,001 digits.
    perform tenancy.require_short_default(v_text);
    return format('%L::%s', v_text, column_type);
end;
$$;

comment on function tenancy.column_default(text, jsonb, text) is
    'A column''s default as SQL, from a JSON literal or one of the allowed expressions; null if neither is given (PT400 invalid_default, PT409 default_limit). column_type is a result of tenancy.column_type.';

-- sql/20_tenancy/tables/column_definition.sql

create function tenancy.column_definition(
    column_name text,
    column_type text,
    is_nullable boolean,
    literal jsonb,
    expression text,
    is_unique boolean default false,
    is_identity boolean default false
)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_type text;
    v_default text;
begin
    perform tenancy.require_column_name(column_name);
    v_type := tenancy.column_type(column_type);
    v_default := tenancy.column_default(v_type, literal, expression);
    if is_identity then
        perform tenancy.require_identity(column_name, v_type, is_nullable, v_default);
    end if;

    return format('%I %s', column_name, v_type)
        || case when is_identity then ' generated by default as identity' when is_nullable is false then ' not null' else '' end
        || coalesce(' default ' || v_default, '')
        || case when is_unique then ' unique' else '' end;
end;
$$;

comment on function tenancy.column_definition(text, text, boolean, jsonb, text, boolean, boolean) is
    'The definition of a column for CREATE TABLE or ADD COLUMN. Without is_nullable, a column may be null unless it is an identity column (PT400: invalid_identifier, invalid_column_type, invalid_default; PT422 invalid_request).';

-- sql/20_tenancy/tables/column_type.sql

create function tenancy.column_type(type_text text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- The caller's text is only parsed. The result is what format_type prints for an oid and a
    -- number, so no part of the caller's text can reach a statement.
    v_match constant text[] := regexp_match(
        lower(regexp_replace(btrim(type_text, ' '), ' +', ' ', 'g')),
        '^([a-z][a-z0-9 ]*?) ?(?:\( ?([0-9]{1,9}) ?(?:, ?(-?[0-9]{1,9}) ?)?\))? ?((?:with|without) time zone)? ?(\[\])?$'
    );
    v_first constant bigint := v_match[2];
    v_second constant bigint := v_match[3];
    v_spelling text := v_match[1];
    v_zone constant text := v_match[4];
    v_type oid;
    v_modifier bigint := -1;
    v_fits boolean := true;
begin
    if v_spelling in ('time', 'timestamp') and v_zone is not null then
        v_spelling := v_spelling || ' ' || v_zone;
    elsif v_zone is not null then
        v_spelling := null;
    end if;

    v_type := case
        when v_spelling = 'text' then 'text'::regtype
        when v_spelling in ('varchar', 'character varying') then 'varchar'::regtype
        when v_spelling in ('char', 'character') then 'bpchar'::regtype
        when v_spelling in ('smallint', 'int2') then 'int2'::regtype
        when v_spelling in ('integer', 'int', 'int4') then 'int4'::regtype
        when v_spelling in ('bigint', 'int8') then 'int8'::regtype
        when v_spelling in ('numeric', 'decimal') then 'numeric'::regtype
        when v_spelling in ('real', 'float4') then 'float4'::regtype
        when v_spelling in ('double precision', 'float8', 'float') then 'float8'::regtype
        when v_spelling in ('boolean', 'bool') then 'bool'::regtype
        when v_spelling = 'date' then 'date'::regtype
        when v_spelling in ('time', 'time without time zone') then 'time'::regtype
        when v_spelling in ('timestamp', 'timestamp without time zone') then 'timestamp'::regtype
        when v_spelling in ('timestamptz', 'timestamp with time zone') then 'timestamptz'::regtype
        when v_spelling in (
            'interval', 'uuid', 'json', 'jsonb', 'bytea', 'inet', 'cidr', 'macaddr'
        ) then v_spelling::regtype
    end;

    -- Each type has its own encoding of its modifier as the catalog's typmod.
    if v_type in ('varchar'::regtype, 'bpchar'::regtype) then
        -- A bare char is char(1), as everywhere in SQL.
        v_modifier := 4 + coalesce(v_first, case when v_type = 'bpchar'::regtype then 1 else -5 end);
        v_fits := v_second is null and coalesce(v_first between 1 and 10485760, true);
    elsif v_type = 'numeric'::regtype then
        v_modifier := coalesce(4 + ((v_first << 16) | (coalesce(v_second, 0) & 2047)), -1);
        v_fits := coalesce(
            v_first between 1 and 1000 and coalesce(v_second, 0) between -1000 and 1000, true
        );
    elsif v_type in ('time'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'interval'::regtype) then
        v_modifier := coalesce(v_first, -1);
        if v_type = 'interval'::regtype and v_first is not null then
            v_modifier := (32767 << 16) | v_first;
        end if;
        v_fits := v_second is null and coalesce(v_first between 0 and 6, true);
    else
        v_fits := v_first is null;
    end if;

    if v_type is null or not v_fits then
        raise exception 'The column type % is not allowed.', coalesce(quote_literal(tenancy.printable(type_text)), 'null')
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Use text, varchar(n), char(n), smallint, integer, bigint, numeric(p,s), real, double precision, boolean, date, time, timestamp, timestamptz, interval, uuid, json, jsonb, bytea, inet, cidr or macaddr, or an array of one, such as text[].'
                    || case when v_spelling like '%serial%' then ' For numbered rows use bigint with identity.' else '' end;
    end if;

    if v_match[5] is not null then
        v_type := (select t.typarray from pg_catalog.pg_type t where t.oid = v_type);
    end if;
    return format_type(v_type, v_modifier::integer);
end;
$$;

comment on function tenancy.column_type(text) is
    'A column type of the allow-list, in any common spelling, as the catalog spells it (PT400 invalid_column_type).';

-- sql/20_tenancy/tables/create_table.sql

create function tenancy.create_table(schema_name text, table_name text, columns jsonb, description text)
    returns oid
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_columns constant jsonb := tenancy.with_key(columns);
    v_definitions text[];
    v_key text[];
    v_duplicate text;
begin
    select
        array_agg(
            tenancy.column_definition(
                c.value ->> 'name',
                c.value ->> 'type',
                (c.value ->> 'nullable')::boolean,
                c.value -> 'default',
                c.value ->> 'default_expression',
                coalesce((c.value ->> 'unique')::boolean, false),
                coalesce((c.value ->> 'identity')::boolean, false)
            )
            order by c.place
        ),
        array_agg(c.value ->> 'name' order by c.place) filter (where (c.value ->> 'primary_key')::boolean)
    into v_definitions, v_key
    from jsonb_array_elements(v_columns) with ordinality c (value, place);

    select c.value ->> 'name' into v_duplicate
    from jsonb_array_elements(v_columns) c (value)
    group by c.value ->> 'name'
    having count(*) > 1
    limit 1;
    if v_duplicate is not null then
        raise exception 'There are two columns named "%".', v_duplicate
            using errcode = 'PT409', detail = 'column_exists', hint = 'Give each column its own name.';
    end if;

    begin
        execute format(
            'create table %I.%I (%s, primary key (%s))',
            schema_name, table_name,
            array_to_string(v_definitions, ', '),
            (select string_agg(quote_ident(k.name), ', ' order by k.place) from unnest(v_key) with ordinality k (name, place))
        );
    exception
        when datatype_mismatch then
            raise exception 'A default expression does not fit the type of its column.'
                using errcode = 'PT400', detail = 'invalid_default',
                    hint = 'now() and current_date fit dates and times, gen_random_uuid() and auth.uid() fit uuid.';
        when undefined_object then
            raise exception 'A key or unique column has a type that cannot be compared, such as json.'
                using errcode = 'PT400', detail = 'invalid_column_type',
                    hint = 'Use jsonb, or another column for the key.';
        when program_limit_exceeded then
            raise exception 'The table is too wide: %.', sqlerrm
                using errcode = 'PT422', detail = 'invalid_request', hint = 'Use fewer columns.';
    end;

    if description is not null then
        execute format('comment on table %I.%I is %L', schema_name, table_name, description);
    end if;
    perform tenancy.enable_tenant_table(schema_name, table_name);
    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.reload_schema_cache();

    return tenancy.find_table(schema_name, table_name);
end;
$$;

comment on function tenancy.create_table(text, text, jsonb, text) is
    'Creates a table in a tenant, with primary key, policies, audit triggers and privileges, and returns its oid. Only under lock_tenant, with columns that require_column_objects has accepted (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409 column_exists; PT422 invalid_request).';

-- sql/20_tenancy/tables/drop_column.sql

create function tenancy.drop_column(schema_name text, table_name text, column_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_removed jsonb;
    v_detail text;
begin
    perform tenancy.lock_tables(schema_name, array[table_name]);
    perform tenancy.require_column_droppable(schema_name, table_name, column_name);
    -- The values stay in the rows until these are written again, so no bytes are named.
    v_removed := tenancy.table_contents(tenancy.require_table(schema_name, table_name)) - 'bytes';

    begin
        execute format('alter table %I.%I drop column %I restrict', schema_name, table_name, column_name);
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics v_detail = pg_exception_detail;
            raise exception 'Other objects depend on column "%" of table "%": %.',
                column_name, table_name, replace(v_detail, E'\n', ', ')
                using errcode = 'PT409', detail = 'has_dependents', hint = 'Drop those objects first.';
    end;
    perform tenancy.audit_table(schema_name, table_name);
    perform tenancy.reload_schema_cache();

    return v_removed;
end;
$$;

comment on function tenancy.drop_column(text, text, text) is
    'Drops a column of a tenant''s table if nothing depends on it, and returns how many rows had it. Only under lock_tenant (errors of require_column_droppable; 55P03).';

-- sql/20_tenancy/tables/drop_foreign_key.sql

create function tenancy.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
begin
    -- Dropping a foreign key locks the referenced table, too.
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(tenancy.require_table(schema_name, table_name))
    );

    execute format('alter table %I.%I drop constraint %I restrict', schema_name, table_name, constraint_name);
    perform tenancy.reload_schema_cache();
end;
$$;

comment on function tenancy.drop_foreign_key(text, text, text) is
    'Drops a foreign key of a tenant''s table. The index stays. Only under lock_tenant (PT404 table_not_found, 55P03).';

-- sql/20_tenancy/tables/drop_table.sql

create function tenancy.drop_table(schema_name text, table_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_relation constant oid := tenancy.require_table(schema_name, table_name);
    v_removed jsonb;
    v_detail text;
begin
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(v_relation)
    );
    v_removed := tenancy.table_contents(v_relation);

    begin
        execute format('drop table %I.%I restrict', schema_name, table_name);
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics v_detail = pg_exception_detail;
            raise exception 'Other objects depend on table "%": %.', table_name, replace(v_detail, E'\n', ', ')
                using errcode = 'PT409', detail = 'has_dependents',
                    hint = 'Drop those objects first, for example with drop_foreign_key.';
    end;
    execute format('drop function if exists %I.%I()', schema_name, tenancy.audit_routine_name(table_name));
    perform tenancy.reload_schema_cache();

    return v_removed;
end;
$$;

comment on function tenancy.drop_table(text, text) is
    'Drops a table of a tenant if nothing depends on it, and returns its table_contents. Only under lock_tenant (PT404 table_not_found, PT409 has_dependents, 55P03).';

-- sql/20_tenancy/tables/is_template_table.sql

-- The tenant's own version decides. If only a later version has a table of this name, the
-- tenant may drop its own table. If only a later version drops the table, it stays protected.
create function tenancy.is_template_table(schema_name text, table_name text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return exists (
        select
        from public.tenants t
        join tenancy.tenant_template_objects o
            on o.version = t.schema_version
            and o.object_kind = 'table'
            and o.object_name = is_template_table.table_name
        where t.schema_name = is_template_table.schema_name
    );
end;
$$;

comment on function tenancy.is_template_table(text, text) is
    'Whether a table of a tenant is part of the template at the tenant''s version, and not a table of the tenant''s own.';

-- sql/20_tenancy/tables/require_below_column_limit.sql

create function tenancy.require_below_column_limit(schema_name text, table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- PostgreSQL allows 1,600 columns, dropped ones included. The Data API returns at most 1,000
    -- rows of get_table_columns. Half of a template table is kept for the columns of later
    -- tenant migrations, which would fail if the table were full.
    v_limit constant integer := case when tenancy.is_template_table(schema_name, table_name) then 800 else 999 end;
    v_columns constant integer := (
        select c.relnatts::integer from pg_catalog.pg_class c where c.oid = tenancy.require_table(schema_name, table_name)
    );
begin
    if v_columns >= v_limit then
        raise exception 'Table "%" has % columns, dropped ones included, which is the limit.', table_name, v_columns
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use a second table.';
    end if;
end;
$$;

comment on function tenancy.require_below_column_limit(text, text) is
    'Refuses another column in a table that has reached the limit, dropped columns included (PT404 table_not_found, PT422 invalid_request).';

-- sql/20_tenancy/tables/require_below_table_limit.sql

create function tenancy.require_below_table_limit(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_tables from tenancy.platform_settings s);
begin
    if cardinality(tenancy.table_oids(schema_name)) >= v_limit then
        raise exception 'Tenant "%" has % tables, which is the limit.', schema_name, v_limit
            using errcode = 'PT409', detail = 'table_limit',
                hint = 'Drop a table that is no longer needed, or ask the platform''s staff for a higher limit.';
    end if;
end;
$$;

comment on function tenancy.require_below_table_limit(text) is
    'Refuses another table in a tenant that has as many as the platform allows (PT409 table_limit).';

-- sql/20_tenancy/tables/require_column_droppable.sql

create function tenancy.require_column_droppable(schema_name text, table_name text, column_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_dependents text;
begin
    -- PostgreSQL would drop the column's constraints with the column, without an error. Only a
    -- unique constraint on this column alone may be dropped with it.
    select string_agg(format('%s of table "%s"', quote_ident(k.conname), c.relname), ', ' order by k.conname)
    into v_dependents
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    where (
            k.conrelid = v_table
            and v_number = any (k.conkey)
            and (k.contype in ('p', 'f', 'c', 'x') or (k.contype = 'u' and cardinality(k.conkey) > 1))
        )
        or (k.confrelid = v_table and v_number = any (k.confkey));

    if v_dependents is not null then
        raise exception 'Other objects depend on column "%" of table "%": %.', column_name, table_name, v_dependents
            using errcode = 'PT409', detail = 'has_dependents',
                hint = 'Drop those objects first, for example with drop_foreign_key. A primary key stays as long as its table.';
    end if;
end;
$$;

comment on function tenancy.require_column_droppable(text, text, text) is
    'Refuses to drop a column that is part of a key or of another constraint, or that a foreign key points at (PT404: table_not_found, column_not_found; PT409 has_dependents).';

-- sql/20_tenancy/tables/require_column_name.sql

create function tenancy.require_column_name(column_name text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(column_name, 'column');

    if column_name in ('cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin') then
        raise exception 'A column cannot be named "%": every table has a system column of that name.', column_name
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name.';
    end if;
end;
$$;

comment on function tenancy.require_column_name(text) is
    'Refuses a name that no column can have (PT400 invalid_identifier).';

-- sql/20_tenancy/tables/require_column_objects.sql

-- Checks the shape of create_table's argument again, for callers who do not use the functions.
create function tenancy.require_column_objects(columns jsonb)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    if columns is null or jsonb_typeof(columns) <> 'array' then
        v_problem := '"columns" is not an array.';
    elsif jsonb_array_length(columns) > 999 then
        v_problem := 'A table is made with at most 999 columns.';
    else
        select case
            when jsonb_typeof(c.value) <> 'object'
                then format('Column %s is not an object.', c.place)
            when u.key is not null
                then format('Column %s has an unknown key %s.', c.place, tenancy.printable(to_json(u.key)::text))
            when k.key is not null
                then format('"%s" of column %s is not a %s.', k.key, c.place, k.kind)
            end
        into v_problem
        from jsonb_array_elements(columns) with ordinality c (value, place)
        left join lateral (
            select x.key
            from jsonb_object_keys(case when jsonb_typeof(c.value) = 'object' then c.value else '{}' end) x (key)
            where x.key not in (
                'name', 'type', 'nullable', 'default', 'default_expression', 'primary_key', 'unique', 'identity'
            )
            limit 1
        ) u on true
        left join lateral (
            select x.key, x.kind
            from (
                values
                    ('name', 'string', true),
                    ('type', 'string', true),
                    ('nullable', 'boolean', false),
                    ('default_expression', 'string', false),
                    ('primary_key', 'boolean', false),
                    ('unique', 'boolean', false),
                    ('identity', 'boolean', false)
            ) x (key, kind, needed)
            where case
                when c.value ? x.key and (x.needed or c.value -> x.key <> 'null')
                    then jsonb_typeof(c.value -> x.key) <> x.kind
                else x.needed
            end
            limit 1
        ) k on jsonb_typeof(c.value) = 'object'
        where jsonb_typeof(c.value) <> 'object' or u.key is not null or k.key is not null
        order by c.place
        limit 1;
    end if;

    if v_problem is not null then
        raise exception '%', v_problem
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give columns as [{"name": "title", "type": "text", "nullable": false}, …]; also default, default_expression, primary_key, unique, identity.';
    end if;
end;
$$;

comment on function tenancy.require_column_objects(jsonb) is
    'Refuses a columns argument of the wrong shape (PT422 invalid_request; the functions answer the same).';

-- sql/20_tenancy/tables/require_few_unique_columns.sql

create function tenancy.require_few_unique_columns(columns jsonb)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_unique_columns from tenancy.platform_settings s);
    v_unique constant integer := (
        select count(*)::integer from jsonb_array_elements(columns) c (value) where (c.value ->> 'unique')::boolean
    );
begin
    -- Before the table is made: making so many indexes would itself take the time of others.
    if v_unique > v_limit then
        raise exception 'The table would have % unique columns, and % are allowed.', v_unique, v_limit
            using errcode = 'PT409', detail = 'unique_limit',
                hint = 'Leave unique out where the product does not depend on it.';
    end if;
end;
$$;

comment on function tenancy.require_few_unique_columns(jsonb) is
    'Refuses more unique columns in one table than the platform allows. Only for columns that require_column_objects has accepted (PT409 unique_limit).';

-- sql/20_tenancy/tables/require_foreign_key_action.sql

create function tenancy.require_foreign_key_action(action text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_action constant text := upper(btrim(action, ' '));
begin
    if v_action is null
        or v_action not in ('NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT')
    then
        raise exception 'The foreign key action % is not allowed.', coalesce(quote_literal(tenancy.printable(action)), 'null')
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';
    end if;

    return v_action;
end;
$$;

comment on function tenancy.require_foreign_key_action(text) is
    'The action of a foreign key, in capitals; refuses a text that is none of the five (PT422 invalid_request).';

-- sql/20_tenancy/tables/require_foreign_key_target.sql

create function tenancy.require_foreign_key_target(schema_name text, foreign_table text, foreign_column text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(schema_name, foreign_table)
        and (foreign_table, foreign_column) not in (('users', 'id'), ('settings', 'key'))
    then
        raise exception 'A foreign key cannot point at "%" of table "%", which is part of every tenant.',
            tenancy.printable(foreign_column), foreign_table
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Of such tables, a foreign key can point only at users(id) and settings(key): other columns may change with the template.';
    end if;
end;
$$;

comment on function tenancy.require_foreign_key_target(text, text, text) is
    'Refuses a foreign key that would block later tenant migrations (PT409 protected_table).';

-- sql/20_tenancy/tables/require_identity.sql

create function tenancy.require_identity(
    column_name text,
    column_type text,
    is_nullable boolean,
    default_sql text
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if column_type not in ('smallint', 'integer', 'bigint') then
        raise exception 'Column "%" cannot be an identity column, because its type is %.', column_name, column_type
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Use smallint, integer or bigint. For a uuid, use the default expression gen_random_uuid().';
    end if;
    if default_sql is not null then
        raise exception 'Column "%" has a default, and an identity column cannot have one.', column_name
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Leave out the default, or leave out identity.';
    end if;
    if is_nullable then
        raise exception 'Column "%" may be null, and an identity column cannot.', column_name
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Do not make the column nullable, or leave out identity.';
    end if;
end;
$$;

comment on function tenancy.require_identity(text, text, boolean, text) is
    'Refuses what PostgreSQL cannot number: an identity column that is no integer, has a default or may be null (PT400: invalid_column_type, invalid_default; PT422 invalid_request). column_type is a result of tenancy.column_type.';

-- sql/20_tenancy/tables/require_own_column.sql

create function tenancy.require_own_column(schema_name text, table_name text, column_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- No column of the template will ever begin with x_, so such a name cannot clash later.
    if table_name = 'audit_log'
        or (tenancy.is_template_table(schema_name, table_name) and coalesce(column_name, '') not like 'x\_%')
    then
        raise exception 'A tenant cannot add or drop column "%" of table "%".', tenancy.printable(column_name), table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'In a table that every tenant has, name your own columns x_…. Columns cannot be added to table "audit_log".';
    end if;
end;
$$;

comment on function tenancy.require_own_column(text, text, text) is
    'Refuses to add or drop a column that is part of the template, or whose name a later version of the template could use (PT409 protected_table).';

-- sql/20_tenancy/tables/require_own_table.sql

create function tenancy.require_own_table(schema_name text, table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(schema_name, table_name) then
        raise exception 'Table "%" is part of every tenant and cannot be changed.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Create your own table, or add a column named x_… to this table. Columns cannot be added to table "audit_log".';
    end if;
end;
$$;

comment on function tenancy.require_own_table(text, text) is
    'Refuses to change a table that is part of the template (PT409 protected_table).';

-- sql/20_tenancy/tables/require_short_default.sql

create function tenancy.require_short_default(value text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_default_bytes from tenancy.platform_settings s);
begin
    if octet_length(value) > v_limit then
        raise exception 'The default has % bytes, and % are allowed.', octet_length(value), v_limit
            using errcode = 'PT409', detail = 'default_limit',
                hint = 'Use a shorter default, and write long values into the rows.';
    end if;
end;
$$;

comment on function tenancy.require_short_default(text) is
    'Refuses a default that is longer than the platform allows (PT409 default_limit).';

-- sql/20_tenancy/tables/require_table_name.sql

create function tenancy.require_table_name(table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(table_name, 'table');

    -- Every table also defines a type of its name. In a tenant migration the tenant's schema
    -- comes first in search_path, so a table named "citext" would hide the extension's type.
    if exists (
        select from pg_catalog.pg_type t
        where t.typname = table_name
            and t.typnamespace in (
                'pg_catalog'::regnamespace,
                'public'::regnamespace,
                to_regnamespace('extensions')
            )
    ) then
        raise exception 'A table cannot be named "%": that is the name of a type.', table_name
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name, for example the plural.';
    end if;
end;
$$;

comment on function tenancy.require_table_name(text) is
    'Refuses a name that no tenant''s table can have (PT400 invalid_identifier).';

-- sql/20_tenancy/tables/require_within_budgets.sql

create function tenancy.require_within_budgets(schema_name text, before jsonb)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limits constant tenancy.platform_settings := (select s from tenancy.platform_settings s);
    v_after constant jsonb := tenancy.budget_usage(schema_name);
    v_exceeded text;
begin
    -- What did not grow is not refused: after a limit was lowered, a tenant may still change.
    select b.kind into v_exceeded
    from (
        values
            ('columns', v_limits.max_columns),
            ('indexes', v_limits.max_indexes),
            ('foreign_keys', v_limits.max_foreign_keys),
            ('text_bytes', v_limits.max_text_bytes)
    ) b (kind, allowed)
    where (v_after ->> b.kind)::bigint > greatest(b.allowed, (before ->> b.kind)::bigint)
    limit 1;

    case v_exceeded
        when 'columns' then
            raise exception 'Tenant "%" has % columns and would have %, and % are allowed.',
                schema_name, before ->> 'columns', v_after ->> 'columns', v_limits.max_columns
                using errcode = 'PT409', detail = 'column_limit',
                    hint = 'Drop columns or tables that are no longer needed, or ask the platform''s staff for a higher limit.';
        when 'indexes' then
            raise exception 'Tenant "%" has % indexes and would have %, and % are allowed.',
                schema_name, before ->> 'indexes', v_after ->> 'indexes', v_limits.max_indexes
                using errcode = 'PT409', detail = 'index_limit',
                    hint = 'Use fewer unique columns and foreign keys, or ask the platform''s staff for a higher limit.';
        when 'foreign_keys' then
            raise exception 'Tenant "%" has % foreign keys and would have %, and % are allowed.',
                schema_name, before ->> 'foreign_keys', v_after ->> 'foreign_keys', v_limits.max_foreign_keys
                using errcode = 'PT409', detail = 'foreign_key_limit',
                    hint = 'Drop a foreign key that is no longer needed, or ask the platform''s staff for a higher limit.';
        when 'text_bytes' then
            raise exception 'The defaults and comments of tenant "%" have % bytes and would have %, and % are allowed.',
                schema_name, before ->> 'text_bytes', v_after ->> 'text_bytes', v_limits.max_text_bytes
                using errcode = 'PT409', detail = 'text_limit',
                    hint = 'Use shorter defaults and descriptions, or ask the platform''s staff for a higher limit.';
        else null;
    end case;
end;
$$;

comment on function tenancy.require_within_budgets(text, jsonb) is
    'Refuses a change by which a tenant has exceeded a budget of platform_settings. before is what tenancy.budget_usage said before the change (PT409: column_limit, index_limit, foreign_key_limit, text_limit).';

-- sql/20_tenancy/tables/with_key.sql

-- The audit log and the Data API identify rows by the primary key. Admin panels and clients insert
-- rows without a key, so PostgreSQL has to generate it.
create function tenancy.with_key(columns jsonb)
    returns jsonb
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_key jsonb := jsonb_path_query_array(columns, '$[*] ? (@.primary_key == true)');
    v_generated jsonb;
begin
    if v_key = '[]' then
        v_key := jsonb_path_query_array(columns, '$[*] ? (@.name == "id")');
    end if;
    if v_key = '[]' then
        return '[{"name": "id", "type": "uuid", "primary_key": true, "default_expression": "gen_random_uuid()"}]'::jsonb || columns;
    end if;

    -- The values of a key of several columns come from elsewhere, such as two foreign keys.
    if jsonb_array_length(v_key) = 1 and coalesce(v_key -> 0 -> 'default', 'null') = 'null' and v_key -> 0 ->> 'default_expression' is null then
        v_generated := case
            when v_key -> 0 ->> 'identity' is not null then null
            when tenancy.column_type(v_key -> 0 ->> 'type') in ('smallint', 'integer', 'bigint') then '{"identity": true, "nullable": false}'
            -- A uuid of another name is the id of something else, such as a user.
            when tenancy.column_type(v_key -> 0 ->> 'type') = 'uuid' and v_key -> 0 ->> 'name' = 'id'
                then '{"default_expression": "gen_random_uuid()"}'
        end;
    end if;

    return (
        select jsonb_agg(
            case when v_key @> jsonb_build_array(c.value) then c.value || '{"primary_key": true}' || coalesce(v_generated, '{}') else c.value end
            order by c.place
        )
        from jsonb_array_elements(columns) with ordinality c (value, place)
    );
end;
$$;

comment on function tenancy.with_key(jsonb) is
    'The columns of a new table, with what they leave out of its primary key: without one, the column id, which is added as uuid if it is missing. A key of one column without a default is numbered if it is an integer, and gets gen_random_uuid() if it is a uuid named id; {"identity": false} leaves an integer as it is. Only for columns that require_column_objects has accepted (PT400 invalid_column_type).';

-- sql/20_tenancy/tenants/drop_tenant_schema.sql

create function tenancy.drop_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_shared_tables(schema_name, 'access exclusive');
    -- One listed but missing schema stops the whole Data API, so PostgREST has to read the
    -- shorter list before it reloads the tables. Notifications arrive in the order in which
    -- they are sent, and an event trigger sends the reload of the tables on the drop.
    perform pg_notify('pgrst', 'reload config');
    execute format('drop schema %I cascade', schema_name);
    perform tenancy.unexpose_schema(schema_name);
end;
$$;

comment on function tenancy.drop_tenant_schema(text) is
    'Destroys a tenant''s schema with everything in it, and removes it from the Data API. Only under lock_tenant (55P03).';

-- sql/20_tenancy/tenants/opaque_schema_name.sql

create function tenancy.opaque_schema_name()
    returns text
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    -- Hashed, because some digits of a version 4 uuid are fixed. With more letters than hexadecimal
    -- digits have, the server also compresses the list of exposed schemas in less time.
    select 't_' || left(
        translate(lower(encode(sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'base64')), '+/=', ''), 20
    );
$$;

comment on function tenancy.opaque_schema_name() is
    'A random schema name that says nothing about the tenant. PostgREST shows the names of all exposed schemas to anybody.';

-- sql/20_tenancy/tenants/require_no_dependents.sql

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

-- sql/20_tenancy/tenants/tg_settings__stamp.sql

-- All tenants share this function, because it names no table.
create function tenancy.tg_settings__stamp()
    returns trigger
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    new.updated_at := now();
    new.updated_by := auth.uid();
    return new;
end;
$$;

comment on function tenancy.tg_settings__stamp() is
    'Trigger function that sets who wrote a setting and when, whatever the client sent.';

-- sql/20_tenancy/trial/create_trial_routine.sql

-- SET ROLE is not possible here, because registering is a definer function. A definer function that
-- belongs to authenticated runs its statements with the rights of a signed-in user.
create function tenancy.create_trial_routine(schema_name text)
    returns text
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine constant text := format('%I.%I', schema_name, 'trial_' || md5(schema_name));
begin
    execute format(
        'create function %1$s(statement text, out row_count bigint, out code text, out message text)'
        ' volatile security definer set search_path = %2$I, public, extensions language plpgsql as %3$L;'
        -- The new owner must be allowed to create it.
        'grant create on schema %2$I to authenticated;'
        'alter function %1$s(text) owner to authenticated',
        v_routine, schema_name,
        (select p.prosrc from pg_catalog.pg_proc p where p.oid = 'tenancy.try_statement(text)'::regprocedure)
    );
    return v_routine;
end;
$$;

comment on function tenancy.create_trial_routine(text) is
    'Creates a function that does what try_statement does, as a signed-in user, with the search path that the Data API sets. Returns its name. Only in a schema that is rolled back.';

-- sql/20_tenancy/trial/drop_trial_hurdles.sql

create function tenancy.drop_trial_hurdles(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    select string_agg(s.statement, ' ') into v_statements
    from (
        select format('alter table %s drop constraint %I;', k.conrelid::regclass, k.conname)
        from pg_catalog.pg_constraint k
        where k.conrelid = any (tenancy.table_oids(schema_name)) and k.contype = 'f' and k.conparentid = 0
        union all
        -- Nobody is a member of the schema.
        select concat_ws(
            ' ',
            format('alter policy %I on %s', p.polname, p.polrelid::regclass),
            case when p.polcmd <> 'a' then 'using (true)' end,
            case when p.polcmd in ('a', 'w', '*') then 'with check (true)' end
        ) || ';'
        from pg_catalog.pg_policy p
        where p.polrelid = any (tenancy.table_oids(schema_name))
            and concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                ~ 'tenancy\.open_tenants'
    ) s (statement);

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.drop_trial_hurdles(text) is
    'Drops the foreign keys of a schema, which made-up values would violate, and opens the policies that ask for membership. Only in a schema that is rolled back.';

-- sql/20_tenancy/trial/require_buildable_indexes.sql

-- PostgreSQL 17 builds an index with the search path pg_catalog. The routines of a migration are
-- pinned when its statements have run, so an index that they build needs routines that find their
-- names by themselves. An empty table does not show it.
create function tenancy.require_buildable_indexes(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_index record;
    v_result record;
begin
    for v_index in
        select c.relname,
            format(
                'select %s from (select %s) r',
                concat_ws(', ', pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)),
                (
                    select string_agg(
                        format('%s as %I', coalesce(tenancy.trial_value(a.atttypid, a.atttypmod), 'null::' || format_type(a.atttypid, a.atttypmod)), a.attname),
                        ', '
                    )
                    from pg_catalog.pg_attribute a
                    where a.attrelid = i.indrelid and a.attnum > 0 and not a.attisdropped
                )
            ) as statement
        from unnest(tenancy.table_oids(schema_name)) t (oid)
        join pg_catalog.pg_index i on i.indrelid = t.oid
        join pg_catalog.pg_class c on c.oid = i.indexrelid
        where num_nonnulls(i.indexprs, i.indpred) > 0
            and tenancy.is_written_now(i.xmin)
    loop
        perform set_config('search_path', 'pg_catalog, pg_temp', true);
        v_result := tenancy.try_statement(v_index.statement);
        perform set_config('search_path', '', true);
        if v_result.code in ('42P01', '42883', '42704') then
            raise exception 'The tenant migration would not build its index "%" in a tenant that has rows: %. PostgreSQL builds an index without the tenant''s schema in the search path. Add "set search_path from current" to the routine that the index calls.', v_index.relname, v_result.message
                using errcode = 'object_not_in_prerequisite_state';
        end if;
    end loop;
end;
$$;

comment on function tenancy.require_buildable_indexes(text) is
    'Requires that the expressions of the indexes that this transaction has created can be evaluated with the search path with which PostgreSQL builds an index (55000). Only before pin_routines.';

-- sql/20_tenancy/trial/tables_to_try.sql

-- Most migrations make new tables and leave the others alone. Trying every table each time would
-- cost more with each migration.
create function tenancy.tables_to_try(tables_before oid[], routines_before oid[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if exists (
            -- Altering or dropping a table, and building an index.
            select from pg_catalog.pg_locks l
            where l.pid = pg_backend_pid()
                and l.locktype = 'relation'
                and l.relation = any (tables_before)
                and l.mode in ('AccessExclusiveLock', 'ShareLock')
        )
        or exists (
            select from pg_catalog.pg_locks l
            where l.pid = pg_backend_pid()
                and l.locktype = 'object'
                and l.mode = 'AccessExclusiveLock'
                -- The schemas in which the creation script was tried are dropped with their default
                -- privileges, which concern no object that exists.
                and l.classid <> 'pg_default_acl'::regclass
                -- Audit routines are renamed when they are new.
                and (l.classid <> 'pg_proc'::regclass or l.objid = any (routines_before))
        )
        or exists (
            select from pg_catalog.pg_trigger g
            where g.tgrelid = any (tables_before)
                and not g.tgisinternal
                and tenancy.is_written_now(g.xmin)
        )
        or exists (
            select from pg_catalog.pg_proc p
            where p.oid = any (routines_before)
                and tenancy.is_written_now(p.xmin)
        )
    then
        return null;
    end if;

    return array(
        select c.relname::text
        from pg_catalog.pg_class c
        where c.oid = any (tenancy.table_oids('tenant_template')) and c.oid <> all (tables_before)
    );
end;
$$;

comment on function tenancy.tables_to_try(oid[], oid[]) is
    'The names of the tables that are new in the reference schema, if this transaction has changed nothing else in it; otherwise null, for all.';

-- sql/20_tenancy/trial/trial_insert.sql

create function tenancy.trial_insert(relation oid, with_nullable boolean)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select format('insert into %s ', relation::regclass) || case count(*)
            when 0 then 'default values'
            else format(
                '(%s) values (%s)',
                string_agg(quote_ident(a.attname), ', ' order by a.attnum),
                string_agg(coalesce(v.value, 'null'), ', ' order by a.attnum)
            )
        end
        from pg_catalog.pg_attribute a
        cross join lateral tenancy.trial_value(a.atttypid, a.atttypmod) v (value)
        where a.attrelid = relation
            and a.attnum > 0
            and not a.attisdropped
            and a.attidentity = ''
            and not a.atthasdef
            and (a.attnotnull or (with_nullable and v.value is not null))
    );
end;
$$;

comment on function tenancy.trial_insert(oid, boolean) is
    'A statement that inserts one row into a table: defaults where there are any, and made-up values in the other columns, or in those of them that must not be null.';

-- sql/20_tenancy/trial/trial_statements.sql

create function tenancy.trial_statements(
    schema_name text,
    table_names text[],
    out verb text,
    out title text,
    out table_name text,
    out statement text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select s.verb, s.title, s.table_name, s.statement
    from (
        select t.position, 1, 'fill', format('fill column "%s" of table "%s" with its default', a.attname, t.name), null,
            format('select %s', pg_get_expr(d.adbin, d.adrelid))
        from unnest(tenancy.table_oids(schema_name)) with ordinality o (oid, position)
        cross join lateral (select o.position, c.relname as name from pg_catalog.pg_class c where c.oid = o.oid) t
        join pg_catalog.pg_attrdef d on d.adrelid = o.oid
        join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
        where a.attgenerated = ''
            and (table_names is null or t.name = any (table_names))
            and has_table_privilege('authenticated', o.oid, 'insert')
        union all
        select o.position, v.place, v.verb, format('%s table "%s"', v.title, c.relname), c.relname, v.statement
        from unnest(tenancy.table_oids(schema_name)) with ordinality o (oid, position)
        join pg_catalog.pg_class c on c.oid = o.oid
        cross join lateral (
            values
            (2, 'insert', 'insert into', tenancy.trial_insert(o.oid, with_nullable => true)),
            (3, 'insert', 'insert into', tenancy.trial_insert(o.oid, with_nullable => false)),
            (4, 'select', 'read', format('select * from %s', o.oid::regclass)),
            (5, 'update', 'update', (
                select format('update %1$s set %2$I = %2$I', o.oid::regclass, a.attname)
                from pg_catalog.pg_attribute a
                where a.attrelid = o.oid
                    and a.attnum > 0
                    and not a.attisdropped
                    and a.attgenerated = ''
                    and a.attidentity = ''
                order by a.attnum
                limit 1
            )),
            (6, 'delete', 'delete from', format('delete from %s', o.oid::regclass))
        ) v (place, verb, title, statement)
        where has_table_privilege('authenticated', o.oid, v.verb)
            and v.statement is not null
            and (table_names is null or c.relname = any (table_names))
        union all
        select null, 7, 'select', format('read view "%s"', c.relname), null, format('select * from %s', c.oid::regclass)
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
            and c.relkind = 'v'
            and has_table_privilege('authenticated', c.oid, 'select')
    ) s (position, place, verb, title, table_name, statement)
    -- The rows are deleted when everything has been read.
    order by s.verb = 'delete', s.position, s.place;
$$;

comment on function tenancy.trial_statements(text, text[]) is
    'The statements that try these tables, or all if table_names is null, and the views of a schema: for each table those that signed-in users may run, in an order in which each finds rows. table_name is null where a statement tries a default or a view.';

-- sql/20_tenancy/trial/trial_value.sql

create function tenancy.trial_value(type oid, type_modifier integer)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_type pg_catalog.pg_type;
    v_value text;
begin
    select * into strict v_type from pg_catalog.pg_type t where t.oid = trial_value.type;

    if v_type.typtype = 'd' then
        v_value := tenancy.trial_value(v_type.typbasetype, v_type.typtypmod);
    elsif v_type.typtype = 'e' then
        v_value := (
            select quote_literal(e.enumlabel)
            from pg_catalog.pg_enum e
            where e.enumtypid = v_type.oid
            order by e.enumsortorder
            limit 1
        );
    elsif v_type.typtype = 'r' then
        v_value := '''empty''';
    elsif v_type.typtype = 'm' or v_type.typcategory = 'A' then
        v_value := '''{}''';
    else
        v_value := case
            when v_type.typname in ('json', 'jsonb') then '''{}'''
            when v_type.typname = 'uuid' then quote_literal(gen_random_uuid())
            when v_type.typname = 'bytea' then ''''''
            when v_type.typcategory = 'S' then '''a'''
            when v_type.typcategory = 'B' then 'true'
            when v_type.typname in ('date', 'timestamp', 'timestamptz') then '''2026-01-01'''
            when v_type.typcategory = 'D' then '''12:00'''
            when v_type.typcategory = 'T' then '''1 day'''
            when v_type.typcategory = 'I' then '''192.0.2.1'''
            when v_type.typcategory = 'V' then '''1'''
            when v_type.typname in ('int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'money') then
                -- A numeric(3, 3) holds nothing above 0.999.
                case when (type_modifier - 4) >> 16 = (type_modifier - 4) & 65535 and type_modifier > 0 then '0' else '1' end
        end;
    end if;

    return v_value || '::' || format_type(type, type_modifier);
end;
$$;

comment on function tenancy.trial_value(oid, integer) is
    'A value of a type as an SQL expression, for a row that the trial writes; null if no value is known.';

-- sql/20_tenancy/trial/try_statement.sql

create function tenancy.try_statement(
    statement text,
    out row_count bigint,
    out code text,
    out message text
)
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute statement;
    get diagnostics row_count = row_count;
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        get stacked diagnostics code = returned_sqlstate, message = message_text;
end;
$$;

comment on function tenancy.try_statement(text) is
    'Runs a statement and returns how many rows it concerned, or the error, after which nothing of it is left (40P01, 55P03).';

-- sql/20_tenancy/trial/try_tables.sql

-- Some faults show only when a member reads or writes: a routine that members may not execute, a
-- default or a trigger that fails, a policy that lets in everybody.
create function tenancy.try_tables(schema_name text, table_names text[])
    returns text
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine constant text := tenancy.create_trial_routine(schema_name);
    v_try record;
    v_result record;
    v_inserts jsonb := '{}';
begin
    perform set_config(
        'request.jwt.claims',
        jsonb_build_object('sub', gen_random_uuid(), 'role', 'authenticated')::text,
        true
    );

    for v_try in select t.* from tenancy.trial_statements(schema_name, table_names) t where t.table_name is not null loop
        execute format('select * from %s($1)', v_routine) into v_result using v_try.statement;
        if v_result.row_count > 0 then
            return format(
                'people who are not members, or no longer, could %s rows of table "%s". Call tenancy.enable_tenant_table(current_schema(), %L), which lets in members alone, and write policies that narrow this "as restrictive"',
                v_try.verb, v_try.table_name, v_try.table_name
            );
        end if;
        -- The owner writes the rows that a stranger must neither see nor change.
        if v_try.verb = 'insert' then
            perform tenancy.try_statement(v_try.statement);
        end if;
    end loop;

    perform tenancy.drop_trial_hurdles(schema_name);
    -- PostgreSQL checks who may execute a routine when it plans a statement. A plan of the owner
    -- would hide the error.
    discard plans;
    for v_try in select t.* from tenancy.trial_statements(schema_name, table_names) t loop
        execute format('select * from %s($1)', v_routine) into v_result using v_try.statement;
        -- Other errors may be due to the made-up values, or to the member: a violated constraint, a
        -- policy or a trigger that refuses them. A default sees neither.
        if v_result.code is not null and (case
            when v_result.code in ('42501', '55000') then v_result.message ~ '^permission denied '
            else v_result.code ~ '^(0A|3F|42|54|XX)' or v_try.verb = 'fill'
        end) then
            return concat_ws(
                '. ',
                format('a member could not %s: %s', v_try.title, v_result.message),
                nullif(case
                    when v_result.message ~ '^permission denied for (function|procedure|routine)' then
                        'A member executes it with their own rights. Name it in the fourth argument, if the API may call it, too; or make the routine that calls it security definer; or create it before the registration, in a schema that the Data API does not expose, and grant execute on it to authenticated and service_role'
                    when v_result.message ~ '^permission denied' then
                        'A member does this with their own rights. Grant what is missing before the registration, or make the routine that does it security definer'
                    when v_try.verb = 'fill' then 'Correct the default'
                    else rtrim(tenancy.statement_advice(v_result.code, v_result.message), '.')
                end, '')
            );
        end if;

        -- Each table has two inserts. Without an error the message is null.
        if v_try.verb = 'insert' then
            v_inserts := v_inserts || jsonb_build_object(
                v_try.table_name,
                coalesce(v_inserts -> v_try.table_name, '[]') || jsonb_build_array(v_result)
            );
        end if;
    end loop;

    for v_try in
        select i.key as table_name, i.value -> -1 ->> 'message' as message
        from jsonb_each(v_inserts) i
        where not exists (
            select
            from jsonb_array_elements(i.value) e (result)
            where coalesce(e.result ->> 'code', '') !~ '^(P0|22)'
        )
    loop
        raise warning 'No row could be inserted into table "%" in a trial: %. Check that a member can.', v_try.table_name, v_try.message;
    end loop;
    return null;
end;
$$;

comment on function tenancy.try_tables(text, text[]) is
    'Writes and reads these tables of a tenant, or all if table_names is null, as a stranger and as a member, and returns the first problem as a sentence; null if there is none. Warns of a table that takes no row. Only in a schema that is rolled back (40P01, 55P03).';

-- sql/25_tenant_template/policy_samples.sql

select tenancy.enable_tenant_table('tenancy', 'policy_samples', audited => false);

-- sql/25_tenant_template/tenantry_0001_template.sql

-- The first tenant migration: the tables that every tenant has. Names are unqualified, because
-- the migration runs once in the reference schema and once in each new tenant.
select tenancy.add_tenant_migration('tenantry_0001', 'template', $tenant$
    create table settings (
        key text not null,
        value jsonb not null default 'null',
        updated_at timestamptz not null default now(),
        updated_by uuid,
        constraint settings_pkey primary key (key),
        constraint settings_key_length check (char_length(key) between 1 and 200)
    );
    comment on table settings is 'Key-value settings of the tenant: members read, tenant admins write.';
    comment on column settings.updated_by is 'User who wrote the value; null for the service key and for SQL.';

    -- No foreign key to auth.users: with one, deleting a user would read every tenant,
    -- and creating a tenant would block sign-ups. The RPCs check that the user exists.
    create table users (
        id uuid not null,
        email text,
        display_name text,
        role text not null default 'member',
        metadata jsonb not null default '{}',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint users_pkey primary key (id),
        constraint users_display_name_length check (char_length(display_name) <= 200),
        constraint users_role_length check (char_length(role) between 1 and 100),
        constraint users_metadata_is_object check (jsonb_typeof(metadata) = 'object')
    );
    comment on table users is 'Profiles of the tenant''s users. Written only through the profile RPCs.';
    comment on column users.id is 'Id of the user in Auth.';
    comment on column users.email is
        'Copy of the user''s address in Auth, as of the last call of refresh_user_emails, ensure_user_profile or get_user_profile.';
    comment on column users.role is 'A label of the product''s own. No policy reads it.';

    create table audit_log (
        id bigint not null generated always as identity,
        occurred_at timestamptz not null default clock_timestamp(),
        actor_id uuid,
        actor_role text not null,
        action text not null,
        table_name text not null,
        record_id jsonb,
        old_values jsonb,
        new_values jsonb,
        constraint audit_log_pkey primary key (id)
    );
    comment on table audit_log is 'Audit log of the tenant''s data changes. Written only by triggers; tenant admins read.';

    create trigger stamp before insert or update on settings
        for each row execute function tenancy.tg_settings__stamp();

    comment on column audit_log.actor_role is
        'Who wrote: user (see actor_id), service_role, or the database role that ran the SQL.';
    comment on column audit_log.record_id is 'Primary key of the row, as an object.';
    comment on column audit_log.old_values is
        'Values before the change; of an update only the changed columns, and of a large value the part that changed. A value that is not kept whole as jsonb is {"$text": …}; the README says how.';
    comment on column audit_log.new_values is 'Values after the change, as in old_values.';

    select tenancy.enable_tenant_table(current_schema(), 'settings', reads => 'read', writes => 'admin');
    select tenancy.enable_tenant_table(current_schema(), 'users', reads => 'read', writes => null);
    select tenancy.enable_tenant_table(current_schema(), 'audit_log', reads => 'admin', writes => null, audited => false);
    select tenancy.make_append_only(current_schema(), 'audit_log');
$tenant$);

-- sql/30_rpc/access_control/grant_schema_access.sql

create function public.grant_schema_access(
    schema_name text,
    user_id uuid,
    access_level tenancy.access_level default 'read',
    expires_at timestamptz default null
)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_tenant public.tenants;
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('access_level', access_level::text);
    perform tenancy.require_grantable(schema_name, user_id, access_level, expires_at);
    perform tenancy.require_revocable(schema_name, user_id);

    select * into v_before
    from public.user_schema_access a
    where a.user_id = grant_schema_access.user_id
        and a.schema_name = grant_schema_access.schema_name;
    if v_before.access_level = grant_schema_access.access_level
        and v_before.expires_at is not distinct from grant_schema_access.expires_at
    then
        return v_before;
    end if;

    insert into public.user_schema_access as a (user_id, schema_name, access_level, expires_at, granted_by)
    values (user_id, schema_name, access_level, expires_at, v_caller.user_id)
    on conflict on constraint user_schema_access_pkey do update
    set access_level = excluded.access_level,
        expires_at = excluded.expires_at,
        granted_by = excluded.granted_by,
        granted_at = now()
    where a.user_id = excluded.user_id and a.schema_name = excluded.schema_name
    returning * into v_after;

    perform tenancy.log_action(
        'access.grant', v_tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.grant_schema_access(text, uuid, tenancy.access_level, timestamptz) is
    'Gives a user access to a tenant, or changes the access that the user has. '
    'The new level and end replace the old ones. Without expires_at the access lasts until it '
    'is revoked. Repeating a call changes nothing. Tenant admins cannot change their own '
    'grant; platform admins may give themselves access. A tenant admin whose own access '
    'expires can grant neither the level admin nor access beyond that moment, and cannot '
    'change access that ends later. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, user_not_found, own_grant, tenant_suspended, '
    'forbidden, not_authenticated, busy.';

-- sql/30_rpc/access_control/promote_to_admin.sql

create function public.promote_to_admin(user_id uuid, role tenancy.platform_role default 'admin')
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
    v_after public.admin_users;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_user(user_id);
    -- Check again under the lock: the caller may have been deleted while this call waited.
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_argument('role', role::text);
    if role < 'super_admin' then
        perform tenancy.require_other_super_admin(user_id);
    end if;

    select * into v_before from public.admin_users a where a.user_id = promote_to_admin.user_id for update;
    if v_before.role = promote_to_admin.role then
        return v_before;
    end if;

    insert into public.admin_users as a (user_id, role, granted_by)
    values (user_id, role, v_caller.user_id)
    on conflict on constraint admin_users_pkey do update
    set role = excluded.role, granted_by = excluded.granted_by
    where a.user_id = excluded.user_id
    returning * into v_after;

    perform tenancy.log_action(
        'admin.promote', null,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        ),
        v_actor_role
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.promote_to_admin(uuid, tenancy.platform_role) is
    'Gives a user a platform role. '
    'The new role replaces the role that the user had, which may be higher. The first '
    'super_admin is appointed with the service key. Repeating a call changes nothing. '
    'Callers: super_admin. '
    'Errors: invalid_request, user_not_found, last_super_admin, forbidden, not_authenticated, '
    'busy.';

-- sql/30_rpc/access_control/revoke_admin.sql

create function public.revoke_admin(user_id uuid)
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_argument('user_id', user_id::text);
    perform tenancy.require_other_super_admin(user_id);

    delete from public.admin_users a
    where a.user_id = revoke_admin.user_id
    returning * into v_before;
    if v_before.user_id is null then
        raise exception 'User % has no platform role.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to revoke.';
    end if;

    perform tenancy.log_action(
        'admin.revoke', null, jsonb_build_object('before', to_jsonb(v_before)), v_actor_role
    );

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_admin(uuid) is
    'Takes a user''s platform role away and returns the role that ended. '
    'The change applies from the user''s next request on. The last super_admin keeps the role. '
    'Callers: super_admin. '
    'Errors: invalid_request, user_not_found, last_super_admin, forbidden, not_authenticated, '
    'busy.';

-- sql/30_rpc/access_control/revoke_schema_access.sql

create function public.revoke_schema_access(schema_name text, user_id uuid)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_own constant boolean := coalesce(user_id = (tenancy.caller()).user_id, false);
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_tenant public.tenants;
    v_before public.user_schema_access;
begin
    -- An admin of the tenant could otherwise hold off the end of their own access.
    if tenancy.platform_role() >= 'admin' and not v_own then
        v_tenant := tenancy.lock_tenant_first(schema_name, platform => 'admin');
    else
        v_tenant := tenancy.lock_tenant(
            schema_name,
            platform => 'admin',
            member => case when v_own then 'read'::tenancy.access_level else 'admin' end
        );
    end if;
    perform tenancy.require_argument('user_id', user_id::text);
    perform tenancy.require_revocable(schema_name, user_id);

    delete from public.user_schema_access a
    where a.user_id = revoke_schema_access.user_id
        and a.schema_name = revoke_schema_access.schema_name
    returning * into v_before;
    if v_before.user_id is null then
        raise exception 'User % has no access to tenant "%".', user_id, schema_name
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to revoke.';
    end if;

    perform tenancy.log_action(
        'access.revoke', v_tenant, jsonb_build_object('before', to_jsonb(v_before)), v_actor_role
    );

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_schema_access(text, uuid) is
    'Takes a user''s access to a tenant away and returns the access that ended. '
    'The change applies from the user''s next request on. Members may drop their own access. '
    'A tenant admin whose own access expires cannot take away access that ends later. '
    'If a platform admin calls, a statement that changes the tenant for more than 300 ms is '
    'cancelled, as by suspend_tenant. '
    'Callers: tenant admin, platform admin, oneself. '
    'Errors: invalid_request, tenant_not_found, user_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/audit_log/get_admin_audit_log.sql

create function public.get_admin_audit_log(
    schema_name text default null,
    actor_id uuid default null,
    action text default null,
    occurred_from timestamptz default null,
    occurred_to timestamptz default null,
    before_id bigint default null,
    page_size integer default 100
)
    returns setof public.tenantry_admin_audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant_id uuid;
begin
    -- Platform staff see all entries, also those of deleted tenants. An admin of a tenant sees
    -- the entries with the tenant's id, because another tenant may have had the name before.
    if tenancy.platform_role() is null then
        if schema_name is null then
            perform tenancy.require_platform_role('viewer');
        end if;
        perform tenancy.require_permission(schema_name, platform => null, member => 'admin');
        select t.id into strict v_tenant_id
        from public.tenants t
        where t.schema_name = get_admin_audit_log.schema_name;
    end if;
    perform tenancy.require_page_size(page_size);

    return query
    select * from tenancy.admin_audit_entries(
        v_tenant_id, schema_name, actor_id, action, occurred_from, occurred_to, before_id, page_size
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_admin_audit_log(text, uuid, text, timestamptz, timestamptz, bigint, integer) is
    'Lists admin actions, newest first, one page at a time. '
    'Filters are the tenant, the actor, the action (such as tenant.suspend) and the time: '
    'occurred_from is included, occurred_to is not. A page has up to page_size entries, from '
    '1 to 1,000, and fewer if they are more than 4 MB. has_more of the last entry says whether '
    'there is a next page: give its id as before_id. A tenant '
    'admin names the tenant and sees its entries; platform staff see all entries. '
    'Callers: tenant admin, platform viewer. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/audit_log/get_audit_log.sql

create function public.get_audit_log(
    schema_name text,
    actor_id uuid default null,
    action text default null,
    table_name text default null,
    record_id jsonb default null,
    occurred_from timestamptz default null,
    occurred_to timestamptz default null,
    before_id bigint default null,
    page_size integer default 100
)
    returns setof public.tenantry_audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'admin');
    perform tenancy.require_page_size(page_size);

    return query
    select * from tenancy.audit_entries(
        schema_name, actor_id, action, table_name, record_id,
        occurred_from, occurred_to, before_id, page_size
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_audit_log(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'Lists data changes in a tenant, newest first, one page at a time. '
    'Filters are the actor, the action (insert, update, delete, truncate), the table, the '
    'record (its key columns as JSON) and the time: occurred_from is included, occurred_to is '
    'not. A page has up to page_size entries, from 1 to 1,000, and fewer if they are more than '
    '4 MB. has_more of the last entry says whether there is a next page: give its id as '
    'before_id. '
    'Callers: tenant admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/audit_log/prune_audit_log.sql

create function public.prune_audit_log(schema_name text, before timestamptz)
    returns public.tenantry_audit_pruning
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_pruning public.tenantry_audit_pruning;
begin
    if schema_name is null then
        -- The platform's log says what its admins do.
        perform tenancy.require_platform_role('super_admin');
    else
        v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    end if;

    v_pruning := tenancy.prune_audit_log(coalesce(schema_name, 'public'), before);

    if v_pruning.removed > 0 then
        perform tenancy.log_action(
            'audit.prune', v_tenant,
            jsonb_build_object('log', v_pruning.schema_name, 'removed_before', before, 'removed', v_pruning.removed, 'head', v_pruning.head)
        );
    end if;

    return v_pruning;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.prune_audit_log(text, timestamptz) is
    'Removes the sealed entries of an audit log that are older than a moment. '
    'The log is the tenant''s, or with a null schema_name admin_audit_log, which only '
    'super_admins may prune. Entries younger than '
    'tenancy.platform_settings.audit_retention_days, 90 days unless changed, cannot be removed. '
    'Entries on access, on administrators and on the audit logs themselves (access.…, admin.…, '
    'audit.…, tenant.adopt, tenant.delete, tenant.restore) stay for good. The rest of the chain '
    'stays verifiable. The call is logged as audit.prune, with the number of removed entries and '
    'their head. '
    'Callers: platform admin. '
    'Errors: invalid_request, retention_floor, tenant_not_found, forbidden, not_authenticated, '
    'busy.';

-- sql/30_rpc/audit_log/redact_audit_log.sql

create function public.redact_audit_log(schema_name text, user_id uuid)
    returns public.tenantry_audit_redaction
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_redaction public.tenantry_audit_redaction;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    perform tenancy.require_argument('user_id', user_id::text);

    v_redaction := tenancy.redact_audit_log(schema_name, user_id);

    if v_redaction.redacted > 0 then
        perform tenancy.log_action('audit.redact', v_tenant, to_jsonb(v_redaction));
    end if;

    return v_redaction;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.redact_audit_log(text, uuid) is
    'Removes the values of a person''s profile from a tenant''s sealed audit log, at that '
    'person''s request. '
    'The values are the e-mail address, names and metadata; admin_audit_log never contains '
    'them. The entries still say what happened, when and by whom, and the chain stays '
    'verifiable. Entries that are not sealed yet are left for the next call. An entry that the '
    'caller wrote keeps its values while it is younger than '
    'tenancy.platform_settings.audit_retention_days: withheld counts these, and another admin '
    'can redact them. The call is logged as audit.redact. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';

-- sql/30_rpc/audit_log/seal_audit_log.sql

create function public.seal_audit_log(schema_name text default null)
    returns public.tenantry_audit_seal
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
    end if;

    return tenancy.seal_audit_log(coalesce(schema_name, 'public'));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.seal_audit_log(text) is
    'Seals the new entries of an audit log into its hash chain and returns the head of the '
    'chain. '
    'The log is the tenant''s, or without schema_name admin_audit_log. Call this on a schedule '
    'and keep the head outside the database, for verify_audit_log. Writers never wait for it. '
    'Entries of transactions that are still running, or that began after the oldest running '
    'one, wait for the next call. A call ends after 20 seconds, so repeat it until sealed_now is 0. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';

-- sql/30_rpc/audit_log/verify_audit_log.sql

create function public.verify_audit_log(schema_name text default null, expected_head text default null)
    returns public.tenantry_audit_verification
    stable
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    end if;

    return tenancy.verify_audit_log(coalesce(schema_name, 'public'), expected_head);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.verify_audit_log(text, text) is
    'Checks that the sealed entries of an audit log are still the entries that were sealed. '
    'The reply names the first entry that was changed, removed or inserted since. It also says '
    'how many entries are not sealed yet and since when: these are not checked. The log is '
    'the tenant''s, or without schema_name admin_audit_log, which only platform admins may '
    'verify. expected_head is a head that seal_audit_log returned and that was kept '
    'elsewhere: without it, nobody detects a superuser who rewrites the whole chain. A head '
    'from before a pruning vouches for those of its entries that remain. pruned and prunings '
    'say how many entries were removed, when and by whom. Changes made before sealing cannot '
    'be detected. '
    'Callers: tenant admin, platform admin. '
    'Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/ddl_operations/add_column.sql

create function public.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean default null,
    default_value jsonb default null,
    default_expression text default null,
    identity boolean default false
)
    returns public.tenantry_table_column
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- Nobody can read the table while its rows are rewritten. A reload of PostgREST's schema
    -- cache waits for the table, too; after 8 s the reload fails, and PostgREST serves nobody.
    -- So two rewrites one after the other have to end earlier.
    set statement_timeout = '3s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_is_identity constant boolean := coalesce(identity, false);
    v_usage jsonb;
    v_column public.tenantry_table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    -- The profile RPCs insert rows into users without a value for this column.
    if tenancy.is_template_table(schema_name, table_name)
        and not is_nullable and default_value is null and default_expression is null and not v_is_identity
    then
        raise exception 'A column that is added to "%" has to be nullable or have a default.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Tenantry itself inserts rows into this table and gives your column no value.';
    end if;

    perform tenancy.require_below_column_limit(schema_name, table_name);
    v_usage := tenancy.budget_usage(schema_name);
    perform tenancy.add_column(
        schema_name, table_name, column_name, column_type, is_nullable, default_value, default_expression, v_is_identity
    );
    perform tenancy.require_within_budgets(schema_name, v_usage);
    -- A migration may have limited the privileges on the table to columns.
    if tenancy.is_template_table(schema_name, table_name) then
        perform tenancy.apply_tenant_privileges(schema_name);
    end if;
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = add_column.column_name;

    perform tenancy.log_action(
        'column.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_column))
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_column(text, text, text, text, boolean, jsonb, text, boolean) is
    'Adds a column to a table of a tenant. '
    'In a table that every tenant has, the name begins with x_, and the column is nullable or '
    'has a default. Existing rows get the default. The column is nullable unless is_nullable is '
    'false. With identity, PostgreSQL numbers all rows, and the column cannot be null. With '
    'identity or the default gen_random_uuid(), PostgreSQL rewrites all rows while readers wait; '
    'a rewrite that takes longer than 3 s is refused. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, '
    'table_not_found, column_exists, table_not_empty, protected_table, column_limit, text_limit, '
    'default_limit, tenant_not_found, '
    'tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/ddl_operations/add_foreign_key.sql

create function public.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text default 'id',
    on_delete text default 'NO ACTION',
    on_update text default 'NO ACTION'
)
    returns public.tenantry_table_foreign_key
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own timeout, because validation reads the whole table.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_usage jsonb;
    v_constraint_name text;
    v_foreign_key public.tenantry_table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    perform tenancy.require_foreign_key_target(schema_name, foreign_table, foreign_column);

    v_usage := tenancy.budget_usage(schema_name);
    v_constraint_name := tenancy.add_foreign_key(
        schema_name, table_name, column_name, foreign_table, foreign_column, on_delete, on_update
    );
    perform tenancy.require_within_budgets(schema_name, v_usage);
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, v_constraint_name);

    perform tenancy.log_action(
        'foreign_key.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key from a column of a tenant''s table to another table of the same '
    'tenant. '
    'The target is a primary key or a unique column; in the template''s tables only users(id) '
    'and settings(key). The column gets an index. Existing rows are checked in the same call: '
    'until it ends, writers of both tables wait, up to 60 s on a very large table; readers do '
    'not wait. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, column_not_found, invalid_column_type, constraint_exists, '
    'foreign_key_violation, foreign_key_target, protected_table, invalid_request, '
    'foreign_key_limit, index_limit, '
    'tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/ddl_operations/create_table.sql

create function public.create_table(
    schema_name text,
    table_name text,
    columns jsonb,
    description text default null
)
    returns setof public.tenantry_table_column
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_usage jsonb;
    v_after jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_table_name(table_name);
    perform tenancy.require_column_objects(columns);
    perform tenancy.require_text('description', description, 1000, has_lines => true);
    if tenancy.is_name_taken(schema_name, table_name) then
        raise exception 'Tenant "%" already has a table "%".', schema_name, table_name
            using errcode = 'PT409', detail = 'table_exists', hint = 'Choose another name.';
    end if;
    perform tenancy.require_below_table_limit(schema_name);

    perform tenancy.require_few_unique_columns(columns);
    v_usage := tenancy.budget_usage(schema_name);

    v_table := tenancy.create_table(schema_name, table_name, columns, description);
    perform tenancy.require_within_budgets(schema_name, v_usage);

    select jsonb_agg(to_jsonb(c)) into v_after from tenancy.describe_columns(v_table) c;
    perform tenancy.log_action(
        'table.create', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', jsonb_build_object('columns', v_after, 'description', description))
    );

    return query select * from tenancy.describe_columns(v_table);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_table(text, text, jsonb, text) is
    'Creates a table in a tenant, which the Data API serves within moments. '
    'Members read the table, writers write it. columns is an array of {name, type, nullable = '
    'true, default, default_expression, primary_key, unique, identity}. Without a primary key, '
    'the column id becomes the primary key; a missing column id is added as uuid. PostgreSQL '
    'numbers a column with identity, unless a row brings its own number. A key of one integer '
    'column without a default is an identity column, unless identity is false; a uuid key named '
    'id without a default gets gen_random_uuid(). '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, '
    'table_exists, column_exists, table_limit, column_limit, index_limit, text_limit, '
    'default_limit, unique_limit, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/ddl_operations/drop_column.sql

create function public.drop_column(schema_name text, table_name text, column_name text)
    returns public.tenantry_table_column
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_column public.tenantry_table_column;
    v_removed jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    perform tenancy.require_column(schema_name, table_name, column_name);
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = drop_column.column_name;

    v_removed := tenancy.drop_column(schema_name, table_name, column_name);

    perform tenancy.log_action(
        'column.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_column), 'removed', v_removed)
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_column(text, text, text) is
    'Drops a column with its values and returns a description of the dropped column. '
    'Nothing cascades. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, column_not_found, has_dependents, protected_table, '
    'tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/ddl_operations/drop_foreign_key.sql

create function public.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.tenantry_table_foreign_key
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_foreign_key public.tenantry_table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.drop_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.log_action(
        'foreign_key.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_foreign_key(text, text, text) is
    'Drops a foreign key of a tenant''s table and returns a description of the key. '
    'The index on the column stays. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, constraint_not_found, protected_table, tenant_not_found, '
    'tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/ddl_operations/drop_table.sql

create function public.drop_table(schema_name text, table_name text)
    returns public.tenantry_schema_table
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table public.tenantry_schema_table;
    v_removed jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    v_table := tenancy.describe_table(tenancy.require_table(schema_name, table_name));

    v_removed := tenancy.drop_table(schema_name, table_name);

    perform tenancy.log_action(
        'table.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_table), 'removed', v_removed)
    );

    return v_table;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_table(text, text) is
    'Drops a table of a tenant with its rows and returns a description of the table. '
    'Nothing cascades. admin_audit_log says how many rows and bytes went: rows are counted in a '
    'table of up to 16 MB, and estimated in a larger one. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, protected_table, has_dependents, tenant_not_found, '
    'tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_inspection/get_schema_summary.sql

create function public.get_schema_summary(schema_name text)
    returns public.tenantry_schema_summary
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return (
        select row(
            count(*),
            coalesce(sum(tenancy.row_estimate(t.relation)), 0)::bigint,
            coalesce(sum(tenancy.table_bytes(t.relation)), 0)::bigint
        )::public.tenantry_schema_summary
        from unnest(tenancy.table_oids(schema_name)) t (relation)
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_summary(text) is
    'Returns how many tables a tenant has, about how many rows, and their size on disk. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';

-- sql/30_rpc/schema_inspection/get_schema_tables.sql

create function public.get_schema_tables(schema_name text)
    returns setof public.tenantry_schema_table
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select d.*
    from unnest(tenancy.table_oids(schema_name)) t (relation)
    cross join lateral tenancy.describe_table(t.relation) d
    order by d.table_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_tables(text) is
    'Lists the tables of a tenant by name, with their sizes and row estimates. '
    'The estimates come from statistics; no table is scanned. All tables are in one reply: '
    'a tenant has at most as many as tenancy.platform_settings.max_tables allows, 200 unless '
    'changed and never more than 1,000. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';

-- sql/30_rpc/schema_inspection/get_table_columns.sql

create function public.get_table_columns(schema_name text, table_name text)
    returns setof public.tenantry_table_column
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select * from tenancy.describe_columns(tenancy.require_table(schema_name, table_name));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_table_columns(text, text) is
    'Lists the columns of a tenant''s table in their order. '
    'All columns are in one reply: create_table and add_column allow at most 1,000. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.';

-- sql/30_rpc/schema_inspection/get_table_foreign_keys.sql

create function public.get_table_foreign_keys(schema_name text, table_name text)
    returns setof public.tenantry_table_foreign_key
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select * from tenancy.describe_foreign_keys(tenancy.require_table(schema_name, table_name));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_table_foreign_keys(text, text) is
    'Lists the foreign keys of a tenant''s table by name. '
    'All foreign keys are in one reply: a tenant has at most as many as '
    'tenancy.platform_settings.max_foreign_keys allows, 500 unless changed and never more than '
    '1,000. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.';

-- sql/30_rpc/schema_management/activate_tenant.sql

create function public.activate_tenant(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    if v_before.status = 'active' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'active', suspended_at = null, suspension_reason = null, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.activate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.activate_tenant(text) is
    'Activates a suspended tenant, with exactly the privileges that it had. '
    'Repeating a call changes nothing. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_management/create_tenant_schema.sql

create function public.create_tenant_schema(schema_name text default null, display_name text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- A new schema invalidates every cached plan. Without this setting, PostgreSQL would plan
    -- each statement again in each of its next five runs.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_schema_name text := schema_name;
    v_creator constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
begin
    perform tenancy.require_platform_role('admin');

    if schema_name is not null then
        perform tenancy.require_schema_name(schema_name);
    end if;
    if display_name is not null then
        perform tenancy.require_text('display_name', display_name, 200, shortest => 1);
    end if;
    perform tenancy.lock_users(array[v_creator]);
    -- Check again under the lock: the caller may have been deleted while this call waited.
    perform tenancy.require_platform_role('admin');
    if schema_name is null then
        v_tenant := tenancy.claim_pooled_tenant(display_name, v_creator);
        if v_tenant.id is not null then
            perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));
            perform tenancy.open_pooled_tenant(v_tenant.schema_name);
            return v_tenant;
        end if;
        v_schema_name := tenancy.opaque_schema_name();
    end if;
    insert into public.tenants (schema_name, display_name, schema_version, created_by)
    values (
        v_schema_name,
        coalesce(display_name, v_schema_name),
        tenancy.lock_latest_version(),
        v_creator
    )
    -- If two callers send one name, the second waits here and then finds the first one's row.
    on conflict on constraint tenants_schema_name_key do nothing
    returning * into v_tenant;
    if v_tenant.id is null then
        raise exception 'There already is a tenant "%".', v_schema_name
            using errcode = 'PT409', detail = 'tenant_exists',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
    if to_regnamespace(v_schema_name) is not null then
        raise exception 'The database already has a schema "%", which is no tenant.', v_schema_name
            using errcode = 'PT409', detail = 'schema_exists',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    -- Log first: `create schema` invalidates every cached plan.
    perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));

    perform tenancy.refresh_catalog_statistics();
    perform tenancy.make_tenant_schema(v_schema_name);
    perform tenancy.expose_schema(v_schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_tenant_schema(text, text) is
    'Creates a tenant: a schema with the template''s tables, which the Data API serves within '
    'moments. '
    'Without schema_name the tenant gets a random name that reveals nothing, and is taken from '
    'the pool if one is ready there. '
    'Callers: platform admin. '
    'Errors: invalid_schema_name, invalid_request, tenant_exists, schema_exists, template_broken, '
    'forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_management/delete_tenant_schema.sql

create function public.delete_tenant_schema(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- Longer than the role's own timeout, because a long audit log is sealed first.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_log jsonb;
    v_removed jsonb;
begin
    perform tenancy.require_permission(schema_name, platform => 'super_admin', member => null);
    -- Users first: deleting a user also deletes the user's grants and updates the grants that
    -- the user gave, in an unknown order.
    perform tenancy.lock_users(array(
        select u.id
        from public.user_schema_access a
        cross join unnest(array[a.user_id, a.granted_by]) u (id)
        where a.schema_name = delete_tenant_schema.schema_name
    ));
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'super_admin', member => null);

    if v_tenant.status <> 'suspended' then
        raise exception 'Tenant "%" is active.', schema_name
            using errcode = 'PT409', detail = 'tenant_active',
                hint = 'Deleting a tenant destroys all its data. Suspend the tenant first with suspend_tenant.';
    end if;

    perform tenancy.require_no_dependents(schema_name);

    select jsonb_build_object(
        'tables', count(*),
        'rows', coalesce(sum(tenancy.row_estimate(t.relation)), 0),
        'rows_are_estimated', true,
        'bytes', coalesce(sum(tenancy.table_bytes(t.relation)), 0)
    )
    into v_removed
    from unnest(tenancy.table_oids(schema_name)) t (relation);

    -- The audit log is destroyed with the tenant. Its last head and its counts are kept in
    -- admin_audit_log, in an entry that no pruning removes.
    v_log := tenancy.close_audit_log(schema_name);
    -- Also deletes the grants, by cascade.
    delete from public.tenants t where t.id = v_tenant.id;
    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object('before', to_jsonb(v_tenant), 'audit_log', v_log, 'removed', v_removed)
    );
    perform tenancy.drop_tenant_schema(schema_name);
    perform tenancy.forget_activity(schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.delete_tenant_schema(text) is
    'Deletes a suspended tenant with all its data and returns the tenant''s last state. '
    'The schema, the rows and the grants are deleted and cannot be restored, and the Data API '
    'no longer serves the tenant. admin_audit_log keeps its entries about the tenant. '
    'Callers: super_admin. '
    'Errors: tenant_not_found, tenant_active, has_dependents, forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_management/get_tenant_pool.sql

create function public.get_tenant_pool()
    returns public.tenantry_tenant_pool
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_platform_role('viewer');

    return tenancy.pool_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_tenant_pool() is
    'Returns how many tenants the pool has, and how many it should have. '
    'Callers: platform viewer. '
    'Errors: forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_management/refill_tenant_pool.sql

create function public.refill_tenant_pool()
    returns public.tenantry_tenant_pool
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- As in create_tenant_schema.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_surplus uuid[];
    v_made text[] := array[]::text[];
    v_removed text[] := array[]::text[];
    v_pool public.tenantry_tenant_pool;
begin
    perform tenancy.require_platform_role('admin');

    -- Two calls at a time would both make what is missing. The second one only reports.
    if pg_try_advisory_xact_lock(hashtextextended('tenancy.pool', 0)) then
        v_surplus := tenancy.surplus_pooled_tenants();
        v_pool := tenancy.pool_status();
        if cardinality(v_surplus) > 0 then
            v_removed := tenancy.remove_pooled_tenant(v_surplus);
        elsif v_pool.missing > 0 then
            v_made := tenancy.fill_pool(at_most => v_pool.missing);
        end if;
    end if;

    if cardinality(v_made || v_removed) > 0 then
        perform tenancy.log_action(
            'pool.refill', null, jsonb_build_object('made', v_made, 'removed', v_removed)
        );
    end if;

    v_pool := tenancy.pool_status();
    v_pool.made := cardinality(v_made);
    v_pool.removed := cardinality(v_removed);
    return v_pool;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.refill_tenant_pool() is
    'Makes tenants for the pool, or removes one that is too many. '
    'The pool should have tenancy.platform_settings.pool_size tenants. '
    'create_tenant_schema without a name takes a tenant of the pool, which the Data API serves at '
    'once. A call does what fits a short transaction, so repeat it until missing and surplus are 0, '
    'or call it on a schedule. A call that finds another one running changes nothing. '
    'Callers: platform admin. '
    'Errors: template_broken, forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_management/register_tenant_schema.sql

create function public.register_tenant_schema(schema_name text, display_name text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform tenancy.require_platform_role('super_admin');

    perform tenancy.lock_users(array[(tenancy.caller()).user_id]);
    -- Check again under the lock: the caller may have been deleted while this call waited.
    perform tenancy.require_platform_role('super_admin');
    -- Inserts and so locks the registry row, and logs tenant.adopt.
    perform tenancy.register_tenant_schema(schema_name, display_name);

    select t.* into strict v_tenant
    from public.tenants t
    where t.schema_name = register_tenant_schema.schema_name;
    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.register_tenant_schema(text, text) is
    'Makes a tenant of an existing schema, completely or not at all. '
    'Rows, keys, sequences, triggers and owners stay. The template''s tables are added. Nobody but '
    'members reaches the schema''s tables afterwards, and no API role its routines. What would '
    'open a way around the layers refuses the schema: the message lists it, the hint says what '
    'to do. `tenantry adopt --dry-run` shows what would become of each object. The call is logged '
    'as tenant.adopt, for good, with the policies and privileges that it removed. '
    'Callers: super_admin. '
    'Errors: invalid_schema_name, schema_not_found, tenant_exists, schema_refused, '
    'invalid_request, forbidden, not_authenticated, busy.';

-- sql/30_rpc/schema_management/rename_tenant.sql

create function public.rename_tenant(schema_name text, display_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_text('display_name', display_name, 200, shortest => 1);
    if v_before.display_name = rename_tenant.display_name then
        return v_before;
    end if;

    update public.tenants t
    set display_name = rename_tenant.display_name, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;

    perform tenancy.log_action(
        'tenant.rename', v_after,
        jsonb_build_object('before', v_before.display_name, 'after', v_after.display_name)
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.rename_tenant(text, text) is
    'Changes the display name of a tenant. '
    'The schema keeps its name. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/schema_management/suspend_tenant.sql

create function public.suspend_tenant(schema_name text, reason text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant_first(schema_name, platform => 'admin');

    perform tenancy.require_text('reason', reason, 1000);
    if v_before.status = 'suspended' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'suspended', suspended_at = now(), suspension_reason = reason, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.suspend', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.suspend_tenant(text, text) is
    'Closes a tenant to everybody at once, the service key included. '
    'USAGE on the schema is revoked first, then every privilege in the schema. No row is '
    'lost. Repeating a call changes nothing, and the first reason stays. A suspension does '
    'not wait for others: a statement that changes the tenant for more than 300 ms is '
    'cancelled and answered with busy, and so is every such call from then on. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/get_database_release.sql

create function public.get_database_release()
    returns public.tenantry_database_release
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_signed_in();

    return row(tenancy.release())::public.tenantry_database_release;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_database_release() is
    'Returns the release of Tenantry whose migrations the database has. '
    'The functions ask for it before their first call: they need a database of their own '
    'release or of a later one. '
    'Callers: anyone signed in. '
    'Errors: not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/get_migration_status.sql

create function public.get_migration_status()
    returns public.tenantry_tenant_migration_status
    stable
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
begin
    perform tenancy.require_platform_role('admin');

    return tenancy.migration_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_migration_status() is
    'Returns the latest tenant migration, and the numbers of tenants that are up to date, that '
    'are behind, and that are stuck. '
    'A tenant is stuck if its next migration has failed; the result has the reasons of the '
    'first 20. It also names the tables of the template that no signed-in user can reach, and '
    'repeats what the registrations of pending migrations have warned of. '
    'Callers: platform admin. '
    'Errors: forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/get_schema_drift.sql

create function public.get_schema_drift(
    schema_name text,
    page_size integer default 1000,
    after_object_kind text default null,
    after_object_name text default null
)
    returns setof public.tenantry_schema_difference
    volatile
    security definer
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
    perform tenancy.require_page_size(page_size);

    return query
    select d.object_kind, d.object_name, d.difference, d.expected, d.found,
        nullif(
            tenancy.difference_statements(schema_name, d.object_kind, d.object_name, d.expected, d.found), ''
        )
    from tenancy.lasting_drift(schema_name) d
    where (d.object_kind, d.object_name) > (coalesce(after_object_kind, ''), coalesce(after_object_name, ''))
    order by d.object_kind, d.object_name
    limit page_size;
    -- A tenant that was deleted meanwhile has no differences, and is no tenant any more.
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_drift(text, integer, text, text) is
    'Lists the differences between a tenant and the reference schema at the tenant''s version, one '
    'page at a time. '
    'The comparison covers tables, columns, constraints, indexes, policies, triggers, routines, '
    'types, owners and grants. Grants to a role of the project count, unless a tenant migration '
    'gives them. The tenant''s own tables and its columns x_… do not count as '
    'differences, but their owners and grants are compared. A tenant migration at which the tenant is '
    'stuck is a difference, too, with the reason. Without a difference the list is empty. A page '
    'has up to page_size differences, from 1 to 1,000; a page that is not full is the last one. '
    'For the next page, give the last object_kind and object_name of this page as '
    'after_object_kind and after_object_name. '
    'repair is SQL that removes the difference, for postgres to read and run; it is null if '
    'a person has to decide. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/list_tenant_drift.sql

create function public.list_tenant_drift(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenantry_tenant_drift
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_last text := coalesce(after_schema_name, '');
    v_names text[];
    v_has_more boolean;
    v_drifting text[];
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    loop
        v_names := array(
            select t.schema_name
            from public.tenants t
            where t.schema_name > v_last and t.status <> 'pooled'
            order by t.schema_name
            limit page_size + 1
        );
        v_has_more := cardinality(v_names) > page_size;
        v_names := v_names[:page_size];
        v_last := v_names[page_size];
        v_drifting := tenancy.drifting_tenants(v_names);

        -- Without the tenants that were deleted meanwhile.
        return query
        select t.schema_name, t.schema_name = any (v_drifting),
            v_has_more or lead(t.schema_name) over (order by t.schema_name) is not null
        from public.tenants t
        where t.schema_name = any (v_names)
        order by t.schema_name;
        -- An empty page would be taken for the end of the list.
        exit when found or not v_has_more;
    end loop;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenant_drift(text, integer) is
    'Lists the tenants, by name, one page at a time, each with whether it differs from the '
    'reference schema at its version. '
    'Tenants of the pool are left out, and so is a tenant that is deleted during the call. '
    'get_schema_drift lists the differences of one tenant. A page has up to page_size tenants, '
    'from 1 to 1,000. has_more of the last tenant says whether there is a next page: give its '
    'name as after_schema_name. '
    'Callers: platform admin. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/list_tenants_behind.sql

create function public.list_tenants_behind(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenantry_tenant_behind
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    return query
    with versions as materialized (
        select m.version,
            lead(m.version) over (order by m.position) as next_version,
            count(*) over (order by m.position desc)::integer - 1 as pending
        from tenancy.tenant_migrations m
    )
    select p.schema_name, p.version, p.next_version, p.pending, p.is_pooled, p.sqlstate, p.message, p.stuck_since,
        p.failed_at, p.has_more
    from (
        select t.schema_name, v.version, v.next_version, v.pending, t.is_pooled,
            u.sqlstate, u.message, u.stuck_since, u.failed_at,
            lead(true, 1, false) over by_name as has_more,
            row_number() over by_name as place,
            sum(500 + coalesce(octet_length(to_json(u.message)::text), 0)) over by_name as bytes
        from versions v
        -- Bounds and order are those of tenants_schema_version_idx, once for each older version.
        -- With `schema_version = …` the planner may prefer another index, because statistics from
        -- a time when all tenants had one version say that the condition excludes no row.
        cross join lateral (
            select b.schema_name, b.status = 'pooled' as is_pooled
            from public.tenants b
            where (b.schema_version, b.schema_name) > (v.version, coalesce(after_schema_name, ''))
                and b.schema_version <= v.version
            order by b.schema_version, b.schema_name
            limit page_size + 1
        ) t
        left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
        where v.pending > 0
        window by_name as (order by t.schema_name)
        order by t.schema_name
        limit page_size + 1
    ) p
    where not tenancy.is_page_full(page_size, p.place::integer - 1, p.bytes)
    order by p.schema_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants_behind(text, integer) is
    'Lists the tenants that lack tenant migrations, by name, one page at a time, those of the pool included. '
    'A tenant whose next migration has failed is stuck: its row has the reason, and since when. A page has up to '
    'page_size tenants, from 1 to 1,000, and fewer if they are more than 4 MB. has_more of the '
    'last tenant says whether there is a next page: give its name as after_schema_name. '
    'Callers: platform admin. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/migrate_tenant.sql

create function public.migrate_tenant(schema_name text)
    returns public.tenantry_tenant_migration_result
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- PostgREST sets it before the call. While a migration keeps a table closed, PostgREST cannot
    -- load its schema cache, and nobody is served.
    set statement_timeout = '5s'
    -- A session migrates few tenants, so a generic plan from the first call on saves planning.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
    v_migration tenancy.tenant_migrations;
    v_backfill tenancy.unfinished_backfills;
    v_rows_done bigint;
    v_rows_left bigint;
    v_sqlstate text;
    v_message text;
    v_details text;
    v_table_name text;
    v_constraint_name text;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null, even_pooled => true);

    v_migration := tenancy.next_migration(v_before.schema_version);
    if v_migration.version is null then
        return row(schema_name, 'up_to_date', v_before.schema_version, 0, null, null, null, null, null, null, null)::public.tenantry_tenant_migration_result;
    end if;

    perform tenancy.refresh_catalog_statistics();
    begin
        if v_migration.phase = 'backfill' then
            v_backfill := tenancy.advance_backfill(v_before, v_migration);
        else
            v_after := tenancy.advance_tenant(v_before, v_migration);
        end if;
    exception
        when others or query_canceled then
            get stacked diagnostics
                v_sqlstate = returned_sqlstate,
                v_message = message_text,
                v_details = pg_exception_detail,
                v_table_name = table_name,
                v_constraint_name = constraint_name;
            -- A migration that a suspension cancelled has not failed, nor one that only waited.
            if v_sqlstate in ('57014', '55P03') then
                perform tenancy.require_not_closing(schema_name);
            elsif v_sqlstate = 'PT429' then
                raise;
            end if;
            v_message := tenancy.failure_message(v_sqlstate, v_message, v_details, v_table_name, v_constraint_name);
    end;

    if v_sqlstate is not null then
        -- The earlier batches of a backfill are committed.
        if v_migration.phase = 'backfill' then
            v_rows_done := coalesce((
                select b.rows_done
                from tenancy.unfinished_backfills b
                where b.schema_name = migrate_tenant.schema_name and b.version = v_migration.version
            ), 0);
        end if;
        perform tenancy.record_failed_migration(schema_name, v_migration.version, v_sqlstate, v_message);
        return row(
            schema_name, 'failed', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), v_sqlstate, v_message, v_migration.name,
            null, v_rows_done, null, null
        )::public.tenantry_tenant_migration_result;
    end if;

    delete from tenancy.unfinished_migrations u where u.schema_name = migrate_tenant.schema_name;
    if v_backfill.next_block < v_backfill.end_block then
        v_rows_left := (v_backfill.end_block - v_backfill.next_block) * v_backfill.rows_a_block;
        return row(
            schema_name, 'in_progress', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), null, null, v_migration.name,
            v_backfill.pass, v_backfill.rows_done, v_rows_left,
            ceil((v_backfill.end_block - v_backfill.next_block) * v_backfill.seconds_a_block)
        )::public.tenantry_tenant_migration_result;
    elsif v_migration.phase = 'backfill' then
        v_after := tenancy.end_backfill(v_before, v_migration);
    else
        perform tenancy.reload_schema_cache();
    end if;
    perform tenancy.log_action(
        'tenant.migrate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after), 'name', v_migration.name)
            || case
                when v_migration.phase = 'backfill' then jsonb_build_object(
                    'rows', v_backfill.rows_done, 'seconds', round(v_backfill.seconds::numeric, 3)
                )
                else '{}'
            end
    );

    return row(
        schema_name, 'migrated', v_after.schema_version,
        tenancy.pending_migrations(v_after.schema_version), null, null, v_migration.name, null, v_backfill.rows_done,
        case v_migration.phase when 'backfill' then 0 end, case v_migration.phase when 'backfill' then 0 end
    )::public.tenantry_tenant_migration_result;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.migrate_tenant(text) is
    'Applies the next pending tenant migration to a tenant, completely or not at all; of a backfill, '
    'batches stay that were done before it failed: rows_done. '
    'It is cancelled after 5 s. Of a backfill a call runs one batch of about a second, and '
    'answers "in_progress" with rows_done, rows_left and seconds_left: repeat the call. '
    'A suspended tenant is migrated too and stays suspended, and so is a tenant of the pool. A '
    'failure is reported as the '
    'outcome "failed" with SQLSTATE and message. list_tenants_behind shows the failure until '
    'a repeated call succeeds. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/replace_tenant_migration.sql

create function public.replace_tenant_migration(version text, statements text)
    returns public.tenantry_tenant_migration_status
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set quote_all_identifiers = off
    -- Longer than the role's own timeout, because the reference schema is built again.
    set statement_timeout = '300s'
    language plpgsql
as $$
declare
    v_before tenancy.tenant_migrations;
begin
    perform tenancy.require_platform_role('super_admin');

    v_before := tenancy.replace_tenant_migration(version, statements);

    perform tenancy.log_action(
        'migration.replace', null,
        jsonb_build_object(
            'before', to_jsonb(v_before),
            'after', (select to_jsonb(m) from tenancy.tenant_migrations m where m.version = v_before.version)
        )
    );

    return tenancy.migration_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.replace_tenant_migration(text, text) is
    'Replaces the text of a tenant migration for the tenants that lack it. '
    'The reference schema is built again, and tenants that were stuck at the migration are '
    'tried again by the next run. Tenants that have received the old text keep it. If they '
    'would differ from the template at their version, the new text is refused. The text runs '
    'with the rights of the owner of the database, as every tenant migration does. '
    'Callers: super_admin. '
    'Errors: migration_not_found, migration_received, migration_refused, invalid_request, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/tenant_migrations/withdraw_tenant_migration.sql

create function public.withdraw_tenant_migration(version text)
    returns public.tenantry_tenant_migration_status
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set quote_all_identifiers = off
    -- Longer than the role's own timeout, because the reference schema is built again.
    set statement_timeout = '300s'
    language plpgsql
as $$
declare
    v_before tenancy.tenant_migrations;
begin
    perform tenancy.require_platform_role('super_admin');

    v_before := tenancy.withdraw_tenant_migration(version);

    perform tenancy.log_action(
        'migration.withdraw', null,
        jsonb_build_object('before', to_jsonb(v_before))
    );

    return tenancy.migration_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.withdraw_tenant_migration(text) is
    'Withdraws a tenant migration that no tenant has received. '
    'It is registered no more: no tenant receives it, and the reference schema is built again '
    'without it. Tenants that were stuck at it are no longer. '
    'Callers: super_admin. '
    'Errors: migration_not_found, migration_received, migration_refused, invalid_request, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/tenant_status/check_tenant_status.sql

create function public.check_tenant_status(schema_name text)
    returns public.tenantry_tenant_status_report
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(
        schema_name, platform => 'viewer', member => 'read', even_suspended => true
    );

    return (
        select row(t.schema_name, t.status)::public.tenantry_tenant_status_report
        from public.tenants t
        where t.schema_name = check_tenant_status.schema_name
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.check_tenant_status(text) is
    'Returns whether a tenant is active or suspended. '
    'Callers: member, member of a suspended tenant, platform viewer. '
    'Errors: tenant_not_found, not_authenticated, busy.';

-- sql/30_rpc/tenant_status/get_platform_health.sql

create function public.get_platform_health()
    returns public.tenantry_platform_health
    stable
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_migrations public.tenantry_tenant_migration_status;
    v_health public.tenantry_platform_health;
begin
    perform tenancy.require_platform_role('viewer');

    v_migrations := tenancy.migration_status();
    v_health.latest_version := v_migrations.latest_version;
    v_health.tenant_count := v_migrations.tenant_count;
    v_health.up_to_date := v_migrations.up_to_date;
    v_health.behind := v_migrations.behind;
    v_health.stuck := v_migrations.stuck;
    v_health.stuck_tenants := v_migrations.stuck_tenants;

    select (count(*) filter (where t.status = 'active'))::integer,
        (count(*) filter (where t.status = 'suspended'))::integer
    into v_health.active, v_health.suspended
    from tenancy.listed_tenants t;

    select coalesce(
        jsonb_agg(
            jsonb_build_object('version', m.version, 'name', m.name, 'tenants', t.tenants, 'pending', m.pending)
            order by m.pending
        ),
        '[]'
    )
    into v_health.versions
    from (
        select l.schema_version, count(*) as tenants from tenancy.listed_tenants l group by l.schema_version
    ) t
    join (
        select n.version, n.name, count(*) over (order by n.position desc) - 1 as pending
        from tenancy.tenant_migrations n
    ) m on m.version = t.schema_version;

    select coalesce(sum(s.bytes), 0)::bigint,
        coalesce(
            jsonb_agg(
                jsonb_build_object('schema_name', s.schema_name, 'display_name', s.display_name, 'bytes', s.bytes)
                order by s.place
            ) filter (where s.place <= 10),
            '[]'
        )
    into v_health.total_bytes, v_health.largest_tenants
    from (
        select t.schema_name, t.display_name, b.bytes,
            row_number() over (order by b.bytes desc, t.schema_name) as place
        from tenancy.listed_tenants t
        join tenancy.all_schema_bytes() b on b.schema_name = t.schema_name
    ) s;

    v_health.growth := tenancy.tenant_growth(90);

    select jsonb_build_object(
        'measured_at', m.measured_at,
        'tenants', m.tenant_count,
        'milliseconds', m.milliseconds,
        'limit_milliseconds', tenancy.cache_load_limit()
    )
    into v_health.cache_load
    from tenancy.cache_load_measurements m
    order by m.measured_at desc
    limit 1;

    select coalesce(
        jsonb_agg(
            jsonb_build_object('seconds', f.limit_seconds, 'tenants', f.tenants) order by f.limit_seconds
        ),
        '[]'
    )
    into v_health.cache_load_forecast
    from tenancy.cache_load_forecast() f;

    select to_jsonb(d) into v_health.dump_locks from tenancy.dump_locks() d;

    return v_health;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_platform_health() is
    'Returns the state of the platform: how many tenants there are and in which state, their '
    'versions, the tenants that are stuck, the largest tenants, the growth of the last 90 days, and '
    'how many tenants fit. It reads no row of a tenant, and measures nothing: the load of the schema '
    'cache is the last one that the doctor measured. Sizes are as of the '
    'last VACUUM or ANALYZE of each table. '
    'Callers: platform viewer. '
    'Errors: forbidden, not_authenticated, busy.';

-- sql/30_rpc/tenant_status/get_tenant_info.sql

create function public.get_tenant_info(schema_name text)
    returns public.tenantry_tenant_info
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(
        schema_name, platform => 'viewer', member => 'read', even_suspended => true
    );

    return (
        select row(
            t.schema_name, t.display_name, t.status, t.suspension_reason, t.created_at,
            tenancy.access_level(t.schema_name),
            (
                select count(*)
                from public.user_schema_access a
                join tenancy.active_users u on u.id = a.user_id
                where a.schema_name = t.schema_name
                    and (a.expires_at is null or a.expires_at > statement_timestamp())
            )
        )::public.tenantry_tenant_info
        from public.tenants t
        where t.schema_name = get_tenant_info.schema_name
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_tenant_info(text) is
    'Returns what members and the platform staff may know about a tenant, with the caller''s '
    'own access level. '
    'Callers: member, member of a suspended tenant, platform viewer. '
    'Errors: tenant_not_found, not_authenticated, busy.';

-- sql/30_rpc/tenant_status/list_my_tenants.sql

create function public.list_my_tenants(page_size integer default 200, after text default null)
    returns setof public.tenantry_tenant_membership
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller tenancy.caller;
begin
    v_caller := tenancy.require_signed_in();
    perform tenancy.require_page_size(page_size);

    return query
    select t.schema_name, t.display_name, t.status, a.access_level
    from public.user_schema_access a
    join public.tenants t on t.schema_name = a.schema_name
    where a.user_id = v_caller.user_id
        and (a.expires_at is null or a.expires_at > statement_timestamp())
        and a.schema_name > coalesce(list_my_tenants.after, '')
    order by a.schema_name
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_my_tenants(integer, text) is
    'Lists the tenants to which the caller has access, by name, one page at a time. '
    'Suspended tenants are included. '
    'An expired grant is no access. The service key is a member of no tenant and gets an '
    'empty list. A page has up to page_size tenants, from 1 to 1,000; a page that is not full '
    'is the last one. For the next page, give the last name of this page as after. '
    'Callers: anyone signed in. '
    'Errors: invalid_request, not_authenticated, busy.';

-- sql/30_rpc/tenant_status/list_tenants.sql

create function public.list_tenants(
    search text default null,
    status tenancy.tenant_status default null,
    sort text default 'schema_name',
    page_size integer default 50,
    after text default null
)
    returns setof public.tenantry_listed_tenant
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_after tenancy.list_place;
    v_total bigint;
    v_places tenancy.list_place[];
begin
    perform tenancy.require_platform_role('viewer');
    perform tenancy.require_text('search', search, 200);
    perform tenancy.require_page_size(page_size);
    v_after := tenancy.require_list_place(sort, after);

    if v_after.schema_name is null then
        select count(*) into v_total
        from tenancy.listed_tenants t
        where (list_tenants.status is null or t.status = list_tenants.status)
            and (
                list_tenants.search is null
                or tenancy.is_found(list_tenants.search, t.schema_name, t.display_name)
            );
    end if;

    v_places := array(
        select p from tenancy.tenant_places(search, list_tenants.status, v_after, page_size) p
    );

    -- `offset 0` keeps PostgreSQL from reading all tenants for the few of the page.
    return query
    select t.schema_name, t.display_name, t.status, t.schema_version,
        -- The size by which the page is sorted, if it is.
        case
            when v_after.column_name = 'bytes' then v_places[i.place].number::bigint
            else tenancy.schema_bytes(t.schema_name)
        end,
        a.last_activity_at, t.created_at, tenancy.list_cursor(v_places[i.place]), v_total
    from generate_subscripts(v_places, 1) i (place)
    cross join lateral (
        select * from tenancy.listed_tenants l where l.schema_name = v_places[i.place].schema_name offset 0
    ) t
    left join lateral (
        select n.last_activity_at
        from tenancy.tenant_activity n
        where n.schema_name = t.schema_name and n.last_activity_at >= t.created_at
        offset 0
    ) a on true
    order by i.place;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants(text, tenancy.tenant_status, text, integer, text) is
    'Lists tenants, one page at a time. '
    'search finds tenants whose schema name or display name contains this text, in upper or lower '
    'case; no character of it is a wildcard. sort is schema_name, display_name, created_at, status, '
    'schema_version (the order in which the versions were registered), bytes or last_activity_at '
    '(never is earliest), alone or with .asc or .desc behind it; tenants with the same value are '
    'in the order of their names. bytes is the size on disk as of the last VACUUM or ANALYZE of '
    'each table. last_activity_at is when a user or the service key last changed an audited row '
    'or called ensure_user_profile, to within five minutes; it is null if that has never '
    'happened. A page has up to page_size tenants, from 1 to 1,000; a page that is not full is '
    'the last one. For the next page, give the cursor of the last tenant of this page as after, '
    'with the same search, status and sort. Every tenant that does not change meanwhile is on exactly '
    'one page. total_count is the number of tenants that match, on the first page alone. '
    'Callers: platform viewer. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';

-- sql/30_rpc/user_profiles/create_user_profile.sql

create function public.create_user_profile(
    schema_name text,
    user_id uuid,
    display_name text default null,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns public.tenantry_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_profile public.tenantry_user_profile;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_text('display_name', display_name, 200);
    perform tenancy.require_text('role', role, 100, shortest => 1);
    perform tenancy.require_metadata(metadata);
    if not tenancy.insert_profile(schema_name, user_id, display_name, role, metadata) then
        raise exception 'User % already has a profile in tenant "%".', user_id, schema_name
            using errcode = 'PT409', detail = 'profile_exists',
                hint = 'Read it with get_user_profile.';
    end if;
    v_profile := tenancy.find_profile(schema_name, user_id);

    -- Only the id, because platform staff read this log but no rows of tenants. The values
    -- are in the tenant's own audit log.
    perform tenancy.log_action(
        'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
    );

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_user_profile(text, uuid, text, text, jsonb) is
    'Creates a user''s profile in a tenant. '
    'A profile gives no access; grant_schema_access does. role is a label of your product; '
    'metadata is a JSON object. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, user_not_found, profile_exists, '
    'tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/user_profiles/ensure_user_profile.sql

create function public.ensure_user_profile(schema_name text, display_name text default null)
    returns public.tenantry_ensured_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_profile public.tenantry_user_profile;
    v_is_new boolean := false;
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'read');
    -- Before lock_tenant, under which nothing counts as activity.
    perform tenancy.note_activity(schema_name);

    -- Without a lock, because every sign-in calls this and nearly always finds a profile. If
    -- there is none, the block is rolled back, which unlocks the table. Otherwise this call
    -- would hold the table and wait for the tenant, while a deletion does the reverse.
    begin
        v_profile := tenancy.find_profile(schema_name, v_user_id);
        if v_profile.id is null then
            raise no_data_found;
        end if;
    exception
        when no_data_found then
            null;
    end;

    if v_profile.id is null then
        perform tenancy.require_user(v_user_id);
        v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');
        perform tenancy.require_text('display_name', display_name, 200);
        v_is_new := tenancy.insert_profile(schema_name, v_user_id, display_name);
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    elsif tenancy.refresh_email(schema_name, v_user_id) then
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    end if;

    if v_is_new then
        -- Only the id, because platform staff read this log but no rows of tenants. The values
        -- are in the tenant's own audit log.
        perform tenancy.log_action(
            'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
        );
    end if;

    return row(v_profile.*, v_is_new)::public.tenantry_ensured_user_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.ensure_user_profile(text, text) is
    'Returns the caller''s own profile in a tenant; the first call creates it. '
    'is_new is true if this call created the profile. Any number of concurrent calls create '
    'one row. display_name is used for a new profile only. email is the address that Auth has '
    'now; an older copy in the tenant''s table is refreshed. '
    'Callers: member. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, user_not_found, busy.';

-- sql/30_rpc/user_profiles/get_user_profile.sql

create function public.get_user_profile(schema_name text, user_id uuid default null)
    returns public.tenantry_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := coalesce(user_id, (tenancy.caller()).user_id);
    v_profile public.tenantry_user_profile;
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'read');

    v_profile := tenancy.find_profile(schema_name, v_user_id);
    if v_profile.id is null then
        raise exception 'User % has no profile in tenant "%".', v_user_id, schema_name
            using errcode = 'PT404', detail = 'profile_not_found',
                hint = 'The user gets one by calling ensure_user_profile, or an admin creates it with create_user_profile.';
    end if;

    if tenancy.refresh_email(schema_name, v_user_id) then
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    end if;

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_user_profile(text, uuid) is
    'Returns a user''s profile in a tenant; without user_id, the caller''s own. '
    'email is the address that Auth has now, or the copy if the user has no access any more. If the copy in the tenant''s table differs, a POST '
    'refreshes the copy, which is logged as profile.refresh. '
    'Callers: member. '
    'Errors: tenant_not_found, profile_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';

-- sql/30_rpc/user_profiles/refresh_user_emails.sql

create function public.refresh_user_emails(schema_name text)
    returns public.tenantry_email_refresh
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_refresh public.tenantry_email_refresh;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_refresh.schema_name := schema_name;
    v_refresh.refreshed := tenancy.refresh_emails(schema_name, at_most => 10000);

    if v_refresh.refreshed > 0 then
        -- Only the number, because platform staff read this log but no rows of tenants.
        perform tenancy.log_action(
            'profile.refresh', v_tenant,
            jsonb_build_object('refreshed', v_refresh.refreshed, 'changed', jsonb_build_array('email'))
        );
    end if;

    return v_refresh;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.refresh_user_emails(text) is
    'Copies the e-mail addresses that Auth has now into the profiles of a tenant, and returns how '
    'many changed. '
    'The table users of a tenant has a copy of each address. ensure_user_profile and '
    'get_user_profile refresh one copy, this call all of them. A call changes up to 10,000 '
    'profiles; repeat it while it returns that number. The profile of a user who is deleted '
    'or has no access keeps its address. '
    'Callers: tenant admin, platform admin. '
    'Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

-- sql/30_rpc/user_profiles/update_user_profile.sql

create function public.update_user_profile(
    schema_name text,
    display_name text default null,
    metadata jsonb default null
)
    returns public.tenantry_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_before public.tenantry_user_profile;
    v_after public.tenantry_user_profile;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');

    perform tenancy.require_text('display_name', display_name, 200);
    perform tenancy.require_metadata(coalesce(metadata, '{}'));
    v_before := tenancy.find_profile(schema_name, v_user_id);
    if v_before.id is null then
        raise exception 'You have no profile in tenant "%" yet.', schema_name
            using errcode = 'PT404', detail = 'profile_not_found',
                hint = 'Call ensure_user_profile first.';
    end if;
    if coalesce(display_name, v_before.display_name) is not distinct from v_before.display_name
        and coalesce(metadata, v_before.metadata) = v_before.metadata
    then
        return v_before;
    end if;

    perform tenancy.update_profile(schema_name, v_user_id, display_name, metadata);
    v_after := tenancy.find_profile(schema_name, v_user_id);

    -- Only the id, because platform staff read this log but no rows of tenants. The values
    -- are in the tenant's own audit log.
    perform tenancy.log_action(
        'profile.update', v_tenant,
        jsonb_build_object(
            'after', jsonb_build_object('id', v_after.id),
            'changed', (
                select jsonb_agg(a.key order by a.key)
                from jsonb_each(to_jsonb(v_after)) a
                where a.value <> to_jsonb(v_before) -> a.key
            )
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.update_user_profile(text, text, jsonb) is
    'Changes the caller''s own profile in a tenant. '
    'An argument that is null changes nothing. metadata is replaced as a whole. '
    'Callers: member. '
    'Errors: invalid_request, tenant_not_found, profile_not_found, tenant_suspended, '
    'forbidden, not_authenticated, busy.';

-- sql/40_policies/admin_audit_log.sql

create policy select_admin on public.admin_audit_log
    for select to authenticated
    using (
        tenant_id = any ((select tenancy.administered_tenant_ids())::uuid[])
        or (select tenancy.is_platform_staff())
    );

-- sql/40_policies/admin_users.sql

create policy select_staff on public.admin_users
    for select to authenticated
    using (
        user_id = (select (tenancy.caller()).user_id)
        or (select tenancy.is_platform_staff())
    );

-- sql/40_policies/tenants.sql

create policy select_member on public.tenants
    for select to authenticated
    using (
        status <> 'pooled'
        and (
            schema_name = any ((select tenancy.member_tenants())::text[])
            or (select tenancy.is_platform_staff())
        )
    );

-- sql/40_policies/user_schema_access.sql

create policy select_member on public.user_schema_access
    for select to authenticated
    using (
        user_id = (select (tenancy.caller()).user_id)
        or schema_name = any ((select tenancy.administered_tenants())::text[])
        or (select tenancy.is_platform_staff())
    );

-- sql/45_triggers/admin_audit_log.sql

select tenancy.make_append_only('public', 'admin_audit_log');

-- sql/45_triggers/platform_settings.sql

create trigger require_possible before insert or update on tenancy.platform_settings
    for each row execute function tenancy.tg_platform_settings__require_possible();
-- If the row of settings is deleted and inserted again, its retention is compared with the last one.
create trigger record_retention after insert or update on tenancy.platform_settings
    for each row execute function tenancy.tg_platform_settings__record_retention();

-- sql/45_triggers/retention_floors.sql

select tenancy.make_append_only('tenancy', 'retention_floors');

-- sql/50_checks/check_api_roles.sql

create function tenancy.check_api_roles()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'API role passes policies',
        r.rolname::text,
        case
            when p.oid = r.oid then format('The role %I bypasses row level security.', r.rolname)
            else format('The role %I is a member of %I, which bypasses row level security.', r.rolname, p.rolname)
        end,
        case
            when p.oid = r.oid then format('alter role %I nobypassrls nosuperuser;', r.rolname)
            else format('revoke %I from %I;', p.rolname, r.rolname)
        end,
        null
    from pg_catalog.pg_roles r
    join pg_catalog.pg_roles p on pg_has_role(r.oid, p.oid, 'member')
    where r.rolname in ('anon', 'authenticated')
        -- A superuser is a member of every role.
        and (p.oid = r.oid or not r.rolsuper)
        and (p.rolbypassrls or p.rolsuper);
$$;

comment on function tenancy.check_api_roles() is
    'Check: anon or authenticated bypasses row level security, by an attribute of its own or of a role that it may act as. The service key does so on every Supabase project.';

-- sql/50_checks/check_audit_routines.sql

-- schema_objects takes an audit routine for right if its source is. This check also reads the
-- attributes that decide whose rights the routine has.
create function tenancy.check_audit_routines(
    schema_name text,
    differences tenancy.template_difference[],
    objects tenancy.schema_object[]
)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with audited as (
        select substr(d.expected, 8) as table_name, d.difference = 'missing' as is_missing
        from unnest(differences) d
        where d.object_kind = 'routine' and d.difference <> 'extra' and d.expected like 'audits %'
        union
        select c.relname::text, false
        from unnest(tenancy.table_oids(schema_name)) o (oid)
        join pg_catalog.pg_class c on c.oid = o.oid
        join pg_catalog.pg_proc p
            on p.oid = to_regprocedure(format('%I.%I()', schema_name, tenancy.audit_routine_name(c.relname::text)))
        where not exists (
                select
                from unnest(objects) r
                where r.object_kind = 'routine'
                    and r.object_name = p.proname || '()'
                    and r.definition = 'audits ' || c.relname
            )
            or not p.prosecdef
            or coalesce('search_path=""' <> all (p.proconfig), true)
            or p.proowner <> (select t.proowner from pg_catalog.pg_proc t where t.oid = 'tenancy.caller()'::regprocedure)
    )
    select
        'wrong routine',
        format('%s.%s()', schema_name, tenancy.audit_routine_name(a.table_name)),
        format(
            'The routine that audits %s.%s %s. The audit log may lack changes, or the table refuses writes.',
            schema_name, a.table_name, case when a.is_missing then 'is missing' else 'has another definition' end
        ),
        s.statements,
        s.statements
    from audited a
    cross join lateral tenancy.audit_table_statements(schema_name, a.table_name) s (statements)
    order by a.table_name;
end;
$$;

comment on function tenancy.check_audit_routines(text, tenancy.template_difference[], tenancy.schema_object[]) is
    'Check: trigger functions of the audit log that are missing, or differ from what audit_table creates.';

-- sql/50_checks/check_cache_load.sql

create function tenancy.check_cache_load()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case
            when s.role_name = 'authenticator' then 'schema cache load without time limit'
            else 'warning: API role without statement timeout'
        end,
        s.role_name,
        case
            when s.role_name = 'authenticator' then
                'The load of the schema cache has only 8 s. Where it takes longer, the Data API answers nobody.'
            else format(
                'The role %I has no statement timeout of its own, so its requests have the 60 s of authenticator.',
                s.role_name
            )
        end,
        s.statement,
        'select tenancy.set_cache_load_timeout();'
    from tenancy.cache_load_statements() s
    union all
    select
        'warning: slow schema cache load',
        'authenticator',
        format(
            'The load of the schema cache took %s s with %s tenants, and may take %s s. Past that the Data API answers nobody.%s',
            round(m.milliseconds / 1000.0, 1), m.tenant_count, round(l.milliseconds / 1000.0, 1),
            (
                select ' By the forecast it takes ' || string_agg(
                    format('%s s with %s tenants', f.limit_seconds, f.tenants), ', ' order by f.limit_seconds
                ) || '.'
                from tenancy.cache_load_forecast() f
            )
        ),
        'Run the doctor again when the database is less busy. If the load stays slow, give the database more '
            'processor time, or spread the tenants over two projects.',
        null
    from (
        select c.milliseconds, c.tenant_count
        from tenancy.cache_load_measurements c
        order by c.measured_at desc
        limit 1
    ) m
    join tenancy.cache_load_limit() l (milliseconds) on m.milliseconds > l.milliseconds / 2;
$$;

comment on function tenancy.check_cache_load() is
    'Check: the load of PostgREST''s schema cache has a statement timeout of its own, so has each API role, and the last measured load took at most half of it.';

-- sql/50_checks/check_cancelling.sql

-- Requests run in sessions of authenticator. suspend_tenant runs with the rights of its owner.
create function tenancy.check_cancelling()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'cannot cancel',
        r.rolname::text,
        format(
            'The role %s may not cancel statements of other sessions. A suspension then waits for whoever '
            'changes the tenant, and answers busy after 2.5 s.',
            r.rolname
        ),
        format('As a superuser, or as a role that may grant it: grant pg_signal_backend to %I;', r.rolname),
        null::text
    from pg_catalog.pg_proc p
    join pg_catalog.pg_roles r on r.oid = p.proowner
    where p.oid = to_regprocedure('public.suspend_tenant(text, text)')
        and not pg_has_role(r.oid, 'pg_signal_backend', 'usage')
        and not pg_has_role(r.oid, 'authenticator', 'usage');
$$;

comment on function tenancy.check_cancelling() is
    'Check: the owner of suspend_tenant may cancel the statements that cancel_changes has to cancel.';

-- sql/50_checks/check_catalog_statistics.sql

create function tenancy.check_catalog_statistics()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: stale catalog statistics',
        s.catalog::text,
        format(
            'More than half of %s has changed since PostgreSQL collected its statistics. The Data API may take long to load its schema cache.',
            s.catalog
        ),
        format('analyze %s;', s.catalog),
        'select tenancy.refresh_catalog_statistics();'
    from tenancy.stale_catalogs(5000) s (catalog)
    union all
    select
        'warning: bloated catalog',
        c.oid::regclass::text,
        format(
            'The catalog %s has %s deleted rows beside %s present ones, so everything that reads it is slow.',
            c.oid::regclass, pg_stat_get_dead_tuples(c.oid), pg_stat_get_live_tuples(c.oid)
        ),
        format('Outside a transaction: vacuum analyze %s;', c.oid::regclass),
        null
    from pg_catalog.pg_class c
    where c.relnamespace = 'pg_catalog'::regnamespace
        and c.relkind = 'r'
        -- A small catalog is read in milliseconds even so, and autovacuum comes within a minute.
        and pg_stat_get_dead_tuples(c.oid) > 30000 + pg_stat_get_live_tuples(c.oid);
$$;

comment on function tenancy.check_catalog_statistics() is
    'Check: the catalogs of PostgreSQL, which the load of the schema cache reads, have statistics and are not bloated.';

-- sql/50_checks/check_creation_script.sql

create function tenancy.check_creation_script()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: creation script',
        'tenant migration ' || f.version,
        'New tenants are not made by a creation script, but by all tenant migrations, which takes longer. '
            || coalesce(f.reason, rtrim(f.obstacle, '.') || '.'),
        case when f.reason is null
            then 'New tenants are complete. If creating one has to be faster, change the tenant migrations that are the reason.'
            else 'Compile the script: select tenancy.renew_creation_script();'
        end,
        case when f.reason is not null then 'select tenancy.renew_creation_script()' end
    from (
        select l.version, s.statements, s.obstacle, case
            when s.version is null then 'There is no script for the latest version of the template.'
            when s.release <> tenancy.release() then format('The script is from release %s.', s.release)
            when s.default_privileges <> tenancy.default_privileges() then
                'The default privileges have changed since the script was compiled.'
        end as reason
        from (select tenancy.latest_tenant_version() as version) l
        left join tenancy.tenant_template_scripts s on s.version = l.version
        where l.version is not null
    ) f
    where f.statements is null or f.reason is not null;
$$;

comment on function tenancy.check_creation_script() is
    'Check: whether new tenants are made by the creation script, or why they are not.';

-- sql/50_checks/check_default_privileges.sql

create function tenancy.check_default_privileges()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case when n.oid is null then 'warning: default privileges' else 'default privileges' end,
        coalesce(n.nspname::text, 'database'),
        format(
            '%s gets privileges on new %s of %s in %s. Unregistered %s would be accessible.',
            d.grantee, d.kind, d.owner, coalesce('schema ' || n.nspname, 'every schema'), d.kind
        ),
        s.statement,
        case when n.oid is not null and d.owner = 'postgres' then s.statement end
    from (
        select distinct x.defaclnamespace, x.defaclrole::regrole::text as owner,
            case x.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' else 'functions' end as kind,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee
        from pg_catalog.pg_default_acl x
        cross join aclexplode(x.defaclacl) a
        where x.defaclobjtype in ('r', 'S', 'f')
            and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
            -- PostgreSQL itself lets PUBLIC execute each new function.
            and not (x.defaclnamespace = 0 and x.defaclobjtype = 'f' and a.grantee = 0)
    ) d
    left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    cross join lateral (
        select format(
            'alter default privileges for role %s%s revoke all on %s from %s;',
            d.owner, ' in schema ' || quote_ident(n.nspname), d.kind, d.grantee
        ) as statement
    ) s
    where d.defaclnamespace = 0
        or n.nspname in ('tenancy', 'tenant_template')
        or exists (select from public.tenants t where t.schema_name = n.nspname)
    order by 1, 2, 3;
$$;

comment on function tenancy.check_default_privileges() is
    'Check: default privileges of API roles in tenants and in Tenantry''s schemas. Those in every schema are the project''s own, so they are only a warning.';

-- sql/50_checks/check_dump_locks.sql

create function tenancy.check_dump_locks()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: dump of everything',
        current_database()::text,
        format(
            'A dump of the whole database needs %s locks, and the server has %s for all sessions. It runs out of them with about %s tenants.',
            d.needed, d.available, d.most_tenants
        ),
        'Dump tenant by tenant, and the other schemas with --exclude-schema, as supabase/BACKUP.md says. Or raise max_locks_per_transaction.',
        null
    from tenancy.dump_locks() d
    where d.needed > d.available / 2;
$$;

comment on function tenancy.check_dump_locks() is
    'Check: a dump of everything needs at most half of the server''s locks.';

-- sql/50_checks/check_exposed_schemas.sql

create function tenancy.check_exposed_schemas()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case when n.oid is null then 'listed but missing' else 'private schema exposed' end,
        e.name,
        case
            when n.oid is null then format(
                'The Data API lists the schema %s, which does not exist. This makes the whole Data API fail.', e.name
            )
            else format('The Data API lists the schema %s, which no client may use.', e.name)
        end,
        'Remove the schema from the list: ' || r.statement,
        r.statement
    from unnest(tenancy.exposed_schemas()) e (name)
    left join pg_catalog.pg_namespace n on n.nspname = e.name
    cross join lateral format('select tenancy.unexpose_schema(%L);', e.name) r (statement)
    -- Other schemas are the project's own decision.
    where n.oid is null
        or e.name in ('tenancy', 'tenant_template', 'auth', 'vault', 'information_schema', 'pg_catalog')
    -- An outage of the Data API first.
    order by n.oid is not null, e.name;
$$;

comment on function tenancy.check_exposed_schemas() is
    'Check: schemas in the list of the Data API that do not exist, or that are private: those of Tenantry, of Auth, of Vault and of PostgreSQL itself.';

-- sql/50_checks/check_foreign_keys.sql

-- A key from outside into a tenant is the project's own constraint, so the doctor leaves it.
create function tenancy.check_foreign_keys()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case
            when t.schema_name is not null then 'foreign key out of the tenant'
            else 'warning: foreign key into a tenant'
        end,
        format('%s.%s', n.nspname, c.relname),
        format(
            'The foreign key %s of %s.%s references %s.%s. %s',
            k.conname, n.nspname, c.relname, fn.nspname, fc.relname,
            case
                when t.schema_name is not null then 'Error messages disclose which keys exist in the other schema.'
                else 'The tenant cannot be deleted while the key exists.'
            end
        ),
        s.statement,
        case when t.schema_name is not null then s.statement end
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class fc on fc.oid = k.confrelid
    join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
    left join public.tenants t on t.schema_name = n.nspname
    cross join lateral format('alter table %I.%I drop constraint %I;', n.nspname, c.relname, k.conname) s (statement)
    where k.contype = 'f'
        and fn.oid <> n.oid
        -- A partition gets the key from its table.
        and k.conparentid = 0
        and k.confrelid not in (select s.relation from tenancy.shared_tables s)
        and (t.schema_name is not null or exists (select from public.tenants e where e.schema_name = fn.nspname))
    order by 1, 2, k.conname;
$$;

comment on function tenancy.check_foreign_keys() is
    'Check: foreign keys between a tenant''s tables and another schema.';

-- sql/50_checks/check_guard.sql

create function tenancy.check_guard()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with found as (
        select
            coalesce(s.in_this_database, s.in_all_databases) as installed,
            f.function_name,
            tenancy.resolve_pre_request(coalesce(f.function_name, l.name)) as pre_request,
            l.name as unset_name,
            format(
                'To keep it: alter role authenticator set pgrst.db_pre_request = %L; select tenancy.install_guard();',
                l.name
            ) as keeping
        from tenancy.pre_request_settings() s
        cross join tenancy.find_pre_request() f
        cross join tenancy.unset_pre_request() l (name)
    ),
    judged as (
        select
            f.*,
            coalesce(f.installed, '') = '' as is_bare,
            f.installed = f.function_name and tenancy.calls_guard(f.pre_request) as calls_guard,
            exists (
                select
                from pg_catalog.pg_proc p
                where p.oid = to_regprocedure('tenancy.pre_request()')
                    and p.prosrc = tenancy.pre_request_source(f.pre_request)
                    and p.prolang = (select l.oid from pg_catalog.pg_language l where l.lanname = 'plpgsql')
                    and not p.prosecdef
                    and p.proconfig is null
            ) as is_as_made
        from found f
    )
    select
        'pre-request function missing',
        j.function_name,
        format('The project has set the pre-request function %s, which does not exist.', j.function_name),
        'Create it again. If the project needs none any more, remove the setting pgrst.db_pre_request from the role authenticator, then: drop function if exists tenancy.pre_request(); select tenancy.install_guard();',
        null
    from judged j
    where j.function_name is not null and j.pre_request is null and not j.is_bare
    union all
    -- A person decides: the installation of the guard removes the call of the function.
    select
        'pre-request function without setting',
        j.unset_name,
        format(
            'The role authenticator has no setting for the pre-request function %s of the project any more. %s',
            j.unset_name,
            case
                when j.is_as_made then format('tenancy.pre_request() still calls %s and the guard.', j.unset_name)
                else 'The function tenancy.pre_request() is not the one that tenancy.install_guard() makes.'
            end
        ),
        format('%s If the project does not need it: select tenancy.install_guard();', j.keeping),
        null
    from judged j
    where j.installed = 'tenancy.pre_request' and j.unset_name is not null
    union all
    select v.kind, v.object, v.detail, 'select tenancy.install_guard();', 'select tenancy.install_guard();'
    from judged j
    cross join lateral (
        select
            'guard not installed' as kind,
            'tenancy.guard_request' as object,
            concat(
                'The guard is not installed. The Data API runs no function before a request.',
                format(' So the function %s of the project is not called. ', j.unset_name) || j.keeping
            ) as detail
        where j.is_bare
        union all
        select
            'guard not called', j.function_name,
            format('The pre-request function is %s, which does not call the guard.', j.function_name)
        where j.installed = j.function_name and j.pre_request is not null and not j.calls_guard
        union all
        select
            'guard not called', 'tenancy.pre_request',
            format(
                'The function tenancy.pre_request() is not the one that tenancy.install_guard() makes%s.',
                ' for the pre-request function ' || j.function_name || ' of the project'
            )
        where j.installed = 'tenancy.pre_request' and not j.is_as_made and j.unset_name is null
            and (j.function_name is null or j.pre_request is not null)
        union all
        select
            'pre-request function not called', j.function_name,
            format('The pre-request function %s of the project is not called.', j.function_name)
        where j.installed = 'tenancy.guard_request' and j.function_name is not null and j.pre_request is not null
    ) v;
$$;

comment on function tenancy.check_guard() is
    'Check: the Data API calls the pre-request function of the project, if there is one, and the guard.';

-- sql/50_checks/check_helper_grants.sql

-- Everything in tenancy is Tenantry's. A request runs these few helpers with its caller's role.
create function tenancy.check_helper_grants()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with due (kind, target, grantees) as (
        values
        ('schema', 'tenancy', '{anon,authenticated,service_role}'::text[]),
        ('table', 'tenancy.open_tenants', '{authenticated}'),
        ('function', 'tenancy.guard_request(text,tenancy.access_level)', '{anon,authenticated,service_role}'),
        ('function', 'tenancy.pre_request()', '{anon,authenticated,service_role}'),
        ('function', 'tenancy.caller()', '{authenticated}'),
        ('function', 'tenancy.is_platform_staff()', '{authenticated}'),
        ('function', 'tenancy.member_tenants()', '{authenticated}'),
        ('function', 'tenancy.administered_tenants()', '{authenticated}'),
        ('function', 'tenancy.administered_tenant_ids()', '{authenticated}')
    ),
    expected as (
        select d.kind, d.target, g.grantee,
            case d.kind when 'schema' then 'usage' when 'table' then 'select' else 'execute' end as privilege
        from due d
        cross join unnest(d.grantees) g (grantee)
    ),
    objects as (
        select 'schema' as kind, 'tenancy' as target, 'tenancy' as title, n.nspacl as acl, 0::oid as relation
        from pg_catalog.pg_namespace n
        where n.nspname = 'tenancy'
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
            'tenancy.' || c.relname, c.relacl, c.oid
        from pg_catalog.pg_class c
        where c.relnamespace = 'tenancy'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        union all
        select 'function', p.oid::regprocedure::text,
            format('tenancy.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
            coalesce(p.proacl, acldefault('f', p.proowner)), 0
        from pg_catalog.pg_proc p
        where p.pronamespace = 'tenancy'::regnamespace
    ),
    actual as (
        select o.kind, o.target, o.title, null::text as column_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(a.privilege_type) as privilege
        from objects o
        cross join aclexplode(o.acl) a
        union all
        select 'column', o.target, o.title || '.' || c.attname, c.attname::text,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
            lower(a.privilege_type)
        from objects o
        join pg_catalog.pg_attribute c on c.attrelid = o.relation
        cross join aclexplode(c.attacl) a
    )
    select 'too wide', a.title,
        format(
            '%s has %s on the %s %s but should not have it.',
            case a.grantee when 'public' then 'PUBLIC' else a.grantee end, a.privilege, a.kind, a.title
        ),
        s.statement, s.statement
    from actual a
    cross join lateral format(
        'revoke %s%s on %s %s from %s;',
        a.privilege, ' (' || quote_ident(a.column_name) || ')',
        case a.kind when 'column' then 'table' else a.kind end, a.target, a.grantee
    ) s (statement)
    where a.grantee in ('public', 'anon', 'authenticated', 'service_role')
        and not exists (
            select
            from expected e
            where e.kind = a.kind and e.target = a.target and e.grantee = a.grantee and e.privilege = a.privilege
        )
    union all
    select 'missing grant', o.title,
        format('%s should have %s on the %s %s but does not have it.', e.grantee, e.privilege, e.kind, o.title),
        s.statement, s.statement
    from expected e
    join objects o on o.kind = e.kind and o.target = e.target
    cross join lateral format('grant %s on %s %s to %s;', e.privilege, e.kind, e.target, e.grantee) s (statement)
    where not exists (
        select
        from actual a
        where a.kind = e.kind and a.target = e.target and a.grantee = e.grantee and a.privilege = e.privilege
    )
    union all
    select 'missing grant', 'tenancy.guard_request of ' || r.name,
        format('The Data API may take on the role %s, which cannot execute the guard. Each of its requests fails.', r.name),
        'select tenancy.install_guard();', 'select tenancy.install_guard();'
    from tenancy.roles_without_guard() r (name)
    order by 1 desc, 2, 3;
$$;

comment on function tenancy.check_helper_grants() is
    'Check: who may use the schema tenancy and what is in it.';

-- sql/50_checks/check_listing.sql

create function tenancy.check_listing(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'not listed',
        t.schema_name,
        format('Tenant %s is registered, but the Data API does not list its schema.', t.schema_name),
        format('select tenancy.expose_schema(%L);', t.schema_name),
        format('select tenancy.expose_schema(%L);', t.schema_name)
    from public.tenants t
    where t.schema_name = check_listing.schema_name
        and t.schema_name <> all (tenancy.exposed_schemas());
end;
$$;

comment on function tenancy.check_listing(text) is 'Check: tenants that the Data API does not list.';

-- sql/50_checks/check_objects.sql

create function tenancy.check_objects(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'unlike the template',
        concat_ws('.', schema_name, case when d.object_kind not in ('table', 'sequence') then d.table_name end, d.object_name),
        format(
            'The %s %s of schema %s is %s, compared with the template at its version.',
            d.object_kind,
            concat_ws('.', case when d.object_kind not in ('table', 'sequence') then d.table_name end, d.object_name),
            schema_name, d.difference
        ),
        coalesce(
            v.statement,
            case
                when r.statements is null then format('Change it by hand to %s.', coalesce(nullif(d.expected, ''), 'the definition of the template'))
                when schema_name = 'tenant_template' then r.statements
                else format('Read what tenantry drift --tenant %s --sql prints, and run it as postgres.', schema_name)
            end
        ),
        v.statement
    from unnest(differences) d
    left join lateral (
        -- The reference schema has the view only as of the latest version.
        select format(
            'create or replace view %I.%I%s as %s',
            schema_name, d.object_name,
            ' with (' || array_to_string(c.reloptions, ', ') || ')',
            replace(
                replace(pg_get_viewdef(c.oid), 'tenant_template.', quote_ident(schema_name) || '.'),
                '''tenant_template''', quote_literal(schema_name)
            )
        ) as statement
        from pg_catalog.pg_class c
        where d.object_kind = 'view'
            and schema_name <> 'tenant_template'
            and c.oid = to_regclass(format('tenant_template.%I', d.object_name))
            and c.relkind = 'v'
    ) v on true
    cross join lateral nullif(
        tenancy.difference_statements(
            schema_name, d.object_kind,
            concat_ws('.', case when d.object_kind not in ('table', 'sequence') then d.table_name end, d.object_name),
            d.expected, d.found
        ),
        ''
    ) r (statements)
    where d.difference <> 'extra'
        and d.object_kind not in ('policy', 'trigger', 'routine')
        and (
            d.object_kind <> 'table'
            or (
                d.difference = 'different'
                and regexp_replace(d.expected, ', (forced )?row level security', '', 'g')
                    <> regexp_replace(d.found, ', (forced )?row level security', '', 'g')
            )
        )
    order by d.object_kind, d.table_name, d.object_name;
end;
$$;

comment on function tenancy.check_objects(text, tenancy.template_difference[]) is
    'Check: other objects of the template that a tenant lacks, or has with another definition: columns, constraints, indexes, views, sequences, types. Only views are repaired, because the others hold or constrain rows.';

-- sql/50_checks/check_other_grants.sql

create function tenancy.check_other_grants(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- In the reference schema they are what tenant migrations grant.
    if schema_name = 'tenant_template' then
        return;
    end if;

    return query
    select
        case when r.is_reached then 'grants around the layers' else 'warning: grants to another role' end,
        schema_name,
        format(
            'The role %s has privileges in tenant %s that no tenant migration grants: %s. %s',
            g.grantee, schema_name,
            string_agg(format('%s on %s %s', g.found, g.object_kind, g.object_name), '; ' order by g.object_kind, g.object_name),
            case
                when r.is_reached then 'Requests to the Data API can act as this role.'
                else 'A suspension does not take them away.'
            end
        ),
        case
            when r.is_reached then ''
            else 'If the role should have them in every tenant, grant them in a tenant migration. Otherwise: '
        end || string_agg(s.statement, ' ' order by g.object_kind, g.object_name),
        case when r.is_reached then string_agg(s.statement, ' ' order by g.object_kind, g.object_name) end
    from tenancy.other_grants(schema_name) g
    cross join lateral format('revoke %s on %s %s from %s;', g.found, g.object_kind, g.object_name, g.grantee) s (statement)
    cross join lateral pg_has_role('authenticator', g.grantee::regrole, 'member') r (is_reached)
    group by g.grantee, r.is_reached
    order by g.grantee;
end;
$$;

comment on function tenancy.check_other_grants(text) is
    'Check: privileges in a tenant of roles that are no API roles, unless a tenant migration grants them.';

-- sql/50_checks/check_own_policies.sql

-- The template says nothing about these tables. Their policies have to be those that
-- enable_tenant_table creates: one access level reads, and one writes or nobody does. What
-- create_table has created lets members read and writers write. Of other tables only the policies
-- that exist show who may have access, so nothing is expected that no policy indicates.
create function tenancy.check_own_policies(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with samples as materialized (
        select s.object_name as name, s.definition,
            split_part(s.object_name, '_', 1) as verb,
            split_part(s.object_name, '_', 2) as audience
        from tenancy.policy_samples(schema_name) s
    ),
    own as materialized (
        select t.*
        from tenancy.own_tables(schema_name) t
        where t.is_audited
            or t.is_logged
            or exists (
                select
                from unnest(objects) o
                join samples s on o.object_name = t.table_name || '.' || s.name
                where o.object_kind = 'policy'
            )
    ),
    present as materialized (
        select o.table_name, substr(o.object_name, length(o.table_name) + 2) as name, o.definition
        from unnest(objects) o
        join own t on t.table_name = o.table_name
        where o.object_kind = 'policy'
    ),
    -- By name, because a wrong policy still shows who should have had access.
    audiences as (
        select t.table_name,
            case when t.is_logged then 'member' else min(s.audience) filter (where s.verb = 'select') end as reader,
            case when t.is_logged then 'writer' else min(s.audience) filter (where s.verb <> 'select') end as writer
        from own t
        left join present p on p.table_name = t.table_name
        left join samples s on s.name = p.name
        group by t.table_name, t.is_logged
    ),
    expected as (
        select a.table_name, s.name, s.definition
        from audiences a
        join samples s on s.audience = case s.verb when 'select' then a.reader else a.writer end
    )
    select
        'wrong policy',
        format('%s.%s', schema_name, w.table_name),
        format(
            'The policy %s on %s.%s %s',
            w.name, schema_name, w.table_name,
            case
                when w.found is null then 'is missing.'
                when w.expected is null then 'is none that enable_tenant_table creates.'
                else 'has another definition than enable_tenant_table gives it.'
            end
        ),
        coalesce(w.creation, w.removal),
        concat_ws(' ', case when w.found is not null then w.removal end, w.creation)
    from (
        select coalesce(e.table_name, p.table_name) as table_name, coalesce(e.name, p.name) as name,
            e.definition as expected, p.definition as found,
            format(
                'drop policy %I on %I.%I;',
                coalesce(e.name, p.name), schema_name, coalesce(e.table_name, p.table_name)
            ) as removal,
            case when e.name is not null then
                tenancy.policy_statement(schema_name, e.table_name, e.name, e.definition)
            end as creation
        from expected e
        full join present p on p.table_name = e.table_name and p.name = e.name
        where e.definition is distinct from p.definition
    ) w
    -- A restrictive policy of the project can only narrow access.
    where not (w.expected is null and w.found like 'restrictive %')
    order by w.table_name, w.name;
end;
$$;

comment on function tenancy.check_own_policies(text, tenancy.schema_object[]) is
    'Check: policies on a tenant''s own tables that are missing, different or extra.';

-- sql/50_checks/check_own_triggers.sql

-- create_table audits every table, and so does enable_tenant_table unless it is told otherwise.
-- The triggers are compared with those of the table settings, which the template has.
create function tenancy.check_own_triggers(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with expected as (
        select t.table_name,
            split_part(e.object_name, '.', 2) as name,
            replace(
                replace(
                    e.definition,
                    format(' ON %I.settings ', check_own_triggers.schema_name),
                    format(' ON %I.%I ', check_own_triggers.schema_name, t.table_name)
                ),
                format(' EXECUTE FUNCTION %I.tg_settings__audit()', check_own_triggers.schema_name),
                format(' EXECUTE FUNCTION %I.%I()', check_own_triggers.schema_name, r.routine)
            ) as definition,
            to_regprocedure(format('%I.%I()', check_own_triggers.schema_name, r.routine)) is null as lacks_routine
        from tenancy.own_tables(check_own_triggers.schema_name) t
        cross join lateral tenancy.audit_routine_name(t.table_name) r (routine)
        join public.tenants n on n.schema_name = check_own_triggers.schema_name
        join tenancy.template_objects(check_own_triggers.schema_name, n.schema_version) e
            on e.object_kind = 'trigger' and e.object_name like 'settings.audit\_%'
        where t.is_audited or t.is_logged
    )
    select
        'trigger missing',
        format('%s.%s', check_own_triggers.schema_name, e.table_name),
        format(
            'The trigger %s on %s.%s %s. The audit log may lack changes.',
            e.name, check_own_triggers.schema_name, e.table_name,
            case
                when o.definition is null then 'is missing'
                when o.definition like '%, enabled D' then 'is disabled'
                else 'has another definition than audit_table gives it'
            end
        ),
        s.statements,
        s.statements
    from expected e
    left join unnest(objects) o on o.object_kind = 'trigger' and o.object_name = e.table_name || '.' || e.name
    cross join lateral (
        select case
            -- audit_table creates the routine with all its triggers.
            when not e.lacks_routine then tenancy.trigger_statements(
                check_own_triggers.schema_name, e.table_name, e.name, e.definition, o.definition
            )
            else tenancy.audit_table_statements(check_own_triggers.schema_name, e.table_name)
        end as statements
    ) s
    where e.definition is distinct from o.definition
    order by e.table_name, e.name;
end;
$$;

comment on function tenancy.check_own_triggers(text, tenancy.schema_object[]) is
    'Check: audit triggers on a tenant''s own tables that are missing, disabled or different.';

-- sql/50_checks/check_owners.sql

create function tenancy.check_owners(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'wrong owner',
        w.object_name,
        format(
            'The %s %s belongs to the role %s and not to %s. Its owner can use and change it past every layer.',
            w.object_kind, w.object_name, w.owner, w.expected
        ),
        case
            when w.runs_as_owner then 'It runs with the rights of its owner, so read its definition first. Then: '
            when not pg_has_role(w.owner::regrole, 'usage') then format('As a superuser, or as a member of %s: ', w.owner)
            else ''
        end || s.statement,
        case when pg_has_role(w.owner::regrole, 'usage') and not w.runs_as_owner then s.statement end
    from tenancy.wrong_owners(schema_name) w
    cross join lateral format('alter %s %s owner to %s;', w.object_kind, w.object_name, w.expected) s (statement)
    -- check_audit_routines reports the others.
    where not w.is_audit_routine
    order by w.object_kind <> 'schema', w.object_name;
end;
$$;

comment on function tenancy.check_owners(text) is
    'Check: objects of a tenant that belong to another role than Tenantry''s own.';

-- sql/50_checks/check_policies.sql

create function tenancy.check_policies(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'wrong policy',
        format('%s.%s', schema_name, d.table_name),
        format(
            'The policy %s on %s.%s %s',
            d.object_name, schema_name, d.table_name,
            case d.difference
                when 'missing' then 'is missing.'
                when 'different' then 'has another definition than the template.'
                else 'is not in the template.'
            end
        ),
        case
            when d.difference <> 'extra' then 'Run the doctor with --fix, which creates this policy as the template has it.'
            when p.is_restrictive then
                'The policy can only narrow access, so the doctor leaves it. If nobody needs it: '
                || p.drop_statement
            else p.drop_statement
        end,
        case
            when d.difference = 'missing' then p.create_statement
            when d.difference = 'different' then p.drop_statement || ' ' || p.create_statement
            when not p.is_restrictive then p.drop_statement
        end
    from unnest(differences) d
    cross join lateral (
        select d.found like 'restrictive %' as is_restrictive,
            format('drop policy %I on %I.%I;', d.object_name, schema_name, d.table_name) as drop_statement,
            case when d.expected is not null then
                tenancy.policy_statement(schema_name, d.table_name, d.object_name, d.expected)
            end as create_statement
    ) p
    where d.object_kind = 'policy'
    order by d.table_name, d.object_name;
end;
$$;

comment on function tenancy.check_policies(text, tenancy.template_difference[]) is
    'Check: policies on tables of the template that are missing, different or extra. Repairs one policy and leaves the others of its table.';

-- sql/50_checks/check_pool.sql

create function tenancy.check_pool()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'grants in the pool',
        t.schema_name,
        format('%s users have access to tenant %s, which is in the pool and belongs to nobody yet.', count(*), t.schema_name),
        'Delete these grants: ' || s.statement,
        s.statement
    from public.tenants t
    join public.user_schema_access a on a.schema_name = t.schema_name
    cross join lateral format('delete from public.user_schema_access where schema_name = %L;', t.schema_name) s (statement)
    where t.status = 'pooled'
    group by t.schema_name, s.statement
    union all
    select
        'warning: unusable tenant in the pool',
        t.schema_name,
        format('Tenant %s is in the pool, and nobody can use it: %s', t.schema_name, r.reason),
        'Run tenantry pool refill, which replaces it.',
        null::text
    from public.tenants t
    left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
    cross join lateral (
        select case
            when u.schema_name is not null then format('tenant migration %s has failed there: %s', u.version, u.message)
            when not exists (select from pg_catalog.pg_namespace n where n.nspname = t.schema_name)
            then 'its schema does not exist.'
        end
    ) r (reason)
    where t.status = 'pooled' and r.reason is not null
    union all
    select
        'warning: pool too small',
        'tenancy.platform_settings',
        format(
            'The pool has %s tenants at the latest version and should have %s. Without a ready one, creating a tenant takes longer and PostgREST loads its schema cache.',
            p.count, s.pool_size
        ),
        case
            when p.behind > 0 then format('%s tenants of the pool lack tenant migrations: run tenantry migrate. ', p.behind)
            else ''
        end || 'Run tenantry pool refill, and schedule refill_tenant_pool.',
        null::text
    from tenancy.platform_settings s
    cross join (
        select count(*) filter (where m.is_latest) as count, count(*) filter (where not m.is_latest) as behind
        from public.tenants t
        cross join lateral (select t.schema_version = tenancy.latest_tenant_version()) m (is_latest)
        where t.status = 'pooled'
    ) p
    where p.count < s.pool_size
    order by 1, 2;
$$;

comment on function tenancy.check_pool() is
    'Check: tenants of the pool that somebody has access to or that nobody can use, and a pool that has fewer tenants at the latest version than it should.';

-- sql/50_checks/check_publications.sql

create function tenancy.check_publications()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'published',
        format('%s.%s', t.schemaname, t.tablename),
        format(
            'The tenant table %s.%s is in the publication %s. Realtime sends DELETE events of the table without '
            'checking policies.',
            t.schemaname, t.tablename, t.pubname
        ),
        coalesce(s.statement, format('Let %s publish tables by name instead of all tables.', t.pubname)),
        s.statement
    from pg_catalog.pg_publication_tables t
    join pg_catalog.pg_publication p on p.pubname = t.pubname
    left join lateral (
        select format('alter publication %I drop table %I.%I;', t.pubname, t.schemaname, t.tablename) as statement
        from pg_catalog.pg_publication_rel r
        where r.prpubid = p.oid and r.prrelid = to_regclass(format('%I.%I', t.schemaname, t.tablename))
    ) s on true
    where exists (select from public.tenants e where e.schema_name = t.schemaname)
    order by t.schemaname, t.tablename, t.pubname;
$$;

comment on function tenancy.check_publications() is 'Check: tenant tables in a publication.';

-- sql/50_checks/check_registry.sql

create function tenancy.check_registry()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'tenant without schema',
        t.schema_name,
        format('Tenant %s is registered, but its schema does not exist.', t.schema_name),
        'Restore the schema from a backup; or run the doctor with --fix --forget-missing, which deletes the '
        'registry row, the access grants and the audit seals of the tenant for good.',
        format('select tenancy.forget_missing_tenant(%L);', t.schema_name)
    from public.tenants t
    where not exists (select from pg_catalog.pg_namespace n where n.nspname = t.schema_name)
    union all
    select distinct
        'schema without tenant',
        n.nspname::text,
        format('The schema %s has the tables of a tenant, but it is not registered.', n.nspname),
        'Run the doctor with --fix, which registers the schema as a suspended tenant. Then inspect the tenant, '
        'and activate or delete it.',
        format('select tenancy.register_found_schema(%L);', n.nspname)
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where g.tgfoid = 'tenancy.tg_settings__stamp'::regproc
        and n.nspname <> 'tenant_template'
        and not exists (select from public.tenants t where t.schema_name = n.nspname)
    union all
    select
        'reference schema missing',
        'tenant_template',
        'The reference schema tenant_template does not exist. No tenant migration can be registered.',
        'Restore it from a backup, or from the migrations: replay those of tenancy.tenant_migrations in a new '
        'project and dump the schema there.',
        null::text
    where to_regnamespace('tenant_template') is null
    order by 1, 2;
$$;

comment on function tenancy.check_registry() is
    'Check: tenants, or the reference schema, whose schema is missing, and schemas that were created as a tenant and have no registry row.';

-- sql/50_checks/check_registry_access.sql

create function tenancy.check_registry_access()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with registry as (
        select c.oid, c.relname::text as name, c.relkind = 'S' as is_sequence, c.relacl as acl, c.relrowsecurity as has_rls
        from pg_catalog.pg_class c
        where c.oid in (
            'public.tenants'::regclass, 'public.admin_users'::regclass,
            'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass,
            to_regclass('public.admin_audit_log_id_seq')
        )
    ),
    actual as (
        select r.oid, r.name, r.is_sequence, null::text as column_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(a.privilege_type) as privilege
        from registry r
        cross join aclexplode(r.acl) a
        union all
        select r.oid, r.name || '.' || c.attname, r.is_sequence, c.attname::text,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
            lower(a.privilege_type)
        from registry r
        join pg_catalog.pg_attribute c on c.attrelid = r.oid
        cross join aclexplode(c.attacl) a
    )
    select 'RLS off', 'public.' || r.name,
        format('Row level security is off on public.%s. Everybody who is signed in reads the whole table.', r.name),
        s.statement, s.statement
    from registry r
    cross join lateral format('alter table public.%I enable row level security;', r.name) s (statement)
    where not r.is_sequence and not r.has_rls
    union all
    select 'too wide', 'public.' || a.name,
        format(
            '%s has %s on public.%s but should not have it.',
            case a.grantee when 'public' then 'PUBLIC' else a.grantee end, a.privilege, a.name
        ),
        s.statement, s.statement
    from actual a
    cross join lateral format(
        'revoke %s%s on %s %s from %s;',
        a.privilege, ' (' || quote_ident(a.column_name) || ')',
        case when a.is_sequence then 'sequence' else 'table' end, a.oid::regclass, a.grantee
    ) s (statement)
    where a.grantee in ('public', 'anon', 'authenticated', 'service_role')
        and not (
            a.grantee in ('authenticated', 'service_role')
            and a.privilege = 'select'
            and a.column_name is null
            and not a.is_sequence
        )
    union all
    select 'missing grant', 'public.' || r.name,
        format('%s should have select on public.%s but does not have it.', g.grantee, r.name),
        s.statement, s.statement
    from registry r
    cross join (values ('authenticated'), ('service_role')) g (grantee)
    cross join lateral format('grant select on table public.%I to %s;', r.name, g.grantee) s (statement)
    where not r.is_sequence
        -- A grant would open a table that has no row level security.
        and r.has_rls
        and not exists (
            select
            from actual a
            where a.oid = r.oid and a.column_name is null and a.grantee = g.grantee and a.privilege = 'select'
        )
    order by 1 desc, 2, 3;
$$;

comment on function tenancy.check_registry_access() is
    'Check: who may use the tables of the registry, and whether their row level security is on.';

-- sql/50_checks/check_registry_triggers.sql

create function tenancy.check_registry_triggers()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'trigger missing',
        'public.admin_audit_log',
        format(
            'The trigger %s on public.admin_audit_log %s. Entries of the log can be changed or removed.',
            e.name, case when g.oid is null then 'is missing, or calls another function' else 'is disabled' end
        ),
        s.statements,
        s.statements
    -- 27: before update and delete, for each row. 34: before truncate.
    from (values ('append_only', 27), ('append_only_truncate', 34)) e (name, kind)
    left join pg_catalog.pg_trigger g
        on g.tgrelid = 'public.admin_audit_log'::regclass
        and g.tgname = e.name
        and g.tgfoid = 'tenancy.tg_audit_log__refuse()'::regprocedure
        and g.tgtype = e.kind
        and g.tgqual is null
    cross join lateral (
        select case
            when g.oid is null then
                'drop trigger if exists append_only on public.admin_audit_log; '
                'drop trigger if exists append_only_truncate on public.admin_audit_log; '
                'select tenancy.make_append_only(''public'', ''admin_audit_log'');'
            else format('alter table public.admin_audit_log enable trigger %I;', e.name)
        end as statements
    ) s
    where g.oid is null or g.tgenabled not in ('O', 'A')
    order by e.name;
$$;

comment on function tenancy.check_registry_triggers() is 'Check: the triggers that keep the platform''s audit log append-only.';

-- sql/50_checks/check_routines.sql

-- Audit routines belong to check_audit_routines, which compares more than their source.
create function tenancy.check_routines(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'wrong routine',
        schema_name || '.' || d.object_name,
        format(
            'The routine %s.%s %s, compared with the template at the tenant''s version.',
            schema_name, d.object_name, case d.difference when 'missing' then 'is missing' else 'is different' end
        ),
        'Run the doctor with --fix, which creates the routine as the template has it.',
        case when d.expected like 'CREATE OR REPLACE %' then concat_ws(
            ' ',
            d.expected || ';',
            -- PostgreSQL lets everybody execute a new routine.
            case when d.difference = 'missing' then format(
                'revoke all on routine %I.%I%s from public, anon, authenticated, service_role;',
                schema_name, split_part(d.object_name, '(', 1), substr(d.object_name, strpos(d.object_name, '('))
            ) end
        ) end
    from unnest(differences) d
    where d.object_kind = 'routine' and d.difference <> 'extra' and d.expected not like 'audits %'
    order by d.object_name;
end;
$$;

comment on function tenancy.check_routines(text, tenancy.template_difference[]) is
    'Check: routines of the template that a tenant lacks, or has with another definition. The privileges on them are the business of check_tenant_grants.';

-- sql/50_checks/check_routines_around.sql

-- PostgreSQL knows what a routine reads only if its body is standard SQL. No repair: the project
-- may have good reasons, and its requests would fail.
create function tenancy.check_routines_around()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select distinct
        'routine around the layers',
        format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        format(
            'Everybody may call %s.%s, which reads %s with the rights of its owner.',
            n.nspname, p.proname, c.oid::regclass
        ),
        'Make the routine security invoker, or grant it only to the roles that need it.',
        null::text
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    where p.prosecdef
        and n.nspname <> 'tenancy'
        and p.oid <> all (array(select to_regprocedure(s.signature)::oid from unnest(tenancy.rpc_signatures()) s (signature)))
        and (
            c.oid in (
                'public.tenants'::regclass, 'public.admin_users'::regclass,
                'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
            )
            or exists (
                select
                from public.tenants t
                join pg_catalog.pg_namespace tn on tn.nspname = t.schema_name
                where tn.oid = c.relnamespace and tn.oid <> n.oid
            )
        )
        and exists (
            select
            from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            where a.grantee in (0, 'anon'::regrole)
        );
$$;

comment on function tenancy.check_routines_around() is
    'Check: definer routines of the project that everybody may call and that read the registry or a tenant, as far as PostgreSQL knows.';

-- sql/50_checks/check_row_security.sql

-- A tenant table that is not in the template has to have row level security if it has policies or
-- audit triggers, because enable_tenant_table makes both.
create function tenancy.check_row_security(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'RLS off',
        schema_name || '.' || r.table_name,
        format(
            'Row level security is off on %s.%s, or not forced as in the template. Members of every tenant '
            'may have access.',
            schema_name, r.table_name
        ),
        s.statements,
        s.statements
    from (
        select d.object_name as table_name,
            d.expected ~ ', row level security' and d.found !~ ', row level security' as is_off,
            d.expected ~ ', forced row level' and d.found !~ ', forced row level' as is_unforced
        from unnest(differences) d
        where d.object_kind = 'table' and d.difference = 'different'
        union all
        select t.table_name, true, false
        from tenancy.own_tables(schema_name) t
        where not t.has_row_security and (t.is_audited or t.has_policies)
    ) r
    cross join lateral (
        select concat_ws(
            ' ',
            case when r.is_off then format('alter table %I.%I enable row level security;', schema_name, r.table_name) end,
            case when r.is_unforced then format('alter table %I.%I force row level security;', schema_name, r.table_name) end
        ) as statements
    ) s
    where r.is_off or r.is_unforced
    order by r.table_name;
end;
$$;

comment on function tenancy.check_row_security(text, tenancy.template_difference[]) is
    'Check: tenant tables without row level security.';

-- sql/50_checks/check_rpc_grants.sql

-- An RPC is known by its name and its argument types. Every other routine in public belongs to
-- the project.
create function tenancy.check_rpc_grants()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with rpcs as (
        select p.oid::regprocedure::text as target,
            format('public.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as title,
            coalesce(p.proacl, acldefault('f', p.proowner)) as acl
        from unnest(tenancy.rpc_signatures()) s (signature)
        join pg_catalog.pg_proc p on p.oid = to_regprocedure(s.signature)
    ),
    actual as (
        select r.target, case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee
        from rpcs r
        cross join aclexplode(r.acl) a
    )
    select 'too wide', r.title,
        format(
            '%s has execute on the routine %s but should not have it.',
            case a.grantee when 'public' then 'PUBLIC' else a.grantee end, r.title
        ),
        s.statement, s.statement
    from rpcs r
    join actual a on a.target = r.target and a.grantee in ('public', 'anon')
    cross join lateral format('revoke execute on function %s from %s;', r.target, a.grantee) s (statement)
    union all
    select 'missing grant', r.title,
        format('%s should have execute on the routine %s but does not have it.', g.grantee, r.title),
        s.statement, s.statement
    from rpcs r
    cross join (values ('authenticated'), ('service_role')) g (grantee)
    cross join lateral format('grant execute on function %s to %s;', r.target, g.grantee) s (statement)
    where not exists (select from actual a where a.target = r.target and a.grantee = g.grantee)
    order by 1 desc, 2, 3;
$$;

comment on function tenancy.check_rpc_grants() is
    'Check: who may execute the RPCs. Other routines of public are the project''s own and are not judged.';

-- sql/50_checks/check_shared_tables.sql

create function tenancy.check_shared_tables()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'shared table missing',
        'tenancy.shared_tables',
        format('The table with the number %s was shared, and does not exist any more.', s.relation::oid),
        r.statement,
        r.statement
    from tenancy.shared_tables s
    cross join lateral format(
        'delete from tenancy.shared_tables where relation = %s::oid;', s.relation::oid
    ) r (statement)
    where not exists (select from pg_catalog.pg_class c where c.oid = s.relation);
$$;

comment on function tenancy.check_shared_tables() is
    'Check: shared tables that somebody has dropped.';

-- sql/50_checks/check_stuck_tenants.sql

create function tenancy.check_stuck_tenants()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language sql
as $$
    select
        'stuck tenant',
        u.schema_name,
        format(
            'Tenant %s is stuck at tenant migration %s since %s: %s (%s)',
            u.schema_name, u.version, u.stuck_since, u.message, u.sqlstate
        ),
        'Correct what the message says in the tenant; or correct the migration with replace_tenant_migration, or '
            'withdraw it with withdraw_tenant_migration if no tenant has it. Then run tenantry migrate '
            '--retry-failed.',
        null::text
    from tenancy.unfinished_migrations u
    join public.tenants t on t.schema_name = u.schema_name
    -- check_pool reports the others.
    where t.status <> 'pooled'
    order by u.schema_name;
$$;

comment on function tenancy.check_stuck_tenants() is
    'Check: tenants whose next tenant migration has failed. They stay behind until somebody acts.';

-- sql/50_checks/check_tables.sql

create function tenancy.check_tables(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'table missing',
        schema_name || '.' || d.object_name,
        format(
            'Schema %s has no table %s, but its version of the template has one.', schema_name, d.object_name
        ),
        'Restore the tenant from a backup, because the rows of the table are lost; or create the table as '
            'the reference schema tenant_template has it.',
        null::text
    from unnest(differences) d
    where d.object_kind = 'table' and d.difference = 'missing'
    order by d.object_name;
end;
$$;

comment on function tenancy.check_tables(text, tenancy.template_difference[]) is
    'Check: tables of the template that a tenant has lost.';

-- sql/50_checks/check_template_references.sql

create function tenancy.check_template_references()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select distinct on (r.target)
        'template broken',
        'tenant migration ' || m.version,
        format(
            'Tenant migration %s makes a foreign key to %s, which does not exist any more. So no tenant can be created.',
            m.version, r.target
        ),
        format(
            'Create %1$s again, share it, and repair the tenants with tenantry drift --sql. To do without it, drop the '
            'key by a tenant migration, migrate every tenant, and only then replace migration %2$s with '
            'replace_tenant_migration and drop %1$s. If no tenant has migration %2$s, replace or withdraw it now.',
            r.target, m.version
        ),
        null::text
    from tenancy.tenant_template_objects o
    join tenancy.tenant_migrations m on m.version = o.version
    -- A table of the tenant has no schema in the recorded definition.
    cross join lateral substring(
        o.definition from '^FOREIGN KEY .* REFERENCES ((?:"(?:[^"]|"")+"|[^". (]+)\.(?:"(?:[^"]|"")+"|[^". (]+))\('
    ) r (target)
    where o.object_kind = 'constraint' and r.target is not null and to_regclass(r.target) is null
    order by r.target, m.position;
$$;

comment on function tenancy.check_template_references() is
    'Check: tenant migrations whose foreign keys reference a table that somebody has dropped.';

-- sql/50_checks/check_tenant_grants.sql

-- Computes the privileges anew, and does not ask grant_differences: a mistake there, or in
-- apply_tenant_privileges, is found here.
create function tenancy.check_tenant_grants(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    -- Each step reads few rows by index.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_status tenancy.tenant_status;
    v_version text;
    v_position integer;
begin
    select t.status, m.version, m.position into v_status, v_version, v_position
    from public.tenants t
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where t.schema_name = check_tenant_grants.schema_name;

    return query
    with recursive limits as materialized (
        select l.* from tenancy.tenant_template_limits l where l.version = v_version
    ),
    -- What each view reads, in the end.
    sources as (
        select c.oid as view, c.oid as relation
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'v'
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_class'::regclass
        union
        select s.view, d.refobjid
        from sources s
        join pg_catalog.pg_rewrite w on w.ev_class = s.relation and w.ev_type = '1'
        join pg_catalog.pg_depend d
            on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
    ),
    objects as materialized (
        select 'schema' as kind, schema_name as title, quote_ident(schema_name) as target,
            n.nspacl as acl, array['usage'] as privileges, 0::oid as relation, null::text as own_name
        from pg_catalog.pg_namespace n
        where n.oid = v_schema
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, format('%s.%s', schema_name, c.relname),
            format('%I.%I', schema_name, c.relname), c.relacl,
            case
                -- A view that runs with its owner's rights would show what policies hide.
                when c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions) then array['select'] || array(
                    select k.privilege
                    -- Bits of pg_relation_is_updatable, and of INSTEAD OF triggers in tgtype.
                    from (values (8, 68, 'a', 'insert'), (4, 80, 'w', 'update'), (16, 72, 'd', 'delete'))
                        k (updatable, instead, command, privilege)
                    where (
                            -- PostgreSQL passes the command on to a table that takes it.
                            pg_relation_is_updatable(c.oid, false) & k.updatable > 0
                            and exists (
                                select
                                from sources s
                                join pg_catalog.pg_class b on b.oid = s.relation and b.relkind <> 'v'
                                where s.view = c.oid
                                    and case
                                        when b.relnamespace <> v_schema
                                        then has_table_privilege('authenticated', b.oid, k.privilege)
                                        else b.relrowsecurity and exists (
                                            select
                                            from pg_catalog.pg_policy p
                                            where p.polrelid = b.oid
                                                and p.polcmd::text in ('*', k.command)
                                                and 'authenticated'::regrole = any (p.polroles)
                                        )
                                    end
                            )
                            or exists (
                                select
                                from pg_catalog.pg_trigger g
                                where g.tgrelid = c.oid and g.tgtype & k.instead = k.instead
                            )
                        )
                        -- Rules and definers would write past the policies.
                        and not exists (
                            select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.ev_type <> '1'
                        )
                        and not exists (
                            select
                            from pg_catalog.pg_trigger g
                            join pg_catalog.pg_proc p on p.oid = g.tgfoid
                            where g.tgrelid = c.oid and p.prosecdef
                        )
                )
                when c.relkind in ('r', 'p') and c.relrowsecurity then array(
                    select k.privilege
                    from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete'))
                        k (command, privilege)
                    where exists (
                        select
                        from pg_catalog.pg_policy p
                        where p.polrelid = c.oid
                            and p.polcmd::text in ('*', k.command)
                            and 'authenticated'::regrole = any (p.polroles)
                    )
                )
                -- A sequence that numbers rows which signed-in users may write.
                when c.relkind = 'S' and exists (
                    select
                    from (
                        select o.refobjid
                        from pg_catalog.pg_depend o
                        where o.classid = 'pg_class'::regclass
                            and o.objid = c.oid
                            and o.refclassid = 'pg_class'::regclass
                            and (
                                o.deptype = 'a'
                                or exists (
                                    select from pg_catalog.pg_attribute i
                                    where i.attrelid = o.refobjid and i.attnum = o.refobjsubid and i.attidentity = 'd'
                                )
                            )
                        union
                        select e.adrelid
                        from pg_catalog.pg_depend o
                        join pg_catalog.pg_attrdef e on e.oid = o.objid
                        where o.refclassid = 'pg_class'::regclass
                            and o.refobjid = c.oid
                            and o.classid = 'pg_attrdef'::regclass
                    ) u (relation)
                    join pg_catalog.pg_class n on n.oid = u.relation and n.relnamespace = v_schema and n.relrowsecurity
                    join pg_catalog.pg_policy p on p.polrelid = n.oid
                    where p.polcmd::text in ('*', 'a', 'w') and 'authenticated'::regrole = any (p.polroles)
                ) then array['usage']
            end,
            c.oid, c.relname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        union all
        select 'routine', format('%s.%s(%s)', schema_name, p.proname, pg_get_function_identity_arguments(p.oid)),
            p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)),
            case when exists (
                select
                from tenancy.tenant_migrations m
                where m.position <= v_position and p.proname = any (m.callable_routines)
            )
            and not exists (
                select from tenancy.tenants_own_objects w
                where w.schema_name = check_tenant_grants.schema_name
                    and w.object_kind = 'routine'
                    and w.object_name = format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
            ) then array['execute'] end,
            0, p.proname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_proc'::regclass
            -- The privileges on objects of an extension belong to the extension, and the constructors
            -- of a range type to a superuser.
            and not exists (
                select
                from pg_catalog.pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
            )
    ),
    due as (
        select o.kind, o.title, o.target, null::text as column_name, r.role_name as grantee, u.privilege
        from objects o
        cross join unnest(o.privileges) u (privilege)
        cross join (values ('authenticated'), ('service_role')) r (role_name)
        where (v_status = 'active' or (v_status = 'pooled' and o.kind = 'schema'))
            and not exists (
                select
                from limits l
                where l.object_kind = o.kind and l.object_name = o.own_name
                    and l.grantee = r.role_name and l.privilege = u.privilege
            )
        union all
        select 'column', format('%s.%s', o.title, c.attname), o.target, c.attname::text, l.grantee, l.privilege
        from limits l
        join objects o on o.kind = l.object_kind and o.own_name = l.object_name
        join pg_catalog.pg_attribute c on c.attrelid = o.relation and c.attnum > 0 and not c.attisdropped
        where v_status = 'active'
            and l.privilege = any (o.privileges)
            and cardinality(l.columns) > 0
            and (c.attname = any (l.columns) or starts_with(c.attname, 'x_'))
    ),
    actual as (
        select o.kind, o.title, o.target, null::text as column_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(a.privilege_type) as privilege
        from objects o
        cross join aclexplode(o.acl) a
        union all
        select 'column', format('%s.%s', o.title, c.attname), o.target, c.attname::text,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
            lower(a.privilege_type)
        from objects o
        join pg_catalog.pg_attribute c on c.attrelid = o.relation
        cross join aclexplode(c.attacl) a
    ),
    wrong as (
        select coalesce(a.kind, d.kind) as kind, coalesce(a.title, d.title) as title,
            coalesce(a.target, d.target) as target, coalesce(a.column_name, d.column_name) as column_name,
            coalesce(a.grantee, d.grantee) as grantee, coalesce(a.privilege, d.privilege) as privilege,
            a.kind is not null as is_excess
        from (
            select * from actual
            where actual.grantee in ('public', 'anon', 'authenticated', 'service_role')
        ) a
        full join due d
            on d.kind = a.kind and d.target = a.target and d.grantee = a.grantee and d.privilege = a.privilege
                and coalesce(d.column_name, '') = coalesce(a.column_name, '')
        where a.kind is null or d.kind is null
    )
    select
        'wrong grants',
        w.title,
        format(
            'On the %s %s, %s. The tenant is %s.',
            w.kind, w.title,
            string_agg(
                format(
                    case when w.is_excess then '%s has %s but should not have it' else '%s should have %s but has not' end,
                    case w.grantee when 'public' then 'PUBLIC' else w.grantee end, w.privilege
                ),
                '; ' order by w.grantee, w.privilege
            ),
            coalesce(v_status::text, 'the reference schema, which nobody may use')
        ),
        string_agg(s.statement, ' ' order by w.grantee, w.privilege),
        string_agg(s.statement, ' ' order by w.grantee, w.privilege)
    from wrong w
    cross join lateral (
        select format(
            '%s %s%s on %s %s %s %s;',
            case when w.is_excess then 'revoke' else 'grant' end,
            w.privilege,
            ' (' || quote_ident(w.column_name) || ')',
            case w.kind when 'column' then 'table' else w.kind end,
            w.target,
            case when w.is_excess then 'from' else 'to' end,
            w.grantee
        ) as statement
    ) s
    group by w.kind, w.title, w.is_excess
    -- What is too wide first.
    order by w.is_excess desc, w.kind <> 'schema', w.title;
end;
$$;

comment on function tenancy.check_tenant_grants(text) is
    'Check: privileges of the API roles and of PUBLIC in a tenant that do not fit its status, its policies, its callable routines and what its migrations have revoked.';

-- sql/50_checks/check_tenants_behind.sql

create function tenancy.check_tenants_behind()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: tenants behind',
        'public.tenants',
        format(
            '%s tenants lack tenant migrations, such as %s. %s of them are in the middle of a backfill.',
            count(*), min(t.schema_name), count(b.schema_name)
        ),
        'Run tenantry migrate.',
        null::text
    from public.tenants t
    left join tenancy.unfinished_backfills b on b.schema_name = t.schema_name
    where t.schema_version <> (select tenancy.latest_tenant_version())
        -- check_pool reports the others.
        and t.status <> 'pooled'
        -- As check_stuck_tenants does.
        and not exists (select from tenancy.unfinished_migrations u where u.schema_name = t.schema_name)
    having count(*) > 0;
$$;

comment on function tenancy.check_tenants_behind() is
    'Check: tenants that do not have the latest tenant migration yet, as during a roll-out.';

-- sql/50_checks/check_triggers.sql

create function tenancy.check_triggers(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'trigger missing',
        format('%s.%s', schema_name, d.table_name),
        format(
            'The trigger %s on %s.%s %s. The audit log may lack changes, or somebody can change what the '
            'trigger protects.',
            d.object_name, schema_name, d.table_name,
            case
                when d.difference = 'missing' then 'is missing'
                when d.found like '%, enabled D' then 'is disabled'
                else 'has another definition than the template'
            end
        ),
        s.statements,
        s.statements
    from unnest(differences) d
    cross join lateral tenancy.trigger_statements(
        schema_name, d.table_name, d.object_name, d.expected, d.found
    ) s (statements)
    where d.object_kind = 'trigger' and d.difference <> 'extra'
    order by d.table_name, d.object_name;
end;
$$;

comment on function tenancy.check_triggers(text, tenancy.template_difference[]) is
    'Check: triggers on tables of the template that are missing, disabled or different.';

-- sql/50_checks/check_unreachable_tables.sql

-- A warning, because such a table may be meant for the tenant's own routines. A table of the
-- template is reported once, for the reference schema.
create function tenancy.check_unreachable_tables(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'warning: unreachable table',
        format('%s.%s', schema_name, u.table_name),
        format('Table %s.%s: %s', schema_name, u.table_name, u.reason),
        case schema_name
            when 'tenant_template' then 'If that is not intended, write a tenant migration that changes it.'
            else format(
                'If that is not intended, give it policies, as by select tenancy.enable_tenant_table(%L, %L); then: '
                'select tenancy.apply_tenant_privileges(%L);',
                schema_name, u.table_name, schema_name
            )
        end,
        null::text
    from tenancy.unreachable_tables(schema_name) u
    where schema_name = 'tenant_template' or not tenancy.is_template_table(schema_name, u.table_name);
end;
$$;

comment on function tenancy.check_unreachable_tables(text) is
    'Check: tables that no client can reach, because no policy is for signed-in users.';

-- sql/50_checks/check_views.sql

create function tenancy.check_views()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select distinct
        'view around the layers',
        format('%s.%s', vn.nspname, v.relname),
        format(
            'API roles may read the view %s.%s, which reads rows of tenant %s with the rights of the view''s owner.',
            vn.nspname, v.relname, t.schema_name
        ),
        s.statement || ' Or set security_invoker on the view.',
        s.statement
    from pg_catalog.pg_depend d
    join pg_catalog.pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
    join pg_catalog.pg_class v on v.oid = w.ev_class
    join pg_catalog.pg_namespace vn on vn.oid = v.relnamespace
    join pg_catalog.pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    join pg_catalog.pg_namespace tn on tn.oid = c.relnamespace
    join public.tenants t on t.schema_name = tn.nspname
    cross join lateral format(
        'revoke all on %I.%I from public, anon, authenticated, service_role;', vn.nspname, v.relname
    ) s (statement)
    where vn.oid <> tn.oid
        and not (v.relkind = 'v' and tenancy.is_security_invoker(v.reloptions))
        and exists (
            select
            from aclexplode(v.relacl) a
            where a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
        )
    order by 2, 3;
$$;

comment on function tenancy.check_views() is
    'Check: views in other schemas that show rows of a tenant to API roles with the rights of their owner.';

-- sql/50_checks/findings.sql

create function tenancy.findings(schema_name text)
    returns tenancy.finding[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if schema_name is null then
        return array(select row(f.*)::tenancy.finding from tenancy.platform_findings() f);
    end if;
    return array(select row(f.*)::tenancy.finding from tenancy.tenant_findings(schema_name) f);
end;
$$;

comment on function tenancy.findings(text) is
    'The findings in one tenant, or those of the platform if schema_name is null.';

-- sql/50_checks/finish_restore.sql

-- A dump of a database has neither the settings of roles, so neither the guard nor the list of
-- exposed schemas, nor the revoked defaults: the functions of public come back with what the
-- default privileges of the project give them. And another server counts transactions anew.
create function tenancy.finish_restore()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_rounds integer := 0;
    v_problem record;
    v_left text;
begin
    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(array(
        select e.name
        from unnest(
            tenancy.exposed_schemas() || array(select t.schema_name from public.tenants t order by t.schema_name)
        ) with ordinality e (name, place)
        where exists (select from pg_catalog.pg_namespace n where n.nspname = e.name)
        group by e.name
        order by min(e.place)
    ));
    perform tenancy.set_cache_load_timeout();
    -- Only the heads of a restored audit log stay valid.
    update tenancy.audit_seal_runs
    set oldest_running = '0', last_entry_id = 0, horizon = '0'
    where true;
    execute (
        select string_agg(
            format('revoke execute on function %s from public, anon', to_regprocedure(s.signature)), '; '
        )
        from unnest(tenancy.rpc_signatures()) s (signature)
        where to_regprocedure(s.signature) is not null
    );

    -- A repair may depend on another one, as in the doctor.
    loop
        v_rounds := v_rounds + 1;
        v_left := null;
        for v_problem in
            select s.schema_name, f.kind, f.object, min(f.detail) as detail
            from (
                select null::text as schema_name
                union all
                select t.schema_name from public.tenants t
                union all
                select 'tenant_template'
            ) s
            cross join unnest(tenancy.findings(s.schema_name)) f
            where f.repair is not null and f.kind not like 'warning: %' and f.kind <> 'tenant without schema'
            group by s.schema_name, f.kind, f.object
        loop
            v_left := concat_ws(' ', v_left, v_problem.detail);
            if v_rounds <= 4 then
                perform tenancy.repair_findings(v_problem.schema_name, v_problem.kind, v_problem.object);
            end if;
        end loop;
        exit when v_left is null or v_rounds > 4;
    end loop;

    if v_left is not null then
        raise exception 'The restored database has problems, so nothing was restored: %', left(v_left, 2000)
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Repair them in the database that was dumped, with tenantry doctor --fix, and dump it again.';
    end if;
end;
$$;

comment on function tenancy.finish_restore() is
    'The last statement of the transaction that restores a dump of the whole database: exposes the tenants, installs the guard, takes execute on the RPCs from anon, and repairs what the doctor would. Raises if a problem stays that has a repair (55000).';

-- sql/50_checks/platform_findings.sql

-- The order is the order of repairs: an outage of the Data API, the guard, the registry, and then
-- access that is too wide.
create function tenancy.platform_findings()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language sql
as $$
    select * from tenancy.check_exposed_schemas()
    union all
    select * from tenancy.check_guard()
    union all
    select * from tenancy.check_api_roles()
    union all
    select * from tenancy.check_registry()
    union all
    select * from tenancy.check_registry_access()
    union all
    select * from tenancy.check_registry_triggers()
    union all
    select * from tenancy.check_rpc_grants()
    union all
    select * from tenancy.check_helper_grants()
    union all
    select * from tenancy.check_views()
    union all
    select * from tenancy.check_routines_around()
    union all
    select * from tenancy.check_publications()
    union all
    select * from tenancy.check_foreign_keys()
    union all
    select * from tenancy.check_shared_tables()
    union all
    select * from tenancy.check_template_references()
    union all
    select * from tenancy.check_default_privileges()
    union all
    select * from tenancy.check_cancelling()
    union all
    select * from tenancy.check_cache_load()
    union all
    select * from tenancy.check_catalog_statistics()
    union all
    select * from tenancy.check_dump_locks()
    union all
    select * from tenancy.check_pool()
    union all
    select * from tenancy.check_stuck_tenants()
    union all
    select * from tenancy.check_tenants_behind()
    union all
    select * from tenancy.check_creation_script();
$$;

comment on function tenancy.platform_findings() is
    'What is wrong outside the tenants'' schemas, or between them: the results of the other checks.';

-- sql/50_checks/repair_findings.sql

-- The statements come from the checks, which run again under the tenant's lock: what somebody
-- else has repaired or changed since the report is not touched.
create function tenancy.repair_findings(schema_name text, kind text, object text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    -- The body of a routine has to be valid in the tenant's search path and not in this one.
    set check_function_bodies = off
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_before tenancy.finding[];
    v_after tenancy.finding[];
    v_statements text;
    v_problem text;
begin
    if schema_name is not null then
        perform from public.tenants t
        where t.schema_name = repair_findings.schema_name
        for no key update;
    end if;
    v_before := tenancy.findings(schema_name);

    select string_agg(r.repair, ' ' order by r.position) into v_statements
    from (
        select f.repair, min(f.position) as position
        from unnest(v_before) with ordinality f (kind, object, detail, remediation, repair, position)
        where f.kind = repair_findings.kind and f.object = repair_findings.object and f.repair is not null
        group by f.repair
    ) r;
    if v_statements is null then
        return;
    end if;
    execute v_statements;

    v_after := tenancy.findings(schema_name);
    select string_agg(f.detail, ' ' order by f.detail) into v_problem
    from unnest(v_after) f
    where (f.kind = repair_findings.kind and f.object = repair_findings.object and f.repair is not null)
        -- Nothing is granted on a table whose policies are wrong, nor the schema of such a table.
        or (
            v_statements ~ '^grant '
            and schema_name is not null
            and f.kind in ('RLS off', 'wrong policy')
            and f.repair is not null
            and repair_findings.object in (f.object, schema_name)
        )
        -- A tenant may have no problem that it did not have before, but for privileges that a new
        -- object lacks, and for those that only a dropped policy justified. Without a policy such a
        -- privilege opens no row, and a later repair revokes it.
        or (
            schema_name is not null
            and f.detail <> all (array(select b.detail from unnest(v_before) b))
            and not (
                f.kind = 'wrong grants'
                and (f.repair ~ '^grant ' or (repair_findings.kind = 'wrong policy' and f.object = repair_findings.object))
            )
        );
    if v_problem is not null then
        raise exception 'After the repair there would be a problem: %', v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was changed. Repair the object by hand.';
    end if;
end;
$$;

comment on function tenancy.repair_findings(text, text, text) is
    'Repairs the findings of this kind on this object: of a tenant, or of the platform if schema_name is null. Rolls back and raises if a finding stays, or if the tenant would have a new one (55000, 55P03).';

-- sql/50_checks/rpc_signatures.sql

-- Written by `tenantry generate` from sql/30_rpc: edit the RPCs, then run it again.
create function tenancy.rpc_signatures()
    returns text[]
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select array[
        'public.grant_schema_access(text, uuid, tenancy.access_level, timestamp with time zone)',
        'public.promote_to_admin(uuid, tenancy.platform_role)',
        'public.revoke_admin(uuid)',
        'public.revoke_schema_access(text, uuid)',
        'public.get_admin_audit_log(text, uuid, text, timestamp with time zone, timestamp with time zone, bigint, integer)',
        'public.get_audit_log(text, uuid, text, text, jsonb, timestamp with time zone, timestamp with time zone, bigint, integer)',
        'public.prune_audit_log(text, timestamp with time zone)',
        'public.redact_audit_log(text, uuid)',
        'public.seal_audit_log(text)',
        'public.verify_audit_log(text, text)',
        'public.add_column(text, text, text, text, boolean, jsonb, text, boolean)',
        'public.add_foreign_key(text, text, text, text, text, text, text)',
        'public.create_table(text, text, jsonb, text)',
        'public.drop_column(text, text, text)',
        'public.drop_foreign_key(text, text, text)',
        'public.drop_table(text, text)',
        'public.get_schema_summary(text)',
        'public.get_schema_tables(text)',
        'public.get_table_columns(text, text)',
        'public.get_table_foreign_keys(text, text)',
        'public.activate_tenant(text)',
        'public.create_tenant_schema(text, text)',
        'public.delete_tenant_schema(text)',
        'public.get_tenant_pool()',
        'public.refill_tenant_pool()',
        'public.register_tenant_schema(text, text)',
        'public.rename_tenant(text, text)',
        'public.suspend_tenant(text, text)',
        'public.get_database_release()',
        'public.get_migration_status()',
        'public.get_schema_drift(text, integer, text, text)',
        'public.list_tenant_drift(text, integer)',
        'public.list_tenants_behind(text, integer)',
        'public.migrate_tenant(text)',
        'public.replace_tenant_migration(text, text)',
        'public.withdraw_tenant_migration(text)',
        'public.check_tenant_status(text)',
        'public.get_platform_health()',
        'public.get_tenant_info(text)',
        'public.list_my_tenants(integer, text)',
        'public.list_tenants(text, tenancy.tenant_status, text, integer, text)',
        'public.create_user_profile(text, uuid, text, text, jsonb)',
        'public.ensure_user_profile(text, text)',
        'public.get_user_profile(text, uuid)',
        'public.refresh_user_emails(text)',
        'public.update_user_profile(text, text, jsonb)'
    ];
$$;

comment on function tenancy.rpc_signatures() is
    'The RPCs with their argument types. Every other routine in public belongs to the project.';

-- sql/50_checks/tenant_findings.sql

-- The order is the order of repairs: what closes comes before what opens.
create function tenancy.tenant_findings(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_objects tenancy.schema_object[];
    v_differences tenancy.template_difference[];
begin
    -- platform_findings reports a tenant without its schema.
    if to_regnamespace(quote_ident(schema_name)) is null then
        return;
    end if;
    v_objects := array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o);
    v_differences := array(
        select row(d.*)::tenancy.template_difference from tenancy.template_differences(schema_name, v_objects) d
    );

    return query select * from tenancy.check_owners(schema_name);
    return query select * from tenancy.check_row_security(schema_name, v_differences);
    return query select * from tenancy.check_tables(schema_name, v_differences);
    return query select * from tenancy.check_routines(schema_name, v_differences);
    return query select * from tenancy.check_audit_routines(schema_name, v_differences, v_objects);
    return query select * from tenancy.check_policies(schema_name, v_differences);
    return query select * from tenancy.check_own_policies(schema_name, v_objects);
    return query select * from tenancy.check_triggers(schema_name, v_differences);
    return query select * from tenancy.check_own_triggers(schema_name, v_objects);
    return query select * from tenancy.check_objects(schema_name, v_differences);
    return query select * from tenancy.check_tenant_grants(schema_name);
    return query select * from tenancy.check_other_grants(schema_name);
    return query select * from tenancy.check_listing(schema_name);
    return query select * from tenancy.check_unreachable_tables(schema_name);
end;
$$;

comment on function tenancy.tenant_findings(text) is
    'What is wrong with one tenant, or with the reference schema: the results of the checks on its schema.';

-- sql/50_checks/tenants_to_examine.sql

-- A check of one tenant may read what tenants_like_template compares, the list of exposed schemas,
-- and what is the same for all tenants. tenants_to_examine has to know of anything else.
create function tenancy.tenants_to_examine(schema_names text[])
    returns setof text
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return query
    with alike as materialized (
        select a.schema_name, a.example from tenancy.tenants_like_template(schema_names) a
    ),
    sound as materialized (
        select e.example
        from (select distinct a.example from alike a) e
        where not exists (
            select from tenancy.tenant_findings(e.example) f where f.kind <> 'not listed'
        )
    )
    select n.schema_name
    from unnest(schema_names) n (schema_name)
    where n.schema_name <> all (tenancy.exposed_schemas())
        or n.schema_name not in (
            select a.schema_name from alike a join sound s on s.example = a.example
        );
end;
$$;

comment on function tenancy.tenants_to_examine(text[]) is
    'Those of the named tenants that may have a finding. tenant_findings has none for the others, because it has none for a tenant that equals them.';

-- sql/90_privileges/registry.sql

-- The tables of public are read through policies and written through RPCs. No insert, update or
-- delete is granted to anybody, the service key included: a registry row without its schema, or
-- a forged audit entry, could then be written by hand.

revoke all on table
    public.tenants,
    public.admin_users,
    public.user_schema_access,
    public.admin_audit_log
    from public, anon, authenticated, service_role;
revoke all on sequence public.admin_audit_log_id_seq from public, anon, authenticated, service_role;

grant select on table
    public.tenants,
    public.admin_users,
    public.user_schema_access,
    public.admin_audit_log
    to authenticated, service_role;

-- sql/90_privileges/rpcs.sql

-- Written by `tenantry generate` from sql/30_rpc: edit the RPCs, then run it again.

-- Each RPC decides what its caller may do. Only signed-in callers and the service key may call
-- an RPC at all. The default privileges of a hosted project may include anon, so the revoke
-- names anon, too.

revoke all on function
    public.grant_schema_access(text, uuid, tenancy.access_level, timestamp with time zone),
    public.promote_to_admin(uuid, tenancy.platform_role),
    public.revoke_admin(uuid),
    public.revoke_schema_access(text, uuid),
    public.get_admin_audit_log(text, uuid, text, timestamp with time zone, timestamp with time zone, bigint, integer),
    public.get_audit_log(text, uuid, text, text, jsonb, timestamp with time zone, timestamp with time zone, bigint, integer),
    public.prune_audit_log(text, timestamp with time zone),
    public.redact_audit_log(text, uuid),
    public.seal_audit_log(text),
    public.verify_audit_log(text, text),
    public.add_column(text, text, text, text, boolean, jsonb, text, boolean),
    public.add_foreign_key(text, text, text, text, text, text, text),
    public.create_table(text, text, jsonb, text),
    public.drop_column(text, text, text),
    public.drop_foreign_key(text, text, text),
    public.drop_table(text, text),
    public.get_schema_summary(text),
    public.get_schema_tables(text),
    public.get_table_columns(text, text),
    public.get_table_foreign_keys(text, text),
    public.activate_tenant(text),
    public.create_tenant_schema(text, text),
    public.delete_tenant_schema(text),
    public.get_tenant_pool(),
    public.refill_tenant_pool(),
    public.register_tenant_schema(text, text),
    public.rename_tenant(text, text),
    public.suspend_tenant(text, text),
    public.get_database_release(),
    public.get_migration_status(),
    public.get_schema_drift(text, integer, text, text),
    public.list_tenant_drift(text, integer),
    public.list_tenants_behind(text, integer),
    public.migrate_tenant(text),
    public.replace_tenant_migration(text, text),
    public.withdraw_tenant_migration(text),
    public.check_tenant_status(text),
    public.get_platform_health(),
    public.get_tenant_info(text),
    public.list_my_tenants(integer, text),
    public.list_tenants(text, tenancy.tenant_status, text, integer, text),
    public.create_user_profile(text, uuid, text, text, jsonb),
    public.ensure_user_profile(text, text),
    public.get_user_profile(text, uuid),
    public.refresh_user_emails(text),
    public.update_user_profile(text, text, jsonb)
    from public, anon, authenticated, service_role;

grant execute on function
    public.grant_schema_access(text, uuid, tenancy.access_level, timestamp with time zone),
    public.promote_to_admin(uuid, tenancy.platform_role),
    public.revoke_admin(uuid),
    public.revoke_schema_access(text, uuid),
    public.get_admin_audit_log(text, uuid, text, timestamp with time zone, timestamp with time zone, bigint, integer),
    public.get_audit_log(text, uuid, text, text, jsonb, timestamp with time zone, timestamp with time zone, bigint, integer),
    public.prune_audit_log(text, timestamp with time zone),
    public.redact_audit_log(text, uuid),
    public.seal_audit_log(text),
    public.verify_audit_log(text, text),
    public.add_column(text, text, text, text, boolean, jsonb, text, boolean),
    public.add_foreign_key(text, text, text, text, text, text, text),
    public.create_table(text, text, jsonb, text),
    public.drop_column(text, text, text),
    public.drop_foreign_key(text, text, text),
    public.drop_table(text, text),
    public.get_schema_summary(text),
    public.get_schema_tables(text),
    public.get_table_columns(text, text),
    public.get_table_foreign_keys(text, text),
    public.activate_tenant(text),
    public.create_tenant_schema(text, text),
    public.delete_tenant_schema(text),
    public.get_tenant_pool(),
    public.refill_tenant_pool(),
    public.register_tenant_schema(text, text),
    public.rename_tenant(text, text),
    public.suspend_tenant(text, text),
    public.get_database_release(),
    public.get_migration_status(),
    public.get_schema_drift(text, integer, text, text),
    public.list_tenant_drift(text, integer),
    public.list_tenants_behind(text, integer),
    public.migrate_tenant(text),
    public.replace_tenant_migration(text, text),
    public.withdraw_tenant_migration(text),
    public.check_tenant_status(text),
    public.get_platform_health(),
    public.get_tenant_info(text),
    public.list_my_tenants(integer, text),
    public.list_tenants(text, tenancy.tenant_status, text, integer, text),
    public.create_user_profile(text, uuid, text, text, jsonb),
    public.ensure_user_profile(text, text),
    public.get_user_profile(text, uuid),
    public.refresh_user_emails(text),
    public.update_user_profile(text, text, jsonb)
    to authenticated, service_role;

-- sql/90_privileges/tenancy.sql

-- The files of this folder hold every grant and revoke outside the tenants' schemas, by role.
-- Everything that is not granted here is refused. The default privileges of a hosted project
-- depend on its age, so all privileges are revoked by name from every role that may have them.

-- API roles may use nothing in tenancy, except the functions that a request runs with the role
-- of its caller.

revoke all on schema tenancy, tenant_template from public, anon, authenticated, service_role;
revoke all on all tables in schema tenancy from public, anon, authenticated, service_role;
revoke all on all sequences in schema tenancy from public, anon, authenticated, service_role;
revoke all on all routines in schema tenancy from public, anon, authenticated, service_role;

-- PostgREST calls the guard with the role of the request.
grant usage on schema tenancy to anon, authenticated, service_role;
grant execute on function tenancy.guard_request(text, tenancy.access_level)
    to anon, authenticated, service_role;

-- Policies run with the role of the request, too.
grant select on tenancy.open_tenants to authenticated;
grant execute on function
    tenancy.caller(),
    tenancy.is_platform_staff(),
    tenancy.member_tenants(),
    tenancy.administered_tenants(),
    tenancy.administered_tenant_ids()
    to authenticated;

-- sql/95_data_api.sql

-- Settings of the Data API. They are stored on the role that PostgREST logs in as, where
-- `supabase db diff` does not see them.
select tenancy.install_guard();

select tenancy.lock_exposure();
select tenancy.set_exposed_schemas(tenancy.exposed_schemas());

select tenancy.set_cache_load_timeout();

reset check_function_bodies;
