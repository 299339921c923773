"""The identities that make attempts."""

from __future__ import annotations

from tenantry_cli.proof.rules import ALL_ROWS, OTHER, Identity, Kind, Level, Platform

NOBODY = Identity("nobody", Kind.NOBODY)
ANON = Identity("anon key", Kind.NOBODY)
STRANGER = Identity("stranger", Kind.USER)
# The role of the reader gave all rows, too, before the run narrowed it.
READER = Identity(
    "reader of A",
    Kind.USER,
    {"A": Level.READ, "S": Level.READ},
    permissions=dict.fromkeys("AS", frozenset({OTHER})),
)
WRITER = Identity("writer of A", Kind.USER, {"A": Level.WRITE, "S": Level.WRITE})
ROLE_HOLDER = Identity(
    "role holder of A",
    Kind.USER,
    {"A": Level.WRITE, "S": Level.WRITE},
    permissions=dict.fromkeys("AS", frozenset({ALL_ROWS})),
)
ROW_OWNER = Identity(
    "row owner in A", Kind.USER, {"A": Level.WRITE, "S": Level.WRITE}, owns_rows=True
)
ADMIN_A = Identity("tenant admin of A", Kind.USER, {"A": Level.ADMIN, "S": Level.ADMIN})
ADMIN_B = Identity("tenant admin of B", Kind.USER, {"B": Level.ADMIN})
EXPIRED = Identity("expired grant", Kind.USER)
REVOKED = Identity("revoked a moment ago", Kind.USER)
# The same user before the revocation, as the positive control.
NOT_YET_REVOKED = Identity(
    "revoked a moment ago", Kind.USER, {"A": Level.ADMIN, "S": Level.ADMIN}
)
VIEWER = Identity("platform viewer", Kind.USER, platform=Platform.VIEWER)
ADMIN = Identity("platform admin", Kind.USER, platform=Platform.ADMIN)
SUPER_ADMIN = Identity("super_admin", Kind.USER, platform=Platform.SUPER_ADMIN)
SERVICE = Identity("service key", Kind.SERVICE)
UNSIGNED = Identity("token of alg none", Kind.NOBODY, has_invalid_token=True)
WRONGLY_SIGNED = Identity("wrongly signed token", Kind.NOBODY, has_invalid_token=True)
EXPIRED_TOKEN = Identity("expired token", Kind.NOBODY, has_invalid_token=True)
# Whoever knows the public key that the project publishes signs these tokens.
FORGED_IDENTITIES = tuple(
    Identity(name, Kind.NOBODY, has_invalid_token=True, is_forged=True)
    for name in (
        "public key as a secret",
        "the same with its kid",
        "unknown key, known kid",
        "unknown key, wrong kid",
        "unknown key without a kid",
        "its own key in the token",
    )
)
(
    PUBLIC_KEY_WITHOUT_KID,
    PUBLIC_KEY_WITH_KID,
    UNKNOWN_KEY,
    WRONG_KID,
    WITHOUT_KID,
    KEY_IN_HEADER,
) = FORGED_IDENTITIES
WITHOUT_USER = Identity("token without a user", Kind.NOBODY, has_no_user=True)

