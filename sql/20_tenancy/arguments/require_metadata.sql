-- Metadata is limited, because every member writes it and the audit log keeps each value. One
-- member could fill the disk, or nest a value so deeply that nobody can read the audit log.
create function tenancy.require_metadata(metadata jsonb)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if jsonb_typeof(metadata) = 'object'
        and octet_length(metadata::text) <= 8192
        and not metadata @? '$.**{64}'
    then
        return;
    end if;

    raise exception '"metadata" has to be a JSON object of at most 8 KB, nested less than 64 levels.'
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Keep larger values in a table of the tenant.';
end;
$$;

comment on function tenancy.require_metadata(jsonb) is
    'Refuses metadata of a profile that is no JSON object, is larger than 8 KB, or is nested 64 levels or more (PT422 invalid_request).';
