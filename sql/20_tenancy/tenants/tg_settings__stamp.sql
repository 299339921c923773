-- All tenants share this function, because it names no table.
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
    'Trigger function that sets who wrote a setting and when, whatever the client sent.';
