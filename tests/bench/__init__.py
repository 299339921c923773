"""What Tenantry costs, and how that grows with the number of tenants."""
