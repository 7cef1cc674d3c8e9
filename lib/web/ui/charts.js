/* SPDX-License-Identifier: MIT */
/*
 * Charts: time series by Chart.js, which is Debian's (static/<hash>/chart.js)
 * and loaded only where there is one; the heat map is SVG. Each has a table.
 */
import {fill, h, svg} from './h.js';
import {get, query} from './api.js';
import {clock, dur, num, parts, short, stamp, zone} from './fmt.js';
import {empty, problem, skeleton, tabs} from './parts.js';

/* It is no module, but puts itself where all see it; importing it needs no
 * script element, whose address Trusted Types would want blessed. */
let library;
const load = () => library ??= import('./chart.js').then(() => globalThis.Chart);

/* Canvas knows no custom properties. */
export function colour(name) {
  const probe = h('span', {css: {color: `var(--${name})`}});
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export const RANGES = [['1h', '1 h'], ['6h', '6 h'], ['24h', '24 h'], ['7d', '7 d'], ['90d', '90 d']];
const spans = {'1h': [3600, 60], '6h': [21600, 60], '24h': [86400, 3600], '7d': [604800, 3600], '90d': [7776000, 3600]};

export function seriesQuery(range, more) {
  const [span, step] = spans[range] || spans['1h'];
  const to = Math.ceil(Date.now() / 1000 / step) * step;
  return 'series' + query({...more, from: new Date((to - span) * 1000).toISOString(),
    to: new Date(to * 1000).toISOString(), step});
}

const label = (iso, range) => {
  const date = new Date(iso);
  if (range === '7d' || range === '90d') {
    const p = parts(date);
    return `${p.month}-${p.day} ${p.hour}:${p.minute}`;
  }
  return clock(date, false);
};

function options(kind, unit, still) {
  const ink = colour('dim'), line = colour('line');
  const axis = {grid: {color: line, drawTicks: false}, border: {display: false},
    ticks: {color: ink, maxRotation: 0, autoSkipPadding: 24, font: {size: 11}, padding: 6}};
  return {responsive: true, maintainAspectRatio: false, animation: still ? false : {duration: 200},
    interaction: {mode: 'index', intersect: false}, normalized: true,
    scales: {x: {...axis, grid: {display: false}, stacked: kind === 'bar'},
      y: {...axis, beginAtZero: true, stacked: kind === 'bar', ticks: {...axis.ticks, maxTicksLimit: 5,
        callback: value => unit === 's' ? dur(value) : short(value)}}},
    plugins: {legend: {align: 'end', labels: {color: ink, boxWidth: 10, boxHeight: 10, font: {size: 12}}},
      tooltip: {callbacks: {label: item => ` ${item.dataset.label}: ${unit === 's' ? dur(item.raw) : num(item.raw)}`}}}};
}

/* The same for those who read, or copy. rows: [[time, [text, ...]], ...] */
const table = (title, open, names, rows) => h('details', {open}, h('summary', 'As a table'),
  h('div.scroll', {tabindex: 0, role: 'group', 'aria-label': `${title}, values`}, h('table.small', h('caption', title),
    h('thead', h('tr', h('th', {scope: 'col'}, `Time (${zone.name})`), names.map(n => h('th.num', {scope: 'col'}, n)))),
    h('tbody', rows.map(([time, texts]) => h('tr', h('th', {scope: 'row'}, time), texts.map(t => h('td.num', t))))))));

/* sets: [{label, colour, values}] */
export async function draw(box, {title, labels, sets, kind = 'bar', unit = '', still}) {
  const canvas = h('canvas', {role: 'img', 'aria-label': `${title}; the table below has its values`});
  const old = box.chart, open = box.querySelector('details')?.open;
  fill(box, h('div.canvas', canvas), table(title, open, sets.map(s => s.label),
    labels.map((l, i) => [l, sets.map(s => unit === 's' ? dur(s.values[i]) : num(s.values[i]))])));
  try {
    const Chart = await load();
    old?.destroy();
    if (!canvas.isConnected) return;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    box.chart = new Chart(canvas, {type: kind, options: options(kind, unit, still), data: {labels,
      datasets: sets.map(s => ({label: s.label, data: s.values, backgroundColor: colour(s.colour),
        borderColor: colour(s.colour), borderWidth: kind === 'line' ? 1.5 : 0, pointRadius: s.values.length < 3 ? 3 : 0,
        tension: 0.25, categoryPercentage: 0.9, barPercentage: 1, maxBarThickness: 24}))}});
  } catch (error) {
    console.error(error);
    box.querySelector('details').open = true;
  }
}

const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/* A card with throughput over a range that can be chosen. more: {queue, task}. */
export function throughput(ctx, title, more = {}) {
  const box = h('div.chart', skeleton(5)), head = h('div');
  let range = ctx.query.get('range') || '1h';
  async function show() {
    fill(head, tabs('Range', RANGES, range, to => {
      range = to;
      ctx.setQuery({range: to === '1h' ? null : to});
      show();
    }));
    try {
      const data = await get(seriesQuery(range, {name: 'tasks', ...more}), {signal: ctx.signal});
      if (!data.points.length) {
        fill(box, empty('No task has ended in this time', 'Workers count what ends, by the minute.'));
        return;
      }
      await draw(box, {title, still: still(), labels: data.points.map(p => label(p.at, range)), sets:
        ['succeeded', 'retried', 'failed'].map(name => ({label: name, colour: name,
          values: data.points.map(p => p[name])}))});
    } catch (error) {
      if (error.name !== 'AbortError') fill(box, problem(error, show));
    }
  }
  show();
  return h('section.card', {'aria-label': title}, h('header', h('h2', title), head), box);
}

/* --- heat map ---------------------------------------------------------------- */

/* A scale of fewer rows says nothing of where they lie. */
const ROWS_MIN = 6;
const MARKS = [1, 1.5, 2, 3, 5, 7];

/* The bound after one on the server's scale (core/buckets.h), or before it. */
function beside(bound, up) {
  const ten = 10 ** Math.floor(Math.log10(bound) + 1e-9), mark = bound / ten;
  const found = up ? MARKS.find(m => m > mark * 1.01) : MARKS.findLast(m => m < mark * 0.99);
  return found ? found * ten : up ? ten * 10 : ten * 0.7;
}

/* The rows in use, and enough around them to show the scale. */
function widened({buckets, points, ...rest}) {
  const used = buckets.map((_, i) => points.some(p => p.counts[i] > 0));
  const lowest = used.indexOf(true), highest = used.lastIndexOf(true);
  if (lowest < 0) return null;
  const bounds = buckets.slice(lowest, highest + 1);
  let below = 0;
  for (let up = true; bounds.length < ROWS_MIN; up = !up)
    if (up && bounds.at(-1) !== null) bounds.push(beside(bounds.at(-1), true));
    else if (bounds[0] !== null) { bounds.unshift(beside(bounds[0], false)); below++; }
    else break;
  return {...rest, buckets: bounds, below: beside(bounds[0] ?? 1, false), points: points.map(p => ({at: p.at,
    counts: bounds.map((_, i) => p.counts[i - below + lowest] || 0)}))};
}

const level = (n, max) => Math.min(9, Math.ceil(9 * Math.sqrt(n / max)));

/* Columns are points of time, rows are classes of duration, the long ones above. */
const cells = (data, max, range) => data.points.flatMap((point, x) => point.counts.map((n, i) => n ?
  svg(`rect.q${level(n, max)}`, {x: x * 10, y: (data.buckets.length - 1 - i) * 10, width: 9.4, height: 9.4},
    svg('title', `${label(point.at, range)}: ${num(n)} of ${dur(data.buckets[i - 1] ?? data.below)} to ${data.buckets[i] === null ? 'more' : dur(data.buckets[i])}`)) : null));

/* Which colour is how many: the shades that whole numbers can have. */
const shades = max => h('span.shades', 'attempts', [...new Set([0.02, 0.12, 0.35, 0.65, 1].map(part => Math.max(1, Math.round(part * max))))]
  .map(n => h('span', svg('svg', {viewBox: '0 0 10 10', 'aria-hidden': 'true'}, svg(`rect.q${level(n, max)}`, {width: 10, height: 10, rx: 2})), short(n))));

/* Where a duration lies among the rows. */
function height(seconds, {buckets, below}) {
  const i = buckets.findIndex(b => b === null || seconds <= b), k = i < 0 ? buckets.length - 1 : i;
  const low = buckets[k - 1] ?? below, part = buckets[k] > low ? (seconds - low) / (buckets[k] - low) : 0.5;
  return (buckets.length - k - Math.max(0, Math.min(1, part))) * 10;
}

const curve = (values, data, name) => svg(`polyline.${name}`, {points: values.map((v, x) => v === null || v === undefined ? null :
  `${x * 10 + 5},${height(v, data).toFixed(1)}`).filter(Boolean).join(' ')});

function drawHeat(box, answer, range, title) {
  const data = widened(answer), open = box.querySelector('details')?.open;
  if (!data) return void fill(box, empty('No task has ended in this time', 'Percentiles need tasks that ran.'));
  const rows = data.buckets.length, nth = Math.ceil(rows / 7), max = Math.max(...data.points.flatMap(p => p.counts));
  const names = ['p50', 'p95', 'p99'], end = data.points.length - 1;
  fill(box, h('div.heat', h('div.y', {'aria-hidden': 'true'}, data.buckets.toReversed().map((b, i) => h('span', i % nth ? '' : b === null ? 'more' : dur(b)))),
    svg('svg', {viewBox: `0 0 ${data.points.length * 10} ${rows * 10}`, preserveAspectRatio: 'none', role: 'img',
      'aria-label': `${title}; the table below has its values`},
    cells(data, max, range), names.map(p => data[p] && curve(data[p], data, p))),
    h('div.x', {'aria-hidden': 'true'}, [0, end >> 1, end].map(i => h('span', label(data.points[i].at, range))))),
  h('p.legend', names.map(p => data[p] && h(`span.curve.${p}`, p, ' ', h('strong', dur(data.all?.[p] ?? data[p].findLast(v => v !== null))))), h('span.grow'), shades(max)),
  table(title, open, names, data.points.map((p, i) => [stamp(p.at), names.map(n => dur(data[n]?.[i]))])));
}

/* A card with the durations, or waits, of one task. */
export function percentiles(ctx, task) {
  const box = h('div.chart', skeleton(5)), picks = h('div.row');
  let name = 'duration', chosen = task, range = '1h', names = [];
  const select = h('select', {'aria-label': 'Task', onchange: e => { chosen = e.target.value; show(); }});
  async function show() {
    fill(picks, !task && select, tabs('What', [['duration', 'Duration'], ['wait', 'Wait']], name,
      to => { name = to; show(); }), tabs('Range of time', RANGES.slice(0, 4), range, to => { range = to; show(); }));
    try {
      if (!task && !names.length) {
        names = (await get('series/names', {signal: ctx.signal})).tasks;
        fill(select, h('option', {value: ''}, 'All tasks'), names.map(n => h('option', {value: n}, n)));
        if (!names.length) return void fill(box, empty('No durations yet', 'They come with the first tasks that run.'));
      }
      const data = await get(seriesQuery(range, {name, task: chosen}), {signal: ctx.signal});
      drawHeat(box, data, range, `${name === 'wait' ? 'Wait' : 'Duration'} of ${chosen || 'all tasks'}`);
    } catch (error) {
      if (error.name !== 'AbortError') fill(box, problem(error, show));
    }
  }
  show();
  return h('section.card', {'aria-label': 'Percentiles'}, h('header', h('h2', 'Percentiles'), picks), box);
}

