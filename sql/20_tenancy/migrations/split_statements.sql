create function tenancy.split_statements(statements text)
    returns text[]
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_rest text := statements;
    v_token text;
    v_tag text;
    v_statement text := '';
    v_found text[] := array[]::text[];
begin
    while v_rest <> '' loop
        v_tag := substring(v_rest from '^\$[A-Za-z_]*\$');
        v_token := case
            when v_rest ~ '^--' then substring(v_rest from '^[^\n]*\n?')
            when v_rest ~ '^/\*' then left(v_rest, strpos(v_rest, '*/') + 1)
            when v_tag is not null
                then left(v_rest, length(v_tag) + strpos(substr(v_rest, length(v_tag) + 1), v_tag) + length(v_tag) - 1)
            else coalesce(
                substring(v_rest from '^''(?:[^'']|'''')*'''),
                substring(v_rest from '^"(?:[^"]|"")*"'),
                substring(v_rest from '^[^-/$''";]+'),
                left(v_rest, 1)
            )
        end;
        v_rest := substr(v_rest, greatest(length(v_token), 1) + 1);
        if v_token = ';' then
            v_found := array_append(v_found, v_statement);
            v_statement := '';
        elsif v_token !~ '^(--|/\*)' then
            v_statement := v_statement || v_token;
        end if;
    end loop;

    return array(
        select trim(E' \t\r\n' from s.statement)
        from unnest(array_append(v_found, v_statement)) with ordinality s (statement, place)
        where s.statement ~ '\S'
        order by s.place
    );
end;
$$;

comment on function tenancy.split_statements(text) is
    'The statements of a tenant migration one by one, without comments. For advice: it does not know bodies of standard SQL (begin atomic).';
