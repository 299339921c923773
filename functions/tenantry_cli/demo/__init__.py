"""`tenantry demo`: tells a story of three users and two tenants, with real replies."""
