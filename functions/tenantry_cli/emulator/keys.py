"""The secrets of the project: the JWT secret, and two API keys that it signs."""

import json
import os
import secrets
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import jwt

_TEN_YEARS = 10 * 365 * 24 * 3600


@dataclass(frozen=True)
class Keys:
    jwt_secret: str
    anon_key: str
    service_role_key: str


def load_keys(state: Path) -> Keys:
    """The keys in the folder `state`. Created once; only their owner can read them."""
    path = state / "keys.json"
    if not path.exists():
        _keep(_new_keys(), path)
    return Keys(**json.loads(path.read_text()))


def _new_keys() -> Keys:
    secret = secrets.token_urlsafe(48)
    return Keys(secret, _api_key("anon", secret), _api_key("service_role", secret))


def _api_key(role: str, secret: str) -> str:
    now = int(time.time())
    claims = {"iss": "supabase-demo", "role": role, "iat": now, "exp": now + _TEN_YEARS}
    return jwt.encode(claims, secret, algorithm="HS256")


def _keep(keys: Keys, path: Path) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(keys), file)
        # Two emulators may start at once. A link fails if the file exists, unlike a rename, so
        # the keys of the first emulator stay.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
