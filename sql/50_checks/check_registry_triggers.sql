create function tenancy.check_registry_triggers()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'trigger missing',
        'public.admin_audit_log',
        format(
            'The trigger %s on public.admin_audit_log %s. Entries of the log can be changed or removed.',
            e.name, case when g.oid is null then 'is missing, or calls another function' else 'is disabled' end
        ),
        s.statements,
        s.statements
    -- 27: before update and delete, for each row. 34: before truncate.
    from (values ('append_only', 27), ('append_only_truncate', 34)) e (name, kind)
    left join pg_catalog.pg_trigger g
        on g.tgrelid = 'public.admin_audit_log'::regclass
        and g.tgname = e.name
        and g.tgfoid = 'tenancy.tg_audit_log__refuse()'::regprocedure
        and g.tgtype = e.kind
        and g.tgqual is null
    cross join lateral (
        select case
            when g.oid is null then
                'drop trigger if exists append_only on public.admin_audit_log; '
                'drop trigger if exists append_only_truncate on public.admin_audit_log; '
                'select tenancy.make_append_only(''public'', ''admin_audit_log'');'
            else format('alter table public.admin_audit_log enable trigger %I;', e.name)
        end as statements
    ) s
    where g.oid is null or g.tgenabled not in ('O', 'A')
    order by e.name;
$$;

comment on function tenancy.check_registry_triggers() is 'Check: the triggers that keep the platform''s audit log append-only.';
