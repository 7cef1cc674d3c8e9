/* SPDX-License-Identifier: MIT */
/* The next fires of a schedule, in its zone and in the reader's. */
import {h} from './h.js';
import {clip, parts, stamp, zone} from './fmt.js';
import {badge, empty, when} from './parts.js';

const notes = {gap: 'clocks go forward: moved to the first moment after', fold: 'clocks go back: the first of two'};

export function fireList(next) {
  if (!next.items?.length) return empty('It does not fire any more', 'Its end has passed, or its runs are used up.');
  const other = zone.local ? zone.name : 'UTC';
  return h('table.small', h('caption', 'Next fires'), h('thead', h('tr', h('th', {scope: 'col'}, `In ${next.tz || 'UTC'}`), h('th', {scope: 'col'}, `In ${other}`), h('th.num', {scope: 'col'}, 'Which is'))),
    h('tbody', next.items.map(f => h('tr', h('td', clip((f.local || f.at).replace('T', ' '), 25), f.note && h('span.sub', badge('warning', f.note), ' ', notes[f.note])),
      h('td', `${parts(new Date(f.at)).weekday.replace('.', '')} ${stamp(f.at)}`), h('td.num', when(f.at))))));
}

