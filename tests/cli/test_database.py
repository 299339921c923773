"""A database that cannot be used is named in one sentence, without its password."""

from __future__ import annotations

import pytest

from support.environment import Address
from tenantry_cli.database import open_database
from tenantry_cli.errors import TenantryError


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("postgres:postgres@", "postgres:secret@", "refuses the password of the user postgres"),
        ("postgres:postgres@", "nobody:secret@", "refuses the password of the user nobody"),
        ("/postgres", "/absent", 'accepts no session: database "absent" does not exist'),
        ("127.0.0.1:", "database.invalid:", "has a host name that does not exist"),
        ("postgresql://", "http://", "is no URL of a database"),
        ("postgresql://postgres:postgres@", "secret", "is no URL of a database"),
    ],
)
def test_refused_session_is_one_sentence(
    address: Address, right: str, wrong: str, sentence: str
) -> None:
    with pytest.raises(TenantryError) as refused:
        open_database(wrong.join(address.db_url.rsplit(right, 1)))

    assert sentence in str(refused.value)
    assert "--db-url (or SUPABASE_DB_URL)" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_closed_port_is_named() -> None:
    with pytest.raises(TenantryError, match="does not answer, because no server listens"):
        open_database("postgresql://postgres:secret@127.0.0.1:9/postgres")


def test_right_url_is_accepted(address: Address) -> None:
    with open_database(address.db_url) as database:
        assert database.execute("select 1").fetchone() == (1,)
