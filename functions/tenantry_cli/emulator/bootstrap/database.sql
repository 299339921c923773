-- The settings of a database, which `create database` does not copy from its template. The
-- only name in this file comes from current_database().

do $$
begin
    execute format('alter database %I owner to postgres', current_database());
    execute format('grant create on database %I to supabase_auth_admin', current_database());
end
$$;
