-- Without locks of the tenants, which come later in the order: open_support_access locks the role
-- before it opens.
create function tenancy.end_support_accesses(user_id uuid)
    returns setof public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    delete from public.user_schema_access a
    where a.user_id = end_support_accesses.user_id and a.support_reason is not null
    returning a.*;
$$;

comment on function tenancy.end_support_accesses(uuid) is
    'Ends all support access of a user, and returns what ended. Only under a lock of the user''s platform role.';
