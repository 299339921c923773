create function public.list_staff(
    search text default null,
    page_size integer default 50,
    after text default null
)
    returns setof public.tenantry_staff_member
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_after tenancy.list_place;
begin
    perform tenancy.require_platform_role('viewer');
    perform tenancy.require_text('search', search, 200);
    perform tenancy.require_page_size(page_size);
    v_after := tenancy.require_list_place(
        'email', after, array['email'], key_pattern => '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    );

    return query
    with matching as materialized (
        select s.user_id, u.email::text, s.role, s.granted_by, s.created_at, s.expires_at, u.last_sign_in_at,
            lower(coalesce(u.email, '')) as words
        from public.admin_users s
        join auth.users u on u.id = s.user_id
        where list_staff.search is null or tenancy.is_found(list_staff.search, u.email, null)
    )
    select m.user_id, m.email, m.role, m.granted_by, m.created_at, m.expires_at, m.last_sign_in_at,
        exists (select from tenancy.current_staff c where c.user_id = m.user_id)
            and exists (select from tenancy.active_users a where a.id = m.user_id),
        tenancy.list_cursor(row('email', false, 0, m.words, m.user_id)::tenancy.list_place),
        case when v_after.key is null then (select count(*) from matching) end
    from matching m
    where v_after.key is null or (m.words, m.user_id) > (v_after.words, v_after.key::uuid)
    order by m.words, m.user_id
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_staff(text, integer, text) is
    'Lists the platform''s staff by e-mail address, one page at a time. '
    'People whose role has expired, and those whom Auth has banned or deleted, are included; '
    'is_active says who has the role now. search finds people whose address contains this text, in '
    'upper or lower case; no character of it is a wildcard. A page has up to page_size people, '
    'from 1 to 1,000; a page that is not full is the last one. For the next page, give the cursor '
    'of the last person of this page as after, with the same search. Everybody who does not change '
    'meanwhile is on exactly one page. total_count is the number of people who match, on the first '
    'page alone. '
    'Callers: platform viewer. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';
