// Tables of rows, one page at a time.

import { button, count, element, empty, problem } from './elements.js'

const SIZE = 50

// The roles are explicit: the styles of the narrow layout remove the implicit ones.
function table(name, columns) {
  const body = element('tbody', { role: 'rowgroup' })
  const head = element('tr', { role: 'row' },
    ...columns.map(([title]) => element('th', { role: 'columnheader', scope: 'col' }, title)))
  return [
    element('table', { role: 'table', 'aria-label': name },
      element('thead', { role: 'rowgroup' }, head), body),
    body,
  ]
}

function line(row, columns) {
  return element('tr', { role: 'row', tabindex: '-1' },
    ...columns.map(([title, cell]) =>
      element('td', { role: 'cell', 'data-title': title }, cell(row))))
}

export function rowsOf(name, columns, rows, emptyText) {
  if (!rows.length) return empty(emptyText)
  const [container, body] = table(name, columns)
  body.append(...rows.map((row) => line(row, columns)))
  return container
}

// `load(last, size)` returns the rows after `last`. The first page is loaded before this returns.
export async function pages(name, columns, load, emptyText, announce) {
  const first = await load(null, SIZE)
  if (!first.length) return element('div', {}, empty(emptyText))
  const [container, body] = table(name, columns)
  const problems = element('div')
  const more = button('Show more', next)
  let last
  let busy = false

  function add(rows) {
    last = rows.at(-1)
    body.append(...rows.map((row) => line(row, columns)))
    // The rows of an audit log say whether there are more: a page of large rows ends early.
    more.hidden = !(last.has_more ?? rows.length === SIZE)
  }

  async function next() {
    if (busy) return
    busy = true
    problems.replaceChildren()
    try {
      const rows = await load(last, SIZE)
      const seen = body.rows.length
      if (rows.length) add(rows)
      else more.hidden = true
      // The button may be hidden now, so the first new row gets the focus.
      body.rows[Math.min(seen, body.rows.length - 1)].focus()
      announce(rows.length ? `${rows.length} more, ${body.rows.length} in all.` : 'There are no more rows.')
    } catch (error) {
      problems.replaceChildren(problem(error))
    } finally {
      busy = false
    }
  }

  add(first)
  return element('div', {}, container, problems, more)
}

// Fills `list` with the first page and the number of all rows, and returns that sentence.
export async function fill(list, name, noun, columns, load, emptyText, announce) {
  let total = 0
  const found = await pages(name, columns, async (last, size) => {
    const rows = await load(last, size)
    if (last === null) total = rows[0]?.total_count ?? 0
    return rows
  }, emptyText, announce)
  const counted = total === 0 ? `No ${noun} found.` : total === 1 ? `1 ${noun}.` : `${count(total)} ${noun}s.`
  list.replaceChildren(...(total ? [element('p', { class: 'hint' }, counted)] : []), found)
  return counted
}
