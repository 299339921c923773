"""`tenantry prove`: everybody tries everything, and one small model says who should succeed."""
