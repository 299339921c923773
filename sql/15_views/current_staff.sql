create view tenancy.current_staff as
    select a.user_id, a.role
    from public.admin_users a;

comment on view tenancy.current_staff is
    'The platform staff: users with a platform role. They may be banned or deleted in Auth.';
