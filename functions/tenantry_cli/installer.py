"""The installer that has put this command here: pip, pipx or uv."""

import sys
from pathlib import Path

# The files by which pipx and uv know the environment of a command.
_MARKS = {
    "pipx_metadata.json": "pipx install --force",
    "uv-receipt.toml": "uv tool install",
}


def install_line(requirement: str) -> str:
    """The line that brings the requirement, such as `tenantry[local]`, to this command."""
    for mark, program in _MARKS.items():
        if Path(sys.prefix, mark).exists():
            return f"{program} '{requirement}'"
    return f"pip install '{requirement}'"
