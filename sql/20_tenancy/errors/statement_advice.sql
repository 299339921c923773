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
