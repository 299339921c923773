create function tenancy.audience(level public.access_level)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return case level when 'read' then 'member' when 'write' then 'writer' else 'admin' end;
end;
$$;

comment on function tenancy.audience(public.access_level) is
    'Whom an access level lets in, as policies are named: select_member, insert_writer.';
