// SPDX-License-Identifier: MIT
// What load.py says, for Node.
'use strict';
const { nowUs } = require('./ledger');

const WARM_UP = 40;

async function rate(n, submit) {
  const begin = nowUs();

  await submit(n);
  console.log(n / (nowUs() - begin) * 1e6);
}

async function latency(perSecond, seconds, call) {
  const begin = nowUs() + 100000, waiting = [], out = [];

  for (let i = -WARM_UP; i < perSecond * seconds; i++) {
    const at = begin + (i + WARM_UP) * 1e6 / perSecond;

    if (at > nowUs())
      await new Promise((done) => setTimeout(done, (at - nowUs()) / 1000));
    const begun = nowUs();
    waiting.push(call(i < 0 ? 0 : begun).then(() => {
      if (i >= 0)
        out.push(nowUs() - begun);
    }));
  }
  await Promise.all(waiting);
  console.log(out.join('\n'));
}

// call(begunUs) submits `stamp` and waits for its result.
exports.main = async (submitOne, submitMany, call) => {
  const how = process.argv[2];
  const [a, b] = process.argv.slice(3).map(Number);

  if (how === 'single') {
    await submitOne();
    await rate(a - 1, async (n) => {
      for (let i = 0; i < n; i++)
        await submitOne();
    });
  } else if (how === 'bulk') {
    await rate(a, submitMany);
  } else {
    await latency(a, b, call);
  }
  process.exit(0);
};
