/* SPDX-License-Identifier: MIT */
/* Workflows, and one workflow with its graph. */
import {fill, h, svg, u} from '../h.js';
import {at, get} from '../api.js';
import {clip, num, plural, word} from '../fmt.js';
import {tile} from '../figures.js';
import {applyRows} from '../live.js';
import {action, announce, ask, badge, card, copyAs, empty, kv, link, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';

/* Beyond it a graph shows nothing any more. */
const GRAPH_MAX = 300, WIDTH = 150, HEIGHT = 34, GAP_X = 50, GAP_Y = 14;
const states = {open: 'pending', running: 'running', cancelling: 'cancelled', succeeded: 'success', failed: 'failed', cancelled: 'cancelled'};
const stateOf = w => badge(states[w.state] || w.state, w.state);
const ended = w => w.state === 'succeeded' || w.state === 'failed' || w.state === 'cancelled';

export async function view(ctx) {
  const rows = new Map();
  ctx.head('Workflows', [copyAs(() => ({ctl: ctl('workflow', 'list'), path: 'workflows'}))]);
  const table = new Table({caption: 'Workflows', key: w => w.workflow, columns: [
    {label: 'Workflow', wide: true, cell: w => [h('a.strong', {href: at`workflows/${w.workflow}`}, u(clip(w.label || w.workflow, 80))), w.label && h('span.dim', ` ${w.workflow}`)]},
    {label: 'State', cell: stateOf},
    {label: 'Steps', num: true, cell: w => num(w.steps)},
    {label: 'Waiting', num: true, cell: w => num(w.waiting)},
    {label: 'Released', num: true, cell: w => num(w.released)},
    {label: 'Failed', num: true, cell: w => num(w.failed)},
    {label: 'Begun', cell: w => when(w.begun_at)},
    {label: 'Ended', cell: w => when(w.ended_at)},
  ], empty: empty('No workflow yet', 'flowrractl workflow begin, or workflow submit FILE, makes one.')});
  ctx.show(h('section.card.flush', table.el));
  const draw = () => {
    table.update([...rows.values()].sort((a, b) => a.begun_at < b.begun_at ? 1 : -1));
    announce(plural(rows.size, 'workflow'));
  };
  applyRows(rows, await get('workflows', {signal: ctx.signal}), 'workflow');
  draw();
  ctx.watch(['workflows'], (topic, data) => { applyRows(rows, data, 'workflow'); draw(); });
}

/* --- the graph ------------------------------------------------------------------ */

const needs = step => step.after.map(text => text.replace(/:(success|failure|complete)$/, ''));

/* Columns by how many others stand before a step; the steps come in such an order. A
 * callback comes after all. */
function layout(steps) {
  const places = new Map(), columns = [];
  const put = (step, column) => {
    (columns[column] ||= []).push(step.task_id);
    places.set(step.task_id, {x: column * (WIDTH + GAP_X), y: (columns[column].length - 1) * (HEIGHT + GAP_Y), column});
  };
  for (const step of steps.filter(s => s.role === 'step'))
    put(step, Math.max(-1, ...needs(step).map(id => places.get(id)?.column ?? -1)) + 1);
  const last = columns.length;
  for (const step of steps.filter(s => s.role !== 'step')) put(step, last);
  return {places, width: columns.length * (WIDTH + GAP_X) - GAP_X, height: Math.max(0, ...columns.map(c => c.length)) * (HEIGHT + GAP_Y)};
}

function edge(from, to) {
  const x = from.x + WIDTH, y = from.y + HEIGHT / 2, tx = to.x, ty = to.y + HEIGHT / 2;
  return svg('path', {d: `M${x} ${y}C${x + GAP_X / 2} ${y} ${tx - GAP_X / 2} ${ty} ${tx} ${ty}`});
}

function graph(steps) {
  const {places, width, height} = layout(steps);
  const edges = steps.flatMap(step => needs(step).filter(id => places.has(id)).map(id => edge(places.get(id), places.get(step.task_id))));
  const nodes = steps.map(step => {
    const {x, y} = places.get(step.task_id);
    return svg('a', {href: at`tasks/${step.task_id}`, 'aria-label': `${step.step}: ${step.state}`},
      svg(`g.node.s-${step.state}`, {transform: `translate(${x} ${y})`},
        svg('rect', {width: WIDTH, height: HEIGHT, rx: 6}),
        svg('text', {x: 10, y: 21}, clip(step.step, 19)), svg('title', `${step.step} (${step.task_name || step.after_steps.join(', ')}): ${step.state}`)));
  });
  return h('div.flow', {tabindex: 0, role: 'group', 'aria-label': 'Graph of the steps'},
    svg('svg', {viewBox: `0 0 ${width} ${height}`, width, height}, svg('g.edges', edges), nodes));
}

/* --- one ------------------------------------------------------------------------ */

function changeButton(w, verb, sign, text, after) {
  const id = w.workflow;
  return action(verb[0].toUpperCase() + verb.slice(1), sign, async () => {
    if (await ask({title: `${verb[0].toUpperCase() + verb.slice(1)} workflow ${clip(id, 60)}?`, verb: verb[0].toUpperCase() + verb.slice(1), danger: verb === 'cancel', text,
      request: {method: 'POST', path: `${at`workflows/${id}`}/${verb}`}, ctl: ctl('workflow', verb, word(id)), done: 'Done'})) after();
  }, verb === 'cancel' ? {kind: 'danger'} : {});
}

export async function detail(ctx) {
  const [id] = ctx.params, path = at`workflows/${id}`;
  let w = await get(path, {signal: ctx.signal});
  const top = h('div.tiles'), drawn = h('div'), more = h('div');
  const load = async () => { w = await get(path, {signal: ctx.signal}); draw(); };
  const table = new Table({caption: 'Steps', key: s => s.task_id, columns: [
    {label: 'Step', wide: true, cell: s => h('a.strong', {href: at`tasks/${s.task_id}`}, u(clip(s.step, 60)))},
    {label: 'Task', cell: s => s.task_name ? u(clip(s.task_name, 60)) : '–'},
    {label: 'State', cell: s => badge(s.state === 'waiting' ? 'pending' : s.state, s.state)},
    {label: 'After', cell: s => s.after_steps.length ? u(clip(s.after_steps.join(', '), 80)) : '–'},
  ], empty: empty('No step yet', 'flowrractl submit --flow adds one.')});
  function draw() {
    ctx.head(w.label || id, [copyAs(() => ({ctl: ctl('workflow', 'show', word(id)), path})),
      w.state === 'open' && changeButton(w, 'seal', 'check', 'No more steps can be added from outside; it ends with the last one.', load),
      w.failed > 0 && changeButton(w, 'retry', 'retry', 'Its failed steps go back into their queues; what was skipped because of them waits once more.', load),
      !ended(w) && changeButton(w, 'cancel', 'x', 'No step that waits runs any more; what runs already goes on.', load)],
      h('p.sub', link('workflows', 'Workflows'), ' ', stateOf(w)));
    fill(top, tile('Waiting', num(w.waiting)), tile('Released', num(w.released), '', null, 'running'), tile('Succeeded', num(w.succeeded)),
      tile('Failed', num(w.failed), '', null, w.failed ? 'failed' : ''), tile('Skipped', num(w.skipped)));
    fill(drawn, w.tasks.length > 1 && w.tasks.length <= GRAPH_MAX ? card('Graph', graph(w.tasks)) : null);
    fill(more, card('More', kv([['ID', u(w.workflow)], ['On failure', w.on_failure], ['Begun', when(w.begun_at, true)], ['Ended', when(w.ended_at, true)]])));
    table.update(w.tasks);
    announce(`${w.state}, ${plural(w.waiting + w.released, 'step')} left`);
  }
  ctx.show(top, drawn, h('section.card.flush', table.el), more);
  draw();
  ctx.watch(['workflows'], (topic, data) => {
    const row = (data.items || data.changed || []).find(one => one.workflow === id);
    if (row && (row.moved_at !== w.moved_at || row.state !== w.state)) load();
  });
}
