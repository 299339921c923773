"""`tenantry doctor`: does the database still keep what the design promises?"""
