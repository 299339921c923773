create function tenancy.require_not_member(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.access_level(schema_name) is not null then
        raise exception 'You are a member of tenant "%" already.', schema_name
            using errcode = 'PT409', detail = 'member_exists',
                hint = 'Nothing was changed. An admin of the tenant changes your access.';
    end if;
end;
$$;

comment on function tenancy.require_not_member(text) is
    'Refuses a caller who has access to this tenant already (PT409 member_exists).';
