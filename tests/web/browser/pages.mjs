// SPDX-License-Identifier: MIT
// Each page: with data, empty, with the store away; wide, narrow, light, dark.

import {readFile, readdir} from 'node:fs/promises';
import {gzipSync} from 'node:zlib';
import {AXE, SHOTS, atOnce, equal, ok, open, real, settled, startMock, test} from './harness.mjs';
import {on, pages, reset} from './env.mjs';

const overflow = page => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

// Axe is given as a text, which the policy refuses; so its world is the debugger's.
const axe = await readFile(AXE, 'utf8');
export async function checkAxe(page, name) {
  if (!await page.evaluate(() => !!globalThis.axe)) await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}));
  const said = found.violations.map(v => `${v.id}: ${v.nodes.slice(0, 2).map(n => n.target.join(' ') + ' ' + n.failureSummary.split('\n')[1]).join('; ')}`);
  ok(!said.length, `axe on ${name}: ${said.join('\n        ')}`);
}

const sizes = new Map();
async function measure() {
  const folder = new URL('../../../lib/web/ui/', import.meta.url);
  for (const file of await readdir(folder, {recursive: true}))
    if (/\.\w+$/.test(file)) sizes.set(file, gzipSync(await readFile(new URL(file, folder)), {level: 9}).length);
}

// What the page has loaded, without the chart library.
async function weight(page) {
  const names = await page.evaluate(() => performance.getEntriesByType('resource').map(r => /\/static\/[^/]+\/(.*)/.exec(r.name)?.[1]).filter(Boolean));
  return [...new Set(names)].reduce((n, file) => n + (sizes.get(file) || 0), sizes.get('index.html'));
}

async function checkTexts(page, name) {
  const state = await page.evaluate(() => ({ran: window.hostile, made: document.querySelectorAll('main img:not([src*="static/"]), main script, main svg[onload], [onerror]').length,
    text: document.querySelector('main').innerText}));
  ok(!state.ran && !state.made, `a text became HTML on ${name}`);
  ok(!/[\u0000-\u0008\u000e-\u001f\u202a-\u202e]/.test(state.text), `a hidden character is not made visible on ${name}`);
  return state.text.includes('onerror=');
}

async function checkNarrow(page, name) {
  ok(await overflow(page) <= 0, `${name} scrolls sideways by ${await overflow(page)} px at 360 px`);
  if (name === 'login') return;
  const box = await page.locator('nav .more button').boundingBox();
  ok(box && box.y > 600 && box.height >= 24, `${name} has no navigation at the bottom`);
  const small = await page.evaluate(() => [...document.querySelectorAll('main button, nav a, nav button')].filter(e => e.checkVisibility() && (e.getBoundingClientRect().width < 24 || e.getBoundingClientRect().height < 24)).map(e => e.outerHTML.slice(0, 80)));
  equal(small, [], `targets below 24 px on ${name}`);
}

// Some pages at a time: most of it is waiting. A row begins with its name.
export async function eachOf(rows, run) {
  const left = [...rows], faults = [];
  await Promise.all([0, 1, 2].map(async () => {
    for (let next; (next = left.shift());)
      await run(next).catch(error => faults.push(`${next[0]}: ${error.message}`));
  }));
  ok(!faults.length, faults.join('\n        '));
}

test('each page shows its data in both themes and at 360 px, with no fault, no refusal by the policy, no axe violation and no text as HTML', async () => {
  await reset();
  await measure();
  let most = 0, which = '', hostile = 0;
  await eachOf(await pages(), ([name, path]) => on(path, {}, async page => {
    await page.screenshot({path: `${SHOTS}/${name}-light.png`});
    ok(await overflow(page) <= 0, `it scrolls sideways at 1280 px`);
    if (await checkTexts(page, name)) hostile++;
    await checkAxe(page, 'light');
    await page.emulateMedia({colorScheme: 'dark'});
    await settled(page);
    await page.screenshot({path: `${SHOTS}/${name}-dark.png`});
    await checkAxe(page, 'dark');
    const size = await weight(page);
    if (size > most) { most = size; which = name; }
    await page.setViewportSize({width: 360, height: 740});
    await page.screenshot({path: `${SHOTS}/${name}-phone.png`});
    await checkNarrow(page, name);
  }));
  const all = [...sizes.values()].reduce((a, b) => a + b, 0);
  console.log(`        most is loaded by ${which}: ${(most / 1000).toFixed(1)} kB gzipped; all files: ${(all / 1000).toFixed(1)} kB`);
  ok(most <= 40000, `${which} loads ${most} bytes, and the budget is 40,000`);
  ok(real || hostile >= 5, `hostile texts were met on ${hostile} pages only`);
});

test('each list that is empty says why, and the overview names three commands to a first task', async () => {
  await reset({mode: 'empty'});
  await atOnce(['', 'queues', 'tasks', 'workers', 'schedules', 'dead', 'enqueue', 'calendar'], path =>
    on(path, {}, async page => {
      await page.waitForSelector('.empty .title');
      await page.screenshot({path: `${SHOTS}/empty-${path || 'overview'}.png`});
    }));
  await on('', {}, async page => equal(await page.locator('.first li').count(), 3, 'commands'));
}, {mockOnly: true});

test('with the store away each page says so, with a remedy, and tries again', async () => {
  await reset({mode: 'away'});
  await atOnce(['', 'queues', 'tasks', 'workers', 'schedules', 'dead', 'health', 'calendar'], path =>
    on(path, {}, async page => {
      await page.waitForSelector('.problem[data-status="503"]');
      ok((await page.locator('.problem').first().innerText()).includes('flowrractl doctor'), 'no remedy');
      await page.screenshot({path: `${SHOTS}/away-${path || 'overview'}.png`});
    }));
  await on('queues', {}, async page => {
    await page.waitForSelector('.problem');
    await reset();
    await page.click('.problem button');
    await page.waitForSelector('tr[data-row]');
  });
}, {mockOnly: true});

test('forced colours and reduced motion keep every page readable', async () => {
  await reset();
  await atOnce(['', 'tasks?state=failed', 'calendar'], path =>
    on(path, {forcedColors: 'active'}, async page => {
      ok(await page.locator('h1').first().isVisible(), 'no heading');
      const moving = await page.evaluate(() => document.getAnimations().filter(a => a.playState === 'running' && a.effect.getComputedTiming().duration > 1).length);
      equal(moving, 0, 'animations');
    }));
});

if (!real) test('the frame works below a prefix', async () => {
  const mock = await startMock({MOCK_PREFIX: '/ops/flowrra'});
  const page = await open(mock.url, 'queues');
  await settled(page);
  await page.click('nav a[href="tasks"]');
  await page.waitForSelector('tr[data-row]');
  ok(page.url().startsWith(mock.url + 'tasks'), page.url());
  await page.click('tr[data-row] td a');
  await page.waitForSelector('.timeline');
  equal(page.faults, [], 'faults');
  await page.finish();
});
