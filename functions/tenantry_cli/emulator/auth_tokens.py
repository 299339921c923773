"""Access tokens as a project of today has them: signed with ES256, with the claims of a user.

Auth itself signs with HS256 and knows no other algorithm. The gateway exchanges its tokens on
the way out, and those of callers on the way in.
"""

from collections.abc import Mapping
from typing import Any

import jwt

from tenantry_cli.emulator.keys import Keys, SigningAlgorithm


class Tokens:
    def __init__(self, keys: Keys, signs: SigningAlgorithm, issuer: str, lifetime: int) -> None:
        self._keys = keys
        self._signs = signs
        self.issuer = issuer
        # In seconds.
        self.lifetime = lifetime

    @property
    def key_set(self) -> dict[str, list[dict[str, Any]]]:
        """What a client verifies tokens with. A shared secret is never published."""
        return self._keys.key_set if self._signs == "ES256" else {"keys": []}

    def verified(self, token: str) -> dict[str, Any]:
        """The claims. Raises jwt.PyJWTError if no key has signed the token."""
        return self._keys.verified(token)

    def for_auth(self, authorization: str) -> str:
        """The header with a token that Auth can verify. Auth refuses an invalid one."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            try:
                claims = self._keys.verified(token.strip())
                return f"Bearer {self._keys.sign(claims, 'HS256')}"
            except jwt.PyJWTError:
                pass
        return authorization

    def signed(
        self,
        user: Mapping[str, Any],
        session: str,
        method: str,
        *,
        issued: int,
        expires: int | None = None,
    ) -> str:
        """The access token of a session of this user, who signed in by `method`."""
        claims = {
            "iss": self.issuer,
            "sub": user["id"],
            "aud": user["aud"],
            "exp": expires or issued + self.lifetime,
            "iat": issued,
            "email": user["email"],
            "phone": user["phone"],
            "app_metadata": user["app_metadata"],
            "user_metadata": user["user_metadata"],
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": method, "timestamp": issued}],
            "session_id": session,
            "is_anonymous": user["is_anonymous"],
        }
        return self._keys.sign(claims, self._signs)
