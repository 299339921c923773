create function tenancy.member_page(
    schema_name text,
    search text,
    after tenancy.list_place,
    page_size integer,
    has_profiles boolean
)
    returns setof public.tenantry_member
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- One statement, because the profiles are the tenant's table. `offset 0` keeps PostgreSQL from
    -- reading all users of Auth for the members of one tenant. The later addresses and sign-ins of
    -- a former member are not the tenant's business.
    return query execute format(
        'with members as ('
        '    select g.*, c.is_current, p.display_name,'
        '        case when c.is_current or p.id is null then a.email else p.email end as email,'
        '        case when c.is_current then a.last_sign_in_at end as last_sign_in_at'
        '    from public.user_schema_access g'
        '    cross join lateral ('
        '        select (g.expires_at <= statement_timestamp()) is not true as is_current'
        '    ) c'
        '    cross join lateral ('
        '        select u.email::text, u.last_sign_in_at from auth.users u where u.id = g.user_id offset 0'
        '    ) a'
        '    left join %1$I.users p on p.id = g.user_id and $1'
        '    where g.schema_name = %1$L'
        '), matching as materialized ('
        '    select m.*,'
        '        case $3.column_name'
        '            when ''access_level'' then'
        '                array_position(enum_range(null::tenancy.access_level), m.access_level)'
        '            when ''granted_at'' then extract(epoch from m.granted_at)'
        -- Never is earlier than every time.
        '            when ''last_sign_in_at'' then coalesce(extract(epoch from m.last_sign_in_at), -1)'
        '            else 0'
        '        end as number,'
        '        case $3.column_name'
        '            when ''email'' then lower(coalesce(m.email, ''''))'
        '            when ''display_name'' then lower(coalesce(m.display_name, ''''))'
        '            else '''''
        '        end as words'
        '    from members m'
        '    where $2 is null or tenancy.is_found($2, m.email, m.display_name)'
        '), page as ('
        '    select m.*,'
        '        row_number() over ('
        '            order by'
        '                case when $3.is_descending then m.number end desc,'
        '                case when $3.is_descending then m.words end desc,'
        '                case when $3.is_descending then m.user_id end desc,'
        '                m.number, m.words, m.user_id'
        '        ) as place'
        '    from matching m'
        '    where $3.key is null'
        '        or case'
        '            when $3.is_descending then'
        '                (m.number, m.words, m.user_id) < ($3.number, $3.words, $3.key::uuid)'
        '            else (m.number, m.words, m.user_id) > ($3.number, $3.words, $3.key::uuid)'
        '        end'
        '    order by place'
        '    limit $4'
        ')'
        ' select p.user_id, p.email, p.display_name, p.access_level, p.roles, p.granted_at, p.granted_by,'
        '     (select u.email::text from auth.users u where u.id = p.granted_by),'
        '     p.expires_at, p.support_reason, p.last_sign_in_at,'
        '     p.is_current and exists (select from tenancy.active_users u where u.id = p.user_id),'
        '     tenancy.list_cursor('
        '         row($3.column_name, $3.is_descending, p.number, p.words, p.user_id)::tenancy.list_place'
        '     ),'
        '     case when $3.key is null then (select count(*) from matching) end'
        ' from page p'
        ' order by p.place',
        schema_name
    )
    using has_profiles, search, after, page_size;
end;
$$;

comment on function tenancy.member_page(text, text, tenancy.list_place, integer, boolean) is
    'One page of list_members, in its order. It reads the members of the tenant once, and the users of Auth by their keys. Without profiles it reads no row of the tenant.';
