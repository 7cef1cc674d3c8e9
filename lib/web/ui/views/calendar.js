/* SPDX-License-Identifier: MIT */
/* The week by hour: how many fires, and where they meet. */
import {fill, h, u} from '../h.js';
import {at, get, query} from '../api.js';
import {clip, num, parts, plural, short, stamp, zone} from '../fmt.js';
import {badge, button, card, copyAs, empty, link} from '../parts.js';

const DAY = 86400000;

/* Midnight of today in the zone that is shown. */
function midnight() {
  const date = new Date();
  if (zone.local) date.setHours(0, 0, 0, 0); else date.setUTCHours(0, 0, 0, 0);
  return date;
}

function hourDetail(hour) {
  if (!hour) return empty('Pick an hour', 'Its schedules show here.');
  return [h('p.strong', `${stamp(hour.at).slice(0, 16)} ${zone.name}: ${plural(hour.count, 'fire')}`),
    h('ul.rows', hour.schedules.map(s => h('li', link(at`schedules/${s.id}`, h('span.grow', u(clip(s.task || s.description || s.id, 60)), h('span.sub', s.task ? u(clip(s.id, 50)) : null)), h('strong.num', num(s.count))))))];
}

/* Rows are days, columns are hours: a week fits a screen. */
function grid(data, pick) {
  const days = new Map(), counts = data.hours.map(x => x.count), least = Math.min(...counts), most = Math.max(...counts);
  const heat = n => most === least ? 3 : 1 + Math.round(8 * (n - least) / (most - least));
  for (let i = 0; i < data.days; i++) {
    const p = parts(new Date(Date.parse(data.from) + i * DAY + DAY / 2));
    days.set(`${p.year}-${p.month}-${p.day}`, {name: `${p.weekday.replace('.', '')} ${p.month}-${p.day}`, hours: new Map()});
  }
  for (const hour of data.hours) {
    const p = parts(new Date(hour.at));
    const day = days.get(`${p.year}-${p.month}-${p.day}`);
    if (!day) continue;
    /* The hour that comes twice when clocks go back is one cell. */
    const old = day.hours.get(Number(p.hour));
    day.hours.set(Number(p.hour), old ? {...old, count: old.count + hour.count, schedules: [...old.schedules, ...hour.schedules]} : hour);
  }
  return h('div.scroll', {tabindex: 0, role: 'group', 'aria-label': 'Calendar'}, h('table.calendar', h('caption.sr', 'Fires by day and hour'),
    h('thead', h('tr', h('td'), Array.from({length: 24}, (_, i) => h('th', {scope: 'col'}, String(i).padStart(2, '0'))))),
    h('tbody', [...days.values()].map(day => h('tr', h('th', {scope: 'row'}, day.name), Array.from({length: 24}, (_, i) => {
      const hour = day.hours.get(i);
      return h('td', hour?.count ? h(`button.q${heat(hour.count)}`, {type: 'button', onclick: () => pick(hour),
        'aria-label': `${day.name} ${i}:00, ${short(hour.count, 1000)} ${hour.count === 1 ? 'fire' : 'fires'} of ${plural(hour.schedules.length, 'schedule')}`}, short(hour.count, 1000)) : h('span.dim', '·'));
    }))))));
}

export async function view(ctx) {
  const asked = ctx.query.get('from');
  const from = asked && !isNaN(new Date(asked)) ? new Date(asked) : midnight();
  const path = `calendar${query({from: from.toISOString(), days: 7})}`;
  const data = await get(path, {signal: ctx.signal});
  const side = h('div', {'aria-live': 'polite'}), to = days => ctx.go(`calendar?from=${new Date(from.getTime() + days * DAY).toISOString()}`);
  const busiest = [...data.hours].sort((a, b) => b.count - a.count || b.schedules.length - a.schedules.length).slice(0, 5).filter(x => x.count);
  const pick = hour => fill(side, hourDetail(hour));
  ctx.head('Calendar', [copyAs(() => ({path})), button('Week before', 'back', () => to(-7)), button('This week', 'calendar', () => ctx.go('calendar')), button('Week after', 'next', () => to(7))],
    h('p.sub', `${stamp(from).slice(0, 10)} to ${stamp(new Date(from.getTime() + 6 * DAY)).slice(0, 10)}, hours in ${zone.name}`));
  pick(null);
  ctx.show(data.complete === false && h('div.banner', {'data-state': 'retrying'}, badge('warning', 'Not all'), 'There are more schedules than were looked at.'),
    data.hours.some(x => x.count) ? card(null, grid(data, pick)) : card(null, empty('Nothing fires in this week', 'Schedules show here by the hour in which they fire.', link('schedules/new', 'Make one'))),
    h('div.grid', card('Hour', side), card('Busiest hours', busiest.length ? h('ul.rows', busiest.map(x => h('li', h('button.rowbutton', {type: 'button', onclick: () => pick(x)},
      h('span.grow', stamp(x.at).slice(0, 16), h('span.sub', plural(x.schedules.length, 'schedule'))), h('strong.num', num(x.count)))))) : empty('None'))));
}
