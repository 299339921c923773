create function tenancy.require_closed_policies()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_open record;
    v_unclosed record;
begin
    select * into v_open from tenancy.open_policies('tenant_template') limit 1;
    if found then
        raise exception 'The tenant template does not allow this: policy "%" of table "%" has the condition %, which is the same for members and for everybody else who has signed in. Members get access without it: by tenancy.enable_tenant_table(current_schema(), ''%''), or if the migration writes no policies. Write policies that narrow this "as restrictive".', v_open.policy_name, v_open.table_name, v_open.condition, v_open.table_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select u.verb, c.relname, u.policy_name into v_unclosed
    from tenancy.unclosed_policies('tenant_template') u
    join pg_catalog.pg_class c on c.oid = u.relation
    order by c.relname, u.verb
    limit 1;
    if found then
        raise exception 'The tenant template does not allow this: people who are not members, or no longer, could % rows of table "%", because its restrictive policy "%" was dropped or changed. Leave the policies "only_…" as they are, and write other policies that narrow access "as restrictive".', v_unclosed.verb, v_unclosed.relname, v_unclosed.policy_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_closed_policies() is
    'Refuses policies of the reference schema that let in strangers, and a restrictive policy of close_policies that was dropped or changed (55000).';
