"""The tokens with which `tenantry prove` attacks the verification of tokens."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.environment import Environment
from support.unguarded import unguarded_data_api
from tenantry_cli.proof.forged_tokens import forged_tokens
from tenantry_cli.proof.identities import (
    FORGED_IDENTITIES,
    PUBLIC_KEY_WITH_KID,
    PUBLIC_KEY_WITHOUT_KID,
)
from tenantry_cli.proof.rules import Identity


def test_forged_tokens_are_refused_but_work_where_the_public_key_is_a_secret(
    environment: Environment,
) -> None:
    tenant = environment.tenant()
    published = environment.http.get("/auth/v1/.well-known/jwks.json").json()["keys"]
    claims = {"role": "service_role", "exp": int(time.time()) + 600}
    tokens = forged_tokens(published, claims)
    assert tokens.keys() == set(FORGED_IDENTITIES)

    def accepted(url: str) -> set[Identity]:
        answers = {
            identity: environment.http.get(
                f"{url}/tenants?limit=0", headers={"Authorization": f"Bearer {token}"}
            ).status_code
            for identity, token in tokens.items()
        }
        assert set(answers.values()) <= {200, 401}
        return {identity for identity, status in answers.items() if status == 200}

    assert accepted(environment.address.postgrest_url) == set()
    with unguarded_data_api(environment, tenant, verifying_keys=careless(published)) as url:
        assert accepted(url) == {PUBLIC_KEY_WITH_KID, PUBLIC_KEY_WITHOUT_KID}


def careless(published: list[dict[str, Any]]) -> str:
    """The keys of a project whose operator copied the public key as the JWT secret."""
    key = jwt.PyJWK(published[0]).key
    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secret = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
    return json.dumps({"keys": [*published, {"kty": "oct", "k": secret}]})


def test_project_that_publishes_no_key_is_tried_with_unknown_keys() -> None:
    tokens = forged_tokens([], {"role": "service_role"})
    misusing = {PUBLIC_KEY_WITH_KID, PUBLIC_KEY_WITHOUT_KID}
    assert tokens.keys() == set(FORGED_IDENTITIES) - misusing
    assert {jwt.get_unverified_header(token)["alg"] for token in tokens.values()} == {"ES256"}
