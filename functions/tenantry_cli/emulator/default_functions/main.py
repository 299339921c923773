from tenantry.entry_points import *
from tenantry.entry_points import __all__, answer_reserved_paths
answer_reserved_paths()
