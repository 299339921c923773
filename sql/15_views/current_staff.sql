create view tenancy.current_staff as
    select s.user_id, s.role, s.expires_at
    from public.admin_users s
    where (s.expires_at <= statement_timestamp()) is not true;

comment on view tenancy.current_staff is
    'The platform staff: users with a platform role that has not expired. They may be banned or deleted in Auth.';
