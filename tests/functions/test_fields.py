"""The shape of arguments: which arguments are refused before a call of the database."""

from collections.abc import Container, Iterator

import pytest
from werkzeug.test import Client

from support.callers import Start, User, document_examples
from support.upstream import Upstream, error, result

USER = "6f0c2b1e-7c0f-4b6e-9d5a-0a4f0a4c1c11"
ACCESS = {
    "user_id": USER,
    "schema_name": "acme",
    "access_level": "write",
    "expires_at": None,
    "granted_by": None,
    "granted_at": "2026-11-23T16:00:00+00:00",
    "roles": ["accountant"],
    "permissions": ["invoices.approve"],
    "support_reason": None,
}
PROFILE = {
    "id": USER,
    "email": None,
    "display_name": None,
    "role": "member",
    "metadata": {"nested": [1, 2.5, None, {"deep": True}]},
    "created_at": "2026-11-23T16:00:00+00:00",
    "updated_at": "2026-11-23T16:00:00+00:00",
    "is_active": True,
}
GRANT = {"schema_name": "acme", "user_id": USER}


@pytest.fixture
def admin(start: Start) -> User:
    return User(start("access_control"))


@pytest.fixture
def owner(start: Start) -> User:
    return User(start("user_profiles"))


def complaint(user: User, operation: str, arguments: object) -> str:
    reply = user.post(operation, arguments)
    assert reply.json is not None
    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    return str(reply.json["message"])


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"access_level": "write"},
        {"expires_at": None},
        {"expires_at": "2027-01-31T12:00:00Z"},
        {"expires_at": "2027-01-31T12:00:00.000001+05:30"},
    ],
)
def test_only_the_given_arguments_are_passed_on(
    admin: User, upstream: Upstream, extra: dict[str, object]
) -> None:
    upstream.will(result(ACCESS))
    assert admin.post("grant_schema_access", GRANT | extra).json == ACCESS
    assert upstream.received[0].body == GRANT | extra


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"user_id": USER}, 'grant_schema_access needs the argument "schema_name".'),
        (GRANT | {"x\n": 1}, '"x\\n" is not an argument of grant_schema_access.'),
        (GRANT | {"[0]": 1}, '"[0]" is not an argument of grant_schema_access.'),
        (GRANT | {"\ud800": 1}, "The name of an argument is not text."),
        (GRANT | {"schema_name": None}, '"schema_name"'),
        (GRANT | {"schema_name": 5}, '"schema_name"'),
        (GRANT | {"schema_name": "ac\0me"}, "NUL"),
        (GRANT | {"schema_name": "\udc00"}, "half a character"),
        (GRANT | {"user_id": "somebody"}, "UUID"),
        (GRANT | {"user_id": f"{USER}\0"}, "NUL"),
        (GRANT | {"access_level": "owner"}, '"access_level"'),
        (GRANT | {"access_level": None}, '"access_level"'),
        (GRANT | {"expires_at": "2027-01-31T12:00:00"}, "timezone"),
        (GRANT | {"expires_at": "2027-01-31"}, "zone"),
        (GRANT | {"expires_at": "tomorrow"}, "zone"),
        (GRANT | {"expires_at": 1800000000}, "zone"),
        (GRANT | {"expires_at": "1800000000"}, "zone"),
    ],
)
def test_arguments_of_the_wrong_shape_are_422_with_a_sentence(
    admin: User, upstream: Upstream, arguments: object, sentence: str
) -> None:
    assert sentence in complaint(admin, "grant_schema_access", arguments)
    assert upstream.received == []


def test_hint_lists_the_arguments_of_the_operation(admin: User) -> None:
    reply = admin.post("grant_schema_access", {})
    assert reply.json is not None
    assert reply.json["hint"] == (
        "The arguments of grant_schema_access: schema_name, user_id, access_level, expires_at,"
        " roles."
    )


COLUMN = {"name": "a", "type": "text"}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ([{"name": "a"}], '"columns[0]" in create_table needs the member "type".'),
        ([COLUMN, {}], '"columns[1]" in create_table needs the member "name".'),
        (
            [COLUMN, COLUMN | {"tpye": 1}],
            '"tpye" is not a member of "columns[1]" in create_table.',
        ),
        (
            [COLUMN | {'"].x\n\u202e': 1}],
            '"\\"].x\\n\\u202e" is not a member of "columns[0]" in create_table.',
        ),
        (
            [COLUMN | {"x" * 1000: 1}],
            f'"{"x" * 63}" is not a member of "columns[0]" in create_table.',
        ),
        (
            [COLUMN | {"type": 5}],
            'The argument "columns[0].type" of create_table does not fit:',
        ),
        ([COLUMN, "b text"], 'The argument "columns[1]" of create_table does not fit:'),
    ],
    ids=["missing", "missing second", "extra", "hostile", "long", "type", "no object"],
)
def test_message_names_the_member_and_the_entry(
    start: Start, upstream: Upstream, columns: object, sentence: str
) -> None:
    arguments = {"schema_name": "acme", "table_name": "orders", "columns": columns}
    reply = User(start("ddl_operations")).post("create_table", arguments)
    assert reply.json is not None
    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    assert reply.json["message"].startswith(sentence)
    assert reply.json["hint"].endswith(
        ": name, type, nullable, default, default_expression, primary_key, unique, identity."
    )
    assert upstream.received == []


