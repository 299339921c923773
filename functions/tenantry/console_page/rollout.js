// A roll-out: the tenants that are behind are migrated one after another, with the user's token.

import { button, count, element, problem } from './elements.js'
import { call } from './project.js'

const PAGE = 1000
const PAUSE = 1000
const MOST_PAUSES = 30

const pause = () => new Promise((resolve) => { setTimeout(resolve, PAUSE) })

async function behind() {
  const found = []
  let last = null
  do {
    const page = await call('tenant-migrations', 'list_tenants_behind', {
      after_schema_name: last, page_size: PAGE,
    })
    found.push(...page)
    last = page.at(-1)?.has_more ? page.at(-1).schema_name : null
  } while (last !== null)
  // A tenant that failed before fails again until somebody has acted. Its page has the reason.
  return found.filter((row) => row.sqlstate === null).map((row) => row.schema_name)
}

// A busy tenant is tried again: somebody else keeps it for a moment. Null if it was stopped then.
async function patiently(schema_name, isStopped) {
  for (let pauses = 0; ; pauses += 1) {
    try {
      return await call('tenant-migrations', 'migrate_tenant', { schema_name })
    } catch (error) {
      if (error.code !== 'busy' || pauses === MOST_PAUSES) throw error
      if (isStopped()) return null
      await pause()
    }
  }
}

// Returns why the tenant failed; null if it is migrated, was deleted, or the run was stopped.
async function migrated(name, isStopped, tell) {
  for (;;) {
    let result
    try {
      result = await patiently(name, isStopped)
    } catch (error) {
      if (error.code === 'tenant_not_found') return null
      throw error
    }
    if (result === null) return null
    if (result.outcome === 'failed') return `${result.message} (${result.sqlstate})`
    const rows = result.rows_left === undefined || result.rows_left === null
      ? '' : `, about ${count(result.rows_left)} rows left`
    tell(`${name}${rows}`)
    if (isStopped() || (result.outcome !== 'in_progress' && result.pending === 0)) return null
  }
}

// `ended` shows the page again, with the sentence that it is given.
export function rollOut(ended) {
  const state = element('p', { class: 'hint' }, '')
  const bar = /** @type {HTMLProgressElement} */ (
    element('progress', { 'aria-label': 'Roll-out', hidden: true }))
  const problems = element('div', { class: 'problems' })
  const start = button('Start roll-out', run, 'primary')
  const stop = button('Stop', () => { isStopping = true; stop.disabled = true }, 'danger')
  const canary = /** @type {HTMLInputElement} */ (element('input', {
    id: 'canary', type: 'number', min: '0', step: '1', value: '5', inputmode: 'numeric',
    'aria-describedby': 'canary-hint',
  }))
  const part = element('section', { 'aria-labelledby': 'rollout' },
    element('h2', { id: 'rollout' }, 'Roll-out'),
    element('div', { class: 'rollout' },
      element('div', { class: 'field' },
        element('label', { for: 'canary' }, 'Canaries'),
        canary),
      start, stop),
    element('p', { class: 'hint', id: 'canary-hint' },
      'So many tenants are migrated first. If one fails, no other starts. The roll-out runs in this '
      + 'page: leaving the page ends it after the tenant at hand, and the next start goes on.'),
    bar, state, problems)
  let isStopping = false
  let isRunning = false
  stop.hidden = true

  // Another view takes this part out of the page.
  const isStopped = () => isStopping || !part.isConnected

  async function run() {
    if (isRunning) return
    isRunning = true
    isStopping = false
    problems.replaceChildren()
    start.hidden = true
    stop.hidden = stop.disabled = false
    stop.focus()
    state.replaceChildren('Looking for tenants that are behind …')
    const failed = []
    let done = 0
    try {
      const names = await behind()
      const first = Math.max(Math.floor(canary.valueAsNumber) || 0, 0)
      bar.hidden = false
      bar.max = Math.max(names.length, 1)
      for (const [index, name] of names.entries()) {
        if (isStopped() || (failed.length && index >= first && first > 0)) break
        const kind = index < first ? 'Canary' : 'Tenant'
        const tell = (text) => state.replaceChildren(
          `${kind} ${count(index + 1)} of ${count(names.length)}: ${text}`)
        tell(name)
        const reason = await migrated(name, isStopped, tell)
        if (reason !== null) failed.push(name)
        else if (!isStopped()) done += 1
        bar.value = index + 1
      }
      if (!part.isConnected) return
      await ended([
        `${done === 1 ? '1 tenant is' : `${count(done)} tenants are`} migrated.`,
        failed.length ? `${count(failed.length)} failed.` : '',
        isStopping ? 'The roll-out was stopped.' : '',
        !isStopping && done + failed.length < names.length ? 'A canary failed, so no other was started.' : '',
      ].filter(Boolean).join(' '))
    } catch (error) {
      problems.replaceChildren(problem(error))
    } finally {
      isRunning = false
      start.hidden = false
      stop.hidden = true
      bar.hidden = true
      state.replaceChildren()
      if (part.isConnected) start.focus()
    }
  }

  return part
}
