"""`tenantry generate`: the files of this repository that are written by a command."""
