"""The shared app: the list of tenants."""
