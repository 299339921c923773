"""What tests share: the running system, its callers, and ways to observe both."""
