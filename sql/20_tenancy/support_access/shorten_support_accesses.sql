create function tenancy.shorten_support_accesses(user_id uuid, expires_at timestamptz)
    returns setof public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    update public.user_schema_access a
    set expires_at = shorten_support_accesses.expires_at
    where a.user_id = shorten_support_accesses.user_id
        and a.support_reason is not null
        and a.expires_at > shorten_support_accesses.expires_at
    returning a.*;
$$;

comment on function tenancy.shorten_support_accesses(uuid, timestamptz) is
    'Lets all support access of a user end at this moment if it would end later, and returns what it changed. Only under a lock of the user''s platform role.';
