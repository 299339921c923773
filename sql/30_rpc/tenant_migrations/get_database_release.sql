create function public.get_database_release()
    returns public.tenantry_database_release
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_signed_in();

    return row(tenancy.release())::public.tenantry_database_release;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_database_release() is
    'Returns the release of Tenantry whose migrations the database has. '
    'The functions ask for it before their first call: they need a database of their own '
    'release or of a later one. '
    'Callers: anyone signed in. '
    'Errors: not_authenticated, busy.';
