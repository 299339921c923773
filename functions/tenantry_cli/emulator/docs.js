// Shows the OpenAPI document. Calls carry the token of whoever signs in here; `Authorize` of
// Swagger UI takes any other token.

const part = (name) => document.getElementById(name)
const form = /** @type {HTMLFormElement} */ (part("sign-in"))

const ui = SwaggerUIBundle({
    url: "/functions/v1/openapi.json",
    dom_id: "#document",
    deepLinking: true,
    docExpansion: "list",
    filter: true,
    // The validator badge would come from another host.
    validatorUrl: null,
    // Before the document is there, Swagger UI takes no token.
    onComplete: () => connect().catch((error) => complain(error.message)),
})

async function connect() {
    const { supabase_url, anon_key } = await (await fetch("/functions/v1/docs/config.json")).json()
    const { auth } = supabase.createClient(supabase_url, anon_key, {
        // Each tab has its own session, as in the console.
        auth: { storage: sessionStorage, detectSessionInUrl: false },
    })
    // Also called with the session that the tab has, and with each refreshed token.
    auth.onAuthStateChange((_event, session) => show(session))
    form.onsubmit = async (event) => {
        event.preventDefault()
        complain("")
        const { error } = await auth.signInWithPassword({
            email: field("email").value,
            password: field("password").value,
        })
        if (error) complain(error.status ? error.message : "There was no answer. Try again.")
        else form.reset()
    }
    part("sign-out").onclick = () => auth.signOut({ scope: "local" })
}

function field(name) {
    return /** @type {HTMLInputElement} */ (form.elements.namedItem(name))
}

function show(session) {
    form.hidden = session !== null
    part("signed-in").hidden = session === null
    part("who").textContent = session?.user.email ?? ""
    if (session) ui.preauthorizeApiKey("bearer", session.access_token)
    else ui.authActions.logout(["bearer"])
}

function complain(text) {
    part("problem").textContent = text
}
