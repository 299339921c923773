-- A publication, a row of a shared table or anything else that fails when made a second time
-- registered, and from then on no tenant could be created; or a column of users, and no
-- profile could be made. And tables of tenants could be published, which tells anybody of
-- their deletions.
create or replace function tenancy.touched_elsewhere()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- With its place in the catalog: what is changed once more gets another one.
    return array(
        select o.object_name || ' ' || o.place
        from (
            select 'schema ' || quote_ident(n.nspname) as object_name, n.ctid as place, n.xmin as writer
            from pg_catalog.pg_namespace n
            -- PostgreSQL makes it for a session's first temporary table.
            where n.nspname !~ '^pg_(toast_)?temp_'
            union all
            select 'relation ' || c.oid::regclass, c.ctid, c.xmin
            from pg_catalog.pg_class c
            where c.relnamespace not in ('tenant_template'::regnamespace, 'pg_toast'::regnamespace)
            union all
            select 'routine ' || p.oid::regprocedure, p.ctid, p.xmin
            from pg_catalog.pg_proc p
            where p.pronamespace <> 'tenant_template'::regnamespace
            union all
            select 'type ' || format_type(t.oid, null), t.ctid, t.xmin
            from pg_catalog.pg_type t
            where t.typnamespace not in ('tenant_template'::regnamespace, 'pg_toast'::regnamespace)
                and t.typtype in ('d', 'e', 'r')
            union all
            select format('trigger %I on %s', t.tgname, c.oid::regclass), t.ctid, t.xmin
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_class c on c.oid = t.tgrelid
            where c.relnamespace <> 'tenant_template'::regnamespace and not t.tgisinternal
            union all
            select format('policy %I on %s', p.polname, c.oid::regclass), p.ctid, p.xmin
            from pg_catalog.pg_policy p
            join pg_catalog.pg_class c on c.oid = p.polrelid
            where c.relnamespace <> 'tenant_template'::regnamespace
            union all
            select 'publication ' || quote_ident(p.pubname), p.ctid, p.xmin
            from pg_catalog.pg_publication p
            union all
            -- Realtime asks no policy before it tells of a deletion.
            select 'publication ' || quote_ident(p.pubname), r.ctid, r.xmin
            from pg_catalog.pg_publication_rel r
            join pg_catalog.pg_publication p on p.oid = r.prpubid
            union all
            select 'default privileges of ' || d.defaclrole::regrole, d.ctid, d.xmin
            from pg_catalog.pg_default_acl d
            where d.defaclnamespace <> 'tenant_template'::regnamespace
        ) o
        where age(o.writer) <= age(pg_current_xact_id()::xid)
            -- Ours: what others have not committed, nobody sees.
            and pg_xact_status(tenancy.full_xid(o.writer)) = 'in progress'
    );
end;
$$;

comment on function tenancy.touched_elsewhere() is
    'What this transaction has made or changed outside the reference schema, and what it has published. Reads the whole catalog.';

-- The reference schema alone does not show what a migration does a second time. What it makes
-- outside its schema it makes again in every tenant, and where that fails, no tenant could be
-- created from then on.
create function tenancy.creation_problem(
    version text,
    out problem text,
    out details text,
    out hint text
)
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema_name constant text := tenancy.opaque_schema_name();
    v_context text;
begin
    insert into public.tenants (schema_name, display_name, schema_version)
    values (v_schema_name, v_schema_name, version);
    perform tenancy.build_tenant_schema(v_schema_name);

    select
        'a new tenant is not what the reference schema is: '
            || string_agg(o.object_kind || ' ' || o.object_name, ', ' order by o.object_kind, o.object_name),
        'It was created by replaying all tenant migrations in one transaction.',
        'Write it so that it makes the same in every schema.'
    into problem, details, hint
    from (
        select coalesce(t.object_kind, r.object_kind) as object_kind, coalesce(t.object_name, r.object_name) as object_name
        from tenancy.schema_objects(v_schema_name) t
        full join tenancy.template_objects(v_schema_name, version) r
            on r.object_kind = t.object_kind and r.object_name = t.object_name
        where r.definition is distinct from t.definition
    ) o;

    if problem is null then
        -- What insert_profile writes of a user who has nothing but an id.
        hint := 'Let users take a profile of an id, a role and metadata alone.';
        execute format(
            'insert into %I.users (id, email, display_name, role, metadata)'
            ' values (gen_random_uuid(), null, null, ''member'', ''{}'')',
            v_schema_name
        );
        hint := null;
    end if;

    -- It was a rehearsal: the tenant goes, and with it the notice to PostgREST.
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
            details := left(concat_ws(E'\n', nullif(details, ''), v_context), 2000);
            hint := case
                when hint is not null then hint
                -- PostgreSQL's own advice is to commit in between.
                when sqlstate = '55P04' then 'A new tenant gets all tenant migrations in one transaction, and there nothing can use a value that "alter type … add value" added. Make a new type of all values and alter the columns to it.'
                else 'It ran in a second schema, as it will in each tenant, and was taken back. What is needed once belongs before it, in the file itself.'
            end;
        end if;
