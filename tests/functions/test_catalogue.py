"""The catalogue and the models agree with the functions in the database."""

import importlib
import re
from typing import Any, get_args, get_origin

import psycopg
from psycopg.rows import dict_row

from support.callers import Start
from support.groups import operations
from support.model_fields import KINDS, Column, fields
from tenantry.catalogue import catalogue

ENUMS = """
    select format_type(enumtypid, null) as type,
           string_agg(enumlabel, ', ' order by enumsortorder) as labels
    from pg_catalog.pg_enum
    -- No operation returns a tenant of the pool.
    where enumlabel <> 'pooled'
    group by enumtypid
"""

ARGUMENTS = """
    select argument.name, format_type(argument.type, null) as type,
           argument.position > p.pronargs - p.pronargdefaults as has_default
    from pg_catalog.pg_proc as p
    cross join lateral unnest(
        p.proargnames[:p.pronargs], p.proargtypes::oid[]
    ) with ordinality as argument(name, type, position)
    where p.oid = %s::regproc
    order by argument.position
"""

COLUMNS = """
    select a.attname as name, format_type(a.atttypid, null) as type, a.attnum as position
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_type as t on t.oid = p.prorettype
    join pg_catalog.pg_attribute as a
        on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    where p.oid = %(function)s::regproc
    union all
    select output.name, format_type(output.type, null), output.position
    from pg_catalog.pg_proc as p
    cross join lateral unnest(
        p.proargnames, p.proallargtypes, p.proargmodes
    ) with ordinality as output(name, type, mode, position)
    where p.oid = %(function)s::regproc and output.mode in ('t', 'o')
    order by position
"""

Database = psycopg.Connection[Any]


def rows(database: Database, query: str, parameters: Any) -> list[dict[str, Any]]:
    with database.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def described(database: Database, columns: list[dict[str, Any]]) -> list[Column]:
    enums = {enum["type"]: enum["labels"] for enum in rows(database, ENUMS, None)}
    return [Column(column["name"], (KINDS | enums)[column["type"]]) for column in columns]


def test_arguments_are_the_parameters_of_the_functions(
    start: Start, database: Database, entry_point: str
) -> None:
    for name, operation in operations(start, entry_point).items():
        parameters = rows(database, ARGUMENTS, [f"public.{name}"])
        assert fields(operation.arguments) == described(database, parameters), name
        optional = {row["name"] for row in parameters if row["has_default"]}
        required = {
            field
            for field, info in operation.arguments.model_fields.items()
            if info.is_required()
        }
        assert required == {row["name"] for row in parameters} - optional, name


def test_results_have_the_columns_of_the_functions(
    start: Start, database: Database, entry_point: str
) -> None:
    for name, operation in operations(start, entry_point).items():
        (function,) = rows(
            database,
            "select proretset as many from pg_catalog.pg_proc where oid = %s::regproc",
            [f"public.{name}"],
        )
        assert function["many"] == (get_origin(operation.returns) is list), name
        row = get_args(operation.returns)[0] if function["many"] else operation.returns
        columns = rows(database, COLUMNS, {"function": f"public.{name}"})
        assert fields(row) == described(database, columns), name


def test_catalogue_agrees_with_the_functions_of_the_database(database: Database) -> None:
    functions = {
        row["name"]: row
        for row in rows(
            database,
            "select proname as name, proretset as returns_set, provolatile <> 'v' as is_stable,"
            " obj_description(oid, 'pg_proc') as comment"
            " from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace",
            None,
        )
    }
    assert catalogue().keys() == functions.keys()
    for name, entry in catalogue().items():
        callers, errors = ", ".join(entry.callers), ", ".join(entry.errors)
        prose = " ".join(filter(None, (entry.summary, entry.description)))
        comment = f"{prose} Callers: {callers}. Errors: {errors}."
        assert functions[name] == {
            "name": name,
            "returns_set": entry.returns_set,
            "is_stable": entry.is_stable,
            "comment": comment,
        }
        parameters = rows(database, ARGUMENTS, [f"public.{name}"])
        assert [(each.name, each.default is not None) for each in entry.parameters] == [
            (row["name"], row["has_default"]) for row in parameters
        ]
        types = [each.type.removeprefix("public.") for each in entry.parameters]
        assert types == [row["type"] for row in parameters]


LENGTHS = {
    "tenants_display_name_length": [
        ("schema_management", "CreateTenantSchema", "display_name"),
        ("schema_management", "RenameTenant", "display_name"),
    ],
    "tenants_suspension_reason_length": [("schema_management", "SuspendTenant", "reason")],
    "users_display_name_length": [
        ("user_profiles", "EnsureUserProfile", "display_name"),
        ("user_profiles", "CreateUserProfile", "display_name"),
        ("user_profiles", "UpdateUserProfile", "display_name"),
    ],
    "users_role_length": [("user_profiles", "CreateUserProfile", "role")],
}


def test_limits_of_texts_are_those_of_the_tables(start: Start, database: Database) -> None:
    start("openapi")
    constraints = rows(
        database,
        "select conname as name, pg_get_constraintdef(oid) as definition"
        " from pg_catalog.pg_constraint where conname like %s and conrelid in"
        " ('public.tenants'::regclass, 'tenant_template.users'::regclass)",
        ["%%_length"],
    )
    assert {constraint["name"] for constraint in constraints} == LENGTHS.keys()
    for constraint in constraints:
        taken = [
            int(bound[0])
            if (bound := re.findall(rf"{sign} (\d+)", constraint["definition"]))
            else None
            for sign in (">=", "<=")
        ]
        for module, name, field in LENGTHS[constraint["name"]]:
            model = getattr(importlib.import_module(f"tenantry.{module}"), name)
            schema = model.model_json_schema()["properties"][field]
            text = schema.get("anyOf", [schema])[0]
            assert [text.get("minLength"), text.get("maxLength")] == taken, (name, field)


def test_fields_that_may_be_null_are_those_of_the_table(
    start: Start, database: Database
) -> None:
    start("schema_management")
    tables = {
        "public.tenants": ("schema_management", "Tenant"),
        "public.admin_users": ("access_control", "AdminUser"),
        "public.user_schema_access": ("access_control", "SchemaAccess"),
    }
    for table, (module, model) in tables.items():
        nullable = {
            row["name"]
            for row in rows(
                database,
                "select attname as name from pg_catalog.pg_attribute"
                " where attrelid = %s::regclass and attnum > 0"
                " and not attisdropped and not attnotnull",
                [table],
            )
        }
        result = getattr(importlib.import_module(f"tenantry.{module}"), model)
        schema = result.model_json_schema(mode="serialization")["properties"]
        assert {name for name, field in schema.items() if "anyOf" in field} == nullable, table
