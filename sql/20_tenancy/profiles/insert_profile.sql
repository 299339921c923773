create function tenancy.insert_profile(
    schema_name text,
    user_id uuid,
    display_name text,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_inserted bigint;
begin
    -- `on conflict` waits until a concurrent insert of the same id commits or rolls back. So
    -- exactly one of several simultaneous callers inserts the row.
    execute format(
        'insert into %I.users (id, email, display_name, role, metadata)'
        ' select a.id, a.email, $2, $3, $4 from auth.users a where a.id = $1'
        ' on conflict (id) do nothing',
        schema_name
    )
    using user_id, display_name, role, metadata;

    get diagnostics v_inserted = row_count;
    return v_inserted = 1;
end;
$$;

comment on function tenancy.insert_profile(text, uuid, text, text, jsonb) is
    'Creates a user''s profile in a tenant, with the e-mail address from Auth. Returns false and changes nothing if the user has a profile already or does not exist in Auth.';
