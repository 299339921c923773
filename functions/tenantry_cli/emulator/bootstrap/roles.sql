-- The roles of a Supabase project, created once per cluster by the superuser supabase_admin.
-- `postgres` is no superuser, as on hosted Supabase, so both refuse the same statements.

create role postgres login password 'postgres'
    nosuperuser createdb createrole replication bypassrls;

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login password 'postgres' noinherit;
create role supabase_auth_admin login password 'postgres' noinherit createrole;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

-- On hosted Supabase, the extension supautils lets `postgres` set pgrst.* for the reserved role
-- authenticator. These two grants allow the same. SET ROLE authenticator stays forbidden.
grant set on parameter "pgrst.db_schemas", "pgrst.db_pre_request", "pgrst.db_prepared_statements"
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
