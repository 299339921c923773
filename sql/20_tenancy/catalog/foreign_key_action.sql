create function tenancy.foreign_key_action(code "char")
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return case code
        when 'a' then 'NO ACTION'
        when 'r' then 'RESTRICT'
        when 'c' then 'CASCADE'
        when 'n' then 'SET NULL'
        when 'd' then 'SET DEFAULT'
    end;
end;
$$;

comment on function tenancy.foreign_key_action("char") is
    'The action of a foreign key on update or delete, from its one-letter code in pg_constraint.';
