/* SPDX-License-Identifier: MIT */
/* About: versions, licences, the keyboard, the API. */
import {h, u} from '../h.js';
import {me} from '../api.js';
import {env} from '../app.js';
import {keySwitch, keyTable} from '../help.js';
import {card, kv} from '../parts.js';

export async function view(ctx) {
  const version = h('span', '…');
  ctx.head('About', []);
  ctx.show(h('div.grid', card('Flowrra', kv([['Version', me.version || env.version], ['You', u(me.user || '–'), ` (${me.role || 'nobody'})`], env.label && ['Environment', u(env.label)],
    ['Licence', 'MIT'], ['API', h('a', {href: 'api/v1/openapi.json', target: '_blank'}, 'OpenAPI document')], ['Metrics', h('a', {href: 'metrics', target: '_blank'}, 'OpenMetrics')],
    ['Charts', 'Chart.js ', version, ', MIT, as Debian ships it (libjs-chart.js)']])),
  card('Keyboard', keyTable(), keySwitch())));
  import('../chart.js').then(() => { version.textContent = globalThis.Chart.version; }, () => { version.textContent = 'not installed'; });
}
