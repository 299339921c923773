"""Projects of one test: a small migration, two functions, and a path with a space."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.trial import Trial, free_port
from tenantry_cli.emulator.stack import Stack


@pytest.fixture
def trial() -> Iterator[Trial]:
    """A new project to run `tenantry` in. Remaining processes are ended after the test."""
    with _trial() as trial:
        yield trial


@pytest.fixture(scope="module")
def own_project() -> Iterator[Trial]:
    """A project that the tests of one module share."""
    with _trial() as trial:
        yield trial


@pytest.fixture(scope="session")
def small_stack() -> Iterator[Stack]:
    """A running emulator of such a project, for tests that change nothing."""
    with _trial() as trial, Stack.start(trial.project, port=None, ephemeral=True) as stack:
        yield stack


@contextmanager
def _trial() -> Iterator[Trial]:
    # Not tmp_path: as root, PostgreSQL runs as another user, who has to reach the folder.
    directory = Path(tempfile.mkdtemp(prefix="tenantry trial "))
    directory.chmod(0o711)
    trial = Trial(directory, free_port())
    try:
        trial.write("supabase/migrations/20260101000000_create_notes.sql", _MIGRATION)
        trial.write("supabase/config.toml", _CONFIG)
        trial.write("functions/main.py", _FUNCTIONS)
        yield trial
    finally:
        trial.end()
        shutil.rmtree(directory)


_CONFIG = """
project_id = "trial"

[auth]
site_url = "https://app.example"
enable_anonymous_sign_ins = true
additional_redirect_urls = ["https://*.preview.example/**"]
"""

_MIGRATION = """
create table public.notes (id integer primary key);
grant select on public.notes to anon;
create function public.my_role() returns text stable return current_setting('role');
"""

_FUNCTIONS = '''
import os

import httpx

__all__ = ["first_group", "second_group"]

client = httpx.Client()


def first_group(request):
    if request.path == "/long":
        return {"long": "x" * 5_000_000}
    if request.path == "/body":
        return {"body": request.get_data().hex()}
    return {"group": "first", "path": request.path}


def second_group(request):
    """Calls the Data API, as every real function does."""
    key = os.environ["SUPABASE_ANON_KEY"]
    url = os.environ["SUPABASE_URL"] + "/rest/v1/notes"
    return {"notes": client.get(url, headers={"apikey": key}).json()}
'''
