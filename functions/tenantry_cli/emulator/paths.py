"""The paths of a Supabase project, behind the gateway's one address."""

REST = "/rest/v1"
AUTH = "/auth/v1"
FUNCTIONS = "/functions/v1"
