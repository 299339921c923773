-- A grant stores what its roles give. declare_role changes a role and then the grants that carry
-- it, so a grant must not be written between the two.
create function tenancy.lock_template_roles(role_names text[])
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    perform
    from tenancy.template_roles r
    where r.role_name = any (role_names)
    order by r.role_name
    for share;
end;
$$;

comment on function tenancy.lock_template_roles(text[]) is
    'Protects these roles of the template from changes until the transaction ends. Only under a lock of the tenant, and before a grant is written. Waits at most 2 s (55P03).';
