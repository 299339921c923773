"""The error of the operator's commands."""


class TenantryError(Exception):
    """The command prints the message and exits with 1. The message says what to do."""
