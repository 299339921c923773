"""`tenantry generate`: writes the generated files, or checks them."""

from collections.abc import Mapping
from pathlib import Path

import click
import psycopg

from tenantry_cli.errors import TenantryError
from tenantry_cli.generate.baseline import baseline_path, baseline_text, present_sources
from tenantry_cli.generate.catalogue import catalogue_text, operation_sources, read_catalogue
from tenantry_cli.generate.database import empty_database
from tenantry_cli.generate.objects import objects_path, objects_text
from tenantry_cli.generate.privileges import (
    privileges_path,
    privileges_text,
    signatures_path,
    signatures_text,
)
from tenantry_cli.generate.release import release_path, release_text
from tenantry_cli.generate.tables import marked_readmes, with_tables
from tenantry_cli.project import Project, find_project
from tenantry_cli.sources import apply_sources


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is out of date.")
def generate(check: bool) -> None:
    """Write the generated files again, for work on Tenantry itself.

    They follow from sql/ and from the table of errors of the functions.
    """
    project = find_project()
    outdated = {
        path: text
        for path, text in generated_files(project).items()
        if not path.exists() or path.read_text() != text
    }
    names = ", ".join(str(path.relative_to(project.root)) for path in outdated)
    if check and outdated:
        raise TenantryError(f"Out of date: {names}. Run `tenantry generate`.")
    for path, text in outdated.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    click.echo(f"Wrote {names}." if outdated else "Every generated file is up to date.")


def generated_files(project: Project) -> Mapping[Path, str]:
    """The text of each generated file."""
    # First what needs no database, which takes a second.
    readmes = marked_readmes(project)
    operations = operation_sources(project)
    with empty_database() as url:
        entries = read_catalogue(project, operations, url)
        files = {
            project.functions / "tenantry" / "catalogue.json": catalogue_text(entries),
            privileges_path(project): privileges_text(entries),
            signatures_path(project): signatures_text(entries),
            release_path(project): release_text(),
            **with_tables(readmes, entries),
        }
        # The SQL files are a part of the baseline, so they come first.
        sources = present_sources(project, files)
        with psycopg.connect(url) as session:
            apply_sources(session, sources.items())
            files[objects_path(project)] = objects_text(session)
    baseline = baseline_path(project)
    if baseline is not None:
        files[baseline] = baseline_text(sources)
    return files
