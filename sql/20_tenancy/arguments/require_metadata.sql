-- Any member writes their own, and an entry of the audit log keeps each: without a limit one
-- of them could fill the disk, or make the log too deep for others to read.
create function tenancy.require_metadata(metadata jsonb)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if jsonb_typeof(metadata) = 'object'
        and octet_length(metadata::text) <= 65536
        and not metadata @? '$.**{64}'
    then
        return;
    end if;

    raise exception '"metadata" is to be a JSON object of at most 64 KB, nested less than 64 levels.'
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Keep larger things in a table of the tenant.';
end;
$$;

comment on function tenancy.require_metadata(jsonb) is
    'Refuses metadata of a profile that is no JSON object, or too large or deep to be kept in a log (PT422 invalid_request).';
