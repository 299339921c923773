create function tenancy.has_access(schema_name text, level public.access_level)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.access_state(schema_name, level) = 'granted';
end;
$$;

comment on function tenancy.has_access(text, public.access_level) is
    'Whether the caller has this access level to the rows of an active tenant. For policies: call it in a subselect, so that it runs once a statement.';
