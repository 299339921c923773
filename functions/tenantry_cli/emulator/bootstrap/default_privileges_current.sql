-- Projects created since 30 October 2026. Every API role may call a new function in public
-- unless a migration revokes it. No API role may use a new table or sequence.

alter default privileges for role postgres, supabase_admin in schema public
    grant execute on functions to anon, authenticated, service_role;
