-- Projects made since 30 October 2026: a new function in public can be called by every API
-- role unless a migration revokes it; tables and sequences are closed.

alter default privileges for role postgres, supabase_admin in schema public
    grant execute on functions to anon, authenticated, service_role;
