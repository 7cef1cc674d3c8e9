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

/* sets: [{label, colour, values}] */
export async function draw(box, {title, labels, sets, kind = 'bar', unit = '', still}) {
  const canvas = h('canvas', {role: 'img', 'aria-label': `${title}; the table below has its values`});
  const old = box.chart, open = box.querySelector('details')?.open;
  fill(box, h('div.canvas', canvas), h('details', {open}, h('summary', 'As a table'),
    h('div.scroll', {tabindex: 0, role: 'group', 'aria-label': `${title}, values`},
      h('table.small', h('caption', title), h('thead', h('tr', h('th', {scope: 'col'}, `Time (${zone.name})`),
        sets.map(s => h('th.num', {scope: 'col'}, s.label)))),
      h('tbody', labels.map((l, i) => h('tr', h('th', {scope: 'row'}, l),
        sets.map(s => h('td.num', unit === 's' ? dur(s.values[i]) : num(s.values[i]))))))))));
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

/* Columns are points of time, rows are classes of duration, the long ones above. */
function cells(data, rows, lowest) {
  const max = Math.max(1, ...data.points.flatMap(p => p.counts));
  const out = [];
  data.points.forEach((point, x) => point.counts.forEach((n, i) => {
    if (n) out.push(svg(`rect.q${Math.min(9, Math.ceil(9 * Math.sqrt(n / max)))}`,
      {x: x * 10, y: (rows - 1 - (i - lowest)) * 10, width: 9.4, height: 9.4}));
  }));
  return out;
}

/* Where a duration lies among the rows. */
function height(seconds, buckets, rows, lowest) {
  const i = buckets.findIndex(b => b === null || seconds <= b);
  const k = i < 0 ? buckets.length - 1 : i, low = buckets[k - 1] ?? 0;
  const part = buckets[k] > low ? (seconds - low) / (buckets[k] - low) : 0.5;
  return (rows - (k - lowest + Math.min(1, part))) * 10;
}

function curve(values, data, rows, lowest, name) {
  const points = values.map((v, x) => v === null || v === undefined ? null :
    `${x * 10 + 5},${height(v, data.buckets, rows, lowest).toFixed(1)}`).filter(Boolean);
  return svg(`polyline.${name}`, {points: points.join(' ')});
}

function drawHeat(box, data, range, title) {
  const used = data.buckets.map((_, i) => data.points.some(p => p.counts[i] > 0));
  const lowest = Math.max(0, used.indexOf(true)), highest = used.lastIndexOf(true);
  const open = box.querySelector('details')?.open;
  if (highest < 0) return void fill(box, empty('No task has ended in this time', 'Percentiles need tasks that ran.'));
  const rows = highest - lowest + 1, width = data.points.length * 10;
  const marks = data.buckets.slice(lowest, highest + 1).reverse(), nth = Math.ceil(rows / 6);
  const names = ['p50', 'p95', 'p99'], end = data.points.length - 1;
  fill(box, h('div.heat', h('div.y', {'aria-hidden': 'true'}, marks.map((b, i) => h('span', i % nth ? '' : b === null ? 'more' : dur(b)))),
    svg('svg', {viewBox: `0 0 ${width} ${rows * 10}`, preserveAspectRatio: 'none', role: 'img',
      'aria-label': `${title}; the table below has its values`},
    cells(data, rows, lowest), names.map(p => data[p] && curve(data[p], data, rows, lowest, p))),
    h('div.x', {'aria-hidden': 'true'}, [0, end >> 1, end].map(i => h('span', label(data.points[i].at, range))))),
  h('p.legend', names.map(p => data[p] && h(`span.${p}`, p, ' ', h('strong', dur(data[p].findLast(v => v !== null)))))),
  h('details', {open}, h('summary', 'As a table'), h('div.scroll', {tabindex: 0, role: 'group', 'aria-label': `${title}, values`},
    h('table.small', h('caption', title), h('thead', h('tr', h('th', {scope: 'col'}, `Time (${zone.name})`),
      names.map(p => h('th.num', {scope: 'col'}, p)))),
    h('tbody', data.points.map((p, i) => h('tr', h('th', {scope: 'row'}, stamp(p.at)),
      names.map(n => h('td.num', dur(data[n]?.[i])))))))))); 
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
        fill(select, names.map(n => h('option', {value: n}, n)));
        chosen = names[0];
        if (!chosen) return void fill(box, empty('No durations yet', 'They come with the first tasks that run.'));
      }
      const data = await get(seriesQuery(range, {name, task: chosen}), {signal: ctx.signal});
      drawHeat(box, data, range, `${name === 'wait' ? 'Wait' : 'Duration'} of ${chosen}`);
    } catch (error) {
      if (error.name !== 'AbortError') fill(box, problem(error, show));
    }
  }
  show();
  return h('section.card', {'aria-label': 'Percentiles'}, h('header', h('h2', 'Percentiles'), picks), box);
}

