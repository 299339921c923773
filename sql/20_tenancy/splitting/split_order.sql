create function tenancy.split_order(relations regclass[])
    returns regclass[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_order regclass[] := '{}';
    v_next regclass[];
begin
    loop
        v_next := array(
            select r.relation
            from unnest(relations) r (relation)
            where r.relation <> all (v_order)
                and not exists (
                    select
                    from unnest(relations) other (relation)
                    join tenancy.split_references(r.relation) k on k.referenced = other.relation
                    where other.relation <> r.relation and other.relation <> all (v_order)
                )
            order by r.relation::text
        );
        exit when cardinality(v_next) = 0;
        v_order := v_order || v_next;
    end loop;

    return v_order;
end;
$$;

comment on function tenancy.split_order(regclass[]) is
    'The tables in the order in which their rows can be inserted: a referenced table first. Tables that reference one another in a circle are missing.';
