create function public.list_invitations(
    schema_name text,
    page_size integer default 50,
    after text default null
)
    returns setof public.tenantry_invitation
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_page_size(page_size);

    return query
    select i.id, i.schema_name, i.email, i.access_level, i.roles, i.expires_at, i.invited_by, i.created_at,
        i.valid_until
    from tenancy.open_invitations i
    where i.schema_name = list_invitations.schema_name
        and i.folded_email > coalesce(lower(list_invitations.after collate "C"), '')
    order by i.folded_email
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_invitations(text, integer, text) is
    'Lists the open invitations of a tenant by e-mail address, one page at a time. '
    'An invitation that is expired, or whose inviter could no longer give the access, is not open. '
    'A page has up to page_size invitations, from 1 to 1,000; a page that is not full is the last '
    'one. For the next page, give the last address of this page as after. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
