// What people do with mouse, fingers and keys.

import { enter, focusOn, moveFocus, pick } from "./focus.js";
import { ask, bar } from "./frame.js";
import { canvas, chart, clear, foldButton, input, samplesButton, wholeRun, zoomIn, zoomOut } from "./head.js";
import { scrollTracks, showDeeper, toggle, toggleAll, toggleMore, toggleSamples } from "./layout.js";
import { clearSearch, nextMatch, search } from "./search.js";
import { OVERVIEW, TOP, across, embedded, isSwitch, isWhole, room, root, scrolls, standalone, state } from "./state.js";
import { hideTip, itemAt, showTip } from "./tip.js";
import { moveBy, setRange, settle, show, showAll, zoomAt } from "./view.js";

// --- the buttons

zoomOut.addEventListener("click", () => zoomAt(state.width / 2, 2));
zoomIn.addEventListener("click", () => zoomAt(state.width / 2, 0.5));
wholeRun.addEventListener("click", showAll);
foldButton.addEventListener("click", toggleAll);
samplesButton.addEventListener("click", () => toggleSamples(null));

// --- the mouse

const local = (event) => {
  const corner = canvas.getBoundingClientRect();
  return [event.clientX - corner.left, event.clientY - corner.top];
};
const touches = new Map();
let drag = null;

// Pixels on the band of the part in view.
function windowOnBand() {
  const { at, off, span } = state.view;
  return [at + off, at + off + span].map((time) => (time / state.data.total) * across());
}

const isInWindow = (x) => !isWhole() && windowOnBand()[0] <= x && x <= windowOnBand()[1];

chart.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  const [x, y] = local(event);
  touches.set(event.pointerId, x);
  let what = "pan";
  if (scrolls() && x > across()) what = "bar";
  else if (y < OVERVIEW) what = isInWindow(x) ? "glide" : "range";
  drag = { what, x, y, startX: x, startY: y, moved: false };
  chart.setPointerCapture(event.pointerId);
});

// Brings the time at a place on the band to the middle.
function glide(x) {
  if (isWhole()) return;
  const { view } = state;
  view.at = Math.floor((x / across()) * state.data.total - view.span / 2);
  view.off = 0;
  settle();
}

const cursorOver = (item, x, y) => {
  if (y < OVERVIEW) return isInWindow(x) ? "grab" : "col-resize";
  if (item && isSwitch(item)) return "pointer";
  return item && item.i !== undefined ? "default" : "grab";
};

chart.addEventListener("pointermove", (event) => {
  const [x, y] = local(event);
  if (!drag) {
    const item = itemAt(x, y);
    const next = item && item.i !== undefined ? { row: item.row, i: item.i } : null;
    if ((next && next.i) !== (state.hovered && state.hovered.i)) ask();
    state.hovered = next;
    chart.style.cursor = cursorOver(item, x, y);
    if (item) showTip(item, x, y);
    else hideTip();
    return;
  }
  if (touches.size === 2) return pinch(event.pointerId, x);
  if (!drag.moved && Math.hypot(x - drag.startX, y - drag.startY) < 4) return undefined;
  drag.moved = true;
  state.hovered = null;
  if (drag.what === "glide") glide(x);
  else if (drag.what === "range") {
    state.picked = [drag.startX, x].map((edge) => Math.max(Math.min(edge, across()), 0)).sort((a, b) => a - b);
    ask();
  } else if (drag.what === "bar") scrollTracks(state.scrolled + ((y - drag.y) * (state.content - room())) / (room() - bar().size));
  else {
    chart.style.cursor = "grabbing";
    if (event.pointerType !== "touch") scrollTracks(state.scrolled - (y - drag.y));
    moveBy((-(x - drag.x) / across()) * state.view.span);
  }
  hideTip();
  drag.x = x;
  drag.y = y;
  return undefined;
});

function pinch(id, x) {
  const [one, two] = [...touches.values()];
  touches.set(id, x);
  const [newOne, newTwo] = [...touches.values()];
  const apart = Math.max(Math.abs(newOne - newTwo), 10);
  drag.moved = true;
  zoomAt((newOne + newTwo) / 2, Math.max(Math.abs(one - two), 10) / apart);
}

