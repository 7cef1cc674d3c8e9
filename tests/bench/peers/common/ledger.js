// SPDX-License-Identifier: MIT
// What ledger.py says, for Node. There is no mapping of files here: what has
// changed is written every 10 ms.
'use strict';
const fs = require('fs');

let count = 0n, first = 0n, last = 0n, told = 0n;
let starts = [], timer, countFd, startsFd;

function keep() {
  if (count === told)
    return;
  told = count;
  fs.writeSync(countFd,
               Buffer.from(BigInt64Array.of(count, first, last).buffer), 0, 24,
               0);
  if (starts.length > 0)
    fs.writeSync(startsFd, starts.join('\n') + '\n');
  starts = [];
}

function begin() {
  const base = (what) => `${process.env.BENCH_DIR}/${what}.${process.pid}`;

  countFd = fs.openSync(base('count'), 'w');
  startsFd = fs.openSync(base('starts'), 'w');
  timer = setInterval(keep, 10);
}

exports.nowUs = () => Number(process.hrtime.bigint() / 1000n);

exports.note = () => {
  last = process.hrtime.bigint();
  if (timer === undefined)
    begin();
  if (count++ === 0n)
    first = last;
};

exports.stamp = (begunUs) => {
  exports.note();
  if (begunUs !== 0)
    starts.push(Number(last / 1000n) - begunUs);
};