end;
$$;

comment on function tenancy.creation_problem(text) is
    'Why no tenant could be created at a version of the template, or one that is not what the reference schema is, or has no room for profiles; null if one can. Creates one and takes it back (40P01, 55P03).';
revoke all on function tenancy.creation_problem(text)
    from public, anon, authenticated, service_role;

create function tenancy.require_creatable(version text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_found record;
    v_before record;
begin
    select * into v_found from tenancy.creation_problem(version);
    if v_found.problem is null then
        return;
    end if;

    -- What stood in the way before is not this one's fault, and must not stop its repair.
    select p.* into v_before
    from (
        select m.version from tenancy.tenant_migrations m
        where m.version < require_creatable.version
        order by m.version desc
        limit 1
    ) b
    cross join lateral tenancy.creation_problem(b.version) p;
    if v_before.problem is not null then
        raise warning 'An earlier tenant migration lets no tenant be created: %.', left(v_before.problem, 1000)
            using detail = v_before.details, hint = v_before.hint;
        return;
    end if;

    raise exception 'Tenant migration % lets no tenant be created: %.', version, left(v_found.problem, 1000)
        using detail = v_found.details, hint = v_found.hint;
end;
$$;

comment on function tenancy.require_creatable(text) is
    'Refuses a tenant migration after which no tenant could be created; warns where none could be before it.';
revoke all on function tenancy.require_creatable(text)
    from public, anon, authenticated, service_role;

create or replace function tenancy.register_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}'
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_settings jsonb;
    v_elsewhere text[];
    v_routines oid[];
    v_problem text;
begin
    -- Two that register at once take turns; nobody who reads waits.
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = register_tenant_migration.version;
    if found then
        if v_migration.statements = register_tenant_migration.statements
            and v_migration.callable_routines = register_tenant_migration.callable_routines
        then
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text.', version
            using hint = 'Tenants may have received it. Register the change under a new version.';
    end if;
    if version <= tenancy.latest_tenant_version() then
        raise exception 'Tenant migration % comes too late: % is registered already.',
            version, tenancy.latest_tenant_version()
            using hint = 'Tenants that are past it would never receive it. Give it a version above all others.';
    end if;
    if statements ~ '\mtenant_template\M' then
        raise exception 'Tenant migration % names the reference schema.', version
            using hint = 'Leave names unqualified: it runs once in each tenant.';
    end if;

    insert into tenancy.tenant_migrations (version, name, statements, callable_routines)
    values (version, name, statements, callable_routines)
    returning * into v_migration;

    -- The reference schema goes first: what fails here fails the push, before any tenant.
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'The reference: what a tenant at the latest version looks like. Holds no rows and is never exposed.';
    end if;
    -- From here on it runs in sessions of the Data API, which others use after it.
    perform set_config('safeupdate.enabled', 'off', true);
    v_settings := tenancy.session_settings();
    v_elsewhere := tenancy.touched_elsewhere();
    v_routines := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'tenant_template'::regnamespace
    );
    perform tenancy.apply_tenant_migration('tenant_template', v_migration);

    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each(tenancy.session_settings()) s
    where s.value is distinct from v_settings -> s.key;
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %.', version, v_problem
            using hint = 'It runs in sessions that others use after it. Remove SET from it.';
    end if;
    select string_agg(distinct substring(t.object from '^(.*) \('), ', ') into v_problem
    from unnest(tenancy.touched_elsewhere()) t (object)
    where t.object <> all (v_elsewhere);
    if v_problem is not null then
        raise exception 'Tenant migration % changes what is not the tenant''s: %.', version, v_problem
            using hint = 'It runs once in each tenant. What is needed once belongs before it, in the file itself.';
    end if;
    select string_agg(r.name, ', ') into v_problem
    from unnest(callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares callable what is not there: %.', version, v_problem
            using hint = 'callable_routines takes names of routines, without arguments.';
    end if;
    -- Callable are names: another routine of such a name would be open without a word.
    select string_agg(distinct p.proname::text, ', ') into v_problem
    from pg_catalog.pg_proc p
    where p.pronamespace = 'tenant_template'::regnamespace
        and p.oid <> all (v_routines)
        and p.proname <> all (callable_routines)
        and exists (
            select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines)
        );
    if v_problem is not null then
        raise exception 'Tenant migration % makes a routine of a name that the API may call already: %.', version, v_problem
            using hint = 'Name it in callable_routines if the API may call this one, too; else call it otherwise.';
    end if;
    perform tenancy.require_template_shape();

    perform tenancy.apply_tenant_privileges('tenant_template');
    insert into tenancy.tenant_template_objects (version, object_kind, object_name, table_name, definition)
    select version, o.object_kind, o.object_name, o.table_name, o.definition
    from tenancy.schema_objects('tenant_template') o;
    perform tenancy.require_creatable(version);
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[]) is
    'Adds a tenant migration and applies it to the reference schema; no tenant is touched, new tenants start with it, and one is created and taken back to see that they can. callable_routines names routines that the API may call. Repeating a registration changes nothing; another text under an old version, or a version below a registered one, is refused.';
