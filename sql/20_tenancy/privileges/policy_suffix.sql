create function tenancy.policy_suffix(level public.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return case level when 'read' then 'member' when 'write' then 'writer' else 'admin' end;
end;
$$;

comment on function tenancy.policy_suffix(public.access_level) is
    'Whom an access level lets in, as policies are named: select_member, insert_writer.';
