-- A key from outside into a tenant is the project's own constraint, so the doctor leaves it.
create function tenancy.check_foreign_keys()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case
            when t.schema_name is not null then 'foreign key out of the tenant'
            else 'warning: foreign key into a tenant'
        end,
        format('%s.%s', n.nspname, c.relname),
        format(
            'The foreign key %s of %s.%s references %s.%s. %s',
            k.conname, n.nspname, c.relname, fn.nspname, fc.relname,
            case
                when t.schema_name is not null then 'Error messages disclose which keys exist in the other schema.'
                else 'The tenant cannot be deleted while the key exists.'
            end
        ),
        s.statement,
        case when t.schema_name is not null then s.statement end
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class fc on fc.oid = k.confrelid
    join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
    left join public.tenants t on t.schema_name = n.nspname
    cross join lateral format('alter table %I.%I drop constraint %I;', n.nspname, c.relname, k.conname) s (statement)
    where k.contype = 'f'
        and fn.oid <> n.oid
        -- A partition gets the key from its table.
        and k.conparentid = 0
        and k.confrelid not in (select s.relation from tenancy.shared_tables s)
        and (t.schema_name is not null or exists (select from public.tenants e where e.schema_name = fn.nspname))
    order by 1, 2, k.conname;
$$;

comment on function tenancy.check_foreign_keys() is
    'Check: foreign keys between a tenant''s tables and another schema.';
