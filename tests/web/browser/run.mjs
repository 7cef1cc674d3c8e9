// SPDX-License-Identifier: MIT
// Tests of the pages in a real browser: `make browser`. Against the mock server,
// or a daemon: FLOWRRA_WEB_URL=http://127.0.0.1:7480/ FLOWRRA_WEB_TOKEN=…

import {close, launch, real, runAll, startMock} from './harness.mjs';
import {env} from './env.mjs';
import './pages.mjs';
import './table.mjs';
import './push.mjs';
import './safety.mjs';
import './jobs.mjs';
import './live.mjs';
import './daemon.mjs';
import './keyboard.mjs';

env.mock = real ? null : await startMock();
env.url = real || env.mock.url;
await launch();
const failed = await runAll().finally(close);
process.exit(failed ? 1 : 0);
