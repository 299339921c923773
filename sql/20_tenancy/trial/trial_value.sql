create function tenancy.trial_value(type oid, type_modifier integer)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_type pg_catalog.pg_type;
    v_value text;
begin
    select * into strict v_type from pg_catalog.pg_type t where t.oid = trial_value.type;

    if v_type.typtype = 'd' then
        v_value := tenancy.trial_value(v_type.typbasetype, v_type.typtypmod);
    elsif v_type.typtype = 'e' then
        v_value := (
            select quote_literal(e.enumlabel)
            from pg_catalog.pg_enum e
            where e.enumtypid = v_type.oid
            order by e.enumsortorder
            limit 1
        );
    elsif v_type.typtype = 'r' then
        v_value := '''empty''';
    elsif v_type.typtype = 'm' or v_type.typcategory = 'A' then
        v_value := '''{}''';
    else
        v_value := case
            when v_type.typname in ('json', 'jsonb') then '''{}'''
            when v_type.typname = 'uuid' then quote_literal(gen_random_uuid())
            when v_type.typname = 'bytea' then ''''''
            when v_type.typcategory = 'S' then '''a'''
            when v_type.typcategory = 'B' then 'true'
            when v_type.typname in ('date', 'timestamp', 'timestamptz') then '''2026-01-01'''
            when v_type.typcategory = 'D' then '''12:00'''
            when v_type.typcategory = 'T' then '''1 day'''
            when v_type.typcategory = 'I' then '''192.0.2.1'''
            when v_type.typcategory = 'V' then '''1'''
            when v_type.typname in ('int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'money') then
                -- A numeric(3, 3) holds nothing above 0.999.
                case when (type_modifier - 4) >> 16 = (type_modifier - 4) & 65535 and type_modifier > 0 then '0' else '1' end
        end;
    end if;

    return v_value || '::' || format_type(type, type_modifier);
end;
$$;

comment on function tenancy.trial_value(oid, integer) is
    'A value of a type as an SQL expression, for a row that the trial writes; null if no value is known.';
