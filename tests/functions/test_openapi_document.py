"""The OpenAPI documents are valid and complete, and agree with the database's comments."""

import importlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import psycopg
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.callers import Start
from support.environment import GROUPS
from support.raised_errors import answered_by_functions
from tenantry.errors import ERROR_CODES

# The errors that a function adds to those of the database.
ADDED = {
    (400, "invalid_json"),
    (400, "invalid_request"),
    (401, "not_authenticated"),
    (403, "forbidden"),
    (413, "payload_too_large"),
    (413, "reply_too_large"),
    (422, "invalid_request"),
    (500, "internal_error"),
    (502, "upstream_error"),
    (503, "upgrade_needed"),
    (503, "busy"),
    (504, "upstream_timeout"),
}

Json = dict[str, Any]


def document(start: Start, target: str = "openapi", **changed: str) -> Json:
    reply = start(target, **changed).get("/openapi.json")
    assert (reply.status_code, reply.content_type) == (200, "application/json")
    assert isinstance(reply.json, dict)
    return reply.json


def posts(openapi: Json) -> dict[str, Json]:
    """The operations that are not health checks, by path."""
    return {path: item["post"] for path, item in openapi["paths"].items() if "post" in item}


def errors(operation: Json) -> set[tuple[int, str]]:
    return {
        (int(status), code)
        for status, reply in operation["responses"].items()
        if status != "200"
        for code in re.findall(r"^- `(\w+)`: ", reply["description"], re.MULTILINE)
    }


def parts(value: Any) -> Iterator[Json]:
    """Every object within a document, and the document itself."""
    if isinstance(value, dict):
        yield value
    for member in value.values() if isinstance(value, dict) else value:
        if isinstance(member, dict | list):
            yield from parts(member)


def comments(database: psycopg.Connection[dict[str, Any]]) -> dict[str, str]:
    rows = database.execute(
        "select proname, obj_description(oid, 'pg_proc') as comment"
        " from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace"
    )
    return {row["proname"]: row["comment"] for row in rows}


def test_document_is_valid_and_has_the_groups_operations(
    start: Start, entry_point: str
) -> None:
    openapi = document(start, entry_point)
    assert list(OpenAPIV31SpecValidator(openapi).iter_errors()) == []
    name = entry_point.replace("_", "-")
    expected = {
        f"/{group}/{operation}" if entry_point == "openapi" else f"/{operation}"
        for operation, group in GROUPS.items()
        if name in {group, "openapi"}
    }
    assert posts(openapi).keys() == expected
    # The document also has one health check for each group.
    groups = set(GROUPS.values()) if entry_point == "openapi" else {name}
    gets = {path for path, item in openapi["paths"].items() if "get" in item}
    assert gets == {f"/{group}" if entry_point == "openapi" else "/" for group in groups}
    ids = [each["operationId"] for item in openapi["paths"].values() for each in item.values()]
    assert len(ids) == len(set(ids)) == len(expected) + len(groups)


def test_operations_have_the_comments_of_their_database_functions(
    start: Start, database: psycopg.Connection[dict[str, Any]]
) -> None:
    said = comments(database)
    for operation in posts(document(start)).values():
        name = operation["operationId"]
        sentences, _, codes = said[name].rpartition(" Errors: ")
        assert f"{operation['summary']} {operation['description']}" == sentences, name
        refusals = {
            each for each in answered_by_functions() if each[1] in re.findall(r"\w+", codes)
        }
        assert errors(operation) == refusals | ADDED, name
        assert re.fullmatch(r"[^.]+\.", operation["summary"]), name


def test_errors_are_described_as_in_the_table(start: Start) -> None:
    for operation in posts(document(start)).values():
        for error in ERROR_CODES:
            if (error.status, error.code) in errors(operation):
                described = operation["responses"][str(error.status)]["description"]
                line = f"- `{error.code}`: {error.when} {error.remedy}"
                assert line in described.splitlines()


