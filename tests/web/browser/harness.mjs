// SPDX-License-Identifier: MIT
// What the browser tests share: a browser, pages whose faults are counted, and
// a list of tests that are sentences.

import {spawn} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const top = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const build = process.env.BROWSER_BUILD || join(top, 'build/browser');
const require = createRequire(join(build, 'package.json'));
const {chromium} = require('playwright-core');
export const AXE = require.resolve('axe-core/axe.min.js');
export const SHOTS = join(build, 'screenshots');
mkdirSync(SHOTS, {recursive: true});

// A daemon instead of the mock: FLOWRRA_WEB_URL, and FLOWRRA_WEB_TOKEN for it.
export const real = process.env.FLOWRRA_WEB_URL ? process.env.FLOWRRA_WEB_URL.replace(/\/*$/, '/') : null;
const mocks = [];

export function startMock(env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(top, 'tests/web/mock/server.mjs')], {stdio: ['ignore', 'pipe', 'inherit'], env: {...process.env, ...env}});
    mocks.push(child);
    child.on('error', reject);
    child.on('exit', code => reject(new Error(`the mock server ended with ${code}`)));
    child.stdout.once('data', line => {
      const url = String(line).trim(), origin = new URL(url).origin;
      resolve({url, set: async order => (await fetch(origin + '/mock', {method: 'POST', body: JSON.stringify(order)})).json(),
        calls: async () => (await fetch(origin + '/mock')).json()});
    });
  });
}

let browser;
export async function launch() {
  browser = await chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb']});
}
export async function close() {
  await browser?.close();
  mocks.forEach(child => { child.removeAllListeners('exit'); child.kill(); });
}

// A page that remembers what went wrong: refused by the policy, thrown, logged.
export async function open(base, path = '', {width = 1280, height = 1000, theme = 'light', expect = [], anonymous, ...more} = {}) {
  const context = await browser.newContext({viewport: {width, height}, colorScheme: theme, reducedMotion: 'reduce', baseURL: base, ...more});
  if (real && process.env.FLOWRRA_WEB_TOKEN && !anonymous)
    await context.setExtraHTTPHeaders({Authorization: `Bearer ${process.env.FLOWRRA_WEB_TOKEN}`});
  const page = await context.newPage();
  page.faults = [];
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', e => console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  page.on('pageerror', error => page.faults.push(`thrown: ${error.message}`));
  page.on('console', message => {
    if (message.type() !== 'error') return;
    const text = message.text();
    // Chromium logs each answer that is an error; those are asked for here.
    if (!/Failed to load resource/.test(text) && !expect.some(e => text.includes(e))) page.faults.push(text.slice(0, 300));
  });
  page.setDefaultTimeout(30000);
  await page.goto(base + path);
  page.finish = () => context.close();
  return page;
}

// The page has its data: no skeleton is left, and the heading is there.
export async function settled(page) {
  await page.waitForSelector('main h1', {state: 'attached'});
  await page.waitForFunction(() => !document.querySelector('main .skeleton'), null, {timeout: 30000});
}

// --- by the keyboard alone ---

export const press = async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); };
export const focused = page => page.evaluate(() => {
  const e = document.activeElement;
  if (e === document.body) return {tag: 'body', name: '', inMain: false, seen: false};
  const style = getComputedStyle(e), label = e.labels?.[0]?.innerText || '';
  return {tag: e.localName, name: [label, e.innerText, e.title, e.getAttribute('aria-label')].filter(Boolean).join('|'), inMain: !!e.closest('main, dialog, .controls'),
    seen: e.localName === 'h1' || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)};
});

// Tabs until something of that name has the focus, which has to be seen on all
// that is passed.
export async function tabTo(page, wanted, {limit = 90, key = 'Tab'} = {}) {
  for (let i = 0; i < limit; i++) {
    const now = await focused(page);
    if (wanted instanceof RegExp ? wanted.test(now.name) : now.name.includes(wanted)) return;
    await page.keyboard.press(key);
    const next = await focused(page);
    if (next.tag !== 'body' && !next.seen) throw new Error(`the focus on "${next.name.slice(0, 60)}" (${next.tag}) cannot be seen`);
  }
  throw new Error(`"${wanted}" cannot be reached by ${key}`);
}

// What the open dialog asks, answered: it begins on Cancel, or in its field.
export async function agree(page, text) {
  await page.waitForSelector('dialog[open]');
  if (text) await page.waitForSelector(`dialog >> text=${text}`);
  await page.waitForFunction(() => { const b = [...document.querySelectorAll('dialog footer button')].at(-1); return b && !b.disabled; });
  const name = await page.locator('dialog footer button').last().innerText();
  await tabTo(page, new RegExp(`(^|\\|)${name}(\\||$)`), {limit: 12});
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => !document.querySelector('dialog'));
  // An action draws the page again, and the focus is back on it.
  await page.waitForFunction(() => document.activeElement !== document.body);
  const now = await focused(page);
  ok(now.inMain && now.seen, `after the dialog the focus is on ${now.tag} "${now.name}"`);
}

// Pages that do not disturb each other; most of it is waiting.
export const atOnce = (list, run) => Promise.all(list.map(run));

const tests = [];
export const test = (name, run, {mockOnly, realOnly} = {}) => tests.push({name, run, mockOnly, realOnly});
export const ok = (value, what) => { if (!value) throw new Error(what); };
export const equal = (a, b, what) => { if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${what}: ${JSON.stringify(a)} is not ${JSON.stringify(b)}`); };

// All, or those whose names have one of the words of the command line.
export async function runAll() {
  const wanted = process.argv.slice(2);
  let failed = 0, skipped = 0, ran = 0;
  for (const {name, run, mockOnly, realOnly} of tests) {
    if (wanted.length && !wanted.some(word => name.includes(word))) continue;
    if (realOnly && !real) continue;
    if (real && mockOnly) { skipped++; continue; }
    const begin = Date.now();
    ran++;
    try {
      await run();
      console.log(`ok      ${name} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name}\n        ${String(error.stack || error).split('\n').slice(0, 6).join('\n        ')}`);
    }
  }
  console.log(`browser: ${ran - failed} of ${ran} tests passed${skipped ? `, ${skipped} need the mock server` : ''}`);
  return failed;
}
