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
        when code = '42501' then
            'A tenant migration runs as postgres, who is no superuser. What needs more rights cannot be part of it.'
        when message ~ '^EXECUTE of SELECT' then
            'Write "create table … as select" instead of "select … into".'
        when code = '42P03' then
            'Close the cursor at the end of the migration: a new tenant receives all tenant migrations in one transaction.'
        when code in ('42P01', '42883', '42704', '42P02') and message ~ 'does not exist' then
            'Unqualified names are looked up in the tenant''s schema and in extensions: write public.<name> for what is in public. Leave "set search_path = …" out of a routine: it gets the tenant''s. If an index or a constraint of the same migration calls it, write "set search_path from current".'
        when code in ('42P07', '42710', '42723') then
            'The tenants have this name already, perhaps from an earlier tenant migration. Choose another name, or alter what is there.'
        else ''
    end;
end;
$$;

comment on function tenancy.statement_advice(text, text) is
    'What to do about the error of a statement in a tenant migration, by its SQLSTATE and its message; empty if the message says enough.';
