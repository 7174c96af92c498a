// The part of the run that is in view: pan, zoom, and what is said of it.

import { amount, html } from "../words.js";
import { ask } from "./frame.js";
import { where, wholeRun } from "./head.js";
import { across, embedded, facts, isWhole, standalone, state, tell } from "./state.js";
import { timeText } from "./times.js";
import { hideTip } from "./tip.js";

const NEAREST = 1; // nanoseconds in view, at least
const CALM = 150; // milliseconds without a change, after which the range is told
let waiting = 0;
let known = "null";

export function sayWhere() {
  const { total } = facts;
  const { view } = state;
  where.textContent = "";
  const hint = (standalone ? "wheel" : "Ctrl + wheel") + " zooms · drag pans, or on the band selects a range · click, then arrows move";
  if (embedded) where.append(hint); // the page says the range
  else if (isWhole()) {
    html("b", "", amount(total, "ns"), where);
    where.append(" · " + hint + " · / searches");
  } else {
    const step = Math.max(10 ** Math.floor(Math.log10(view.span) - 3), 1);
    html("b", "", amount(Number(view.span.toPrecision(4)), "ns"), where);
    where.append(" from " + timeText(view.at, step) + " to " + timeText(Math.min(view.at + Math.ceil(view.off + view.span), total), step));
  }
  wholeRun.disabled = isWhole();
}

// Returns the range in view in whole nanoseconds, or null for the whole run.
export function range() {
  if (isWhole()) return null;
  const { at, off, span } = state.view;
  return { from: Math.max(at + Math.floor(off), 0), to: Math.min(at + Math.ceil(off + span), facts.total) };
}

export function setRange(wanted) {
  if (!wanted) return showAll();
  const from = Math.max(Math.min(wanted.from, wanted.to), 0);
  state.view = { at: Math.floor(from), off: from - Math.floor(from), span: Math.min(Math.max(Math.abs(wanted.to - wanted.from), NEAREST), facts.total) };
  return settle();
}

export function moveBy(time) {
  state.view.off += time;
  settle();
}

export function settle() {
  const { view } = state;
  const moved = Math.floor(view.off);
  view.at += moved;
  view.off -= moved;
  const last = facts.total - view.span;
  if (view.at < 0) view.at = view.off = 0;
  else if (view.at + view.off > last) {
    view.at = Math.max(Math.floor(last), 0);
    view.off = Math.max(last, 0) - view.at;
  }
  hideTip();
  sayWhere();
  ask();
  clearTimeout(waiting);
  waiting = setTimeout(tellRange, CALM);
}

function tellRange() {
  const now = JSON.stringify(range());
  if (now === known) return;
  known = now;
  tell("range", range());
}

export function zoomAt(x, factor) {
  const before = state.view.span;
  state.view.span = Math.min(Math.max(before * factor, NEAREST), facts.total);
  moveBy((x / across()) * (before - state.view.span));
}

export function show(start, length) {
  const margin = length * 0.02;
  const { view } = state;
  view.span = Math.min(Math.max(length + 2 * margin, NEAREST), facts.total);
  view.at = start;
  view.off = length > 0 ? -margin : -view.span / 2;
  settle();
}

export function showAll() {
  state.view = { at: 0, off: 0, span: facts.total };
  settle();
}
