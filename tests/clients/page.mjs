// What the page of a client app does; its address says where the project answers.
import { createClient } from "@supabase/supabase-js";

const { url, key, functions, tenant } = Object.fromEntries(
    new URLSearchParams(window.location.search),
);
const supabase = createClient(url, key);

const kept = ({ data, error }) => {
    if (error) throw error;
    return data;
};

const actions = {
    signUp: async (email, password) => {
        const { user } = kept(await supabase.auth.signUp({ email, password }));
        return user.id;
    },

    // As production reaches the functions: at an address of their own, with the user's token.
    ensureProfile: async (requestId) => {
        const { session } = kept(await supabase.auth.getSession());
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

    // A request that no browser asks permission for; it may read the reply, or it may not.
    health: async () => (await fetch(functions)).status,

    save: async (value) =>
        kept(
            await supabase
                .schema(tenant)
                .from("settings")
                .upsert({ key: "theme", value })
                .select("key, value"),
        ),

    rows: async () => kept(await supabase.schema(tenant).from("settings").select("key, value")),
};

window.act = async (name, ...given) => {
    try {
        return { result: await actions[name](...given) };
    } catch (error) {
        return { error: error.name, message: error.message, details: error.details };
    }
};
