/* SPDX-License-Identifier: MIT */
/* What the keys do, and the switch that takes them away. */
import {h} from './h.js';
import {off} from './keys.js';
import {modal} from './parts.js';

const map = [['g o', 'Overview'], ['g q', 'Queues'], ['g t', 'Tasks'], ['g w', 'Workers'], ['g s', 'Schedules'],
  ['g c', 'Calendar'], ['g d', 'Dead'], ['g h', 'Health'], ['/', 'Search'], ['j', 'Next row'], ['k', 'Previous row'],
  ['x', 'Select the row'], ['Enter', 'Open the row'], ['r', 'Retry'], ['c', 'Cancel the task'],
  ['n', 'Enqueue a task'], ['p', 'Pause updates, or go on'], ['?', 'This help'], ['Esc', 'Close, leave a field']];

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
