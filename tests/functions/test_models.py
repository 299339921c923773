"""The models in Python agree with the catalogue. No database is needed."""

from __future__ import annotations

from support.callers import Start
from support.groups import operations
from support.model_fields import KINDS, fields
from tenantry.catalogue import catalogue


def test_catalogue_has_the_operations_that_the_groups_declare(
    start: Start, entry_point: str
) -> None:
    declared = operations(start, entry_point).keys()
    group = entry_point.replace("_", "-")
    assert declared == {name for name, entry in catalogue().items() if entry.group == group}


def test_arguments_are_the_parameters_of_the_catalogue(start: Start, entry_point: str) -> None:
    for name, operation in operations(start, entry_point).items():
        parameters = catalogue()[name].parameters
        arguments = fields(operation.arguments)
        assert [each.name for each in arguments] == [each.name for each in parameters], name
        for argument, parameter in zip(arguments, parameters, strict=True):
            # Only the database has the labels of an enumeration.
            if parameter.type in KINDS:
                assert argument.kind == KINDS[parameter.type], (name, argument.name)
        required = {
            field
            for field, info in operation.arguments.model_fields.items()
            if info.is_required()
        }
        assert required == {each.name for each in parameters if each.default is None}, name
