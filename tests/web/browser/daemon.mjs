// SPDX-License-Identifier: MIT
// With a daemon, and a worker that has the demo module: what a user does, done.

import {SHOTS, ok, test} from './harness.mjs';
import {ask, on, tell} from './env.mjs';

const confirm = async page => {
  const go = page.locator('dialog footer button').nth(1);
  await go.waitFor();
  await page.waitForFunction(() => { const b = [...document.querySelectorAll('dialog footer button')].at(-1); return b && !b.disabled; });
  await go.click();
};

async function enqueue(page, name, args, options = {}) {
  await page.locator('input[list=tasks]').fill(name);
  await page.getByLabel('Arguments', {exact: true}).fill(JSON.stringify(args));
  if (Object.keys(options).length) await page.click('summary:has-text("Options")');
  for (const [label, value] of Object.entries(options)) await page.getByLabel(label, {exact: true}).fill(value);
  await page.locator('button[type=submit]').click();
  const id = await page.getAttribute('.banner a', 'title');
  await page.click('.banner a');
  return id;
}

// What README shows: `make browser-picture` copies it.
test('the overview of a busy installation is a picture of at most 150 kB', async () => {
  await on('', {height: 800}, async page => {
    await page.waitForFunction(() => document.body.dataset.mode === 'live' && document.querySelector('.chart canvas') && document.querySelector('.heat'));
    for (const name of ['Succeeded/min', 'Waiting', 'Running', 'Dead'])
      ok(/[1-9]/.test(await page.locator('.tile', {hasText: name}).locator('.value').innerText()), `${name} is nothing`);
    await page.mouse.move(1270, 400);
    const picture = await page.screenshot({path: `${SHOTS}/flowrra-web.png`});
    ok(picture.length < 150000, `${picture.length} bytes`);
  });
}, {realOnly: true});

test('a task that is enqueued by the form runs, and its page shows the result by itself', async () => {
  await on('enqueue', {}, async page => {
    await enqueue(page, 'sleep', [1]);
    await page.waitForSelector('header.page .s-success', {timeout: 30000});
    ok(await page.locator('.timeline rect').count() >= 1, 'no timeline');
  });
}, {realOnly: true});

test('a task that fails is found by its error, retried after a dry run, and deleted', async () => {
  const mark = `browser-${Date.now()}`;
  await on('enqueue', {}, async page => {
    const id = await enqueue(page, 'fail', [mark], {Retries: '0'});
    await page.waitForSelector('header.page .s-failed', {timeout: 30000});
    await page.goto(page.url().replace(/tasks\/.*/, `dead?error=${mark}`));
    await page.waitForSelector(`tr[data-row="${id}"]`);
    await page.click('text=Delete all that match');
    await page.waitForSelector('dialog >> text=This would delete 1 task');
    await confirm(page);
    await page.waitForSelector('.toast >> text=1 deleted');
    await page.waitForSelector('.empty');
  });
}, {realOnly: true});

test('a delayed task is cancelled from its page', async () => {
  await on('enqueue', {}, async page => {
    await enqueue(page, 'add', [1, 2], {Delay: '1h'});
    await page.waitForSelector('header.page .s-delayed');
    await page.click('header.page button:has-text("Cancel")');
    await confirm(page);
    await page.waitForSelector('header.page .s-failed');
  });
}, {realOnly: true});

test('a workflow is drawn, moves on by push, and is cancelled', async () => {
  const steps = [{id: 'first', name: 'sleep', args: [1]}, {id: 'left', name: 'add', args: [1, 2], after: ['first']}, {id: 'right', name: 'sleep', args: [60], after: ['first']},
    {id: 'join', name: 'add', args: [{$from: 'left'}, 1], after: ['right']}, {id: 'tell', name: 'add', args: [1, 1], on: 'failure'}];
  const {workflow} = await tell('POST', 'workflows', {label: 'a <b>graph</b>', steps});
  await on(`workflows/${workflow}`, {}, async page => {
    await page.waitForFunction(() => document.querySelectorAll('.flow .node').length === 5);
    await page.waitForFunction(() => document.querySelector('.flow .s-success') && document.querySelector('.flow .s-running'), null, {timeout: 20000});
    await page.click('button:has-text("Cancel")');
    await confirm(page);
    await page.waitForFunction(() => document.querySelector('.flow .s-skipped'), null, {timeout: 20000});
    await page.click('a:has-text("Workflows")');
    await page.waitForFunction(text => document.querySelector('main').innerText.includes(text), 'a <b>graph</b>');
  });
  await tell('POST', `tasks/${workflow}.right/cancel`);
}, {realOnly: true});

