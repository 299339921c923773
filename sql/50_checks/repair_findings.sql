-- The statements come from the checks, which run again under the tenant's lock: what somebody
-- else has repaired or changed since the report is not touched.
create function tenancy.repair_findings(schema_name text, kind text, object text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    -- The body of a routine has to be valid in the tenant's search path and not in this one.
    set check_function_bodies = off
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_before tenancy.finding[];
    v_after tenancy.finding[];
    v_statements text;
    v_problem text;
begin
    if schema_name is not null then
        perform from public.tenants t
        where t.schema_name = repair_findings.schema_name
        for no key update;
    end if;
    v_before := tenancy.findings(schema_name);

    select string_agg(r.repair, ' ' order by r.position) into v_statements
    from (
        select f.repair, min(f.position) as position
        from unnest(v_before) with ordinality f (kind, object, detail, remediation, repair, position)
        where f.kind = repair_findings.kind and f.object = repair_findings.object and f.repair is not null
        group by f.repair
    ) r;
    if v_statements is null then
        return;
    end if;
    execute v_statements;

    v_after := tenancy.findings(schema_name);
    select string_agg(f.detail, ' ' order by f.detail) into v_problem
    from unnest(v_after) f
    where (f.kind = repair_findings.kind and f.object = repair_findings.object and f.repair is not null)
        -- Nothing is granted on a table whose policies are wrong, nor the schema of such a table.
        or (
            v_statements ~ '^grant '
            and schema_name is not null
            and f.kind in ('RLS off', 'wrong policy')
            and f.repair is not null
            and repair_findings.object in (f.object, schema_name)
        )
        -- A tenant may have no problem that it did not have before, but for privileges that a new
        -- object lacks, and for those that only a dropped policy justified. Without a policy such a
        -- privilege opens no row, and a later repair revokes it.
        or (
            schema_name is not null
            and f.detail <> all (array(select b.detail from unnest(v_before) b))
            and not (
                f.kind = 'wrong grants'
                and (f.repair ~ '^grant ' or (repair_findings.kind = 'wrong policy' and f.object = repair_findings.object))
            )
        );
    if v_problem is not null then
        raise exception 'After the repair there would be a problem: %', v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was changed. Repair the object by hand.';
    end if;
end;
$$;

comment on function tenancy.repair_findings(text, text, text) is
    'Repairs the findings of this kind on this object: of a tenant, or of the platform if schema_name is null. Rolls back and raises if a finding stays, or if the tenant would have a new one (55000, 55P03).';
