create function tenancy.require_foreign_key_action(action text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_action constant text := upper(btrim(action, ' '));
begin
    if v_action is null
        or v_action not in ('NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT')
    then
        raise exception 'This is not an action of a foreign key: %.', coalesce(quote_literal(tenancy.printable(action)), 'null')
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';
    end if;

    return v_action;
end;
$$;

comment on function tenancy.require_foreign_key_action(text) is
    'One of the five actions of a foreign key, in capitals (PT422 invalid_request).';
