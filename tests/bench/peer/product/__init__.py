"""The app of each tenant: the three tables of our template."""
