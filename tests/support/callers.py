"""Callers of the functions."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import Client, TestResponse

Start = Callable[..., Client]
"""Starts the named group with the usual variables, some of them replaced."""


def token(**claims: object) -> str:
    """A token with the format of Supabase's tokens and an invalid signature."""

    def encoded(value: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}.c2lnbmF0dXJl"


@dataclass(frozen=True)
class User:
    """A caller of a started group."""

    client: Client
    token: str = field(default_factory=lambda: token(sub="a-user", role="authenticated"))

    def post(self, operation: str, arguments: object = None, **headers: str) -> TestResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            f"/{operation}",
            data=json.dumps({} if arguments is None else arguments),
            headers={"Authorization": f"Bearer {self.token}", **given},
        )


def document_examples(client: Client) -> dict[str, tuple[Any, Any]]:
    """The example request and reply of each operation that the started group documents."""
    return examples_of(client.get("/openapi.json").json)


def examples_of(document: Any) -> dict[str, tuple[Any, Any]]:
    """The example request and reply of each operation in an OpenAPI document."""
    posts = [item["post"] for item in document["paths"].values() if "post" in item]
    return {
        post["operationId"]: (_example(post["requestBody"]), _example(post["responses"]["200"]))
        for post in posts
    }


def _example(body: Any) -> Any:
    return body["content"]["application/json"]["example"]
