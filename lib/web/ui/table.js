/* SPDX-License-Identifier: MIT */
/*
 * Tables whose rows have keys: an update touches the cells that changed. Below
 * 640 px each row is a card (app.css), so the roles are said: display would
 * take them away.
 */
import {fill, h} from './h.js';
import {plural} from './fmt.js';
import {button, skeleton} from './parts.js';

const value = (row, sort) => typeof sort === 'function' ? sort(row) : row[sort];

function compare(a, b, sort) {
  const x = value(a, sort), y = value(b, sort);
  if (x === y) return 0;
  if (x === null || x === undefined) return 1;
  if (y === null || y === undefined) return -1;
  return typeof x === 'number' && typeof y === 'number' ? x - y :
    String(x).localeCompare(String(y), 'en', {numeric: true});
}

/*
 * {caption, columns: [{label, cell(row), num, sort, wide}], key(row), href(row),
 *  select: true, onSelect(), order: "-waiting", onOrder(order), empty: node}
 */
export class Table {
  constructor(options) {
    Object.assign(this, {order: '', rows: [], lines: new Map(), selected: new Set()}, options);
    this.body = h('tbody', {role: 'rowgroup'});
    this.head = h('tr', {role: 'row'});
    this.table = h('table', {role: 'table'}, h('caption', this.caption),
      h('thead', {role: 'rowgroup'}, this.head), this.body);
    this.below = h('div');
    this.el = h('div.tablebox', this.table, this.below);
    this.drawHead();
    this.below.append(skeleton());
  }

  drawHead() {
    if (this.select)
      this.all = h('input', {type: 'checkbox', 'aria-label': 'Select all shown',
        onchange: event => this.selectAll(event.target.checked)});
    const cells = this.columns.map(column => this.headCell(column));
    fill(this.head, this.select && h('th.pick', {role: 'columnheader', scope: 'col'}, this.all), cells);
    this.heads = cells;
    this.markHead();
  }

  markHead() {
    const desc = this.order.startsWith('-'), by = this.order.replace('-', '');
    this.columns.forEach((column, i) => column.sort && this.heads[i].setAttribute('aria-sort',
      column.label === by ? desc ? 'descending' : 'ascending' : 'none'));
  }

  headCell(column) {
    return h(`th${column.num ? '.num' : ''}`, {role: 'columnheader', scope: 'col'},
    column.sort ? h('button.sort', {type: 'button', onclick: () => {
      this.order = this.order === column.label ? '-' + column.label : column.label;
      this.markHead();
      this.onOrder?.(this.order);
      this.update(this.rows);
    }}, column.label) : column.label || h('span.sr', 'Actions'));
  }

  sorted(rows) {
    const by = this.order.replace('-', ''), column = this.columns.find(c => c.label === by);
    if (!column?.sort) return rows;
    const sign = this.order.startsWith('-') ? -1 : 1;
    return [...rows].sort((a, b) => sign * compare(a, b, column.sort));
  }

  line(row) {
    const key = this.key(row), old = this.lines.get(key);
    const cells = this.columns.map(c => h(`td${c.num ? '.num' : ''}${c.wide ? '.wide' : ''}${c.label ? '' : '.acts'}`,
      {role: 'cell', 'data-label': c.label}, c.cell(row)));
    if (old) {
      const first = this.select ? 1 : 0;
      cells.forEach((cell, i) => {
        const was = old.children[i + first];
        if (!was.isEqualNode(cell)) was.replaceWith(cell);
      });
      return old;
    }
    const line = h('tr', {role: 'row', tabindex: -1, 'data-row': key}, this.select &&
      h('td.pick', {role: 'cell'}, h('input', {type: 'checkbox',
        checked: this.selected.has(key), 'aria-label': `Select ${key}`,
        onchange: event => this.pick(key, event.target.checked)})), cells);
    this.lines.set(key, line);
    return line;
  }

  update(rows) {
    this.rows = rows;
    const seen = new Set(rows.map(this.key));
    for (const [key, line] of this.lines)
      if (!seen.has(key)) {
        line.remove();
        this.lines.delete(key);
        this.selected.delete(key);
      }
    let at = this.body.firstChild;
    for (const row of this.sorted(rows)) {
      const line = this.line(row);
      if (line === at) at = at.nextSibling;
      else this.body.insertBefore(line, at);
    }
    fill(this.below, rows.length ? null : this.empty);
    this.table.classList.toggle('bare', !rows.length);
    this.tell();
  }

  pick(key, on) {
    if (on) this.selected.add(key); else this.selected.delete(key);
    this.tell();
  }

  selectAll(on) {
    for (const row of this.rows) {
      const key = this.key(row);
      if (on) this.selected.add(key); else this.selected.delete(key);
      const box = this.lines.get(key)?.querySelector('.pick input');
      if (box) box.checked = on;
    }
    this.tell();
  }

  tell() {
    if (!this.select) return;
    const n = this.selected.size;
    this.all.checked = n > 0 && n === this.rows.length;
    this.all.indeterminate = n > 0 && n < this.rows.length;
    this.onSelect?.(n);
  }
}

/* A bar that is there while something is selected. */
export const bulkBar = (table, ...buttons) => {
  const bar = h('div.bulk', {role: 'region', 'aria-label': 'Selection', hidden: true});
  table.onSelect = n => {
    bar.hidden = n === 0;
    if (n) fill(bar, h('strong', plural(n, 'task'), ' selected'), buttons,
      button('Clear', 'x', () => table.selectAll(false), {kind: 'ghost'}));
  };
  return bar;
};
