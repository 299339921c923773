"""What the database refuses with: the table of sql/CONVENTIONS.md, for readers of the OpenAPI
document.
"""

from typing import NamedTuple


class Refusal(NamedTuple):
    status: int
    when: str


REFUSALS = {
    "invalid_schema_name": Refusal(
        400,
        "the name is not 3–63 of a–z, 0–9, `_` with a letter first, or is reserved",
    ),
    "invalid_identifier": Refusal(
        400,
        "a table, column or constraint name is not 1–63 of a–z, 0–9, `_` with a letter "
        "first, or is the name of a type or a system column",
    ),
    "invalid_column_type": Refusal(
        400,
        "not a type of the allow-list, or one that cannot do what is asked of it",
    ),
    "invalid_default": Refusal(
        400,
        "the default does not fit the column's type, or is an expression not allowed",
    ),
    "not_authenticated": Refusal(401, "no valid token of a user or of the service"),
    "forbidden": Refusal(403, "known here, but without the level or role this needs"),
    "tenant_suspended": Refusal(403, "a member of a tenant that is suspended"),
    "tenant_not_found": Refusal(404, "no such tenant, or none the caller may know of"),
    "user_not_found": Refusal(404, "no such user in Auth, or none with something to revoke"),
    "profile_not_found": Refusal(404, "the user has no profile in this tenant"),
    "table_not_found": Refusal(404, "the tenant has no such table"),
    "column_not_found": Refusal(404, "the table has no such column"),
    "constraint_not_found": Refusal(404, "the table has no such foreign key"),
    "tenant_exists": Refusal(409, "the schema name is taken by a tenant"),
    "schema_exists": Refusal(409, "the schema name is taken by a schema that is no tenant"),
    "tenant_active": Refusal(409, "only a suspended tenant can be deleted"),
    "profile_exists": Refusal(409, "the user has a profile in this tenant already"),
    "last_super_admin": Refusal(409, "the platform would be left without a super_admin"),
    "own_grant": Refusal(409, "nobody changes their own grant, except to drop it"),
    "table_exists": Refusal(409, "the tenant has something of that name already"),
    "column_exists": Refusal(409, "the table has, or would have twice, a column of that name"),
    "constraint_exists": Refusal(409, "the column has a foreign key to that column already"),
    "table_limit": Refusal(409, "the tenant has as many tables as the platform allows"),
    "table_not_empty": Refusal(409, "existing rows would have no value in the new column"),
    "protected_table": Refusal(
        409,
        "a table, column or key that the template brings and no tenant changes",
    ),
    "has_dependents": Refusal(
        409,
        "others depend on it, and nothing cascades; the message names them",
    ),
    "foreign_key_violation": Refusal(409, "existing rows point at nothing"),
    "foreign_key_target": Refusal(
        409,
        "the column pointed at is neither a primary key nor unique",
    ),
    "invalid_request": Refusal(422, "the arguments have the wrong shape"),
    "busy": Refusal(503, "deadlock, lock wait over, or statement cancelled; try again"),
}
