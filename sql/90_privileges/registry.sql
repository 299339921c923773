-- The tables of public are read through policies and written through RPCs. No insert, update or
-- delete is granted to anybody, the service key included: a registry row without its schema, or
-- a forged audit entry, could then be written by hand.

revoke all on table
    public.tenants,
    public.admin_users,
    public.user_schema_access,
    public.admin_audit_log
    from public, anon, authenticated, service_role;
revoke all on sequence public.admin_audit_log_id_seq from public, anon, authenticated, service_role;

grant select on table
    public.tenants,
    public.admin_users,
    public.user_schema_access,
    public.admin_audit_log
    to authenticated, service_role;
