// SPDX-License-Identifier: MIT
// The main jobs of an operator, by the keyboard alone.

import {agree, equal, ok, press, tabTo, test} from './harness.mjs';
import {ask, env, on, reset} from './env.mjs';

const calls = async (method, part) => (await env.mock.calls()).filter(c => c.method === method && c.path.includes(part));
const heading = (page, text) => page.waitForFunction(t => document.querySelector('main h1')?.innerText === t, text);

test('g and a letter go to each page, and ? shows the keys', async () => {
  await reset();
  await on('', {}, async page => {
    for (const [key, title] of [['q', 'Queues'], ['t', 'Tasks'], ['w', 'Workers'], ['s', 'Schedules'], ['c', 'Calendar'], ['d', 'Dead'], ['h', 'Health'], ['o', 'Overview']]) {
      await press(page, 'g', key);
      await heading(page, title);
      ok(await page.evaluate(() => document.activeElement.localName === 'h1'), `the heading of ${title} has no focus`);
    }
    await press(page, '?');
    await page.waitForSelector('dialog[open] .keys');
    await press(page, 'Escape');
    await page.waitForFunction(() => !document.querySelector('dialog'));
  });
});

test('single keys can be switched off', async () => {
  await reset();
  await on('', {}, async page => {
    await press(page, '?');
    await tabTo(page, 'Single-key shortcuts', {limit: 4});
    await press(page, 'Space', 'Escape', 'g', 'q');
    ok(await page.innerText('main h1') === 'Overview', 'a key still worked');
  });
});

test('the skip link leads to the content', async () => {
  await reset();
  await on('queues', {}, async page => {
    await tabTo(page, 'Skip to the content', {key: 'Shift+Tab'});
    await press(page, 'Enter');
    equal(await page.evaluate(() => document.activeElement.id), 'main', 'focus');
    ok(page.url().endsWith('queues'), page.url());
  });
});

test('a search is typed with completion, stands in the URL, and survives a reload', async () => {
  await reset();
  await on('tasks?state=failed', {}, async page => {
    await press(page, '/');
    await page.keyboard.type('ta');
    await page.waitForSelector('[role=option]');
    await press(page, 'ArrowDown', 'Enter');
    await page.keyboard.type('resi');
    await page.waitForSelector('[role=option] >> text=task:resize', {timeout: 3000}).catch(() => page.waitForSelector('[role=option] >> text=resize'));
    await press(page, 'ArrowDown', 'Enter');
    await page.keyboard.type('error:"disk full"');
    await press(page, 'Enter');
    await page.waitForURL(/task=resize/);
    const url = new URL(page.url());
    equal([url.searchParams.get('task'), url.searchParams.get('error')], ['resize', 'disk full'], 'query');
    await page.waitForSelector('tr[data-row], .empty');
    await page.reload();
    await page.waitForSelector('[data-search]');
    equal(await page.inputValue('[data-search]'), 'task:resize error:"disk full"', 'the line');
    for (const row of await page.locator('tr[data-row]').allInnerTexts()) ok(/resize/.test(row) && /disk full/.test(row), row);
  });
}, {mockOnly: true});

test('arguments are searched by their path, and a wrong field is named with its column', async () => {
  await reset();
  await on('tasks?state=pending&kwargs.template=welcome', {}, async page => {
    const rows = await page.locator('tr[data-row]').allInnerTexts();
    ok(rows.length && rows.every(r => r.includes('mail.send')), 'other tasks are shown');
    await page.fill('[data-search]', 'queue:io colour:red');
    await press(page, 'Enter');
    ok((await page.innerText('.search .fault')).startsWith('Column 10: "colour"'), await page.innerText('.search .fault'));
  });
}, {mockOnly: true});

test('an ID in the search line goes straight to its task; an unknown one is said to be so', async () => {
  await reset();
  const id = (await ask('tasks?state=success')).items[0].task_id;
  await on('tasks', {}, async page => {
    await page.fill('[data-search]', 'no-such-task');
    await press(page, 'Enter');
    await page.waitForFunction(() => document.querySelector('.search .fault').innerText.includes('No task has the ID'));
    await page.fill('[data-search]', id);
    await press(page, 'Enter');
    await page.waitForSelector('.timeline');
    ok(page.url().endsWith(id), page.url());
  });
}, {mockOnly: true});

