/* SPDX-License-Identifier: MIT */
/*
 * Forms from a JSON Schema: a field for each property, as far as a field can
 * say it; JSON for the rest. The server checks again: a form is only help.
 */
import {h, u} from './h.js';
import {clip} from './fmt.js';
import {button} from './parts.js';

let fields = 0;

/* {label, help, required}: a label above a control, with its help and fault. */
export function field({label, help, required, fault}, control) {
  const id = `field-${++fields}`;
  const fresh = h('p.fault', {id: id + '-fault', 'data-fault': fault});
  control.id = id;
  control.setAttribute('aria-describedby', `${id}-help ${id}-fault`);
  if (required) control.required = true;
  const box = h('div.field', h('label', {for: id}, label, required && h('span.need', ' required')),
    control, help && h('p.help', {id: id + '-help'}, help), fresh);
  if (!help) control.setAttribute('aria-describedby', id + '-fault');
  box.control = control;
  box.say = text => {
    fresh.textContent = text || '';
    control.setAttribute('aria-invalid', String(!!text));
  };
  return box;
}

/* JSON in a text area, checked while it is written. kind: 'array' | 'object' | null */
export function jsonField({value, kind, rows = 4, ...more}) {
  const area = h('textarea.mono', {rows, spellcheck: 'false',
    value: value === undefined ? '' : JSON.stringify(value, null, 2)});
  const box = field(more, area);
  box.read = () => {
    if (area.value.trim() === '') return undefined;
    let read;
    try { read = JSON.parse(area.value); } catch (error) {
      throw new Error(place(area.value, error.message));
    }
    const is = Array.isArray(read) ? 'array' : read !== null && typeof read === 'object' ? 'object' : 'value';
    if (kind && is !== kind)
      throw new Error(kind === 'array' ? 'Write a JSON array, such as [640, "png"]' : 'Write a JSON object, such as {"width": 640}');
    return read;
  };
  area.addEventListener('input', () => {
    try { box.read(); box.say(''); } catch (error) { box.say(error.message); }
  });
  return box;
}

/* Engines tell the place or do not; people look for a line. So the first place
 * that no JSON has is looked for: what stands before it is what a value, a comma
 * or a bracket may follow. */
function place(text, message) {
  const token = /\s+|"(?:[^"\\\n]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)|[[\]{},:]/y;
  while (token.lastIndex < text.length) {
    const from = token.lastIndex;
    if (!token.exec(text)) return said(text, from, 'this is not JSON');
  }
  const at = /position (\d+)/.exec(message)?.[1];
  return at ? said(text, Number(at), message) : message;
}
function said(text, at, message) {
  const before = text.slice(0, at).split('\n');
  return `Line ${before.length}, column ${before.at(-1).length + 1}: ${message}`;
}

/* --- schema ------------------------------------------------------------------ */

const typeOf = schema => Array.isArray(schema.type) ? schema.type.find(t => t !== 'null') : schema.type;

function control(schema, value) {
  const type = typeOf(schema);
  if (schema.enum) return h('select', h('option', {value: ''}, '–'),
    schema.enum.map((v, i) => h('option', {value: String(i), selected: v === value}, String(v))));
  if (type === 'boolean') return h('select', [['', '–'], ['true', 'true'], ['false', 'false']]
    .map(([v, t]) => h('option', {value: v, selected: v === String(value)}, t)));
  if (type === 'integer' || type === 'number') return h('input', {type: 'number', value: value ?? '',
    min: schema.minimum, max: schema.maximum, step: type === 'integer' ? schema.multipleOf || 1 : schema.multipleOf || 'any'});
  const formats = {'date-time': 'text', date: 'date', email: 'email', uri: 'url'};
  return (schema.maxLength || 0) > 200 ? h('textarea', {rows: 3, value: value ?? ''}) :
    h('input', {type: formats[schema.format] || 'text', value: value ?? '', maxlength: schema.maxLength,
      minlength: schema.minLength, pattern: schema.pattern, spellcheck: 'false'});
}

function readControl(schema, el) {
  const raw = el.value;
  if (!el.checkValidity()) throw new Error(el.validationMessage);
  if (raw === '') {
    if (el.required) throw new Error('This is required');
    return undefined;
  }
  const type = typeOf(schema);
  if (schema.enum) return schema.enum[Number(raw)];
  if (type === 'boolean') return raw === 'true';
  return type === 'integer' || type === 'number' ? Number(raw) : raw;
}

const scalar = schema => schema.enum || ['string', 'integer', 'number', 'boolean'].includes(typeOf(schema));

function objectFields(schema, name, value, legend) {
  const boxes = Object.entries(schema.properties).map(([key, one]) =>
    [key, schemaField(one, {name: key, value: value?.[key] ?? one.default,
      required: schema.required?.includes(key)})]);
  const el = h('fieldset', legend && h('legend', u(legend)),
    schema.description && h('p.help', clip(schema.description, 500)), h('div.fields', boxes.map(([, box]) => box)));
  el.read = () => {
    const out = {};
    let faults = 0;
    for (const [key, box] of boxes)
      try {
        const one = box.read();
        box.say?.('');
        if (one !== undefined) out[key] = one;
      } catch (error) { box.say?.(error.message); faults++; }
    if (faults) throw new Error(`${faults === 1 ? 'One field is' : `${faults} fields are`} not right`);
    return Object.keys(out).length ? out : undefined;
  };
  return el;
}

