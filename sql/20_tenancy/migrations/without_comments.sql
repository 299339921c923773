create function tenancy.without_comments(statements text, even_in_bodies boolean default false)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if statements !~ '--|/\*' then
        return statements;
    end if;

    return (
        select string_agg(
            case
                when t.kind = 'comment' then ' '
                when even_in_bodies and t.kind = 'literal' and b.parts is not null
                    then b.parts[1] || tenancy.without_comments(b.parts[2], even_in_bodies) || b.parts[3]
                else t.token
            end,
            '' order by t.place
        )
        from tenancy.sql_tokens(statements) with ordinality t (kind, token, place)
        cross join lateral regexp_match(t.token, '^([$][^$]*[$])(.*)([$][^$]*[$])$') b (parts)
    );
end;
$$;

comment on function tenancy.without_comments(text, boolean) is
    'The text of a tenant migration without its comments. Literals stay as they are; with even_in_bodies those in dollar quotes lose their comments too, for searches in the bodies of routines.';
