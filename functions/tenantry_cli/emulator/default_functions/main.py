"""Tenantry's functions, for a project that has Tenantry's migrations and no `main.py`."""

from tenantry.entry_points import *  # noqa: F403
from tenantry.entry_points import __all__, answer_reserved_paths  # noqa: F401

answer_reserved_paths()
