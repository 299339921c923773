create function tenancy.find_audit_log(schema_name text)
    returns regclass
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select case
        when schema_name = 'public' then 'public.admin_audit_log'::regclass
        else format('%I.audit_log', schema_name)::regclass
    end;
$$;

comment on function tenancy.find_audit_log(text) is
    'The audit log in a schema: a tenant''s audit_log, or admin_audit_log in public.';
