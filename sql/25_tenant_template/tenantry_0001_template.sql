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
