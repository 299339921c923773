create function tenancy.policy_suffix(level tenancy.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select case level when 'read' then 'member' when 'write' then 'writer' else 'admin' end;
$$;

comment on function tenancy.policy_suffix(tenancy.access_level) is
    'The suffix of a policy''s name for an access level, as in select_member, insert_writer and update_admin.';
