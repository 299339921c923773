"""The `tenantry` command: the local emulator and the operator's tools. Never deployed."""
