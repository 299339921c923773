create function tenancy.column_type(type_text text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- The caller's text is only parsed. The result is what format_type prints for an oid and a
    -- number, so no part of the caller's text can reach a statement.
    v_match constant text[] := regexp_match(
        lower(regexp_replace(btrim(type_text, ' '), ' +', ' ', 'g')),
        '^([a-z][a-z0-9 ]*?) ?(?:\( ?([0-9]{1,9}) ?(?:, ?(-?[0-9]{1,9}) ?)?\))? ?((?:with|without) time zone)? ?(\[\])?$'
    );
    v_first constant bigint := v_match[2];
    v_second constant bigint := v_match[3];
    v_spelling text := v_match[1];
    v_zone constant text := v_match[4];
    v_type oid;
    v_modifier bigint := -1;
    v_fits boolean := true;
begin
    if v_spelling in ('time', 'timestamp') and v_zone is not null then
        v_spelling := v_spelling || ' ' || v_zone;
    elsif v_zone is not null then
        v_spelling := null;
    end if;

    v_type := case
        when v_spelling = 'text' then 'text'::regtype
        when v_spelling in ('varchar', 'character varying') then 'varchar'::regtype
        when v_spelling in ('char', 'character') then 'bpchar'::regtype
        when v_spelling in ('smallint', 'int2') then 'int2'::regtype
        when v_spelling in ('integer', 'int', 'int4') then 'int4'::regtype
        when v_spelling in ('bigint', 'int8') then 'int8'::regtype
        when v_spelling in ('numeric', 'decimal') then 'numeric'::regtype
        when v_spelling in ('real', 'float4') then 'float4'::regtype
        when v_spelling in ('double precision', 'float8', 'float') then 'float8'::regtype
        when v_spelling in ('boolean', 'bool') then 'bool'::regtype
        when v_spelling = 'date' then 'date'::regtype
        when v_spelling in ('time', 'time without time zone') then 'time'::regtype
        when v_spelling in ('timestamp', 'timestamp without time zone') then 'timestamp'::regtype
        when v_spelling in ('timestamptz', 'timestamp with time zone') then 'timestamptz'::regtype
        when v_spelling in (
            'interval', 'uuid', 'json', 'jsonb', 'bytea', 'inet', 'cidr', 'macaddr'
        ) then v_spelling::regtype
    end;

    -- Each type has its own encoding of its modifier as the catalog's typmod.
    if v_type in ('varchar'::regtype, 'bpchar'::regtype) then
        -- A bare char is char(1), as everywhere in SQL.
        v_modifier := 4 + coalesce(v_first, case when v_type = 'bpchar'::regtype then 1 else -5 end);
        v_fits := v_second is null and coalesce(v_first between 1 and 10485760, true);
    elsif v_type = 'numeric'::regtype then
        v_modifier := coalesce(4 + ((v_first << 16) | (coalesce(v_second, 0) & 2047)), -1);
        v_fits := coalesce(
            v_first between 1 and 1000 and coalesce(v_second, 0) between -1000 and 1000, true
        );
    elsif v_type in ('time'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'interval'::regtype) then
        v_modifier := coalesce(v_first, -1);
        if v_type = 'interval'::regtype and v_first is not null then
            v_modifier := (32767 << 16) | v_first;
        end if;
        v_fits := v_second is null and coalesce(v_first between 0 and 6, true);
    else
        v_fits := v_first is null;
    end if;

    if v_type is null or not v_fits then
        raise exception 'The column type % is not allowed.', coalesce(quote_literal(tenancy.printable(type_text)), 'null')
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Use text, varchar(n), char(n), smallint, integer, bigint, numeric(p,s), real, double precision, boolean, date, time, timestamp, timestamptz, interval, uuid, json, jsonb, bytea, inet, cidr or macaddr, or an array of one, such as text[].'
                    || case when v_spelling like '%serial%' then ' For numbered rows use bigint with identity.' else '' end;
    end if;

    if v_match[5] is not null then
        v_type := (select t.typarray from pg_catalog.pg_type t where t.oid = v_type);
    end if;
    return format_type(v_type, v_modifier::integer);
end;
$$;

comment on function tenancy.column_type(text) is
    'A column type of the allow-list, in any common spelling, as the catalog spells it (PT400 invalid_column_type).';
