// Forms and dialogs, and their fields.

import { element, problem } from './elements.js'

// Fields ------------------------------------------------------------------------------------

export const input = (id, name, attributes = {}) =>
  element('input', { id, name, autocomplete: 'off', ...attributes })

export const select = (id, name, texts, chosen = null) => element('select', { id, name },
  ...Object.entries(texts).map(([value, text]) =>
    element('option', { value, selected: value === chosen }, text)))

export function field(label, control, { hint = null, isOptional = false } = {}) {
  const note = hint === null ? null : element('p', { class: 'hint', id: `${control.id}-hint` }, hint)
  if (note !== null) control.setAttribute('aria-describedby', note.id)
  return element('div', { class: 'field' },
    element('label', { for: control.id }, label,
      ...(isOptional ? [' ', element('span', { class: 'optional' }, 'optional')] : [])),
    control, note)
}

const LEVELS = { read: 'read', write: 'write', admin: 'admin' }
const LEVELS_OF_JOINING = { read: 'read', write: 'write' }

export const levelField = (chosen = 'read') => field('Level',
  select('asked-level', 'access_level', LEVELS, chosen),
  { hint: 'read: sees the rows. write: changes them, too. admin: also manages the members.' })

export const joiningLevelField = () => field('Level of those who join',
  select('asked-level', 'access_level', LEVELS_OF_JOINING))

export function rolesField(roles, chosen = []) {
  if (!roles.length) return null
  return element('fieldset', {}, element('legend', {}, 'Roles'),
    ...roles.map(({ role_name: value }) => element('label', { class: 'choice' },
      element('input', { type: 'checkbox', name: 'roles', value, checked: chosen.includes(value) }),
      ' ', value)))
}

// The browser's own field takes a local time, in minutes.
function localMinute(text) {
  if (text === null) return ''
  const time = new Date(text)
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

export const endField = (end = null) => field('Access ends',
  input('asked-end', 'end', { type: 'datetime-local', value: localMinute(end) }),
  { hint: 'Without a time the access has no end.', isOptional: true })

// `before` is the end that the field has shown: unless it was changed, its seconds stay.
export function endOf({ end }, before = null) {
  if (end === localMinute(before)) return before
  return end === '' ? null : new Date(end).toISOString()
}

// Forms -------------------------------------------------------------------------------------

// One submission at a time. An error is shown inside the form.
export function submits(form, problems, action) {
  let busy = false
  form.onsubmit = async (event) => {
    event.preventDefault()
    if (busy) return
    busy = true
    form.setAttribute('aria-busy', 'true')
    problems.replaceChildren()
    try {
      const data = new FormData(form)
      await action(Object.fromEntries(data), data)
    } catch (error) {
      problems.replaceChildren(problem(error))
    } finally {
      busy = false
      form.removeAttribute('aria-busy')
    }
  }
}

// `action` returns the function that runs after the dialog is closed: while the dialog is open,
// nothing behind it can have the focus.
function open(dialog, form, action) {
  const problems = form.querySelector('.problems')
  problems.replaceChildren()
  form.querySelector('.cancel').onclick = () => dialog.close()
  submits(form, problems, async (given, data) => {
    const next = await action(given, data)
    dialog.close()
    await next()
  })
  dialog.showModal()
}

// A dialog that the page has.
export function ask(name, action, title = null) {
  const dialog = document.getElementById(name)
  const form = dialog.querySelector('form')
  form.reset()
  if (title !== null) dialog.querySelector('h2').replaceChildren(title)
  open(dialog, form, action)
}

// Nothing that a dialog was opened for happens any more.
export function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) {
    if (dialog.classList.contains('own')) dialog.remove()
    else dialog.close()
  }
}

function ownDialog(title, text, ...nodes) {
  const form = element('form', {},
    element('h2', { id: 'asked-title' }, title),
    text === null ? null : element('p', { id: 'asked-text' }, text),
    ...nodes)
  const dialog = /** @type {HTMLDialogElement} */ (element('dialog', {
    class: 'own', 'aria-labelledby': 'asked-title', 'aria-describedby': text === null ? null : 'asked-text',
  }, form))
  dialog.onclose = () => dialog.remove()
  document.body.append(dialog)
  return { dialog, form }
}

// A dialog that leaves the page when it is closed.
export function askFor({ title, text = null, fields = [], submit, kind = 'primary' }, action) {
  const { dialog, form } = ownDialog(title, text, ...fields,
    element('div', { class: 'problems' }),
    element('div', { class: 'actions' },
      element('button', { type: 'button', class: 'cancel' }, 'Cancel'),
      element('button', { type: 'submit', class: kind }, submit)))
  open(dialog, form, action)
}

// Shows a value this once. The document forgets it with the dialog.
export function showOnce({ title, text, label, value }, ended) {
  const shown = /** @type {HTMLInputElement} */ (
    input('asked-value', '', { value, readonly: true, class: 'code' }))
  const state = element('p', { class: 'hint', role: 'status' })
  async function copy() {
    try {
      await navigator.clipboard.writeText(value)
      state.replaceChildren('Copied.')
    } catch {
      // A page without TLS has no clipboard.
      shown.select()
      state.replaceChildren('The browser did not allow it. The text is selected: copy it yourself.')
    }
  }
  const { dialog, form } = ownDialog(title, text, field(label, shown), state,
    element('div', { class: 'actions' },
      element('button', { type: 'button', click: copy }, 'Copy'),
      element('button', { type: 'submit', class: 'primary' }, 'Done')))
  form.onsubmit = (event) => {
    event.preventDefault()
    dialog.close()
  }
  dialog.onclose = () => {
    dialog.remove()
    ended()
  }
  dialog.showModal()
}
