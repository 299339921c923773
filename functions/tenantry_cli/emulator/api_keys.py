"""What the gateway does with API keys, as that of a hosted project.

A publishable or secret key is no token. The gateway gives its caller the token of its role.
A hosted project requires a key in every request. Here a token is enough, as with
`supabase start`.
"""

from aiohttp import web
from multidict import CIMultiDict

from tenantry_cli.emulator.forwarding import RefusedError
from tenantry_cli.emulator.keys import Keys

_OPAQUE = "sb_"
_BROWSER = "Mozilla/5.0"


class ApiKeys:
    def __init__(self, keys: Keys) -> None:
        self._secret_key = keys.secret_key
        self._tokens = {
            keys.anon_key: keys.anon_key,
            keys.service_role_key: keys.service_role_key,
            keys.publishable_key: keys.anon_key,
            keys.secret_key: keys.service_role_key,
        }

    def authorize(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        """Requires a key or a token, and gives a caller without a token the role of the key."""
        key = headers.get("apikey") or request.query.get("apikey")
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        token = token.strip()
        is_opaque = scheme.lower() == "bearer" and token.startswith(_OPAQUE)
        if not key:
            if token and not is_opaque:
                return
            raise RefusedError(
                401,
                {
                    "message": "No API key found in request",
                    "hint": "No `apikey` request header or url param was found.",
                },
            )
        if key not in self._tokens:
            raise _invalid("Double check the publishable or secret API key of your project.")
        if key == self._secret_key and headers.get("User-Agent", "").startswith(_BROWSER):
            raise RefusedError(
                401,
                {
                    "message": "Forbidden use of secret API key in browser",
                    "hint": "Secret API keys belong in a protected environment. Use the "
                    "publishable key in a browser.",
                },
            )
        if is_opaque:
            # Client libraries send their key as the token, too, until somebody signs in.
            if token != key:
                raise _invalid(
                    "A publishable or secret key is no token: send it in the header `apikey`."
                )
            del headers["Authorization"]
        if "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self._tokens[key]}"


def _invalid(hint: str) -> RefusedError:
    return RefusedError(401, {"message": "Invalid API key", "hint": hint})
