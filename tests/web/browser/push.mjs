// SPDX-License-Identifier: MIT
// With a daemon: something changes behind the browser's back, and each page that
// follows a topic shows it within 1.5 s of the answer to who changed it.

import {readFile, readdir} from 'node:fs/promises';
import {equal, ok, settled, test} from './harness.mjs';
import {ask, on, tell} from './env.mjs';

const LIMIT_MS = 1500;
const e = encodeURIComponent;
const inRow = (key, text) => [([k, t]) => [...document.querySelectorAll('tr[data-row]')].some(r => r.dataset.row === k && r.innerText.includes(t)), [key, text]];
const badge = state => [s => !!document.querySelector(`header.page .s-${s}`), state];
const submit = async (name, more) => (await tell('POST', 'tasks', {name, ...more})).task_id;
const number = n => n.toLocaleString('en-US');

// Tasks more in a queue that nobody takes from, by one request.
const fill = (n = 1) => tell('POST', 'tasks/batch', Array(n).fill({name: 'resize', kwargs: {w: 1}, queue: 'images'}));
const waiting = async () => (await ask('queues/images')).waiting;

// Others wait, too, and are worked off meanwhile: of sixty more, forty are seen.
async function more(selector) {
  const n = (await ask('overview')).stats.waiting;
  await fill(60);
  return [([where, least]) => [...document.querySelectorAll(where)].some(x => /waiting|pending/i.test(x.innerText) && Number(x.innerText.replace(/\boldest.*/s, '').replace(/\D/g, '')) >= least), [selector, n + 40]];
}
// One whose first step is later, and so waits for ever.
const flow = async () => (await tell('POST', 'workflows', {steps: [{id: 'a', name: 'add', args: [1, 2], delay: 3600}, {id: 'b', name: 'add', args: [{$from: 'a'}, 1]}]})).workflow;
const gone = key => [k => ![...document.querySelectorAll('tr[data-row]')].some(r => r.dataset.row === k), key];

// module and page: begin() makes what is changed, and names the page; change()
// changes it, and tells what has to be seen then.
const pushed = {
  'overview': async () => ({path: '', change: () => more('.tile')}),
  'queues': async () => ({path: 'queues', change: async () => { await fill(); return inRow('images', number(await waiting())); }}),
  'queues, one': async () => ({path: 'queues/images', change: async () => { await fill(); return [t => document.querySelector('main').innerText.includes(t), number(await waiting())]; }}),
  'tasks': async () => ({path: 'tasks', change: () => more('.tabs button, .tabs a')}),
  'tasks, running': async () => {
    const id = await submit('timer', {args: [600]});
    for (const end = Date.now() + 30000; !(await ask('tasks?state=running&task=timer')).items.some(t => t.task_id === id);) ok(Date.now() < end, 'the task does not run');
    return {path: 'tasks?state=running', change: async () => { await tell('POST', `tasks/${id}/cancel`, {}); return gone(id); }};
  },
  'task': async () => {
    const id = await submit('add', {args: [1, 2], delay: 3600});
    return {path: `tasks/${id}`, change: async () => { await tell('POST', `tasks/${id}/cancel`, {}); return badge('failed'); }};
  },
  'workers': async () => ({path: 'workers', change: () => quiet('app2:reports', 'resume', () => inRow('app2:reports', 'quiet'))}),
  'workers, one': async () => ({path: `workers/${e('app2:reports')}`, change: () => quiet('app2:reports', 'resume', () => badge('quiet'))}),
  'schedules': async () => {
    const id = (await ask('schedules')).items.find(s => s.task === 'mail.send').id;
    return {path: 'schedules', change: async () => { await tell('POST', `schedules/${id}/disable`, {}); return inRow(id, 'disabled'); }, after: () => tell('POST', `schedules/${id}/enable`, {})};
  },
  'schedule': async () => {
    const id = (await ask('schedules')).items.find(s => s.task === 'mail.send').id;
    return {path: `schedules/${id}`, change: async () => { await tell('POST', `schedules/${id}/disable`, {}); return badge('disabled'); }, after: () => tell('POST', `schedules/${id}/enable`, {})};
  },
  'workflows': async () => {
    const id = await flow();
    return {path: 'workflows', change: async () => { await tell('POST', `workflows/${id}/cancel`); return inRow(id, 'cancel'); }};
  },
  'workflows, one': async () => {
    const id = await flow();
    return {path: `workflows/${id}`, change: async () => { await tell('POST', `workflows/${id}/cancel`); return [() => !!document.querySelector('.flow .s-skipped'), null]; }};
  },
  'limits': async () => {
    await tell('POST', 'limits', {queue: 'images', group: 'pushed', concurrency: 5});
    return {path: 'limits', change: async () => { await tell('POST', 'limits', {queue: 'images', group: 'pushed', concurrency: 777}); return inRow('images group pushed', '777'); }, after: () => tell('POST', 'limits/unset', {queue: 'images', group: 'pushed'})};
  },
  'dead': async () => {
    const {key} = (await ask('dead')).items[0];
    return {path: 'dead', change: async () => { await tell('POST', 'dead/delete', {ids: [key]}); return gone(key); }};
  },
};
async function quiet(worker, after, seen) {
  await tell('POST', `workers/${e(worker)}/quiet`, {});
  return Object.assign(seen(), {after: () => tell('POST', `workers/${e(worker)}/${after}`, {})});
}

test('the pages that follow a topic are those of the table of changes', async () => {
  const folder = new URL('../../../lib/web/ui/views/', import.meta.url), follow = [];
  for (const file of await readdir(folder))
    if ((await readFile(new URL(file, folder), 'utf8')).includes('ctx.watch(')) follow.push(file.replace('.js', ''));
  equal([...new Set(Object.keys(pushed).map(name => name.split(',')[0]))].sort(), follow.sort(), 'modules');
});

// Its own answer is there already, and the first event, a snapshot, comes after it.
for (const [name, begin] of Object.entries(pushed))
  test(`a change before the stream begins is seen: ${name}`, async () => {
    const {path, change, after} = await begin();
    let undo = after;
    try {
      await on(path, {}, async page => {
        let changed;
        await page.route('**/api/v1/events*', async route => { await (changed ||= change()); await route.continue(); });
        await page.reload();
        await settled(page);
        await page.waitForFunction(() => document.body.dataset.mode === 'live');
        const seen = await changed;
        undo = seen.after || undo;
        await page.waitForFunction(...seen);
      });
    } finally { await undo?.(); }
  }, {realOnly: true});

for (const [name, begin] of Object.entries(pushed))
  test(`a change is seen within 1.5 s: ${name}`, async () => {
    const {path, change, after} = await begin();
    let undo = after;
    try {
      await on(path, {}, async page => {
        await page.waitForFunction(() => document.body.dataset.mode === 'live');
        const seen = await change(), at = Date.now();
        undo = seen.after || undo;
        await page.waitForFunction(...seen);
        const ms = Date.now() - at;
        console.log(`        ${name}: ${ms} ms`);
        ok(ms <= LIMIT_MS, `it took ${ms} ms`);
      });
    } finally { await undo?.(); }
  }, {realOnly: true});
