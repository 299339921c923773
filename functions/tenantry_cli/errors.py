"""The error of the operator's commands."""


class TenantryError(Exception):
    """The command prints the message and exits with 1. The message says what to do."""


def as_sentence(text: str) -> str:
    """What another program says, with a full stop."""
    return f"{text.strip().rstrip('.')}."


def describe_os_error(error: OSError) -> TenantryError:
    """An error of the system about a file, as a sentence that names the file."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return TenantryError(f"The system refused an operation: {reason}.")
    return TenantryError(
        f"{error.filename} cannot be used ({reason}). Check that it exists, that its folder is "
        "writable, and that the disk has space."
    )
