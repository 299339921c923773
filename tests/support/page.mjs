// The page of a client app. Its address has the URLs and the key of the project.
import { createClient } from "@supabase/supabase-js";

const { url, key, functions, tenant } = Object.fromEntries(
    new URLSearchParams(window.location.search),
);
const supabase = createClient(url, key);

const checked = ({ data, error }) => {
    if (error) throw error;
    return data;
};

const actions = {
    signUp: async (email, password) => {
        const { user } = checked(await supabase.auth.signUp({ email, password }));
        return user.id;
    },

    // In production the functions have an address of their own and get the user's token.
    ensureProfile: async (requestId) => {
        const { session } = checked(await supabase.auth.getSession());
        const reply = await fetch(`${functions}/ensure_user_profile`, {
            method: "POST",
            headers: {
                Authorization: `Bearer ${session.access_token}`,
                "Content-Type": "application/json",
                "X-Request-Id": requestId,
            },
            body: JSON.stringify({ schema_name: tenant }),
        });
        const { id, code } = await reply.json();
        return { status: reply.status, requestId: reply.headers.get("X-Request-Id"), id, code };
    },

    // A browser sends this request without a preflight, and then decides about the reply.
    health: async () => (await fetch(functions)).status,

    save: async (value) =>
        checked(
            await supabase
                .schema(tenant)
                .from("settings")
                .upsert({ key: "theme", value })
                .select("key, value"),
        ),

    rows: async () => checked(await supabase.schema(tenant).from("settings").select("key, value")),
};

window.perform = async (name, ...given) => {
    try {
        return { result: await actions[name](...given) };
    } catch (error) {
        return { error: error.name, message: error.message, details: error.details };
    }
};
