create function tenancy.update_profile(
    schema_name text,
    user_id uuid,
    display_name text,
    metadata jsonb
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'update %I.users u'
        ' set display_name = coalesce($2, u.display_name),'
        '     metadata = coalesce($3, u.metadata),'
        '     updated_at = now()'
        ' where u.id = $1',
        schema_name
    )
    using user_id, display_name, metadata;
end;
$$;

comment on function tenancy.update_profile(text, uuid, text, jsonb) is
    'Changes a profile. A null argument leaves its field unchanged.';
