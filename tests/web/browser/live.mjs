// SPDX-License-Identifier: MIT
// Live updates: pushed, paused, stale, polled.

import {ok, open, settled, test} from './harness.mjs';
import {ask, env, on, reset} from './env.mjs';

const mode = (page, name) => page.waitForFunction(m => document.body.dataset.mode === m, name);

test('a change is on the page within 1.5 s', async () => {
  await reset();
  await on('queues', {}, async page => {
    await mode(page, 'live');
    const queue = (await ask('queues')).items[0], begin = Date.now();
    await env.mock.set({push: 'queues', data: {changed: [{...queue, waiting: 987654}], removed: []}});
    await page.waitForFunction(() => document.querySelector('tr[data-row]').innerText.includes('987,654'));
    ok(Date.now() - begin < 1500, `it took ${Date.now() - begin} ms`);
  });
}, {mockOnly: true});

test('new running tasks are counted, and do not move the rows until asked for', async () => {
  await reset();
  await on('tasks?state=running', {}, async page => {
    await mode(page, 'live');
    const first = await page.getAttribute('tr[data-row]', 'data-row');
    const [t] = (await ask('tasks?state=running')).items;
    await env.mock.set({push: 'running', data: {changed: [{...t, task_id: 'fresh-1'}, {...t, task_id: 'fresh-2'}], removed: []}});
    await page.waitForSelector('.fresh >> text=2 new');
    ok(await page.getAttribute('tr[data-row]', 'data-row') === first, 'a row jumped');
    await page.click('.fresh button');
    await page.waitForSelector('tr[data-row=fresh-1]');
  });
}, {mockOnly: true});

test('p pauses the updates, and goes on', async () => {
  await reset();
  await on('queues', {}, async page => {
    await mode(page, 'live');
    await page.keyboard.press('p');
    await mode(page, 'paused');
    const queue = (await ask('queues')).items[0];
    await env.mock.set({push: 'queues', data: {changed: [{...queue, waiting: 111222}], removed: []}});
    await page.keyboard.press('p');
    await mode(page, 'live');
    ok(!(await page.innerText('tbody')).includes('111,222'), 'an event came while it was paused');
  });
}, {mockOnly: true});

test('a store that goes away is said with the time since, and what is shown stays', async () => {
  await reset();
  await on('queues', {}, async page => {
    await mode(page, 'live');
    await env.mock.set({mode: 'away'});
    await mode(page, 'stale');
    await page.waitForFunction(() => /Stale for \d/.test(document.querySelector('.connection').innerText));
    ok(await page.locator('tr[data-row]').count() > 3, 'the rows are gone');
    await page.screenshot({path: `${(await import('./harness.mjs')).SHOTS}/stale-queues.png`});
    await env.mock.set({});
    await mode(page, 'live');
  });
}, {mockOnly: true});

test('without a stream the page asks every 5 s, and says so', async () => {
  await reset({sse: false});
  const page = await open(env.url, 'queues');
  await settled(page);
  await mode(page, 'polling');
  ok((await page.innerText('.connection')).includes('Polling every 5 s'), 'it does not say so');
  await page.finish();
}, {mockOnly: true});

test('progress of a task and its end are pushed to its page', async () => {
  await reset();
  const t = (await ask('tasks?state=running')).items[0];
  await on(`tasks/${t.task_id}`, {}, async page => {
    await mode(page, 'live');
    await env.mock.set({push: `task:${t.task_id}`, data: {record: {...t, progress: {done: 77, total: 100}}, progress: {done: 77, total: 100}}});
    await page.waitForSelector('.bigprogress >> text=77 %');
    await env.mock.set({push: `task:${t.task_id}`, data: {record: {...t, status: 'success', state: 'success', result: 5, finished_at: new Date().toISOString()}, progress: null}});
    await page.waitForSelector('header.page .s-success');
  });
}, {mockOnly: true});
