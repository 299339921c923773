"""Who tries: from nobody to the service key, and tokens that nobody signed."""

from __future__ import annotations

from tenantry_cli.proof.rules import Identity, Kind, Level, Platform

NOBODY = Identity("nobody", Kind.NOBODY)
ANON = Identity("anon key", Kind.NOBODY)
STRANGER = Identity("stranger", Kind.USER)
READER = Identity("reader of A", Kind.USER, {"A": Level.READ, "S": Level.READ})
WRITER = Identity("writer of A", Kind.USER, {"A": Level.WRITE, "S": Level.WRITE})
ADMIN_A = Identity("tenant admin of A", Kind.USER, {"A": Level.ADMIN, "S": Level.ADMIN})
ADMIN_B = Identity("tenant admin of B", Kind.USER, {"B": Level.ADMIN})
EXPIRED = Identity("expired grant", Kind.USER)
REVOKED = Identity("revoked a moment ago", Kind.USER)
# The same person a moment earlier, whose success vouches for the refusal that follows.
NOT_YET_REVOKED = Identity(
    "revoked a moment ago", Kind.USER, {"A": Level.ADMIN, "S": Level.ADMIN}
)
VIEWER = Identity("platform viewer", Kind.USER, platform=Platform.VIEWER)
ADMIN = Identity("platform admin", Kind.USER, platform=Platform.ADMIN)
SUPER_ADMIN = Identity("super_admin", Kind.USER, platform=Platform.SUPER_ADMIN)
SERVICE = Identity("service key", Kind.SERVICE)
UNSIGNED = Identity("token of alg none", Kind.NOBODY, is_impostor=True)
WRONGLY_SIGNED = Identity("wrongly signed token", Kind.NOBODY, is_impostor=True)
OUTDATED = Identity("expired token", Kind.NOBODY, is_impostor=True)
UNNAMED = Identity("token without a user", Kind.NOBODY, is_unnamed=True)

# With an account of Auth.
PEOPLE = (
    STRANGER,
    READER,
    WRITER,
    ADMIN_A,
    ADMIN_B,
    EXPIRED,
    REVOKED,
    VIEWER,
    ADMIN,
    SUPER_ADMIN,
)
WITHOUT_SECRET = (NOBODY, ANON, *PEOPLE, SERVICE, UNSIGNED, WRONGLY_SIGNED)
# Made with the project's own secret.
WITH_SECRET = (OUTDATED, UNNAMED)
