"""`tenantry init`, `upgrade` and `uninstall`: Tenantry in somebody's own project."""
