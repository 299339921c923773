-- The reference schema alone does not show what a migration does a second time. What it makes
-- outside its schema it makes again in every tenant, and where that fails, no tenant could be
-- created from then on.
create function tenancy.check_creatable(
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

comment on function tenancy.check_creatable(text) is
    'Why no tenant could be created at a version of the template, or one that is not what the reference schema is, or has no room for profiles; null if one can. Creates one and takes it back (40P01, 55P03).';
