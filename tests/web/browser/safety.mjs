// SPDX-License-Identifier: MIT
// Hostile texts are inert; roles see what they may do; nothing leaves the page.

import {HOSTILE} from '../mock/data.mjs';
import {atOnce, equal, ok, open, test} from './harness.mjs';
import {ask, env, on, reset} from './env.mjs';

test('a task with megabytes of arguments is shown in part, quickly, and whole on demand', async () => {
  await reset();
  const big = (await ask('tasks?state=success')).items[7];
  ok(big.args[0].length === HOSTILE.long.length, 'the mock has no big task');
  const begin = Date.now();
  await on(`tasks/${big.task_id}`, {}, async page => {
    ok(Date.now() - begin < 4000, 'it took over 4 s');
    const length = () => page.evaluate(() => document.querySelector('pre.code code').innerText.length);
    ok(await length() < 30000, 'all was shown at once');
    await page.click('text=Show all >> nth=0');
    ok(await length() > 1000000, 'not all is shown');
  });
}, {mockOnly: true});

test('an address of another scheme or server is not followed after login', async () => {
  await reset({logged: false});
  for (const next of ['https://evil.example/', '//evil.example/', 'javascript:alert(1)', '\\\\evil.example']) {
    const page = await open(env.url, 'login?next=' + encodeURIComponent(next));
    await page.fill('input[type=password]', 'good');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.tiles');
    ok(page.url().startsWith(env.url), page.url());
    equal(page.faults, [], 'faults');
    await page.finish();
    await reset({logged: false});
  }
}, {mockOnly: true});

test('who is not logged in comes to the login page, and back to where they were', async () => {
  await reset({logged: false});
  const page = await open(env.url, 'queues?sort=-Waiting');
  await page.waitForSelector('.login');
  await page.fill('input[type=password]', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.problem[data-status="401"]');
  ok((await page.innerText('.problem')).includes('flowrractl web'), 'no remedy');
  await page.fill('input[type=password]', 'good');
  await page.keyboard.press('Enter');
  await page.waitForSelector('tr[data-row]');
  ok(page.url().endsWith('queues?sort=-Waiting'), page.url());
  equal(page.faults, [], 'faults');
  await page.finish();
}, {mockOnly: true});

test('a one-time code in the fragment logs in, and leaves the address bar', async () => {
  await reset({logged: false});
  const page = await open(env.url, 'login#code=goodcode1234');
  await page.waitForSelector('.tiles');
  ok(!page.url().includes('goodcode'), page.url());
  await page.finish();
}, {mockOnly: true});

for (const [who, order] of [['a viewer', {role: 'viewer'}], ['an operator of a read-only server', {readonly: true}]])
  test(`${who} sees no action, and is told on a page that only an operator may use`, async () => {
    await reset(order);
    await atOnce(['queues', 'tasks?state=failed', 'dead', 'workers', 'schedules'], path =>
      on(path, {}, async page => {
        await page.waitForSelector('tr[data-row]');
        const text = await page.evaluate(() => [...document.querySelectorAll('main button, main a.button')].filter(b => !b.closest('.tabs')).map(b => b.title || b.innerText).join('|'));
        ok(!/Pause|Purge|Retry|Delete|Stop|Quiet|Enable|Run now|New|Enqueue/.test(text), `${path}: ${text}`);
        equal(await page.locator('.pick').count(), 0, `boxes on ${path}`);
      }));
    await atOnce(['enqueue', 'schedules/new'], path =>
      on(path, {}, async page => ok((await page.innerText('.problem[data-status="403"]')).includes('operator'), 'no remedy')));
  }, {mockOnly: true});

test('a name with quotes and commands is quoted in the command line that is offered', async () => {
  await reset();
  const name = (await ask('queues')).items.at(-1).queue;
  await on(`queues/${encodeURIComponent(name)}`, {}, async page => {
    await page.click('text=Copy as');
    const line = await page.innerText('dialog .shell code >> nth=0');
    ok(line.startsWith("flowrractl queues '<img"), line);
  });
}, {mockOnly: true});
