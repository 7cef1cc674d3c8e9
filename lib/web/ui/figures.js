/* SPDX-License-Identifier: MIT */
/* Numbers as tiles, meters and sparks: not in parts.js, for most pages have none. */
import {h, svg} from './h.js';
import {num} from './fmt.js';

export const tile = (name, value, more, href, state) =>
  h(href ? 'a.tile' : 'div.tile', {href, 'data-state': state},
    h('span.name', name), h('span.value', value), h('span.more', more || '\u00a0'));

export function meter(used, total, label) {
  const part = total > 0 ? Math.min(1, used / total) : 0;
  return h('span.meter', {role: 'img', 'aria-label': `${label}: ${num(used)} of ${num(total)}`},
    h('span', {css: {'--part': part}}));
}

/* Counts of the last minutes, oldest first. */
export function spark(values, label = 'ended a minute') {
  const n = values?.length || 0;
  if (!n) return h('span.dim', '–');
  const max = Math.max(1, ...values), width = n > 12 ? 90 : n * 9;
  return svg('svg.spark', {viewBox: `0 0 ${width} 20`, role: 'img', width, height: 20,
    'aria-label': `${label}: ${values.join(', ')}`},
  values.map((v, i) => svg('rect', {x: i * width / n, width: width / n - 2,
    y: 20 - Math.max(1, 20 * v / max), height: Math.max(1, 20 * v / max), rx: 1})));
}
