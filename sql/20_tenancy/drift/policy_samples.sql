-- Samples are read from the catalog, so no text of a policy is written twice. The table has those
-- of one level each; the policies of the other levels differ only in the level.
create function tenancy.policy_samples(schema_name text)
    returns setof tenancy.schema_object
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
begin
    return query
    select 'policy', split_part(p.polname, '_', 1) || '_' || tenancy.policy_suffix(l.level), null::text, false,
        replace(
            replace(
                concat_ws(
                    ' ',
                    case when p.polpermissive then 'permissive' else 'restrictive' end,
                    'for ' || p.polcmd::text,
                    'to ' || array_to_string(p.polroles::regrole[], ', '),
                    'using ' || pg_get_expr(p.polqual, p.polrelid),
                    'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
                ),
                '''tenancy''', quote_literal(schema_name)
            ),
            case p.polcmd when 'r' then '''read''' else '''write''' end || '::tenancy.access_level',
            quote_literal(l.level) || '::tenancy.access_level'
        )
    from pg_catalog.pg_policy p
    cross join unnest(enum_range(null::tenancy.access_level)) l (level)
    where p.polrelid = 'tenancy.policy_samples'::regclass;
end;
$$;

comment on function tenancy.policy_samples(text) is
    'The policies that enable_tenant_table may create on a table of this schema, with their definitions as schema_objects prints them.';
