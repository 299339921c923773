create function tenancy.require_few_unique_columns(columns jsonb)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_unique_columns from tenancy.platform_settings s);
    v_unique constant integer := (
        select count(*)::integer from jsonb_array_elements(columns) c (value) where (c.value ->> 'unique')::boolean
    );
begin
    -- Before the table is made: making so many indexes would itself take the time of others.
    if v_unique > v_limit then
        raise exception 'The table would have % unique columns, and % are allowed.', v_unique, v_limit
            using errcode = 'PT409', detail = 'unique_limit',
                hint = 'Leave unique out where the product does not depend on it.';
    end if;
end;
$$;

comment on function tenancy.require_few_unique_columns(jsonb) is
    'Refuses more unique columns in one table than the platform allows. Only for columns that require_column_objects has accepted (PT409 unique_limit).';
