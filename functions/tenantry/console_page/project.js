// Calls of the Supabase project and of the functions, with the signed-in user's token.

/* global supabase */

export class Refusal extends Error {
  constructor({ message, hint = null, code = null, request_id = null }) {
    super(message)
    this.hint = hint
    this.code = code
    this.requestId = request_id
  }
}

const UNREACHABLE = { message: 'There was no answer.', hint: 'Check the connection, then try again.' }

let client
let functions

export async function connect() {
  const reply = await fetch(new URL('config.json', import.meta.url))
  const config = await reply.json()
  if (!reply.ok) throw new Refusal(config)
  // The groups are served next to the console. The console's folder is in the address once, or
  // twice if the page was opened with a slash at the end.
  const parent = new URL(import.meta.url).href.replace(/(\/console)+\/[^/]*$/, '')
  functions = config.functions_url ?? parent
  client = supabase.createClient(config.supabase_url, config.anon_key, {
    // Each tab has its own session: a new tab, or a tab opened again, is signed out.
    auth: { storage: sessionStorage, detectSessionInUrl: false },
  })
}

export async function signIn(email, password) {
  const { error } = await client.auth.signInWithPassword({ email, password })
  if (!error) return
  if (error.status === undefined || error.status === 0 || error.status >= 500) throw new Refusal(UNREACHABLE)
  if (error.status === 429) {
    throw new Refusal({ message: 'Too many attempts.', hint: 'Wait a minute, then try again.' })
  }
  throw new Refusal({ message: 'The email address or the password is wrong.', hint: 'Check both and try again.' })
}

export async function signOut() {
  // This tab forgets the session, whatever the server answers.
  await client.auth.signOut({ scope: 'local' }).catch(() => sessionStorage.clear())
}

export function whenSignedOut(action) {
  client.auth.onAuthStateChange((event) => {
    if (event === 'SIGNED_OUT') action()
  })
}

// The signed-in user and their platform role, which decides what the page shows. The database
// decides about each call.
export async function caller() {
  const { data: { session } } = await client.auth.getSession()
  if (!session) return null
  const staff = await rows(client.from('admin_users').select('role').eq('user_id', session.user.id))
  return { id: session.user.id, email: session.user.email, role: staff[0]?.role ?? null }
}

export async function call(group, operation, given) {
  const { data: { session } } = await client.auth.getSession()
  let reply
  let result
  try {
    reply = await fetch(`${functions}/${group}/${operation}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${session?.access_token ?? ''}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(given),
    })
    result = await reply.json()
  } catch {
    throw new Refusal(UNREACHABLE)
  }
  if (!reply.ok) throw new Refusal(result)
  return result
}

async function rows(query) {
  const { data, error } = await query
  if (!error) return data
  // If the refusal is ours, PostgREST's `details` is our error code.
  if (error.code) throw new Refusal({ message: error.message, hint: error.hint, code: error.details })
  throw new Refusal(UNREACHABLE)
}

// Each page begins after the last row's key: hosted projects cut a reply at 1,000 rows, and
// rows that are added or deleted in between shift no page.

export const tenants = ({ text, status, sort }, last, size) => call('tenant-status', 'list_tenants', {
  sort, page_size: size, after: last?.cursor ?? null,
  ...(text ? { search: text } : {}), ...(status ? { status } : {}),
})

export async function tenant(name) {
  const [found] = await rows(client.from('tenants').select('*').eq('schema_name', name))
  if (found) return found
  throw new Refusal({ message: `There is no tenant "${name}".`, hint: 'It may have been deleted.' })
}

// The user's own access to a tenant, expired or not; null without any.
export async function ownGrant(name, user_id) {
  const [found] = await rows(client.from('user_schema_access').select('*')
    .eq('schema_name', name).eq('user_id', user_id))
  return found ?? null
}
