// SPDX-License-Identifier: MIT
// The table of pages: which module makes each, and what stands there with data,
// without any, and with the store away.

import {readdir} from 'node:fs/promises';
import {checkAxe, eachOf} from './pages.mjs';
import {equal, ok, real, test} from './harness.mjs';
import {on, pages, reset} from './env.mjs';

const ROWS = 'tr[data-row]', EMPTY = '.empty .title', GONE = '.problem[data-status="404"]', AWAY = '.problem[data-status="503"]';

// [page (of env.mjs), module, with data, empty, store away]
const table = [
  ['overview', 'overview', '.tiles', '.first li', AWAY],
  ['queues', 'queues', ROWS, EMPTY, AWAY],
  ['queue', 'queues', 'header.page .badge', GONE, AWAY],
  ['tasks', 'tasks', ROWS, EMPTY, AWAY],
  ['running', 'tasks', ROWS, EMPTY, AWAY],
  ['failed', 'tasks', ROWS, EMPTY, AWAY],
  // One that was cancelled before it ran has no timeline.
  ['task', 'task', 'header.page .badge', GONE, AWAY],
  ['task-done', 'task', '.timeline', GONE, AWAY],
  ['workers', 'workers', ROWS, EMPTY, AWAY],
  ['worker', 'workers', 'header.page .badge', GONE, AWAY],
  ['schedules', 'schedules', ROWS, EMPTY, AWAY],
  ['schedule', 'schedule', 'header.page .badge', GONE, AWAY],
  ['schedule-new', 'schedule_form', 'form button[type=submit]', 'form button[type=submit]', AWAY],
  ['schedule-edit', 'schedule_form', 'form button[type=submit]', GONE, AWAY],
  ['limits', 'limits', ROWS, EMPTY, AWAY],
  ['workflows', 'workflows', ROWS, EMPTY, AWAY],
  ['workflow', 'workflows', '.flow .node', GONE, AWAY],
  ['calendar', 'calendar', 'main table, main [role=grid], main .week', EMPTY, AWAY],
  ['dead', 'dead', ROWS, EMPTY, AWAY],
  ['enqueue', 'enqueue', 'form button[type=submit]', EMPTY, AWAY],
  ['health', 'health', 'main .card', EMPTY, AWAY],
  // These ask no store.
  ['login', 'login', '.login input', '.login input', '.login input'],
  ['about', 'about', 'main kbd', 'main kbd', 'main kbd'],
];

let paths; // of the things that are there: asked for while there are any
async function each(column, order) {
  await reset();
  paths ??= Object.fromEntries(await pages());
  await reset(order);
  await eachOf(table.filter(row => paths[row[0]] !== undefined), async row => on(paths[row[0]], {}, async page => {
    await page.waitForSelector(row[column], {state: 'attached'});
    if (column > 2) {
      await checkAxe(page, `${row[0]}, light`);
      await page.emulateMedia({colorScheme: 'dark'});
      await checkAxe(page, `${row[0]}, dark`);
    }
    const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map(r => /views\/(\w+)\.js$/.exec(r.name)?.[1]).filter(Boolean));
    equal(loaded[0], row[1], `module of ${row[0]}`);
  }));
}

test('the table of pages has each module of lib/web/ui/views, and each page is made by its module', async () => {
  const files = (await readdir(new URL('../../../lib/web/ui/views/', import.meta.url))).map(f => f.replace('.js', '')).sort();
  equal([...new Set(table.map(row => row[1]))].sort(), files, 'modules');
  await each(2);
  ok(real || Object.keys(paths).length >= table.length, 'the world of the mock lacks something');
});

test('each page of the table says in both themes that there is nothing, with no axe violation', () => each(3, {mode: 'empty'}), {mockOnly: true});

test('each page of the table says in both themes that the store is away, with no axe violation', () => each(4, {mode: 'away'}), {mockOnly: true});
