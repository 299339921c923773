// Fixes the database driver of Auth, so that Auth survives a restart of the database server, and
// stores metadata as objects.
//
// The driver, postgres.js, has two defects. A timer writes to a connection that is closed; nobody
// can catch that error, so Auth ends. And a connection that was lost while it was reserved is
// reserved again and again. No release of the driver fixes them, so its source is changed while
// it is loaded. Starting Auth again is no alternative: Auth would replace auth.uid() by its own
// version, and for a moment no request would have a user.
//
// Auth gives the driver JSON texts, and has it encode them once more, as JSON strings. A trigger of a
// project that reads new.raw_user_meta_data ->> 'name' would find nothing.

import { registerHooks } from 'node:module'

const FIXES = {
  '/lite/dist/db/postgres/PostgresConnection.js': ['json:{to:114,from:[114]', 'jsonb:{to:3802,from:[3802]'].map(type => [
    `${type},serialize:t=>JSON.stringify(t)`,
    `${type},serialize:t=>typeof t==='string'?t:JSON.stringify(t)`
  ]),
  '/postgres/src/connection.js': [
    [
      'function nextWrite(fn) {',
      `$&
    if (socket === null) {
      chunk = nextWriteTimer = null
      error(Errors.connection('CONNECTION_CLOSED', options, socket))
      return false
    }`
    ],
    // Unsent data belongs to the old connection, and its timer is cleared.
    ['socket.removeAllListeners()\n    socket = null', '$&\n    chunk = nextWriteTimer = null']
  ],
  '/postgres/src/index.js': [
    ['move(c, connecting)', '$&\n    c.lost = false'],
    ['function onclose(c, e) {', '$&\n    c.lost = true'],
    ['c.reserved = null\n      onopen(c)', 'c.reserved = null\n      c.lost ? onclose(c) : onopen(c)']
  ]
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const file = Object.keys(FIXES).find(each => url.endsWith(each))
    if (file === undefined) return loaded
    const source = FIXES[file].reduce((text, [broken, fixed]) => {
      if (text.split(broken).length !== 2) throw new Error(`${url} is not the version that these fixes were written for`)
      return text.replace(broken, fixed)
    }, loaded.source.toString())
    return { ...loaded, source }
  }
})
