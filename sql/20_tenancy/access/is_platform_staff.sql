create function tenancy.is_platform_staff()
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.platform_role() is not null;
end;
$$;

comment on function tenancy.is_platform_staff() is
    'Whether the caller has any platform role. For policies: call it in a subselect, so that it runs once a statement.';
