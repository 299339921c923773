"""`tenantry doctor`: compares the database with the design and repairs differences."""
