"""The one exception that a person at the keyboard sees."""


class TenantryError(Exception):
    """Something to act on: the command prints it as it is and exits 1."""