test('a rare match is looked for step by step, told how far, and can be stopped', async () => {
  await reset();
  await on('tasks?task=needle', {}, async page => {
    await page.waitForFunction(() => document.querySelector('.pager').innerText.includes('looked at 10,000 of 17,'));
    await page.click('.pager >> text=Go on');
    await page.waitForFunction(() => document.querySelector('.pager').innerText.includes('1 task, '));
    ok((await page.locator('tr[data-row]').count()) === 1, 'it was not found');
  });
}, {mockOnly: true});

test('rows are walked with j and k, selected with x, and retried after a dry run', async () => {
  await reset();
  await on('tasks?state=failed', {}, async page => {
    await page.waitForSelector('tr[data-row]');
    await press(page, 'j', 'x', 'j', 'x', 'j', 'k');
    await page.waitForSelector('.bulk:not([hidden]) >> text=2 tasks selected');
    await press(page, 'r');
    await page.waitForSelector('dialog >> text=This would retry 2 tasks');
    equal((await calls('POST', '/retry')).length, 0, 'something was done before the answer');
    await agree(page);
    await page.waitForSelector('.toast >> text=2 done');
    equal((await calls('POST', '/retry')).length, 2, 'requests');
  });
}, {mockOnly: true});

test('everything that matches is retried as a job, after a dry run that says how many', async () => {
  await reset();
  await on('dead?reason=failed', {}, async page => {
    await page.waitForSelector('tr[data-row]');
    await tabTo(page, 'Retry all that match');
    await press(page, 'Enter');
    await page.waitForSelector('dialog >> text=/This would retry \\d+ tasks/');
    const dry = (await calls('POST', 'dead/retry'))[0].body;
    equal([dry.dry_run, dry.filter], [true, {reason: 'failed'}], 'dry run');
    await agree(page);
    await page.waitForSelector('.toast >> text=/\\d+ retried/');
    await page.waitForSelector('.empty, tr[data-row]');
  });
}, {mockOnly: true});

test('a purge wants a dry run and the name of the queue', async () => {
  await reset();
  await on('queues/io', {}, async page => {
    await tabTo(page, 'Purge');
    await press(page, 'Enter');
    await page.waitForSelector('dialog >> text=This would take out 1,296 tasks');
    const go = page.locator('dialog footer button').nth(1);
    ok(await go.isDisabled(), 'the button is not locked');
    await page.keyboard.type('i');
    ok(await go.isDisabled(), 'a part of the name unlocks');
    await page.keyboard.type('o');
    await press(page, 'Enter');
    await page.waitForSelector('.toast >> text=1,296 tasks taken out');
    equal((await calls('POST', 'purge')).at(-1).body, {confirm: 'io'}, 'the request');
  });
}, {mockOnly: true});

test('a queue is paused and resumed, and a worker made quiet', async () => {
  await reset();
  await on('queues/io', {}, async page => {
    await tabTo(page, /^Pause\|/);
    await press(page, 'Enter');
    await agree(page);
    await page.waitForSelector('header.page >> text=Resume');
  });
  const name = (await ask('workers')).items[0].worker;
  await on(`workers/${encodeURIComponent(name)}`, {}, async page => {
    await tabTo(page, 'Quiet');
    await press(page, 'Enter');
    await agree(page);
    await page.waitForSelector('header.page .s-quiet');
  });
}, {mockOnly: true});

test('a task is enqueued from a form made of its schema, and its faults stand at their fields', async () => {
  await reset();
  await on('enqueue?name=resize', {}, async page => {
    await page.click('button[type=submit]');
    await page.waitForSelector('.problem');
    ok((await page.locator('.field', {hasText: 'Source'}).innerText()).match(/required|fill/i), 'the field says nothing');
    await page.getByLabel('Source').fill('s3://a/b.jpg');
    await page.getByLabel('quality').fill('0.8');
    await page.getByLabel('format').selectOption({label: 'png'});
    await page.click('text=Copy as');
    const line = await page.innerText('dialog .shell code >> nth=0');
    equal(line, `flowrractl submit resize --kwargs '{"src":"s3://a/b.jpg","width":640,"quality":0.8,"format":"png"}'`, 'command');
    await press(page, 'Escape');
    await tabTo(page, 'Submit');
    await press(page, 'Enter');
    await page.waitForSelector('.banner >> text=Submitted');
    equal((await calls('POST', 'tasks'))[0].body, {name: 'resize', kwargs: {src: 's3://a/b.jpg', width: 640, quality: 0.8, format: 'png'}}, 'body');
  });
}, {mockOnly: true});

