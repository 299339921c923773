-- What belongs to a database itself, and is therefore not copied from a template. The only
-- name in here comes from current_database().

do $$
begin
    execute format('alter database %I owner to postgres', current_database());
    execute format('grant create on database %I to supabase_auth_admin', current_database());
end
$$;
