// The calls of a test fixture with supabase-js: the admin API of Auth. Prints the results as JSON.
import { createClient } from "@supabase/supabase-js";

const { SUPABASE_URL, PUBLISHABLE_KEY, SECRET_KEY, EMAIL, PASSWORD } = process.env;
const auth = { persistSession: false, autoRefreshToken: false };
const client = (key) => createClient(SUPABASE_URL, key, { auth });
const service = client(SECRET_KEY);
const admin = service.auth.admin;

const result = ({ data, error }) => {
    if (error) throw error;
    return data;
};
const code = ({ error }) => error?.code;

const credentials = { email: EMAIL, password: PASSWORD };
const made = result(
    await admin.createUser({
        ...credentials,
        email_confirm: true,
        user_metadata: { name: "Ada" },
        app_metadata: { plan: "pro" },
    }),
).user;
const session = {};
session.created = [made.email, made.user_metadata.name, made.app_metadata.plan];
session.repeated = code(await admin.createUser(credentials));

const person = client(PUBLISHABLE_KEY);
const signedIn = result(await person.auth.signInWithPassword(credentials));
session.signed_in = signedIn.user.id === made.id;
session.claims = result(await person.auth.getClaims()).claims.app_metadata.plan;
session.refused = code(await person.auth.admin.listUsers());

session.listed = result(await admin.listUsers({ page: 1, perPage: 1000 })).users.some(
    ({ id }) => id === made.id,
);
session.updated = result(
    await admin.updateUserById(made.id, { user_metadata: { name: "Eve" } }),
).user.user_metadata.name;
session.read = result(await admin.getUserById(made.id)).user.user_metadata.name;

const link = result(await admin.generateLink({ type: "magiclink", email: EMAIL }));
session.verified = result(
    await client(PUBLISHABLE_KEY).auth.verifyOtp({
        type: "email",
        token_hash: link.properties.hashed_token,
    }),
).user.email === EMAIL;

session.moved = [];
const kinds = /** @type {const} */ (["email_change_new", "email_change_current"]);
for (const type of kinds) {
    const newEmail = `new.${EMAIL}`;
    const moving = result(await admin.generateLink({ type, email: EMAIL, newEmail })).properties;
    const token_hash = moving.hashed_token;
    const moved = result(
        await client(PUBLISHABLE_KEY).auth.verifyOtp({ type: "email_change", token_hash }),
    );
    session.moved.push(moved.user.email === newEmail);
    result(await admin.updateUserById(made.id, { email: EMAIL }));
}

const guest = client(PUBLISHABLE_KEY);
const anonymous = result(await guest.auth.signInAnonymously()).user;
session.anonymous = anonymous.is_anonymous;
const { error } = await guest.auth.mfa.enroll({ factorType: "totp" });
session.mfa = [error.code, error.message];

session.banned = Boolean(
    result(await admin.updateUserById(made.id, { ban_duration: "24h" })).user.banned_until,
);
session.sign_in_of_banned = code(await client(PUBLISHABLE_KEY).auth.signInWithPassword(credentials));
result(await admin.signOut(signedIn.session.access_token));
result(await admin.deleteUser(anonymous.id));
result(await admin.deleteUser(made.id));
session.deleted = code(await admin.getUserById(made.id));

console.log(JSON.stringify(session));
