create function tenancy.renew_creation_script(
    version text default tenancy.latest_tenant_version(),
    tried_tables text[] default '{}',
    out problem text,
    out details text,
    out hint text
)
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_found record;
begin
    select * into v_found from tenancy.check_creatable(version, tried_tables);

    -- New tenants start at the latest version, so there is one script.
    delete from tenancy.tenant_template_scripts where true;
    insert into tenancy.tenant_template_scripts (version, release, default_privileges, statements, grants, opening, obstacle)
    values (
        version,
        tenancy.release(),
        tenancy.default_privileges(),
        case when v_found.problem is null then v_found.statements end,
        case when v_found.problem is null then v_found.grants end,
        case when v_found.problem is null then v_found.opening end,
        coalesce(v_found.problem, v_found.obstacle)
    );
    problem := v_found.problem;
    details := v_found.details;
    hint := v_found.hint;
end;
$$;

comment on function tenancy.renew_creation_script(text, text[]) is
    'Compiles and stores the script that makes new tenants at this version, which is the latest one, or the obstacle. Returns what check_creatable finds (40P01, 55P03).';
