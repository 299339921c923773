create function tenancy.require_registration_numbers(
    version text,
    limit_seconds integer,
    batch integer,
    audit_rows boolean
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem constant text := case
        when limit_seconds is null or limit_seconds not between 1 and 3600
            then format('limit_seconds must be 1 to 3600, not %s', coalesce(limit_seconds::text, 'null'))
        when batch not between 1 and 1000000 then format('batch must be 1 to 1000000 rows, not %s', batch)
        when audit_rows is null then 'audit_rows must be true or false, not null'
    end;
begin
    if v_problem is not null then
        raise exception 'Tenant migration %: %.', version, v_problem using errcode = 'check_violation';
    end if;
end;
$$;

comment on function tenancy.require_registration_numbers(text, integer, integer, boolean) is
    'Refuses a limit in seconds, a size of a batch in rows and a choice of audit that no tenant migration may have (23514).';
