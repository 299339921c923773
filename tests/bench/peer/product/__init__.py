"""The app each tenant has: the three tables of our template."""