def test_examples_fit_their_schemas(start: Start) -> None:
    openapi = document(start)

    def complaints(content: Json) -> list[str]:
        schema = content["schema"] | {"components": openapi["components"]}
        validator = OAS31Validator(schema, format_checker=oas31_format_checker)
        return [error.message for error in validator.iter_errors(content["example"])]

    for path, item in openapi["paths"].items():
        for operation in item.values():
            asked = operation.get("requestBody")
            contents = [asked] if asked else []
            for part in (*contents, operation["responses"]["200"]):
                assert complaints(part["content"]["application/json"]) == [], path


def test_operations_share_their_error_replies(start: Start) -> None:
    openapi = document(start)
    replies = openapi["components"]["responses"]
    for item in openapi["paths"].values():
        for operation in item.values():
            for status, reply in operation["responses"].items():
                if status != "200":
                    assert reply.keys() == {"$ref", "description"}
                    assert reply["$ref"].rpartition("/")[2] in replies
    codes = {each.code for each in ERROR_CODES if not each.data_api_only}
    assert {*openapi["components"]["schemas"]["ErrorCode"]["enum"]} == codes
    for reply in replies.values():
        content = reply["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Error"}
        assert content["example"]["code"] in codes


def test_documents_have_the_components_that_they_use(start: Start, entry_point: str) -> None:
    openapi = document(start, entry_point)
    used = {part["$ref"] for part in parts(openapi) if "$ref" in part}
    used.add("#/components/securitySchemes/bearer")
    assert used == {
        f"#/components/{kind}/{name}"
        for kind, named in openapi["components"].items()
        for name in named
    }


def test_schemas_have_the_form_that_generators_understand(start: Start) -> None:
    schemas = document(start)["components"]["schemas"]
    for name, schema in schemas.items():
        for member in schema.get("properties", {}).values():
            # A generator makes a member with a default a required argument.
            assert "default" not in member, name
            # Two types of which one is null are a list of types.
            types = member.get("anyOf", [])
            assert {"type": "null"} not in types or "$ref" in types[0], name
            # A set of values has a name of its own.
            assert "enum" not in member, name
            if member.get("type") == "object":
                assert member.get("additionalProperties") is None, name
    described = schemas["ListMyTenants"]["properties"]["page_size"]["description"]
    assert described.endswith("Default: `200`.")
    assert schemas["AccessLevel"]["enum"] == ["read", "write", "admin"]


def test_every_path_except_health_requires_a_token(start: Start) -> None:
    openapi = document(start)
    (scheme,) = openapi["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for item in openapi["paths"].values():
        for method, operation in item.items():
            security = operation.get("security", openapi["security"])
            assert security == ([] if method == "get" else [{"bearer": []}])


@pytest.mark.parametrize(
    ("target", "found", "path", "url"),
    [
        (
            "tenant_status",
            "https://a.run.app/openapi.json",
            "/get_tenant_info",
            "https://a.run.app/get_tenant_info",
        ),
        (
            "tenant_status",
            "https://example.com/f/tenant-status/openapi.json",
            "/get_tenant_info",
            "https://example.com/f/tenant-status/get_tenant_info",
        ),
        (
            "openapi",
            "https://example.com/f/openapi/openapi.json",
            "/tenant-status/get_tenant_info",
            "https://example.com/f/tenant-status/get_tenant_info",
        ),
    ],
)
def test_server_is_relative_to_the_address_of_the_document(
    start: Start, target: str, found: str, path: str, url: str
) -> None:
    openapi = document(start, target)
    assert path in openapi["paths"]
    (server,) = openapi["servers"]
    assert urljoin(found, server["url"]).rstrip("/") + path == url


@pytest.mark.parametrize(
    ("target", "server"),
    [
        ("tenant_status", "https://example.com/f/tenant-status"),
        ("openapi", "https://example.com/f"),
    ],
)
def test_server_is_the_configured_address(start: Start, target: str, server: str) -> None:
    openapi = document(start, target, TENANTRY_FUNCTIONS_URL="https://example.com/f/")
    assert openapi["servers"] == [{"url": server}]


def test_openapi_documents_every_entry_point_of_main(start: Start, entry_point: str) -> None:
    start("openapi")
    group = importlib.import_module(f"tenantry.{entry_point}").GROUP
    openapi = importlib.import_module("tenantry.openapi").GROUP
    assert (group in openapi.documents) == (entry_point != "openapi")