test('JSON arguments are checked while they are written, and a refusal of the server stands at its field', async () => {
  await reset();
  await on('enqueue?name=mail.send', {}, async page => {
    await page.getByLabel('Arguments', {exact: true}).fill('[1,\n oops]');
    ok(/[Ll]ine 2/.test(await page.locator('.field', {hasText: 'Arguments'}).first().innerText()), 'no line is named');
    await page.getByLabel('Arguments', {exact: true}).fill('[1]');
    await page.locator('input[list=tasks]').fill('resise');
    await page.locator('button[type=submit]').click();
    await page.waitForFunction(() => document.querySelector('form .field .fault').innerText.includes('similar names: resize'));
  });
}, {mockOnly: true});

test('a schedule is made with a preview that names the column of a fault', async () => {
  await reset();
  await on('schedules/new?task=cache.warm', {}, async page => {
    const rule = page.getByLabel('Cron expression');
    await rule.fill('0 9 x * MON');
    await page.waitForSelector('.mark');
    ok((await page.locator('.field', {hasText: 'Cron expression'}).innerText()).includes('Column 5'), 'no column');
    await rule.fill('0 9 * * MON-FRI');
    await page.waitForSelector('[aria-label=Preview] tbody tr >> nth=9');
    ok((await page.innerText('[aria-label=Preview]')).includes('clocks go forward'), 'no note of a gap');
    await tabTo(page, 'Create');
    await press(page, 'Enter');
    await page.waitForSelector('.toast >> text=Schedule created');
    await page.waitForURL(/schedules\/[0-9a-f-]{36}$/);
  });
}, {mockOnly: true});

test('an edit of a schedule that has changed meanwhile is refused, and says so', async () => {
  await reset();
  const id = (await ask('schedules')).items[0].id;
  await on(`schedules/${id}/edit`, {}, async page => {
    await page.click('summary >> text=Settings');
    await page.getByLabel('Description').fill('first');
    const etag = `"${(await ask(`schedules/${id}`)).updated_at}"`;
    const answer = await fetch(`${env.url}api/v1/schedules/${id}`, {method: 'PUT', headers: {'If-Match': etag, 'Content-Type': 'application/json'}, body: JSON.stringify({task: 'other', type: 'interval', rule: '60'})});
    equal(answer.status, 200, 'the other edit');
    await page.locator('button[type=submit]').click();
    await page.waitForSelector('.problem[data-status="412"]');
  });
}, {mockOnly: true});

test('a task is cancelled from its page by its key', async () => {
  await reset();
  const id = (await ask('tasks?state=running')).items[0].task_id;
  await on(`tasks/${id}`, {}, async page => {
    await press(page, 'c');
    await agree(page);
    await page.waitForSelector('header.page .s-failed');
  });
}, {mockOnly: true});

test('sorting a column is said to readers and stands in the URL', async () => {
  await reset();
  await on('queues', {}, async page => {
    const head = page.locator('th', {hasText: 'Waiting'});
    await tabTo(page, /^Waiting$/);
    await press(page, 'Enter', 'Enter');
    equal(await head.getAttribute('aria-sort'), 'descending', 'aria-sort');
    ok(page.url().includes('sort=-Waiting'), page.url());
    ok((await page.locator('tr[data-row]').first().innerText()).startsWith('low'), 'order');
  });
}, {mockOnly: true});

test('times switch between UTC and local, and the theme between light and dark', async () => {
  await reset();
  await on('queues/io', {timezoneId: 'Asia/Kolkata'}, async page => {
    const title = () => page.locator('main time').first().getAttribute('title');
    ok((await title()).endsWith('UTC'), await title());
    await tabTo(page, 'Times in UTC', {key: 'Shift+Tab'});
    await press(page, 'Enter');
    await page.waitForFunction(() => /Asia\/(Kolkata|Calcutta)/.test(document.querySelector('main time')?.title));
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await colour();
    await tabTo(page, 'Theme: system');
    await press(page, 'Enter', 'Enter');
    await page.waitForFunction(was => getComputedStyle(document.body).backgroundColor !== was, light);
    await page.reload();
    await page.waitForSelector('main h1');
    ok(await colour() !== light, 'the theme is forgotten');
  });
}, {mockOnly: true});
