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
