"""How `tenantry prove` sends its requests, and which of them it repeats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import responses

from tenantry_cli.errors import TenantryError
from tenantry_cli.proof import transport as transport_module
from tenantry_cli.proof.transport import Request, Transport

URL = "https://project.example/rest/v1/rpc/suspend_tenant"
CALL = Request("POST", URL, (("Authorization", "Bearer token"),), {"schema_name": "acme"})


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as upstream:
        yield upstream


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(None)
    yield transport
    transport.close()


def test_request_is_sent_with_its_headers_and_body(
    upstream: responses.RequestsMock, transport: Transport
) -> None:
    upstream.post(URL, json=[1, 2], headers={"Content-Range": "0-1/2"})

    reply = transport.send(CALL)

    assert (reply.status, reply.json, reply.content_range) == (200, [1, 2], "0-1/2")
    sent = upstream.calls[0].request
    assert sent.headers["Authorization"] == "Bearer token"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.body == b'{"schema_name": "acme"}'


@pytest.mark.parametrize("status", [429, 503])
def test_busy_call_is_repeated_and_the_last_reply_counts(
    upstream: responses.RequestsMock, transport: Transport, status: int
) -> None:
    for _ in range(8):
        upstream.post(URL, status=status)
    upstream.post(URL, status=204)

    assert transport.send(CALL).status == 204
    assert len(upstream.calls) == 9


@pytest.mark.parametrize("status", [429, 503])
def test_call_that_stays_busy_has_its_last_status(
    upstream: responses.RequestsMock, transport: Transport, status: int
) -> None:
    busy = upstream.post(URL, status=status)

    assert transport.send(CALL).status == status
    assert busy.call_count == 9


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502, 504])
def test_reply_with_another_status_counts_at_once(
    upstream: responses.RequestsMock, transport: Transport, status: int
) -> None:
    reply = upstream.post(URL, status=status)

    assert transport.send(CALL).status == status
    assert reply.call_count == 1


def test_call_is_repeated_after_three_broken_connections(
    upstream: responses.RequestsMock, transport: Transport
) -> None:
    for _ in range(3):
        upstream.post(URL, body=requests.ConnectionError("reset"))
    upstream.post(URL, json=[])

    assert transport.send(CALL).status == 200


def test_call_fails_after_four_broken_connections(
    upstream: responses.RequestsMock, transport: Transport
) -> None:
    broken = upstream.post(URL, body=requests.ConnectionError("reset"))

    with pytest.raises(TenantryError, match="does not answer: the connection failed"):
        transport.send(CALL)
    assert broken.call_count == 4


def test_call_waits_until_the_schemas_are_read(
    upstream: responses.RequestsMock, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the schemas of many tenants takes longer than a tenant is locked."""
    pauses: list[float] = []
    for name in ("_RETRY_BUSY", "_RETRY_LOADING"):
        monkeypatch.setattr(
            transport_module, name, getattr(transport_module, name).copy(sleep=pauses.append)
        )
    loading = {
        "code": "PGRST002",
        "message": "Could not query the database for the schema cache.",
    }
    for _ in range(40):
        upstream.post(URL, status=503, json=loading)
    upstream.post(URL, json=[])

    assert transport.send(CALL).status == 200
    assert len(upstream.calls) == 41
