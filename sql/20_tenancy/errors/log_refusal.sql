-- The line goes to the server's log and not to a table: the error that follows rolls back every
-- write, and strangers could fill a table by sending requests that are refused.
create function tenancy.log_refusal(code text, schema_name text default null)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- As JSON, so that a line break from the caller does not begin a new line in the log.
    raise log 'tenantry refused %', jsonb_strip_nulls(jsonb_build_object(
        'code', code,
        'actor_id', (tenancy.caller()).user_id,
        'actor_role', tenancy.actor_role(schema_name),
        'schema_name', tenancy.printable(schema_name),
        'method', current_setting('request.method', true),
        'path', tenancy.printable(current_setting('request.path', true)),
        'request_id', tenancy.request_id()
    ));
end;
$$;

comment on function tenancy.log_refusal(text, text) is
    'Writes one line about a refused request to the server''s log (severity LOG): code, actor, the actor''s role at that time, tenant, method, path and request id. Call it right before raising the error.';