const letGo = (event) => {
  touches.delete(event.pointerId);
  const was = drag;
  drag = null;
  chart.style.cursor = "";
  const [x, y] = local(event);
  const { picked } = state;
  state.picked = null;
  if (picked && event.type !== "pointercancel") {
    const [from, to] = picked.map((edge) => Math.round((edge / across()) * state.data.total));
    return setRange({ from, to });
  }
  if (!was || was.moved || event.type === "pointercancel") return ask();
  chart.focus({ preventScroll: true });
  if (was.what === "range" || was.what === "glide") return glide(x);
  if (was.what !== "pan") return undefined;
  const item = itemAt(x, y);
  if (item && isSwitch(item)) {
    ({ head: toggle, samples: toggleSamples, more: toggleMore, deeper: showDeeper })[item.what](item.track);
    const { focused } = state;
    if (focused && focused.row && focused.row.track === item.track.number) state.focused = null;
  } else if (item && item.i !== undefined) {
    focusOn({ row: item.row, i: item.i });
    showTip(item, x, y);
  } else if (y > TOP) focusOn(null);
  return undefined;
};
chart.addEventListener("pointerup", letGo);
chart.addEventListener("pointercancel", letGo);
chart.addEventListener("pointerleave", () => {
  state.hovered = null;
  hideTip();
  ask();
});
chart.addEventListener("dblclick", (event) => {
  const [x, y] = local(event);
  const item = itemAt(x, y);
  if (item && isSwitch(item)) return;
  if (item && item.i !== undefined) show(state.data.start[item.i], state.data.length[item.i]);
  else if (y > OVERVIEW) zoomAt(x, 1 / 8);
});
chart.addEventListener("blur", hideTip);
chart.addEventListener(
  "wheel",
  (event) => {
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? room() : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const active = standalone || document.activeElement === chart;
    if (event.ctrlKey || event.metaKey) zoomAt(local(event)[0], Math.exp(Math.max(Math.min(dy * 0.006, 2), -2)));
    else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) moveBy(((dx || dy) / across()) * state.view.span);
    else if (event.altKey) scrollTracks(state.scrolled + dy);
    else if (active) zoomAt(local(event)[0], Math.exp(Math.max(Math.min(dy * 0.002, 2), -2)));
    else return; // the page scrolls
    event.preventDefault();
  },
  { passive: false }
);

// --- the keyboard

if (!embedded) {
  clear.addEventListener("click", () => {
    clearSearch();
    input.focus();
  });
  input.addEventListener("input", () => search(input.value));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
  });
}

function chartKey(event) {
  const { focused, scrolled, view } = state;
  if (/^Arrow/.test(event.key)) {
    if (focused && !event.shiftKey) moveFocus(event.key);
    else if (event.key === "ArrowLeft") moveBy(-0.15 * view.span);
    else if (event.key === "ArrowRight") moveBy(0.15 * view.span);
    else if (event.shiftKey) scrollTracks(scrolled + (event.key === "ArrowDown" ? 60 : -60));
    else pick();
  } else if (event.key === "Enter" || event.key === " ") enter();
  else if (event.key === "PageDown" || event.key === "PageUp") scrollTracks(scrolled + (event.key === "PageDown" ? 0.8 : -0.8) * room());
  else if (event.key === "Home") showAll();
  else if (event.key === "n" && state.found) nextMatch(1);
  else if (event.key === "N" && state.found) nextMatch(-1);
  else return false;
  return true;
}

function toggleFocusedSamples() {
  const { focused } = state;
  const track = focused && (focused.track || state.data.tracks[focused.row.track]);
  toggleSamples(track || null);
  if (focused && focused.row) focusOn(state.lines.some(({ row }) => row === focused.row) ? focused : { track });
}

function middle() {
  const { data, focused, view } = state;
  if (!focused || !focused.row) return across() / 2;
  const x = ((data.start[focused.i] + data.length[focused.i] / 2 - view.at - view.off) / view.span) * across();
  return x > 0 && x < across() ? x : across() / 2;
}

function goBack(isTyping) {
  if (isTyping) {
    clearSearch();
    chart.focus({ preventScroll: true });
  } else if (state.focused || !isWhole()) {
    focusOn(null);
    showAll();
  } else if (!embedded) clearSearch();
  hideTip();
}

document.addEventListener("keydown", (event) => {
  if (!state.data) return;
  // Several timelines may share the page: a key is for the one that has the focus, and some for that under the pointer.
  const active = document.activeElement;
  const inside = root.contains(active) && active !== root;
  const typing = /^(input|textarea|select)$/i.test(active && active.localName);
  const command = event.ctrlKey || event.metaKey || event.altKey;
  if (!standalone && !inside && (embedded || typing || !root.matches(":hover"))) return;
  const find = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f" && (standalone || inside);
  if (!embedded && (find || (event.key === "/" && !typing && !command))) {
    input.focus();
    input.select();
  } else if (event.key === "Escape") goBack(Boolean(input) && active === input);
  else if (typing || command) return;
  else if (event.key === "+" || event.key === "=") zoomAt(middle(), 0.5);
  else if (event.key === "-" || event.key === "_") zoomAt(middle(), 2);
  else if (event.key === "0") showAll();
  else if (event.key === "s") toggleFocusedSamples();
  else if (event.key === "r") toggleMore(null);
  else if ((active === chart || (standalone && !inside)) && chartKey(event)) chart.focus({ preventScroll: true });
  else return;
  event.preventDefault();
});
