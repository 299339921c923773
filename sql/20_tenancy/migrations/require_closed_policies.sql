create function tenancy.require_closed_policies()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_open record;
begin
    select * into v_open from tenancy.open_policies('tenant_template') limit 1;
    if found then
        raise exception 'The tenant template does not allow this: policy "%" of table "%" has the condition %, which is the same for members and for everybody else who has signed in. Members get access without it: by tenancy.enable_tenant_table(current_schema(), ''%''), or if the migration writes no policies. Write policies that narrow this "as restrictive".', v_open.policy_name, v_open.table_name, v_open.condition, v_open.table_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_closed_policies() is
    'Refuses policies of the reference schema that let in strangers (55000).';
