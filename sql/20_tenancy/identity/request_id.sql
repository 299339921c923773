create function tenancy.request_id()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return substring(
        nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id'
        from '^[A-Za-z0-9._-]{1,64}$'
    );
end;
$$;

comment on function tenancy.request_id() is
    'The request''s X-Request-Id as the caller sent it, unverified; null if it is missing or malformed.';
