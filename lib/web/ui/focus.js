/* SPDX-License-Identifier: MIT */
/*
 * Who works by keyboard stays where they are. An update or an action may take
 * the element that has the focus away, and the browser then begins again at the
 * top of the page; so the place is remembered, and what stands there now gets
 * the focus: the same control, the row that has moved up, or the heading.
 */
const STOPS = 'a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex="0"]';
const BOXES = '.controls, .actions, .bulk, .tabs, .pager, .search, form, section, .body';

let root = null, last = null;

const stops = box => [...box.querySelectorAll(STOPS)].filter(el => el.checkVisibility());
const rows = () => [...root.querySelectorAll('tr[data-row]')];

function remember(el) {
  const row = el.closest('tr[data-row]'), box = row || el.closest(BOXES) || root;
  last = {el, key: row?.dataset.row, row: row ? rows().indexOf(row) : -1, at: stops(box).indexOf(el),
    box: row ? null : [...root.querySelectorAll(BOXES)].indexOf(box)};
}

function placed() {
  const all = rows(), row = last.row >= 0 && (all.find(r => r.dataset.row === last.key) || all[Math.min(last.row, all.length - 1)]);
  if (row) return last.at < 0 ? row : stops(row)[last.at] || row;
  const box = last.row < 0 && root.querySelectorAll(BOXES)[last.box];
  return box && stops(box)[last.at];
}

/* After a change, or a dialog. */
export function refocus() {
  if (!last || last.el.isConnected || document.querySelector('dialog[open]') || ![document.body, null].includes(document.activeElement)) return;
  (placed() || root.querySelector('main h1'))?.focus({preventScroll: true});
}

/* Another page: its heading gets the focus. */
export const forget = () => { last = null; };

export function keepFocus(el) {
  root = el;
  root.addEventListener('focusin', event => remember(event.target));
  /* Left on purpose: then nothing draws it back. */
  root.addEventListener('focusout', event => queueMicrotask(() => {
    if (event.target.isConnected && document.activeElement === document.body && !document.querySelector('dialog[open]')) last = null;
  }));
  new MutationObserver(refocus).observe(root, {childList: true, subtree: true});
}
