/* SPDX-License-Identifier: MIT */
/* Health: components, the doctor's findings, schedulers, the server, who did what. */
import {fill, h, u} from '../h.js';
import {get} from '../api.js';
import {bytes, clip, dur, num, plural, stamp} from '../fmt.js';
import {draw} from '../charts.js';
import {tile} from '../figures.js';
import {badge, card, copyAs, copyable, empty, kv, linkButton, problem, skeleton, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';

const LOOK_MS = 5000;
const KEPT = 120;

const component = c => h('li', badge(c.healthy ? 'success' : 'failed', c.healthy ? 'healthy' : 'unhealthy'),
  h('span.grow', h('strong', c.component.replaceAll('_', ' ')), h('span.sub', u(clip(c.message, 300)))));

/* Commands in backquotes can be copied. */
const remedy = text => text.split(/`([^`]+)`/).map((part, i) => i % 2 ? copyable(part) : u(clip(part, 500)));
const finding = f => h('li', badge(f.level), h('span.grow', h('strong', u(clip(f.what, 400))), h('span.sub', remedy(f.remedy || ''))), h('span.chip', f.about));

function schedulers(s) {
  const sum = counts => Object.values(counts || {}).reduce((a, b) => a + b, 0);
  const why = counts => Object.entries(counts || {}).filter(([, n]) => n).map(([name, n]) => `${num(n)} ${name}`).join(', ') || 'none';
  return [kv([['Schedules', `${num(s.schedules)}, ${num(s.enabled)} enabled`], ['Due now', num(s.due)], ['Not sent yet', num(s.unsent)], ['Next', when(s.next_due, true)],
    ['Missed', sum(s.missed) ? badge('warning', why(s.missed)) : 'none'], ['Skipped', why(s.skipped)]]),
  s.schedulers?.length ? h('ul.rows', s.schedulers.map(x => h('li', x.seen_ago < -5 || x.clock_off ? badge('failed', 'clock wrong') :
    x.seen_ago > 30 ? badge('dead', 'gone') : x.state === 'running' ? badge('success', 'alive') : badge('warning', u(clip(x.state, 20))),
    h('span.grow', h('strong', u(clip(x.host, 60))), h('span.sub', `pid ${x.pid}, seen ${dur(x.seen_ago)} ago, lag ${dur(x.lag)}`)), h('strong.num', `${num(x.fires)} fires`)))) :
    empty('No scheduler', 'flowrra-beat fires the schedules.', copyable('systemctl start flowrra-beat'))];
}

function flat(value, prefix = '') {
  const said = (name, one) => typeof one === 'string' ? one : typeof one === 'boolean' ? one ? 'yes' : 'no' :
    typeof one !== 'number' ? JSON.stringify(one) : /bytes|memory/.test(name) ? bytes(one) : /rtt|skew/.test(name) ? dur(one) : num(one);
  return Object.entries(value || {}).filter(([, one]) => one !== null).flatMap(([name, one]) => one && typeof one === 'object' && !Array.isArray(one) ? flat(one, `${prefix}${name} `) :
    [[`${prefix}${name}`.replaceAll('_', ' '), u(clip(said(name, one), 120))]]);
}

const auditTable = () => new Table({caption: 'Who did what', key: a => `${a.request_id} ${a.at} ${a.target}`, columns: [
  {label: 'When', cell: a => when(a.at)}, {label: 'User', cell: a => [h('strong', u(clip(a.user, 40))), h('span.sub', u(clip(`${a.role || ''} ${a.peer || ''}`, 60)))]},
  {label: 'Action', cell: a => u(clip(a.action, 40))}, {label: 'Target', wide: true, cell: a => h('code', u(clip(a.target, 80)))},
  {label: 'Count', num: true, cell: a => num(a.count)}, {label: 'Outcome', cell: a => badge(/^(ok|done|20\d)/.test(a.outcome) ? 'success' : 'failed', clip(a.outcome, 30))}],
empty: empty('Nothing was changed', 'Each pause, retry, purge and edit shows here, and in the journal.')});

/* A part of the page that may fail by itself: then it says so. */
function part(ctx, path, box, show) {
  const load = () => get(path, {signal: ctx.signal}).then(show, error => { if (error.name !== 'AbortError') fill(box, problem(error, load)); });
  fill(box, skeleton(3));
  return load();
}

export async function view(ctx) {
  const components = h('div'), doctor = h('div'), beat = h('div'), facts = h('div'), top = h('div.tiles'), chart = h('div.chart'), auditBox = h('div'), audit = auditTable();
  const seen = [], dot = {};
  ctx.head('Health', [copyAs(() => ({ctl: ctl('doctor'), path: 'doctor'})), linkButton('Metrics', 'overview', 'metrics', {target: '_blank'})]);
  ctx.show(top, h('div.grid', card('Components', components), card('Doctor', doctor)), card('Latency to the store', chart), h('div.grid', card('Schedulers', beat), card('Server', facts)),
    h('section.card.flush', {'aria-label': 'Audit'}, h('h2', 'Audit'), auditBox));
  const drawTop = () => fill(top, tile('Components', dot.healthy === undefined ? '…' : dot.healthy ? 'Healthy' : 'Unhealthy', '', null, dot.healthy === false ? 'failed' : 'success'),
    tile('Findings', dot.findings === undefined ? '…' : num(dot.findings), dot.findings ? 'with remedies' : 'nothing to do', null, dot.errors ? 'failed' : ''),
    tile('Round trip', dur(dot.rtt), 'to the store'), tile('Beat lag', dur(dot.lag), dot.schedulers !== undefined ? plural(dot.schedulers, 'scheduler') : ''));
  drawTop();
  part(ctx, 'health', components, a => { dot.healthy = a.healthy; fill(components, h('ul.rows', a.components.map(component))); drawTop(); });
  part(ctx, 'doctor', doctor, a => {
    dot.findings = a.items.length;
    dot.errors = a.items.filter(f => f.level === 'error').length;
    fill(doctor, a.items.length ? h('ul.rows', a.items.map(finding)) : empty('Nothing to do', 'The doctor found no present and no coming problem.'));
    drawTop();
  });
  part(ctx, 'scheduler', beat, a => { dot.lag = a.schedulers?.length ? Math.max(...a.schedulers.map(x => x.lag)) : null; dot.schedulers = a.schedulers?.length || 0; fill(beat, schedulers(a)); drawTop(); });
  part(ctx, 'audit', auditBox, a => { fill(auditBox, audit.el); audit.update(a.items); });
  async function look() {
    try {
      const a = await get('server', {signal: ctx.signal});
      dot.rtt = a.broker?.rtt ?? a.rtt;
      seen.push([stamp(new Date().toISOString()).slice(11), dot.rtt]);
      if (seen.length > KEPT) seen.shift();
      const {rtt, ...rest} = a;
      fill(facts, kv(flat(rest).slice(0, 40)));
      drawTop();
      draw(chart, {title: 'Latency to the store', kind: 'line', unit: 's', still: true, labels: seen.map(([t]) => t), sets: [{label: 'round trip', colour: 'accent', values: seen.map(([, v]) => v)}]});
    } catch (error) {
      if (error.name === 'AbortError') return;
      fill(facts, problem(error));
      if (!seen.length) fill(chart, empty('No answer', 'The store does not answer.'));
    }
    if (!ctx.signal.aborted) setTimeout(() => { if (!document.hidden && !ctx.signal.aborted) look(); else if (!ctx.signal.aborted) setTimeout(look, LOOK_MS); }, LOOK_MS);
  }
  look();
}
