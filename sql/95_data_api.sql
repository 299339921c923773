-- Settings of the Data API. They are stored on the role that PostgREST logs in as, where
-- `supabase db diff` does not see them.
select tenancy.install_guard();

select tenancy.lock_exposure();
select tenancy.set_exposed_schemas(tenancy.exposed_schemas());

select tenancy.set_cache_load_timeout();
