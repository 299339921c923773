-- PostgreSQL gives the index of a key another name if the usual one is taken. A table that was
-- renamed still has its indexes and sequences under their old names.
create function tenancy.taken_names(schema_name text, version text, objects tenancy.schema_object[])
    returns setof text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select distinct format(
        'The name "%s" is taken by %s of the tenant''s own table "%s". Write: alter %s %I.%I rename to …; then migrate this tenant again.',
        c.relname,
        case c.relkind when 'S' then 'a sequence' else 'an index' end,
        o.relname,
        case c.relkind when 'S' then 'sequence' else 'index' end,
        schema_name, c.relname
    )
    from tenancy.schema_differences(schema_name, version, objects) d
    join pg_catalog.pg_class c
        on c.relnamespace = to_regnamespace(quote_ident(schema_name))
        and c.relname = case d.object_kind
            when 'sequence' then d.object_name
            else substr(d.object_name, strpos(d.object_name, '.') + 1)
        end
        and c.relkind in ('i', 'I', 'S')
    join pg_catalog.pg_depend r
        on r.classid = 'pg_class'::regclass
        and r.objid = c.oid
        and r.refclassid in ('pg_class'::regclass, 'pg_constraint'::regclass)
        and r.deptype in ('a', 'i')
    left join pg_catalog.pg_constraint k on r.refclassid = 'pg_constraint'::regclass and k.oid = r.refobjid
    join pg_catalog.pg_class o on o.oid = coalesce(k.conrelid, r.refobjid)
    where d.difference = 'missing'
        and d.object_kind in ('constraint', 'index', 'sequence')
        and not tenancy.is_template_table(schema_name, o.relname::text);
end;
$$;

comment on function tenancy.taken_names(text, text, tenancy.schema_object[]) is
    'For each object of the template that a tenant lacks because one of its own tables has an index or a sequence of that name: what to do, as a sentence.';
