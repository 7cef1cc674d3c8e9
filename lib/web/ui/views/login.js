/* SPDX-License-Identifier: MIT */
/* Login: a token, a user with a password, or a one-time code in the fragment. */
import {fill, h} from '../h.js';
import {get, me, post} from '../api.js';
import {field} from '../forms.js';
import {problem, tabs} from '../parts.js';

const icon = () => document.querySelector('link[rel=icon]').getAttribute('href');

export async function view(ctx) {
  const trouble = h('div'), box = h('div'), picks = h('div');
  let kind = 'token';
  async function enter(body) {
    fill(trouble, null);
    try {
      await post('session', body, {signal: ctx.signal});
      Object.assign(me, await get('me'));
      document.dispatchEvent(new CustomEvent('flowrra:entered'));
      const next = ctx.query.get('next') || './';
      /* Only a path of ours: an address elsewhere would be a trap. */
      ctx.go(/^(?:[a-z]+:|\/|\\)/i.test(next) ? './' : next, {replace: true});
    } catch (error) {
      if (error.name !== 'AbortError') fill(trouble, problem(error.status === 401 ? Object.assign(error, {hint: 'The token, password or code is not right, or has been used. `flowrractl web` prints a new address.'}) : error));
    }
  }
  const token = field({label: 'Token', required: true}, h('input', {type: 'password', autocomplete: 'current-password', spellcheck: 'false'}));
  const user = field({label: 'User', required: true}, h('input', {type: 'text', autocomplete: 'username', spellcheck: 'false', autocapitalize: 'off'}));
  const password = field({label: 'Password', required: true}, h('input', {type: 'password', autocomplete: 'current-password'}));
  function draw() {
    fill(picks, tabs('How', [['token', 'Token'], ['password', 'Password']], kind, to => { kind = to; draw(); }));
    fill(box, h('form.stack', {onsubmit: event => {
      event.preventDefault();
      enter(kind === 'token' ? {token: token.control.value.trim()} : {user: user.control.value, password: password.control.value});
    }}, kind === 'token' ? token : [user, password], h('button.primary', {type: 'submit'}, 'Log in')));
  }
  draw();
  ctx.head('Log in', []);
  ctx.show(h('section.card.login', h('img', {src: icon(), alt: '', width: 40, height: 40}), h('h2', 'Flowrra'), picks, trouble, box,
    h('p.dim', 'On the machine itself, ', h('code', 'flowrractl web'), ' prints an address that logs you in.')));
  /* The fragment never reaches a server, a log or a referrer; it is used once. */
  const code = /^#(?:code=)?([\w.~-]{8,})$/.exec(location.hash)?.[1];
  if (code) {
    history.replaceState(null, '', location.pathname + location.search);
    await enter({code});
  } else token.control.focus();
}
