"""bandit checks the deployed code and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tenantry_cli.project import find_project

PLANTED = {
    "B602": "import subprocess\nsubprocess.run(input(), shell=True)\n",
    "B608": "def rows(database, name):\n    database.execute('select * from ' + name)\n",
    "B501": "import requests\nrequests.get('https://example.com', verify=False, timeout=1)\n",
}


def findings(*paths: Path) -> list[tuple[str, str, int]]:
    root = find_project().root
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bandit", "--quiet", "--recursive", "--format", "json"),
            *("--configfile", str(root / "pyproject.toml"), *map(str, paths)),
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["errors"] == []
    return [
        (found["test_id"], found["filename"], found["line_number"])
        for found in report["results"]
    ]


def test_bandit_catches_planted_faults(tmp_path: Path) -> None:
    for test_id, source in PLANTED.items():
        (tmp_path / f"{test_id.lower()}.py").write_text(source)

    assert {test_id for test_id, _, _ in findings(tmp_path)} >= PLANTED.keys()


def test_bandit_finds_nothing_in_the_functions() -> None:
    assert findings(find_project().functions) == []
