"""Everything a caller can be told instead of a result, with its status and its code."""

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """This request could not be answered."""

    status: int
    code: str

    # What HTTP wants beside a status, whoever raised it.
    HEADERS: ClassVar[Mapping[int, Mapping[str, str]]] = {
        401: {"WWW-Authenticate": "Bearer"},
        503: {"Retry-After": "1"},
    }

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        # The docstring is the sentence for a person when there is no better one.
        self.message = message or self.__doc__ or self.code
        self.hint = hint
        super().__init__(self.message)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.HEADERS.get(self.status, {})


class InvalidJsonError(ServiceError):
    """The body is not a JSON object."""

    status = 400
    code = "invalid_json"


class NotAuthenticatedError(ServiceError):
    """This operation is for signed-in users."""

    status = 401
    code = "not_authenticated"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message, hint="Send the user's access token: Authorization: Bearer <token>."
        )


class OperationNotFoundError(ServiceError):
    """This group has no such operation."""

    status = 404
    code = "operation_not_found"


class MethodNotAllowedError(ServiceError):
    """This address does not answer that method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(hint=f"Allowed here: {allowed}.")
        self.allowed = allowed

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Allow": self.allowed}


class PayloadTooLargeError(ServiceError):
    """The body is larger than 1 MiB."""

    status = 413
    code = "payload_too_large"


class InvalidRequestError(ServiceError):
    """The arguments do not have the shape that this operation takes."""

    status = 422
    code = "invalid_request"


class RefusedError(ServiceError):
    """The database refused the operation and said why."""

    def __init__(self, status: int, code: str, message: str | None, hint: str | None) -> None:
        self.status = status
        self.code = code
        super().__init__(message, hint=hint)


class InternalError(ServiceError):
    """Something went wrong on our side; the request id finds it in the log."""

    status = 500
    code = "internal_error"


class UpstreamError(ServiceError):
    """The database API gave no usable answer."""

    status = 502
    code = "upstream_error"


class BusyError(ServiceError):
    """The database is busy with this; nothing was changed, try again."""

    status = 503
    code = "busy"


class UpstreamTimeoutError(ServiceError):
    """The database API did not answer in time; the operation may still have happened."""

    status = 504
    code = "upstream_timeout"
