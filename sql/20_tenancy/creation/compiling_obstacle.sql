create function tenancy.compiling_obstacle(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_obstacle text;
    v_relation record;
    v_is_used boolean;
begin
    select format('A script cannot make the %s %s', i.type, coalesce(i.name, replace(i.identity, quote_ident(schema_name) || '.', ''))) into v_obstacle
    from pg_catalog.pg_depend d
    left join pg_catalog.pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
    left join pg_catalog.pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
    left join pg_catalog.pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and coalesce(
            c.relkind not in ('r', 'v', 'S', 'c')
                or c.relispartition
                or exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid),
            t.typtype not in ('c', 'd', 'e'),
            p.prokind not in ('f', 'p'),
            d.classid <> 'pg_statistic_ext'::regclass
        )
    order by i.type, i.identity
    limit 1;
    if v_obstacle is not null then
        return v_obstacle;
    end if;

    for v_relation in
        select c.oid::regclass as name, c.relname, s.seqstart
        from pg_catalog.pg_class c
        left join pg_catalog.pg_sequence s on s.seqrelid = c.oid
        where c.relnamespace = v_namespace and c.relkind in ('r', 'S')
        order by c.relname
    loop
        if v_relation.seqstart is null then
            execute format('select exists (select from %s)', v_relation.name) into v_is_used;
        else
            execute format('select is_called or last_value <> %s from %s', v_relation.seqstart, v_relation.name)
            into v_is_used;
        end if;
        if v_is_used then
            return format(
                case when v_relation.seqstart is null
                    then 'Tenant migrations write rows into table "%s"'
                    else 'Tenant migrations take numbers from sequence "%s"'
                end,
                v_relation.relname
            );
        end if;
    end loop;
    return null;
end;
$$;

comment on function tenancy.compiling_obstacle(text) is
    'What a replayed schema has that no script repeats, in words: an object of a kind that creation_statements does not know, rows, or a sequence that has given a number; null if there is nothing.';
