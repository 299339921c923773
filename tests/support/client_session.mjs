// The calls of a client app with supabase-js, unmodified. Prints the results as JSON.
import { createClient } from "@supabase/supabase-js";

const { SUPABASE_URL, SUPABASE_ANON_KEY, SUPABASE_SERVICE_ROLE_KEY, TENANT, PASSWORD } =
    process.env;
const auth = { persistSession: false, autoRefreshToken: false };
const client = (key) => createClient(SUPABASE_URL, key, { auth });
const settings = (who) => who.schema(TENANT).from("settings");

const rpc = async (who, name, parameters) => {
    const { error } = await who.rpc(name, parameters);
    if (error) throw error;
};

const signUp = async (email) => {
    const person = client(SUPABASE_ANON_KEY);
    const { data, error } = await person.auth.signUp({ email, password: PASSWORD });
    if (error) throw error;
    return [person, data.user.id];
};

const ensureProfile = async (who) => {
    const { data, error } = await who.functions.invoke("user-profiles/ensure_user_profile", {
        body: { schema_name: TENANT, display_name: "Ada" },
    });
    if (error) throw error;
    return [data.is_new, data.display_name, data.is_active];
};

const rows = ({ data, error }) => {
    if (error) throw error;
    return data.map(({ key, value }) => [key, value]);
};

const refusal = ({ error, status }) => [status, error?.code, error?.details, error?.message];

const [member, memberId] = await signUp(process.env.MEMBER_EMAIL);
const [stranger] = await signUp(process.env.STRANGER_EMAIL);
const service = client(SUPABASE_SERVICE_ROLE_KEY);
const session = {};

await rpc(service, "grant_schema_access", {
    schema_name: TENANT,
    user_id: memberId,
    access_level: "admin",
});
session.profiles = [await ensureProfile(member), await ensureProfile(member)];

const theme = { key: "theme", value: { dark: true } };
session.inserted = rows(await settings(member).insert(theme).select());
session.upserted = rows(await settings(member).upsert({ ...theme, value: "light" }).select());
session.updated = rows(
    await settings(member).update({ value: "dark" }).eq("key", "theme").select(),
);
session.read = rows(await settings(member).select("key, value").eq("key", "theme"));
session.read_by_service = rows(await settings(service).select("key, value"));

session.stranger = [
    refusal(await settings(stranger).select()),
    refusal(await settings(stranger).insert({ key: "forged" })),
];

await rpc(service, "suspend_tenant", { schema_name: TENANT });
session.suspended = [
    refusal(await settings(member).select()),
    refusal(await settings(member).insert({ key: "late" })),
    refusal(await settings(service).select()),
];
await rpc(service, "activate_tenant", { schema_name: TENANT });

session.deleted = rows(await settings(member).delete().eq("key", "theme").select());
session.left = rows(await settings(member).select());

console.log(JSON.stringify(session));
