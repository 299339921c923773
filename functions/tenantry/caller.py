"""The sender of a request, as far as it is known without the project's secret."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantry.errors import NotAuthenticatedError

# The alphabet of RFC 6750. Other characters are not allowed in an HTTP header, and the library
# that refuses them quotes the header in its message, with the token.
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_SUBJECT = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class Caller:
    """The bearer of a token that is not verified yet: PostgREST verifies it."""

    token: str = field(repr=False)

    @classmethod
    def from_header(cls, authorization: str | None) -> "Caller":
        if authorization is None:
            raise NotAuthenticatedError
        if not (bearer := _BEARER.fullmatch(authorization)):
            raise NotAuthenticatedError("The Authorization header holds no bearer token.")
        return cls(bearer[1])

    @property
    def is_api_key(self) -> bool:
        """Whether it is no token, but a publishable or secret key of the project."""
        return self.token.startswith("sb_")

    @property
    def subject(self) -> str | None:
        """The user id that the token claims. It is not verified: use it in logs only."""
        subject = claims(self.token).get("sub")
        if isinstance(subject, str) and _SUBJECT.fullmatch(subject):
            return subject
        return None

    @property
    def role(self) -> object:
        """The role that the token claims. PostgREST takes it on if the token is valid."""
        return claims(self.token).get("role")


def claims(token: str) -> Mapping[str, object]:
    """The claims of a JWT, unverified; none if the token is not a JWT."""
    _, _, rest = token.partition(".")
    payload, _, _ = rest.partition(".")
    try:
        decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
