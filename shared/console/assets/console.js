// What pages cannot do without a script: times in the reader's zone, times that run, staying up to date, the editor's margin.
// Everything that is fetched or sent goes through htmx, by the attributes in the pages.
'use strict';

const main = () => document.getElementById('main');

// --- Times ----------------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const year = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

function localise(root) {
  const now = new Date();
  for (const element of root.querySelectorAll('time[datetime]')) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    let text = clock.format(at);
    if (at.toDateString() !== now.toDateString()) {
      text = `${(at.getFullYear() === now.getFullYear() ? day : year).format(at)}, ${text}`;
    }
    if (element.textContent !== text) element.textContent = text;
    element.title = `${whole.format(at)} (${element.dateTime})`;
  }
  tick(root);
}

// The same units as the server's.
function duration(millis) {
  const seconds = Math.floor(millis / 1000);
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0) return '0 s';
  const [size, name] = units[first];
  const next = units[first + 1];
  return `${Math.floor(seconds / size)} ${name}${next ? ` ${Math.floor((seconds % size) / next[0])} ${next[1]}` : ''}`;
}

function tick(root) {
  const now = Date.now();
  for (const element of root.querySelectorAll('[data-since]')) {
    const since = Number(element.dataset.since);
    const text = duration(Math.max(0, now - since));
    if (element.textContent !== text) element.textContent = text;
    element.title = `since ${whole.format(new Date(since))}`;
  }
}

// --- Staying up to date ---------------------------------------------------------------------------------------------

const POLL_MS = 5000;
const POLL_ENDED_MS = 30000;
const APART_MS = 250;

let stream = null;
let streamAddress = null;
let timer = null;
let isAsking = false;
let isStale = false;
let askedAt = 0;

// Asks for the inner part of this page and changes what is different in it.
function refresh() {
  if (isAsking) { isStale = true; return; }
  const wait = askedAt + APART_MS - Date.now();
  if (wait > 0) {
    isStale = true;
    setTimeout(() => { if (isStale && !isAsking) refresh(); }, wait);
    return;
  }
  isAsking = true;
  isStale = false;
  askedAt = Date.now();
  htmx.ajax('GET', location.pathname + location.search, { target: '#main', swap: 'morph' }).finally(() => {
    isAsking = false;
    if (isStale) refresh();
  });
}

function follow() {
  const wanted = document.hidden ? null : main()?.dataset.live ?? null;
  if (wanted !== streamAddress) {
    stream?.close();
    clearInterval(timer);
    stream = null;
    streamAddress = wanted;
    if (wanted === 'poll') {
      const hasEnded = main().querySelector('.head .s-success, .head .s-failed, .head .s-cancelled');
      timer = setInterval(refresh, hasEnded ? POLL_ENDED_MS : POLL_MS);
    } else if (wanted) {
      stream = new EventSource(wanted);
      stream.addEventListener('changed', refresh);
      stream.addEventListener('open', () => offline(false));
      stream.addEventListener('error', () => offline(stream?.readyState !== EventSource.OPEN));
    }
  }
}

function offline(is) {
  document.getElementById('offline').hidden = !is;
}

document.addEventListener('visibilitychange', () => {
  // Browsers open few connections to one server: pages nobody looks at give theirs back.
  follow();
  if (!document.hidden && streamAddress) refresh();
});
document.addEventListener('htmx:sendError', () => offline(true));
document.addEventListener('htmx:afterRequest', (event) => { if (event.detail.successful) offline(false); });
document.addEventListener('htmx:afterSwap', () => { localise(document); mark(); follow(); });

// What the reader has opened or is filling in stays.
if (window.Idiomorph) {
  Idiomorph.defaults.ignoreActiveValue = true;
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === 'open' && node.localName === 'details');
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !(node.nodeType === 1 && node.hasAttribute('data-keep'));
}

// --- Menus ----------------------------------------------------------------------------------------------------------

document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    const menu = document.querySelector('details.menu[open]');
    if (menu) { menu.open = false; menu.querySelector('summary').focus(); }
  }
  if (event.key === '/' && !event.target.closest('input, textarea, select')) {
    const search = document.querySelector('input[type=search]');
    if (search) { event.preventDefault(); search.focus(); }
  }
});

// --- The editor -----------------------------------------------------------------------------------------------------

// Numbers the lines of the document and marks those with problems.
function mark() {
  const text = document.getElementById('dsl');
  const gutter = document.querySelector('.gutter');
  if (!text || !gutter) return;
  const bad = new Map();
  for (const place of document.querySelectorAll('#result .place')) {
    const line = Number(place.dataset.line);
    bad.set(line, `${bad.get(line) ?? ''}${place.parentElement.textContent}\n`);
  }
  const lines = text.value.split('\n').length;
  gutter.replaceChildren(...Array.from({ length: Math.min(lines, 5000) }, (_, index) => {
    const item = document.createElement('li');
    item.textContent = index + 1;
    if (bad.has(index + 1)) { item.className = 'bad'; item.title = bad.get(index + 1); }
    return item;
  }));
  gutter.scrollTop = text.scrollTop;
}

function prepareEditor() {
  const text = document.getElementById('dsl');
  if (!text) return;
  text.addEventListener('scroll', () => { document.querySelector('.gutter').scrollTop = text.scrollTop; });
  text.addEventListener('input', mark);
  text.addEventListener('keydown', (event) => {
    // Escape, then Tab leaves the editor; Tab alone indents.
    if (event.key === 'Escape') text.dataset.leaves = 'yes';
    else if (event.key === 'Tab' && !event.shiftKey && !text.dataset.leaves) {
      event.preventDefault();
      text.setRangeText('  ', text.selectionStart, text.selectionEnd, 'end');
      text.dispatchEvent(new Event('input', { bubbles: true }));
    } else if (event.key !== 'Tab') delete text.dataset.leaves;
  });
  mark();
}

document.addEventListener('click', (event) => {
  const place = event.target.closest('.place');
  const text = document.getElementById('dsl');
  if (!place || !text) return;
  const lines = text.value.split('\n');
  const before = lines.slice(0, Number(place.dataset.line) - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const at = before + Number(place.dataset.column) - 1;
  text.focus();
  text.setSelectionRange(at, before + (lines[Number(place.dataset.line) - 1] ?? '').length);
});

// --- Colours --------------------------------------------------------------------------------------------------------

function prepareTheme() {
  const button = document.getElementById('theme');
  if (!button) return;
  const names = { auto: 'as the system has them', light: 'light', dark: 'dark' };
  const current = () => document.documentElement.dataset.theme ?? 'auto';
  const tell = () => {
    button.setAttribute('aria-label', `Colours: ${names[current()]}`);
    button.title = `Colours: ${names[current()]}`;
  };
  button.hidden = false;
  button.addEventListener('click', () => {
    const next = { auto: 'light', light: 'dark', dark: 'auto' }[current()];
    if (next === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try { localStorage.setItem('theme', next); } catch { /* It lasts as long as the page. */ }
    tell();
  });
  tell();
}

// --- Beginning ------------------------------------------------------------------------------------------------------

document.getElementById('zone').hidden = false;
localise(document);
setInterval(() => tick(document), 1000);
prepareTheme();
prepareEditor();
follow();
