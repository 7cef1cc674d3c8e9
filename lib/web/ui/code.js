/* SPDX-License-Identifier: MIT */
/* Texts and JSON as they are: in boxes that scroll, and can be copied. */
import {fill, h, u} from './h.js';
import {bytes} from './fmt.js';
import {button, copy} from './parts.js';

/* At first so much of a text; a page with megabytes in it crawls. */
const SHOWN = 20000;

/* Text with names and values in their colours. */
function coloured(text) {
  const out = [], pattern = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let from = 0;
  for (const m of text.matchAll(pattern)) {
    out.push(text.slice(from, m.index), h(m[2] ? 'span.j-key' : m[1] ? 'span.j-string' :
      m[3] ? 'span.j-word' : 'span.j-number', m[1] || m[0]), m[2] || '');
    from = m.index + m[0].length;
  }
  out.push(text.slice(from));
  return out;
}

export function text(value, name = 'text') {
  const whole = String(value);
  const pre = h('pre.code', {tabindex: 0, role: 'group', 'aria-label': name}, h('code', u(whole.slice(0, SHOWN))));
  return h('div.codebox', button('', 'copy', () => copy(whole),
    {kind: 'ghost', title: `Copy ${name}`, 'aria-label': `Copy ${name}`}), pre,
  whole.length > SHOWN && button(`Show all (${bytes(whole.length)})`, null, event => {
    fill(pre, h('code', u(whole)));
    event.currentTarget.remove();
  }, {kind: 'ghost'}));
}

export function json(value, name = 'JSON') {
  const whole = JSON.stringify(value, null, 2) ?? 'null';
  if (whole.length > SHOWN) return text(whole, name);
  return h('div.codebox', button('', 'copy', () => copy(whole),
    {kind: 'ghost', title: `Copy ${name}`, 'aria-label': `Copy ${name}`}),
  h('pre.code', {tabindex: 0, role: 'group', 'aria-label': name}, h('code', coloured(whole))));
}
