"""Tokens that an attacker signs who knows what the project publishes: its public keys.

Each confuses a server that verifies tokens with more than one key or algorithm.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from tenantry_cli.proof.identities import (
    KEY_IN_HEADER,
    PUBLIC_KEY_WITH_KID,
    PUBLIC_KEY_WITHOUT_KID,
    UNKNOWN_KEY,
    WITHOUT_KID,
    WRONG_KID,
)
from tenantry_cli.proof.rules import Identity


def forged_tokens(
    published: list[dict[str, Any]], claims: Mapping[str, Any]
) -> dict[Identity, str]:
    """A token of each kind. Without a published key, those that misuse one are left out."""
    own = ec.generate_private_key(ec.SECP256R1())
    own_public = ECAlgorithm.to_jwk(own.public_key(), as_dict=True)
    known = next((key for key in published if key.get("kty") in ("EC", "RSA", "OKP")), {})
    kid = str(known.get("kid", secrets.token_hex(16)))

    def signed(headers: dict[str, Any]) -> str:
        return jwt.encode(dict(claims), own, "ES256", headers)

    tokens = {
        UNKNOWN_KEY: signed({"kid": kid}),
        WRONG_KID: signed({"kid": secrets.token_hex(16)}),
        WITHOUT_KID: signed({}),
        KEY_IN_HEADER: signed({"jwk": own_public}),
    }
    if known:
        text = jwt.PyJWK(known).key.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        tokens[PUBLIC_KEY_WITH_KID] = _with_secret(text, {"kid": kid}, claims)
        tokens[PUBLIC_KEY_WITHOUT_KID] = _with_secret(text, {}, claims)
    return tokens


def _with_secret(secret: bytes, headers: dict[str, str], claims: Mapping[str, Any]) -> str:
    """A token signed with HS256. PyJWT refuses a public key as the secret."""
    parts = [{"alg": "HS256", "typ": "JWT", **headers}, claims]
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_base64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
