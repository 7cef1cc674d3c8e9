// SPDX-License-Identifier: MIT
// With a daemon: an operator's day without a mouse. Nothing is clicked, and
// no script moves the focus.

import {agree, focused, ok, press, tabTo, test} from './harness.mjs';
import {ask, on} from './env.mjs';

const type = async (page, label, text) => {
  await tabTo(page, label);
  await press(page, 'Control+a');
  await page.keyboard.type(text);
};
const push = async (page, name, options) => {
  await tabTo(page, name, options);
  await press(page, 'Enter');
};
const heading = (page, text) => page.waitForFunction(t => document.querySelector('main h1')?.innerText === t, text);

// From any page: by its key, through the form, to the page of the task.
async function enqueue(page, name, args, options = {}) {
  await press(page, 'n');
  await heading(page, 'Enqueue');
  await type(page, /^Task required/, name);
  await type(page, /^Arguments/, JSON.stringify(args));
  if (Object.keys(options).length) await push(page, /^Options/);
  for (const [label, text] of Object.entries(options)) await type(page, new RegExp(`^${label}`), text);
  await push(page, /^Submit$/);
  await page.waitForSelector('.banner >> text=Submitted');
  const id = await page.getAttribute('.banner a', 'title');
  await push(page, id);
  await heading(page, name);
  return id;
}

test('by keyboard alone: log in, enqueue, find what failed by its error, retry it after a dry run', async () => {
  const mark = `keys-${Date.now()}`;
  await on('login', {anonymous: true}, async page => {
    ok((await focused(page)).name.includes('Token'), 'the login page does not begin in its field');
    await page.keyboard.type(process.env.FLOWRRA_WEB_TOKEN);
    await press(page, 'Enter');
    await heading(page, 'Overview');
    const id = await enqueue(page, 'fail', [mark], {Retries: '0'});
    await page.waitForSelector('header.page .s-failed', {timeout: 30000});
    await press(page, 'g', 'd');
    await heading(page, 'Dead');
    await press(page, '/');
    await page.keyboard.type(`error:${mark}`);
    await press(page, 'Enter');
    await page.waitForURL(/error=/);
    await page.waitForSelector(`tr[data-row="${id}"]`);
    const before = (await ask(`tasks/${id}`)).record.finished_at;
    await push(page, 'Retry all that match');
    await agree(page, 'This would retry 1 task');
    await page.waitForSelector('.toast >> text=1 retried');
    for (let i = 0; ; i++) {
      const {record} = await ask(`tasks/${id}`);
      if (record.status === 'failed' && record.finished_at !== before) break;
      ok(i < 100, `it did not run again: ${record.status}`);
      await page.waitForTimeout(100);
    }
  });
}, {realOnly: true});

test('by keyboard alone: cancel a delayed task, and purge a queue by typing its name', async () => {
  await on('', {}, async page => {
    await enqueue(page, 'add', [1, 2], {Delay: '1h'});
    await page.waitForSelector('header.page .s-delayed');
    await press(page, 'c');
    await agree(page);
    await page.waitForSelector('header.page .s-failed');
    await enqueue(page, 'add', [3, 4], {Queue: 'attic', Delay: '1h'});
    await press(page, 'g', 'q');
    await heading(page, 'Queues');
    await push(page, /^attic$/);
    await heading(page, 'attic');
    await push(page, /^Purge\|/);
    await page.waitForSelector('dialog >> text=This would take out 1 task.');
    await page.keyboard.type('attic');
    await press(page, 'Enter');
    await page.waitForSelector('.toast >> text=1 task taken out');
    await page.waitForFunction(() => /^Purge/.test(document.activeElement.innerText));
  });
}, {realOnly: true});

test('by keyboard alone: make a schedule, edit it, disable it, delete it; change the theme and the zone', async () => {
  await on('', {timezoneId: 'Asia/Kolkata'}, async page => {
    await press(page, 'g', 's');
    await heading(page, 'Schedules');
    await press(page, 'n');
    await heading(page, 'New schedule');
    await type(page, /^Task required/, 'add');
    await type(page, /^Arguments/, '[2,3]');
    await type(page, /^Cron expression/, '0 9 * * MON-FRI');
    await type(page, /^Time zone/, 'Europe/Berlin');
    await page.waitForSelector('[aria-label=Preview] tbody tr >> nth=9');
    await push(page, /^Create$/);
    await page.waitForURL(/schedules\/[0-9a-f-]{36}$/);
    await heading(page, 'add');
    await push(page, /^Edit$/);
    await heading(page, 'Edit add');
    await push(page, /^Settings/);
    await type(page, /^Description/, 'made without a mouse');
    await push(page, /^Save$/);
    await page.waitForSelector('p >> text=made without a mouse');
    await push(page, /^Disable\|/);
    await page.waitForSelector('header.page .s-disabled');
    await page.waitForFunction(() => /^Enable/.test(document.activeElement.innerText));
    await push(page, /^Delete$/);
    await page.waitForSelector('dialog[open]');
    await tabTo(page, /^Delete$/, {limit: 4});
    await press(page, 'Enter');
    await page.waitForURL(/schedules$/);
    await heading(page, 'Schedules');
    await push(page, 'Times in UTC', {key: 'Shift+Tab'});
    await page.waitForFunction(() => /Times in local/.test(document.activeElement.getAttribute('aria-label')));
    await push(page, 'Theme: system');
    await press(page, 'Enter');
    await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark' && /Theme: dark/.test(document.activeElement.title));
  });
}, {realOnly: true});

test('what is pushed has the figures of the first answer', async () => {
  await on('', {}, async page => {
    await page.waitForFunction(() => document.body.dataset.mode === 'live');
    const pushed = await page.evaluate(() => new Promise(resolve => {
      const source = new EventSource('api/v1/events?topics=overview');
      source.addEventListener('overview', event => { source.close(); resolve(JSON.parse(event.data)); });
    }));
    ok(typeof pushed.rates.succeeded === 'number' && pushed.queues.every(q => q.spark.length === 5), JSON.stringify(pushed.rates));
  });
}, {realOnly: true});