# Users whom Auth no longer lets sign in. Their tokens are still valid, and nobody has revoked
# their grants or their role.
BANNED = Identity("banned user", Kind.NOBODY, has_no_user=True, is_inactive=True)
DELETED = Identity("soft-deleted user", Kind.NOBODY, has_no_user=True, is_inactive=True)
BANNED_STAFF = Identity("banned super_admin", Kind.NOBODY, has_no_user=True, is_inactive=True)
INACTIVE = (BANNED, DELETED, BANNED_STAFF)
# The same users before, as the positive controls.
NOT_YET_BANNED = Identity("banned user", Kind.USER, {"A": Level.ADMIN, "B": Level.READ})
NOT_YET_DELETED = Identity("soft-deleted user", Kind.USER, {"A": Level.WRITE, "B": Level.ADMIN})
NOT_YET_BANNED_STAFF = Identity("banned super_admin", Kind.USER, platform=Platform.SUPER_ADMIN)
# Platform staff with support access: open, expired, and ended by the tenant's admin.
SUPPORT = Identity(
    "support access", Kind.USER, {"A": Level.READ, "S": Level.READ}, platform=Platform.ADMIN
)
SUPPORT_EXPIRED = Identity("expired support access", Kind.USER, platform=Platform.ADMIN)
SUPPORT_ENDED = Identity("ended support access", Kind.USER, platform=Platform.ADMIN)
# The same user before, as the positive control.
SUPPORT_NOT_YET_ENDED = Identity(
    "ended support access",
    Kind.USER,
    {"A": Level.ADMIN, "S": Level.ADMIN},
    platform=Platform.ADMIN,
)
# Platform staff who open support access, use it and then remove what the logs say of them.
COVERING = Identity("staff covering tracks", Kind.USER, platform=Platform.ADMIN)
# While their support access is open.
INTRUDING = Identity(
    "staff covering tracks", Kind.USER, {"A": Level.ADMIN}, platform=Platform.ADMIN
)
# Users who try to join tenants by their domains. A and S have the first one.
DOMAIN_USER = Identity("user of A's domain", Kind.USER, joins=frozenset("AS"))
# After joining A.
JOINED = Identity("user of A's domain", Kind.USER, {"A": Level.READ}, joins=frozenset("AS"))
SUBDOMAIN_USER = Identity("user of a subdomain", Kind.USER)
PUBLIC_DOMAIN_USER = Identity("user of a public domain", Kind.USER)
UNCONFIRMED = Identity("unconfirmed address", Kind.USER)
# Of A's domain, too. An admin has removed this user from A.
REMOVED = Identity("removed user of A", Kind.USER)
NOT_YET_REMOVED = Identity("removed user of A", Kind.USER, joins=frozenset("A"))
# Whoever has the password of the database.
OWNER = Identity("database owner", Kind.SERVICE)

# Identities that share the account and the token of another one.
SAME_ACCOUNT = {
    NOT_YET_REVOKED: REVOKED,
    NOT_YET_BANNED: BANNED,
    NOT_YET_DELETED: DELETED,
    NOT_YET_BANNED_STAFF: BANNED_STAFF,
    INTRUDING: COVERING,
    SUPPORT_NOT_YET_ENDED: SUPPORT_ENDED,
    JOINED: DOMAIN_USER,
    NOT_YET_REMOVED: REMOVED,
}

# The identities with an account of Auth that make all attempts.
USERS = (
    STRANGER,
    READER,
    WRITER,
    ROLE_HOLDER,
    ROW_OWNER,
    ADMIN_A,
    ADMIN_B,
    EXPIRED,
    REVOKED,
    VIEWER,
    ADMIN,
    SUPER_ADMIN,
    SUPPORT,
    SUPPORT_EXPIRED,
    SUPPORT_ENDED,
    *INACTIVE,
)
# What these may call, another identity may call, too. Their roles, rows and former support
# access decide about rows alone.
CALLING_LIKE_OTHERS = (ROLE_HOLDER, ROW_OWNER, SUPPORT_EXPIRED, SUPPORT_ENDED)
# Identities that try only to join tenants, and to request access.
JOINING_IDENTITIES = (DOMAIN_USER, SUBDOMAIN_USER, PUBLIC_DOMAIN_USER, UNCONFIRMED, REMOVED)
ACCOUNTS = (*USERS, COVERING, *JOINING_IDENTITIES)
STANDARD_IDENTITIES = (NOBODY, ANON, *USERS, SERVICE, UNSIGNED, WRONGLY_SIGNED)
# Identities whose tokens are signed with the JWT secret of the project.
SIGNED_IDENTITIES = (EXPIRED_TOKEN, WITHOUT_USER)
# Identities that try only to remove what the audit logs say.
COVERING_IDENTITIES = (COVERING, OWNER)
