-- The roles of a Supabase project, created once per cluster by the superuser supabase_admin.
-- `postgres` is no superuser, as on hosted Supabase, so both refuse the same statements.

create role postgres login password 'postgres'
    nosuperuser createdb createrole replication bypassrls;

create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login password 'postgres' noinherit;
create role supabase_auth_admin login password 'postgres' noinherit createrole;

grant anon, authenticated, service_role to authenticator;
-- With the admin option, a project makes a role of its own that is a member of one of these.
grant anon, authenticated, service_role to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

-- On hosted Supabase, the extension supautils lets `postgres` set pgrst.* for the reserved role
-- authenticator. These two grants allow the same. SET ROLE authenticator stays forbidden.
grant set on parameter
    "pgrst.db_aggregates_enabled", "pgrst.db_extra_search_path", "pgrst.db_max_rows",
    "pgrst.db_plan_enabled", "pgrst.db_pre_config", "pgrst.db_pre_request",
    "pgrst.db_prepared_statements", "pgrst.db_schemas", "pgrst.db_tx_end", "pgrst.openapi_mode",
    "pgrst.server_timing_enabled"
    to postgres;
-- The same for the settings that the seeds and functions of projects use.
grant set on parameter session_replication_role, log_min_messages, log_statement, track_functions
    to postgres;
do $$
begin
    if current_setting('server_version_num')::integer >= 160000 then
        execute 'grant authenticator to postgres with admin true, inherit false, set false';
    else
        execute 'grant authenticator to postgres with admin option';
    end if;
end
$$;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

alter role supabase_auth_admin set idle_in_transaction_session_timeout = '1min';

alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role supabase_auth_admin set search_path = auth;

-- Roles that migrations of projects grant to, and the owners of the services' schemas.
create role dashboard_user nologin createdb createrole replication;
create role supabase_storage_admin nologin noinherit createrole;
create role supabase_realtime_admin nologin noinherit;
create role supabase_functions_admin nologin noinherit createrole;
create role supabase_replication_admin nologin replication;
create role supabase_read_only_user nologin bypassrls;
create role supabase_etl_admin nologin replication;
create role pgbouncer nologin;
create role pgsodium_keyiduser nologin;
create role pgsodium_keyholder nologin in role pgsodium_keyiduser;
create role pgsodium_keymaker nologin in role pgsodium_keyholder;

-- On hosted Supabase, supautils lets `postgres` write policies on the tables of these two roles.
-- Here `postgres` inherits their ownership, which allows more than that.
do $$
begin
    if current_setting('server_version_num')::integer >= 160000 then
        execute 'grant supabase_storage_admin, supabase_realtime_admin to postgres '
            'with inherit true, set true';
    else
        execute 'grant supabase_storage_admin, supabase_realtime_admin to postgres';
    end if;
end
$$;
