"""Who sent a request, as far as that can be known without the project's secret."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantry.errors import NotAuthenticatedError

# RFC 6750's alphabet. Anything else would not survive as an HTTP header, and the library
# that refuses it there quotes the header, token included, in its complaint.
BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
SUBJECT = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class Caller:
    """The bearer of a token that nobody has verified yet: PostgREST does."""

    token: str = field(repr=False)

    @classmethod
    def from_header(cls, authorization: str | None) -> "Caller":
        if authorization is None:
            raise NotAuthenticatedError
        if not (bearer := BEARER.fullmatch(authorization)):
            raise NotAuthenticatedError("The Authorization header holds no bearer token.")
        return cls(bearer[1])

    @property
    def subject(self) -> str | None:
        """The user id that the token claims; good for a log, for nothing else."""
        subject = claims(self.token).get("sub")
        if isinstance(subject, str) and SUBJECT.fullmatch(subject):
            return subject
        return None

    @property
    def role(self) -> object:
        """The role that the token claims, which PostgREST takes on if the token is valid."""
        return claims(self.token).get("role")


def claims(token: str) -> Mapping[str, object]:
    """What a JWT says of itself, unverified; nothing when it is not a JWT."""
    _, _, rest = token.partition(".")
    payload, _, _ = rest.partition(".")
    try:
        decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
