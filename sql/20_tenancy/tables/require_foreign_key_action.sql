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
        raise exception 'The foreign key action % is not allowed.', coalesce(quote_literal(tenancy.printable(action)), 'null')
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';
    end if;

    return v_action;
end;
$$;

comment on function tenancy.require_foreign_key_action(text) is
    'The action of a foreign key, in capitals; refuses a text that is none of the five (PT422 invalid_request).';
