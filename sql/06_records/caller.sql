create type tenancy.caller as (
    kind text,
    user_id uuid
);

comment on type tenancy.caller is
    'Who is calling. kind is service_role, postgres, user or nobody; user_id is set only if kind is user.';
