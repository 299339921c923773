"""`tenantry split`: moves the rows of a shared table into the tenants' own tables."""
