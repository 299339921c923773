-- As the scanner of PostgreSQL reads a text. Quotes mean nothing in a comment, comments mean nothing
-- in quotes, and comments nest. One pass over the text, so that a long one takes no long time.
create function tenancy.sql_tokens(statements text, out kind text, out token text)
    returns setof record
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_atoms constant text[] := array(
        select m.parts[1]
        from regexp_matches(
            statements, '(--|[^-/*''"$\\;\n\r]+|.)', 'g'
        ) with ordinality m (parts, place)
        order by m.place
    );
    v_number integer := 1;
    v_atom text;
    v_size integer;
    v_tag text;
    v_tag_size integer;
    -- Of each atom that begins a token.
    v_kinds text[] := array_fill(null::text, array[cardinality(v_atoms)]);
    v_is_new boolean := true;
    v_depth integer;
    -- The code since the last literal, of a longer one only the end, and whether a backslash escapes there.
    v_between text := '';
    v_escapes boolean := false;
begin
    while v_number <= cardinality(v_atoms) loop
        v_atom := v_atoms[v_number];
        kind := 'code';
        v_size := 1;
        if v_atom = '--' then
            kind := 'comment';
            while v_atoms[v_number + v_size] not in (E'\n', E'\r') loop
                v_size := v_size + 1;
            end loop;
        elsif v_atom = '/' and v_atoms[v_number + 1] = '*' then
            kind := 'comment';
            v_depth := 1;
            v_size := 2;
            while v_depth > 0 and v_number + v_size <= cardinality(v_atoms) loop
                case v_atoms[v_number + v_size] || coalesce(v_atoms[v_number + v_size + 1], '')
                    when '/*' then
                        v_depth := v_depth + 1;
                        v_size := v_size + 2;
                    when '*/' then
                        v_depth := v_depth - 1;
                        v_size := v_size + 2;
                    else
                        v_size := v_size + 1;
                end case;
            end loop;
        elsif v_atom = '"' then
            kind := 'identifier';
            while v_atoms[v_number + v_size] <> '"' loop
                v_size := v_size + 1;
            end loop;
            v_size := v_size + 1;
        elsif v_atom = '''' then
            kind := 'literal';
            -- A literal that goes on in another line is of the same kind there.
            v_escapes := v_between ~* '(^|[^a-z0-9_$\u0080-\uffff])e$'
                or (v_escapes and v_between ~ '^\s*[\n\r]\s*$');
            loop
                if v_escapes and v_atoms[v_number + v_size] = '\' then
                    -- A run of other characters begins with the escaped one.
                    v_size := v_size + 2;
                elsif v_atoms[v_number + v_size] = '''' and v_atoms[v_number + v_size + 1] = '''' then
                    v_size := v_size + 2;
                elsif coalesce(v_atoms[v_number + v_size], '''') = '''' then
                    v_size := v_size + 1;
                    exit;
                else
                    v_size := v_size + 1;
                end if;
            end loop;
        elsif v_atom = '$' and v_between !~* '[a-z0-9_$\u0080-\uffff]$' then
            v_tag := case
                when v_atoms[v_number + 1] = '$' then ''
                when v_atoms[v_number + 2] = '$'
                    then substring(v_atoms[v_number + 1] from '(?i)^[a-z_\u0080-\uffff][a-z0-9_\u0080-\uffff]*$')
            end;
            if v_tag is not null then
                kind := 'literal';
                v_tag_size := case v_tag when '' then 2 else 3 end;
                v_size := v_tag_size;
                while v_number + v_size <= cardinality(v_atoms) loop
                    if v_atoms[v_number + v_size] = '$'
                        and v_atoms[v_number + v_size + v_tag_size - 1] = '$'
                        and (v_tag = '' or v_atoms[v_number + v_size + 1] = v_tag)
                    then
                        v_size := v_size + v_tag_size;
                        exit;
                    end if;
                    v_size := v_size + 1;
                end loop;
            end if;
        elsif v_atom = ';' then
            kind := 'end';
        end if;

        if kind <> 'code' or v_is_new then
            v_kinds[v_number] := kind;
        end if;
        v_is_new := kind <> 'code';
        v_between := case
            when kind = 'comment' then v_between || ' '
            when kind = 'identifier' then '"'
            when kind <> 'code' then ''
            when v_between ~ '^\s*$' then v_between || v_atom
            else 'x ' || right(v_between, 1) || v_atom
        end;
        v_number := v_number + v_size;
    end loop;

    return query
    select min(t.kind), string_agg(t.atom, '' order by t.place)
    from (
        select a.*, count(a.kind) over (order by a.place) as number
        from unnest(v_atoms, v_kinds) with ordinality a (atom, kind, place)
    ) t
    group by t.number
    order by t.number;
end;
$$;

comment on function tenancy.sql_tokens(text) is
    'The text in its order as tokens of these kinds: "comment", "literal" in single or dollar quotes, "identifier" in double quotes, "end" for a semicolon, and "code" for what is between them.';
