create function tenancy.require_registration(
    version text,
    name text,
    statements text,
    callable_routines text[]
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if version is null or version !~ '^[a-z0-9][a-z0-9_]{0,62}$' then
        raise exception 'Tenant migration % has no valid version. Write 1 to 63 of the characters a-z, 0-9 and _, and do not begin with _.', version
            using errcode = 'check_violation';
    end if;
    if name is null or statements is null or callable_routines is null then
        raise exception 'Tenant migration % lacks a name, its statements or the list of callable routines: none of the arguments may be null.', version
            using errcode = 'check_violation';
    end if;
    if array_position(callable_routines, null) is not null then
        raise exception 'Tenant migration % names null as a callable routine. The fourth argument takes names of routines.', version
            using errcode = 'check_violation';
    end if;
end;
$$;

comment on function tenancy.require_registration(text, text, text, text[]) is
    'Refuses arguments that no tenant migration may have (23514).';
