/* SPDX-License-Identifier: MIT */
/* The next fires of a schedule, in its zone and in the reader's. */
import {h} from './h.js';
import {parts, stamp, zone} from './fmt.js';
import {badge, empty, when} from './parts.js';

const notes = {gap: 'clocks go forward: moved to the first moment after', fold: 'clocks go back: the first of two'};

/* Seconds, and what is below them if the fires have that. */
const wall = text => text.replace('T', ' ').replace(/(?:Z|[+-]\d\d:?\d\d)$/, '').replace(/\.(\d*?)0*$/, (_, f) => f && `.${f}`);
const moment = iso => `${parts(new Date(iso)).weekday.replace('.', '')} ${stamp(iso)}${/\.\d*?[1-9]/.test(iso) ? wall(iso).replace(/^[^.]*/, '') : ''}`;
const head = (name, spec = 'th') => h(spec, {scope: 'col'}, name);

export function fireList(next) {
  if (!next.items?.length) return empty('It does not fire any more', 'Its end has passed, or its runs are used up.');
  const its = next.tz || 'UTC', mine = zone.name, both = its !== mine;
  const note = f => f.note && h('span.sub', badge('warning', f.note), ' ', notes[f.note]);
  return h('table.small', h('caption', 'Next fires'), h('thead', h('tr', both && head(`In ${its}`), head(`In ${mine}`), head('Which is', 'th.num'))),
    h('tbody', next.items.map(f => h('tr', both && h('td', wall(f.local || f.at), note(f)),
      h('td', moment(f.at), !both && note(f)), h('td.num', when(f.at))))));
}
