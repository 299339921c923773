create function tenancy.is_template_table(table_name text)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.find_table('tenant_template', table_name) is not null;
end;
$$;

comment on function tenancy.is_template_table(text) is
    'Whether a table belongs to every tenant, rather than to the one whose admin made it.';
