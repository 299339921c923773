"""The folders of test modules, and what the modules may import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
# `python -m tests.bench` is a program, which imports its own modules.
MODULES = [
    path.relative_to(TESTS)
    for path in TESTS.rglob("*.py")
    if path.relative_to(TESTS).parts[0] != "bench"
]
FOLDERS = {path.name for path in TESTS.iterdir() if path.is_dir()}


def imports(module: Path) -> Iterator[str]:
    """The names of all modules that a module imports."""
    for node in ast.walk(ast.parse((TESTS / module).read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=name, names=names, level=level):
                yield from (f"{'.' * level}{name or ''}.{each.name}" for each in names)


def is_of_the_tests(name: str) -> bool:
    """Whether an imported name leads into a test module or a folder of tests."""
    first, *others = name.split(".")
    path = TESTS / first
    is_folder = first in FOLDERS - {"support"} and any(
        (path / other).exists() or (path / f"{other}.py").exists() for other in others
    )
    return (
        is_folder
        or first in ("", "tests", "conftest")
        or any(part.startswith("test_") for part in (first, *others))
    )


def test_tests_import_shared_modules_from_support_alone() -> None:
    assert len(MODULES) > 50
    found = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        if is_of_the_tests(name)
    ]
    assert found == []


def test_imports_of_test_modules_are_recognised() -> None:
    """The positive control of the test above."""
    for name in (
        "sql.test_errors.catalogue",
        "functions.conftest.start",
        "tests.support.waiting.until",
        "conftest.soak",
        ".test_errors.catalogue",
    ):
        assert is_of_the_tests(name), name
    for name in ("support.waiting.until", "psycopg.sql.SQL", "tenantry.errors"):
        assert not is_of_the_tests(name), name


def test_modules_without_tests_are_in_support() -> None:
    elsewhere = [
        str(module)
        for module in MODULES
        if module.parts[0] != "support"
        and module.name != "conftest.py"
        and not module.name.startswith("test_")
    ]
    assert elsewhere == []


def test_folders_of_tests_are_no_packages() -> None:
    packages = {path.parent.relative_to(TESTS).parts[0] for path in TESTS.rglob("__init__.py")}
    assert packages == {"bench", "support"}
