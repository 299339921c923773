// Elements of the page. Text reaches the document as text only: nothing here parses markup.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value)
    else if (value === true) made.setAttribute(name, '')
    else if (value !== false && value !== null) made.setAttribute(name, value)
  }
  made.append(...children.filter((child) => child !== null))
  return made
}

export const heading = (text) => element('h1', { tabindex: '-1' }, text)
export const partHeading = (...text) => element('h2', { id: 'part' }, ...text)
export const code = (text) => element('code', {}, text)
// `name` is for screen readers, where the text alone does not say of what; it begins with the text.
export const button = (text, press, kind = null, name = null) =>
  element('button', { type: 'button', class: kind, 'aria-label': name, click: press }, text)
export const badge = (status) => element('span', { class: `badge ${status}` }, status)
export const empty = (text) => element('p', { class: 'empty' }, text)
export const waiting = () => element('p', { class: 'waiting' }, 'Loading …')

const moments = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

export function moment(text) {
  if (text === null) return '–'
  return element('time', { datetime: text, title: text }, moments.format(new Date(text)))
}

export function person(id, otherwise = '–') {
  return id === null ? otherwise : code(id)
}

export function facts(pairs) {
  return element('dl', { class: 'facts' },
    ...Object.entries(pairs).map(([name, value]) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, value))))
}

export function json(value) {
  return element('details', {},
    element('summary', {}, 'Show'),
    element('pre', { tabindex: '0', role: 'group', 'aria-label': 'Values as JSON' },
      JSON.stringify(value, null, 2)))
}

const sizes = new Intl.NumberFormat()
export const count = (value) => sizes.format(value)
export function bytes(value) {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB']
  const step = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1)
  return `${sizes.format(Math.round(value / 1024 ** step))} ${units[step]}`
}

// An error with its own message and hint, and the request id that finds it in the logs.
export function problem(error) {
  return element('div', { class: 'problem', role: 'alert' },
    element('p', { class: 'sentence' }, error.message),
    error.hint ? element('p', {}, error.hint) : null,
    error.requestId ? element('p', { class: 'hint' }, 'Request id: ', code(error.requestId)) : null)
}
