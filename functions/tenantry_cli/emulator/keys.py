"""The keys of the project: what signs tokens, and the API keys of both formats."""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tenantry_cli.errors import TenantryError

SigningAlgorithm = Literal["ES256", "HS256"]

_TEN_YEARS = 10 * 365 * 24 * 3600


def chosen_algorithm() -> SigningAlgorithm:
    """How Auth signs tokens. New hosted projects sign with ES256, older ones with HS256."""
    chosen = os.environ.get("TENANTRY_JWT_ALGORITHM", "ES256")
    if chosen not in ("ES256", "HS256"):
        raise TenantryError("TENANTRY_JWT_ALGORITHM must be `ES256` or `HS256`.")
    return cast(SigningAlgorithm, chosen)


@dataclass(frozen=True)
class Keys:
    jwt_secret: str
    # A private key of the curve P-256, as a JWK.
    signing_key: dict[str, str]
    anon_key: str
    service_role_key: str
    publishable_key: str
    secret_key: str

    @property
    def key_set(self) -> dict[str, list[dict[str, Any]]]:
        """The public half of the signing key, as Auth publishes it."""
        public = {name: value for name, value in self.signing_key.items() if name != "d"}
        public |= {"alg": "ES256", "use": "sig"}
        return {"keys": [{**public, "key_ops": ["verify"], "ext": True}]}

    @property
    def verifying_keys(self) -> str:
        """The keys of every token that the Data API accepts, as a JWK set."""
        secret = _base64(self.jwt_secret.encode())
        shared = {"kty": "oct", "k": secret, "alg": "HS256", "use": "sig"}
        return json.dumps({"keys": [*self.key_set["keys"], shared]})

    def sign(self, claims: Mapping[str, Any], algorithm: SigningAlgorithm) -> str:
        """A token with these claims."""
        if algorithm == "HS256":
            return jwt.encode(dict(claims), self.jwt_secret, "HS256")
        key = ECAlgorithm.from_jwk(self.signing_key)
        headers = {"kid": self.signing_key["kid"]}
        return jwt.encode(dict(claims), key, "ES256", headers)  # type: ignore[arg-type]

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys has signed, for Auth or as an API key.

        Raises jwt.PyJWTError for every other token.
        """
        header = jwt.get_unverified_header(token)
        key: Any = self.jwt_secret
        # Each algorithm has its own key. A public key is never used as a secret.
        algorithm = "HS256"
        if header.get("alg") == "ES256":
            algorithm = "ES256"
            if header.get("kid") != self.signing_key["kid"]:
                raise jwt.InvalidTokenError("no key has this kid")
            key = ECAlgorithm.from_jwk(self.key_set["keys"][0])
        claims: dict[str, Any] = jwt.decode(
            token, key, [algorithm], options={"verify_aud": False}
        )
        return claims


def load_keys(state: Path) -> Keys:
    """The keys in the folder `state`. Created once; only their owner can read them."""
    path = keys_file(state)
    with (state / "keys.lock").open("w") as lock:
        # Two emulators may start at once. The second one reads the keys of the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(path.read_text()) if path.exists() else {}
        keys = _completed(known)
        if asdict(keys) != known:
            _keep(keys, path)
    return keys


def keys_file(state: Path) -> Path:
    return state / "keys.json"


def read_keys(path: Path) -> Keys:
    return Keys(**json.loads(path.read_text()))


def _completed(known: Mapping[str, Any]) -> Keys:
    """The known keys and new ones in place of the others."""
    secret = known.get("jwt_secret") or secrets.token_urlsafe(48)
    new: dict[str, Callable[[], Any]] = {
        "jwt_secret": lambda: secret,
        "signing_key": _signing_key,
        "anon_key": lambda: _token("anon", secret),
        "service_role_key": lambda: _token("service_role", secret),
        "publishable_key": lambda: _opaque("publishable"),
        "secret_key": lambda: _opaque("secret"),
    }
    return Keys(
        **{each.name: known.get(each.name) or new[each.name]() for each in fields(Keys)}
    )


def _signing_key() -> dict[str, str]:
    key = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    return {**key, "kid": secrets.token_hex(16)}


def _token(role: str, secret: str) -> str:
    """An API key of the older format: a token of its role."""
    now = int(time.time())
    claims = {"iss": "supabase-demo", "role": role, "iat": now, "exp": now + _TEN_YEARS}
    return jwt.encode(claims, secret, algorithm="HS256")


def _opaque(kind: str) -> str:
    """An API key of the newer format: random characters, and a checksum."""
    random = f"sb_{kind}_{secrets.token_urlsafe(16)}"
    return f"{random}_{_base64(hashlib.sha256(random.encode()).digest())[:8]}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _keep(keys: Keys, path: Path) -> None:
    # A rename is atomic: a reader sees the old or the new file. mkstemp makes the file readable
    # for its owner alone.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(keys), file)
    Path(draft).replace(path)
