/* SPDX-License-Identifier: MIT */
/*
 * Elements from data. Every text becomes a text node: names, arguments and
 * errors are written by strangers, and nothing here parses them as HTML. The
 * page's policy (Trusted Types) refuses the calls that would.
 */
import {visible} from './fmt.js';

const SVG = 'http://www.w3.org/2000/svg';
/* These are properties: their attributes are only the first value. */
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'indeterminate',
  'selected', 'hidden', 'readOnly', 'required']);
/* People read these, so what is hidden in them is made visible. */
const READ = new Set(['title', 'aria-label', 'placeholder', 'alt', 'data-label']);

function set(el, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === 'function')
    el.addEventListener(name.slice(2), value);
  else if (name.startsWith('on'))
    throw new TypeError(`${name} wants a function`);
  else if (name === 'css')
    for (const [key, one] of Object.entries(value))
      el.style.setProperty(key, one);
  else if (PROPERTIES.has(name))
    el[name] = value;
  else
    el.setAttribute(name, value === true ? '' :
      READ.has(name) ? visible(String(value)) : String(value));
}

const nodes = children => children.flat(Infinity)
  .filter(child => child !== null && child !== undefined && typeof child !== 'boolean')
  .map(child => child instanceof Node ? child : document.createTextNode(visible(String(child))));

function build(el, classes, rest) {
  const plain = rest[0] !== null && typeof rest[0] === 'object' &&
    !(rest[0] instanceof Node) && !Array.isArray(rest[0]);
  const attributes = plain ? rest[0] : {};
  const {value, ...others} = attributes;
  if (classes.length) el.setAttribute('class', classes.join(' '));
  for (const [name, one] of Object.entries(others)) set(el, name, one);
  el.append(...nodes(plain ? rest.slice(1) : rest));
  /* Last, for a select has no value before its options. */
  set(el, 'value', value);
  return el;
}

/* h('p.note', {title: 'x', onclick: f}, 'text', node, [more]) */
export function h(spec, ...rest) {
  const [tag, ...classes] = spec.split('.');
  return build(document.createElement(tag || 'div'), classes, rest);
}

export function svg(spec, ...rest) {
  const [tag, ...classes] = spec.split('.');
  return build(document.createElementNS(SVG, tag), classes, rest);
}

/* What strangers wrote: kept apart, so that its direction turns nothing around. */
export const u = (text, ...more) => h('bdi', text, ...more);

/*
 * Makes the children of `el` these. One that would look the same is kept, so
 * that focus, selection and open details survive an update.
 */
export function fill(el, ...children) {
  const wanted = nodes(children);
  wanted.forEach((node, i) => {
    const old = el.childNodes[i];
    if (!old) el.append(node);
    else if (old !== node && !old.isEqualNode(node)) old.replaceWith(node);
  });
  while (el.childNodes.length > wanted.length) el.lastChild.remove();
  return el;
}
