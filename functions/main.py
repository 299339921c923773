"""The entry points of all groups and the console, for `functions-framework --target`."""

from tenantry.entry_points import *  # noqa: F403
from tenantry.entry_points import __all__, answer_reserved_paths  # noqa: F401

answer_reserved_paths()