test('a limit is set, holds, is changed and taken away', async () => {
  await on('limits', {}, async page => {
    const row = id => `tr[data-row="${id}"]`, said = (id, text) => page.waitForFunction(([r, t]) => document.querySelector(r)?.innerText.includes(t), [row(id), text], {timeout: 20000});
    await page.click('button:has-text("Set a limit")');
    const dialog = page.locator('dialog[open]');
    await dialog.getByLabel('Queue').fill('io');
    await dialog.getByLabel('Limits').selectOption('task');
    await dialog.getByLabel('Name or group').fill('sleep');
    await dialog.locator('footer button').nth(1).click();
    await page.waitForFunction(() => document.querySelector('dialog .status').innerText.includes('a concurrency or a rate'));
    await dialog.getByLabel('Run at once').fill('1');
    await dialog.locator('footer button').nth(1).click();
    await page.waitForSelector(row('io task sleep'));
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await tell('POST', 'tasks', {name: 'sleep', args: [60]})).task_id);
    await page.waitForFunction(r => /sleep\s+1\s+–\s+1\s+2/.test(document.querySelector(r).innerText), row('io task sleep'), {timeout: 20000});
    await page.click(`${row('io task sleep')} button[title=Change]`);
    await page.locator('dialog[open]').getByLabel('Run at once').fill('2');
    await page.locator('dialog[open] footer button').nth(1).click();
    await page.waitForFunction(r => /sleep\s+2\s+–\s+2\s+1/.test(document.querySelector(r).innerText), row('io task sleep'), {timeout: 20000});
    await said('io task sleep', 'a command');
    await page.click(`${row('io task sleep')} button[title="Take away"]`);
    await confirm(page);
    await page.waitForFunction(r => !document.querySelector(r), row('io task sleep'));
    for (const id of ids) await tell('POST', `tasks/${id}/cancel`);
  });
}, {realOnly: true});

test('a queue is paused and resumed, and the list says so by push', async () => {
  await on('queues/io', {}, async page => {
    await page.click('header.page button:has-text("Pause")');
    await confirm(page);
    await page.waitForSelector('header.page .s-paused');
    ok((await ask('queues/io')).paused, 'the daemon does not say so');
    await page.click('header.page button:has-text("Resume")');
    await confirm(page);
    await page.waitForSelector('header.page .s-enabled');
  });
}, {realOnly: true});

test('a schedule is made with a preview, edited, run, disabled and deleted', async () => {
  await on('schedules/new?task=add', {}, async page => {
    const rule = page.getByLabel('Cron expression');
    await rule.fill('0 25 * * *');
    await page.waitForFunction(() => /Column \d+/.test([...document.querySelectorAll('.fault')].map(e => e.innerText).join()));
    await rule.fill('0 9 * * MON-FRI');
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await page.waitForSelector('[aria-label=Preview] tbody tr >> nth=9');
    await page.getByLabel('Arguments', {exact: true}).fill('[2,3]');
    await page.locator('button[type=submit]').click();
    await page.waitForURL(/schedules\/[0-9a-f-]{36}$/);
    await page.waitForSelector('main table.small tbody tr');
    await page.click('header.page >> text=Edit');
    await page.click('summary:has-text("Settings")');
    await page.getByLabel('Description').fill('made by a test');
    await page.locator('button[type=submit]').click();
    await page.waitForSelector('p >> text=made by a test');
    await page.click('header.page >> text=Run now');
    await confirm(page);
    await page.waitForSelector('.toast >> text=Submitted');
    await page.click('header.page >> text=Disable');
    await page.waitForSelector('header.page .s-disabled');
    await page.click('header.page >> text=Delete');
    await confirm(page);
    await page.waitForURL(/schedules$/);
  });
}, {realOnly: true});
