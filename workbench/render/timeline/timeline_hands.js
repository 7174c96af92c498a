// What people do with mouse, fingers and keys.
// Stands in one function with timeline.js, and uses its state; see timeline.svg.

// --- the mouse

const local = (event) => {
  const corner = canvas.getBoundingClientRect();
  return [event.clientX - corner.left, event.clientY - corner.top];
};
const touches = new Map();
let drag = null;

chart.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  const [x, y] = local(event);
  touches.set(event.pointerId, x);
  const what = scrolls() && x > across() ? "bar" : y < OVERVIEW ? "overview" : "pan";
  drag = { what, x, y, startX: x, startY: y, moved: false };
  chart.setPointerCapture(event.pointerId);
  if (what === "overview") glide(x);
});

function glide(x) {
  if (view.span >= data.total) return;
  view.at = Math.floor((x / across()) * data.total - view.span / 2);
  view.off = 0;
  settle();
}

chart.addEventListener("pointermove", (event) => {
  const [x, y] = local(event);
  if (!drag) {
    const item = itemAt(x, y);
    const next = item && item.i !== undefined ? { row: item.row, i: item.i } : null;
    if ((next && next.i) !== (hovered && hovered.i)) ask();
    hovered = next;
    chart.style.cursor = item && item.what === "head" ? "pointer" : y < OVERVIEW && view.span < data.total ? "ew-resize" : item && item.i !== undefined ? "default" : "grab";
    if (item) showTip(item, x, y);
    else hideTip();
    return;
  }
  if (touches.size === 2) return pinch(event.pointerId, x);
  if (!drag.moved && Math.hypot(x - drag.startX, y - drag.startY) < 4) return undefined;
  drag.moved = true;
  hovered = null;
  if (drag.what === "overview") glide(x);
  else if (drag.what === "bar") scrollTo(scrolled + ((y - drag.y) * (content - room())) / (room() - bar().size));
  else {
    chart.style.cursor = "grabbing";
    if (event.pointerType !== "touch") scrollTo(scrolled - (y - drag.y));
    moveBy((-(x - drag.x) / across()) * view.span);
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
  if (!was || was.moved || was.what !== "pan" || event.type === "pointercancel") return;
  const [x, y] = local(event);
  const item = itemAt(x, y);
  chart.focus({ preventScroll: true });
  if (item && item.what === "head") {
    toggle(item.track);
    if (focused && focused.row && focused.row.track === item.track.number) focused = null;
  } else if (item && item.i !== undefined) {
    focusOn({ row: item.row, i: item.i });
    showTip(item, x, y);
  } else if (y > TOP) focusOn(null);
};
chart.addEventListener("pointerup", letGo);
chart.addEventListener("pointercancel", letGo);
chart.addEventListener("pointerleave", () => {
  hovered = null;
  hideTip();
  ask();
});
chart.addEventListener("dblclick", (event) => {
  const [x, y] = local(event);
  const item = itemAt(x, y);
  if (item && item.what === "head") return;
  if (item && item.i !== undefined) show(data.start[item.i], data.length[item.i]);
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
    else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) moveBy(((dx || dy) / across()) * view.span);
    else if (event.altKey) scrollTo(scrolled + dy);
    else if (active) zoomAt(local(event)[0], Math.exp(Math.max(Math.min(dy * 0.002, 2), -2)));
    else return; // the page scrolls
    event.preventDefault();
  },
  { passive: false }
);

// --- the keyboard

input.addEventListener("input", () => search(input.value));
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
});

function chartKey(event) {
  if (/^Arrow/.test(event.key)) {
    if (focused && !event.shiftKey) moveFocus(event.key);
    else if (event.key === "ArrowLeft") moveBy(-0.15 * view.span);
    else if (event.key === "ArrowRight") moveBy(0.15 * view.span);
    else if (event.shiftKey) scrollTo(scrolled + (event.key === "ArrowDown" ? 60 : -60));
    else pick();
  } else if (event.key === "Enter" || event.key === " ") enter();
  else if (event.key === "PageDown" || event.key === "PageUp") scrollTo(scrolled + (event.key === "PageDown" ? 0.8 : -0.8) * room());
  else if (event.key === "Home") showAll();
  else return false;
  return true;
}

function middle() {
  if (!focused || !focused.row) return across() / 2;
  const x = ((data.start[focused.i] + data.length[focused.i] / 2 - view.at - view.off) / view.span) * across();
  return x > 0 && x < across() ? x : across() / 2;
}

document.addEventListener("keydown", (event) => {
  if (!data) return;
  // Several timelines may share the page: a key is for the one that has the focus, and some for that under the pointer.
  const active = document.activeElement;
  const inside = root.contains(active) && active !== root;
  const typing = /^(input|textarea|select)$/i.test(active && active.localName);
  const command = event.ctrlKey || event.metaKey || event.altKey;
  if (!standalone && !inside && !(root.matches(":hover") && !typing)) return;
  const find = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f" && (standalone || inside);
  if (find || (event.key === "/" && !typing && !command)) {
    input.focus();
    input.select();
  } else if (event.key === "Escape") {
    if (active === input) {
      clearSearch();
      chart.focus({ preventScroll: true });
    } else if (focused || view.span < data.total) {
      focusOn(null);
      showAll();
    } else clearSearch();
    hideTip();
  } else if (typing || command) return;
  else if (event.key === "+" || event.key === "=") zoomAt(middle(), 0.5);
  else if (event.key === "-" || event.key === "_") zoomAt(middle(), 2);
  else if (event.key === "0") showAll();
  else if ((active === chart || (standalone && !inside)) && chartKey(event)) chart.focus({ preventScroll: true });
  else return;
  event.preventDefault();
});
