"""The paths of a Supabase project, behind the gateway's one address."""

from pathlib import Path

REST = "/rest/v1"
AUTH = "/auth/v1"
FUNCTIONS = "/functions/v1"

# What is served for a project without functions/main.py.
DEFAULT_FUNCTIONS = Path(__file__).with_name("default_functions") / "main.py"

# What a Supabase project has and the emulator does not, with the paths that clients call.
# Edge Functions have no entry: their path is that of Tenantry's functions.
ABSENT = {
    "/realtime/v1": "Realtime",
    "/storage/v1": "Storage",
    "/graphql/v1": "GraphQL",
    "/pg": "metadata API of Studio",
    "/analytics/v1": "Analytics",
    "/mcp": "MCP server",
}
ABSENT_SENTENCE = (
    "The emulator has no Realtime, Storage, GraphQL, Edge Functions or multi-factor "
    "authentication: use a hosted project for these."
)
