-- The order is the order of repairs: what closes comes before what opens.
create function tenancy.tenant_findings(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_objects tenancy.schema_object[];
    v_differences tenancy.template_difference[];
begin
    -- platform_findings reports a tenant without its schema.
    if to_regnamespace(quote_ident(schema_name)) is null then
        return;
    end if;
    v_objects := array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o);
    v_differences := array(
        select row(d.*)::tenancy.template_difference from tenancy.template_differences(schema_name, v_objects) d
    );

    return query select * from tenancy.check_owners(schema_name);
    return query select * from tenancy.check_row_security(schema_name, v_differences);
    return query select * from tenancy.check_tables(schema_name, v_differences);
    return query select * from tenancy.check_routines(schema_name, v_differences);
    return query select * from tenancy.check_audit_routines(schema_name, v_differences, v_objects);
    return query select * from tenancy.check_policies(schema_name, v_differences);
    return query select * from tenancy.check_own_policies(schema_name, v_objects);
    return query select * from tenancy.check_triggers(schema_name, v_differences);
    return query select * from tenancy.check_own_triggers(schema_name, v_objects);
    return query select * from tenancy.check_objects(schema_name, v_differences);
    return query select * from tenancy.check_tenant_grants(schema_name);
    return query select * from tenancy.check_other_grants(schema_name);
    return query select * from tenancy.check_listing(schema_name);
    return query select * from tenancy.check_unreachable_tables(schema_name);
end;
$$;

comment on function tenancy.tenant_findings(text) is
    'What is wrong with one tenant, or with the reference schema: the results of the checks on its schema.';
