/* SPDX-License-Identifier: MIT */
/*
 * A list that is had page by page. A request looks at some thousand entries and
 * says how far it came; the reader decides whether to look further.
 */
import {fill, h} from './h.js';
import {num, plural} from './fmt.js';
import {button, problem} from './parts.js';

export class Pager {
  /* fetch(cursor, signal) -> a list; onRows(rows, first); total(): a number or null */
  constructor({fetch, onRows, total = () => null, noun = 'task', signal}) {
    Object.assign(this, {fetch, onRows, total, noun, outer: signal, rows: [], looked: 0});
    this.el = h('div.pager', {role: 'status'});
  }

  async first() {
    Object.assign(this, {rows: [], looked: 0, next: null, complete: false});
    await this.page(50, true);
  }

  /* One request, or with `go` as many as it takes to find `want` more. */
  async page(want, one) {
    this.control?.abort();
    const control = this.control = new AbortController();
    this.outer?.addEventListener('abort', () => control.abort());
    const goal = this.rows.length + want, first = this.rows.length === 0;
    this.busy = true;
    try {
      do {
        const list = await this.fetch(this.next, control.signal);
        if (control.signal.aborted) return;
        this.rows.push(...list.items);
        this.looked += list.looked_at ?? list.items.length;
        this.next = list.next;
        this.complete = list.complete !== false && !list.next;
        this.onRows(this.rows, first);
        this.draw();
      } while (!one && this.next && this.rows.length < goal);
      this.error = null;
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.error = error;
      if (first) throw error;
    } finally {
      if (this.control === control) this.busy = false;
    }
    this.draw();
  }

  stop() {
    this.control?.abort();
    this.busy = false;
    this.draw();
  }

  draw() {
    const total = this.total();
    const looked = `looked at ${num(this.looked)}${total && total >= this.looked ? ` of ${num(total)}` : ''}`;
    if (this.error) return void fill(this.el, problem(this.error, () => this.page(50)));
    if (this.busy) return void fill(this.el, h('span', `Found ${num(this.rows.length)}, ${looked} \u2026 `),
      button('Stop', 'stop', () => this.stop()));
    /* The empty table says it already. */
    if (!this.rows.length && !this.next) return void fill(this.el);
    const shown = plural(this.rows.length, this.noun);
    fill(this.el, h('span', this.next ? `${shown}, ${looked}` : `${shown}, that is all`),
      this.next && button('Go on', 'next', () => this.page(50)));
  }
}
