-- A serial column and a nextval() of a migration need USAGE on the sequence for each insert. An
-- identity column needs it where PostgREST writes its default as an expression (missing=default).
-- USAGE allows nextval and no setval.
create function tenancy.sequence_verbs(sequence oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- By the sequence alone. With the kind of the dependent in the same condition, PostgreSQL may
    -- read the defaults of all tenants.
    v_defaults constant oid[] := array(
        with dependents as materialized (
            select d.classid, d.objid
            from pg_catalog.pg_depend d
            where d.refclassid = 'pg_class'::regclass and d.refobjid = sequence
        )
        select d.objid from dependents d where d.classid = 'pg_attrdef'::regclass
    );
begin
    return case when exists (
        select
        from (
            select d.refobjid as relation
            from pg_catalog.pg_depend d
            join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass
                and d.objid = sequence
                and d.refclassid = 'pg_class'::regclass
                -- Nobody can give a number to a column that is always generated.
                and (d.deptype = 'a' or (d.deptype = 'i' and a.attidentity = 'd'))
            union all
            -- A default depends on the sequence that it reads, and on its own column.
            select d.refobjid
            from pg_catalog.pg_depend d
            where d.classid = 'pg_attrdef'::regclass
                and d.objid = any (v_defaults)
                and d.refclassid = 'pg_class'::regclass
                and d.deptype = 'a'
        ) t
        join pg_catalog.pg_class c on c.oid = t.relation
        join pg_catalog.pg_class s on s.oid = sequence and s.relnamespace = c.relnamespace
        where c.relrowsecurity and tenancy.policy_verbs(c.oid) ~ 'insert|update'
    ) then 'usage' end;
end;
$$;

comment on function tenancy.sequence_verbs(oid) is
    'The privileges on a sequence that writers of its tables need, as GRANT lists them: usage if signed-in users can write a table that the sequence belongs to or numbers; otherwise null.';
