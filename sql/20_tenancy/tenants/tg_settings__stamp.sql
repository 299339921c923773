-- One for all tenants: it names no table.
create function tenancy.tg_settings__stamp()
    returns trigger
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    new.updated_at := now();
    new.updated_by := auth.uid();
    return new;
end;
$$;

comment on function tenancy.tg_settings__stamp() is
    'Who wrote a setting and when is for the database to say, not for the client.';
