"""The errors of Auth's API, in the format that client libraries parse."""

from typing import Any

from tenantry_cli.emulator.forwarding import RefusedError

_LONGEST_PASSWORD_BYTES = 72


def refused(status: int, code: str, message: str, **more: Any) -> RefusedError:
    return RefusedError(
        status,
        {"code": status, "error_code": code, "msg": message, **more},
        {"X-Sb-Error-Code": code},
    )


def invalid(message: str) -> RefusedError:
    return refused(400, "validation_failed", message)


def email_exists() -> RefusedError:
    return refused(
        422, "email_exists", "A user with this email address has already been registered"
    )


def check_password(password: str, shortest: int) -> None:
    if len(password.encode()) > _LONGEST_PASSWORD_BYTES:
        raise invalid(f"Password cannot be longer than {_LONGEST_PASSWORD_BYTES} characters")
    if len(password) < shortest:
        raise refused(
            422,
            "weak_password",
            f"Password should be at least {shortest} characters.",
            weak_password={"reasons": ["length"]},
        )