/* Repeated fields of one kind. */
function listFields(schema, name, value, required) {
  const list = h('div.list'), el = h('fieldset', h('legend', u(name), required && h('span.need', ' required')),
    schema.description && h('p.help', clip(schema.description, 500)), list,
    button('Add', 'enqueue', () => add(), {kind: 'ghost'}));
  function add(one) {
    const box = schemaField(schema.items, {name: `${name} ${list.childElementCount + 1}`, value: one});
    list.append(box);
    box.append(button('', 'x', () => box.remove(), {kind: 'ghost', 'aria-label': `Remove ${name}`, title: 'Remove'}));
  }
  (Array.isArray(value) ? value : required ? [undefined] : []).forEach(add);
  el.read = () => {
    const out = [...list.children].map(box => {
      try { return box.read(); } catch (error) { box.say(error.message); throw error; }
    }).filter(v => v !== undefined);
    return out.length ? out : required ? [] : undefined;
  };
  return el;
}

export function schemaField(schema, {name, value, required}) {
  if (typeOf(schema) === 'object' && schema.properties) return objectFields(schema, name, value, name);
  if (typeOf(schema) === 'array' && schema.items && scalar(schema.items)) return listFields(schema, name, value, required);
  const head = {label: u(schema.title || name), help: schema.description && clip(schema.description, 500),
    required, fault: name};
  if (!scalar(schema)) return jsonField({value, kind: {array: 'array', object: 'object'}[typeOf(schema)], ...head});
  const box = field(head, control(schema, value));
  box.read = () => readControl(schema, box.control);
  return box;
}

function spread(values, out) {
  for (const [name, value] of Object.entries(values))
    if (/^\d+$/.test(name)) (out.args ??= [])[name] = value;
    else (out.kwargs ??= {})[name] = value;
}

/*
 * What a registered task takes: {el, read() -> {args, kwargs}}. Its schema may
 * describe keyword arguments (an object) or positional ones (an array); a
 * command has placeholders instead.
 */
export function argumentForm(task, given = {}) {
  const schema = task?.params, el = h('div.stack');
  const parts = [];
  const put = (member, box) => { parts.push([member, box]); el.append(box); };
  const holes = task?.placeholders || [];
  /* Arguments that the schema has no field for are kept as JSON. */
  const fits = Object.keys({...given.args, ...given.kwargs}).every(name => schema?.properties?.[name]);
  if (schema?.properties && fits) {
    /* A property that is a whole number is the argument of that number. */
    put('all', objectFields(schema, 'kwargs', {...given.args, ...given.kwargs}, null));
  } else if (schema?.prefixItems && !given.kwargs) {
    schema.prefixItems.forEach((one, i) => put(i, schemaField(one, {name: one.title || `argument ${i + 1}`,
      value: given.args?.[i] ?? one.default, required: i < (schema.minItems || 0)})));
  } else if (holes.length) {
    for (const hole of holes) {
      const n = /^\d+$/.test(hole) ? Number(hole) : hole;
      put(n, schemaField({type: 'string'}, {name: `{${hole}}`, required: true,
        value: typeof n === 'number' ? given.args?.[n] : given.kwargs?.[n]}));
    }
  } else {
    put('args', jsonField({label: 'Arguments', kind: 'array', value: given.args?.length ? given.args : undefined, rows: 3, fault: 'args',
      help: 'A JSON array: one value for each argument, in order.'}));
    put('kwargs', jsonField({label: 'Keyword arguments', kind: 'object', rows: 3, fault: 'kwargs',
      value: given.kwargs && Object.keys(given.kwargs).length ? given.kwargs : undefined, help: 'A JSON object.'}));
  }
  function read() {
    const out = {};
    let fault = null;
    for (const [member, box] of parts)
      try {
        const value = box.read();
        box.say?.('');
        if (value === undefined) continue;
        if (member === 'all') spread(value, out);
        else if (typeof member === 'number') (out.args ??= [])[member] = value;
        else if (member === 'args' || member === 'kwargs') out[member] = value;
        else (out.kwargs ??= {})[member] = value;
      } catch (error) { box.say?.(error.message); fault = error; }
    if (fault) throw fault;
    if (out.args) out.args = Array.from(out.args, v => v === undefined ? null : v);
    return out;
  }
  return {el, read};
}

/* Puts a problem to the field that it names; false if there is none. */
export function blame(el, error) {
  for (const one of el.querySelectorAll('.field')) one.say?.('');
  const name = error.field?.split('.').at(-1);
  for (const one of el.querySelectorAll('.field'))
    if (name && [error.field, name].includes(one.querySelector('[data-fault]')?.dataset.fault)) {
      one.say([error.column && `Column ${error.column}: `, error.message, error.hint && ` – ${error.hint}`].filter(Boolean).join(''));
      one.control.focus();
      return true;
    }
  return false;
}

