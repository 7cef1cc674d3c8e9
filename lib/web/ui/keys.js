/* SPDX-License-Identifier: MIT */
/* The keyboard: single keys, which can be switched off (WCAG 2.1.4). */
import {h} from './h.js';
import {modal} from './parts.js';

const jumps = {o: '', q: 'queues', t: 'tasks', w: 'workers', s: 'schedules', d: 'dead', h: 'health',
  c: 'calendar', n: 'enqueue'};
const map = [['g o', 'Overview'], ['g q', 'Queues'], ['g t', 'Tasks'], ['g w', 'Workers'], ['g s', 'Schedules'],
  ['g c', 'Calendar'], ['g d', 'Dead'], ['g h', 'Health'], ['/', 'Search'], ['j', 'Next row'], ['k', 'Previous row'],
  ['x', 'Select the row'], ['Enter', 'Open the row'], ['r', 'Retry'], ['c', 'Cancel the task'],
  ['n', 'Enqueue a task'], ['p', 'Pause updates, or go on'], ['?', 'This help'], ['Esc', 'Close, leave a field']];

const off = () => {
  try { return localStorage.getItem('flowrra.keys') === 'off'; } catch { return false; }
};

export function keySwitch() {
  return h('label.check', h('input', {type: 'checkbox', checked: !off(), onchange: event => {
    try { localStorage.setItem('flowrra.keys', event.target.checked ? 'on' : 'off'); } catch { /* stays on */ }
  }}), 'Single-key shortcuts');
}

export const keyTable = () => h('dl.keys', map.map(([keys, what]) => h('div',
  h('dt', keys.split(' ').map(k => h('kbd', k))), h('dd', what))));

export function helpDialog() {
  if (document.querySelector('dialog[open]')) return;
  modal('Keyboard', keyTable(), h('footer', keySwitch())).showModal();
}

function rowOf(el) { return el?.closest?.('tr[data-row]'); }

function move(step) {
  const rows = [...document.querySelectorAll('main tr[data-row]')];
  const at = rows.indexOf(rowOf(document.activeElement));
  const to = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step];
  to?.focus();
  to?.scrollIntoView({block: 'nearest'});
}

/* Of what is selected, else of the row in focus, else of the page. */
function press(key) {
  const of = `[data-key="${key}"]`, button = document.querySelector(`main .bulk:not([hidden]) ${of}`) ||
    rowOf(document.activeElement)?.querySelector(of) || document.querySelector(`main header.page ${of}`);
  button?.click();
  return !!button;
}

export function bindKeys({go, togglePause}) {
  let g = 0;
  const plain = {
    '/': () => {
      const search = document.querySelector('[data-search]');
      if (search) search.focus();
      else go('tasks').then(() => document.querySelector('[data-search]')?.focus());
    },
    j: () => move(1), k: () => move(-1), p: togglePause, '?': helpDialog,
    x: () => rowOf(document.activeElement)?.querySelector('.pick input')?.click(),
    n: () => press('n') || go('enqueue'), r: () => press('r'), c: () => press('c'),
  };
  document.addEventListener('keydown', event => {
    const el = event.target;
    const typing = el.matches('input:not([type=checkbox]), textarea, select, [contenteditable]');
    if (event.key === 'Escape' && typing && !el.closest('dialog')) return el.blur();
    if (typing || off() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' && el.matches('tr[data-row]'))
      return el.querySelector('td a[href]')?.click();
    if (el.closest('dialog')) return;
    const jump = Date.now() - g < 1500 ? jumps[event.key] : undefined;
    g = event.key === 'g' ? Date.now() : 0;
    if (jump !== undefined) {
      event.preventDefault();
      go(jump || './');
    } else if (plain[event.key]) {
      event.preventDefault();
      plain[event.key]();
    }
  });
}
