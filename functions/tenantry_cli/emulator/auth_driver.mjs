// Auth survives that the database server goes away.
//
// Its driver, postgres.js, still writes to a connection that is gone, from a timer, where
// nobody can catch the error: all of Auth ends with it. And it lends a connection that was
// lost while it was lent out again and again. As long as no release of the driver knows
// better, Auth's copy is mended while it is loaded. To start Auth again would not do: it puts
// its own auth.uid() in the place of the hosted one, and for a while everybody is nobody.

import { registerHooks } from 'node:module'

const MENDED = {
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
    // What was not sent belongs to the old connection, and no timer will send it.
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
    const file = Object.keys(MENDED).find(each => url.endsWith(each))
    if (file === undefined) return loaded
    const source = MENDED[file].reduce((text, [broken, mended]) => {
      if (text.split(broken).length !== 2) throw new Error(`${url} is of another version`)
      return text.replace(broken, mended)
    }, loaded.source.toString())
    return { ...loaded, source }
  }
})
