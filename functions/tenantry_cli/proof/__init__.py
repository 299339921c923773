"""`tenantry prove`: tries every access by every identity, and compares it with one model."""
