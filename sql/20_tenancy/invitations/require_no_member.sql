create function tenancy.require_no_member(schema_name text, email text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if exists (
        select
        from public.user_schema_access a
        join auth.users u on u.id = a.user_id
        where a.schema_name = require_no_member.schema_name
            and (a.expires_at is null or a.expires_at > statement_timestamp())
            and lower(u.email collate "C") = lower(require_no_member.email collate "C")
    ) then
        raise exception 'A member of tenant "%" has this e-mail address already.', schema_name
            using errcode = 'PT409', detail = 'member_exists',
                hint = 'Nothing was changed. Change the member''s access with grant_schema_access.';
    end if;
end;
$$;

comment on function tenancy.require_no_member(text, text) is
    'Refuses the e-mail address of a member whose grant has not expired (PT409 member_exists).';
