create function tenancy.split_statements(statements text)
    returns text[]
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select trim(E' \t\r\n' from s.statement)
        from (
            select t.number, string_agg(t.token, '' order by t.place) filter (where t.kind <> 'end') as statement
            from (
                select p.*, count(*) filter (where p.kind = 'end') over (order by p.place) - (p.kind = 'end')::integer as number
                from tenancy.sql_tokens(statements) with ordinality p (kind, token, place)
                where p.kind <> 'comment'
            ) t
            group by t.number
        ) s
        where s.statement ~ '\S'
        order by s.number
    );
end;
$$;

comment on function tenancy.split_statements(text) is
    'The statements of a tenant migration one by one, without comments. It does not know bodies of standard SQL (begin atomic).';