@pytest.mark.parametrize("name", ["", "pg_catalog", 'x"; drop schema y', "Ünïcode", "x" * 99])
def test_names_are_checked_by_the_database_only(
    admin: User, upstream: Upstream, name: str
) -> None:
    upstream.will(result(ACCESS))
    assert admin.post("grant_schema_access", GRANT | {"schema_name": name}).status_code == 200
    assert upstream.received[0].body["schema_name"] == name


def nested(levels: int) -> object:
    value: object = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "metadata",
    [{}, PROFILE["metadata"], {"n": 10**30, "é": "\N{SNOWMAN}"}, nested(60)],
    ids=["empty", "nested", "large", "deep"],
)
def test_metadata_passes_unchanged(owner: User, upstream: Upstream, metadata: object) -> None:
    arguments = {"schema_name": "acme", "metadata": metadata}
    upstream.will(result(PROFILE | {"metadata": metadata}))
    reply = owner.post("update_user_profile", arguments)
    assert reply.json == PROFILE | {"metadata": metadata}
    assert upstream.received[0].body == arguments


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"a": ["b\0"]}, "NUL"),
        ({"a\0": 1}, "NUL"),
        ({"a": {"b": "\ud83d"}}, "half a character"),
        (nested(70), "nested"),
        (nested(700), "nested"),
        ([], '"metadata"'),
        ("{}", '"metadata"'),
    ],
    ids=["nul", "nul in a name", "surrogate", "deep", "deeper", "array", "text"],
)
def test_metadata_that_cannot_be_stored_is_422(
    owner: User, metadata: object, sentence: str
) -> None:
    arguments = {"schema_name": "acme", "metadata": metadata}
    assert sentence in complaint(owner, "update_user_profile", arguments)


# The database's limits of lengths, by the entry point and the name of the argument.
LENGTHS: dict[str, dict[str, tuple[int, int]]] = {
    "schema_management": {"display_name": (1, 200), "reason": (0, 1000)},
    "user_profiles": {"display_name": (0, 200), "role": (1, 100)},
    "ddl_operations": {"description": (0, 1000)},
    "access_control": {"description": (0, 1000), "message": (0, 1000), "reason": (3, 500)},
}


def texts(
    client: Client, names: Container[str]
) -> Iterator[tuple[str, dict[str, object], str]]:
    """Every operation of a group, with each argument that has one of these names or a limit."""
    document = client.get("/openapi.json").json
    assert document is not None
    examples = document_examples(client)
    for path, item in document["paths"].items():
        if "post" in item:
            content = item["post"]["requestBody"]["content"]["application/json"]
            _, _, model = content["schema"]["$ref"].rpartition("/")
            name = path.removeprefix("/")
            fields = document["components"]["schemas"][model]["properties"]
            for argument, schema in fields.items():
                if argument in names or "maxLength" in schema:
                    yield name, examples[name][0], argument


@pytest.mark.parametrize("target", LENGTHS)
def test_text_has_the_limits_of_the_database(
    start: Start, upstream: Upstream, target: str
) -> None:
    client = start(target)
    user = User(client)
    limited = list(texts(client, LENGTHS[target]))
    assert {argument for _, _, argument in limited} == LENGTHS[target].keys()
    for operation, arguments, argument in limited:
        shortest, longest = LENGTHS[target][argument]
        # The limit counts characters, not bytes.
        for length in (shortest, longest):
            fits = arguments | {argument: "\N{SNOWMAN}" * length}
            upstream.will(error(404, "PT404", details="tenant_not_found"))
            assert user.post(operation, fits).status_code == 404
            assert upstream.received[-1].body == fits
        said = complaint(user, operation, arguments | {argument: "x" * (longest + 1)})
        assert f'"{argument}" of {operation} does not fit' in said
        assert f"at most {longest} characters" in said
        if shortest:
            assert f"at least {shortest} character" in complaint(
                user, operation, arguments | {argument: "x" * (shortest - 1)}
            )


def test_texts_of_other_groups_have_no_limit(start: Start, entry_point: str) -> None:
    # The document of all groups has other paths.
    if entry_point not in {*LENGTHS, "openapi"}:
        assert list(texts(start(entry_point), ())) == []


def test_operation_without_arguments_refuses_an_argument(start: Start) -> None:
    user = User(start("tenant_status"))
    assert "not an argument" in complaint(user, "list_my_tenants", {"schema_name": "acme"})


@pytest.mark.parametrize(
    ("target", "operation", "arguments"),
    [
        ("audit_log", "get_admin_audit_log", {"page_size": "5"}),
        ("audit_log", "get_admin_audit_log", {"page_size": True}),
        ("audit_log", "get_admin_audit_log", {"before_id": "5"}),
        ("tenant_migrations", "list_tenants_behind", {"page_size": "5"}),
        (
            "ddl_operations",
            "add_column",
            {
                "schema_name": "acme",
                "table_name": "orders",
                "column_name": "note",
                "column_type": "text",
                "is_nullable": "yes",
            },
        ),
    ],
)
def test_text_is_not_accepted_as_a_number_or_boolean(
    start: Start, target: str, operation: str, arguments: dict[str, object]
) -> None:
    *_, name = arguments
    assert f'"{name}"' in complaint(User(start(target)), operation, arguments)
