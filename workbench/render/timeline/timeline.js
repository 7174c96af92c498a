// Brings one timeline to life: pan, zoom, search, details, keyboard, folding, and a layout in the pixels of the
// page. It knows its own root and nothing else of the page. Names only ever become text nodes, or text on a canvas.

const root = document.currentScript.ownerSVGElement;
const standalone = document.documentElement === root;
const facts = JSON.parse(root.querySelector(".wt-facts").textContent);
const SIZES = { ...facts.sizes, ratio: 1 };
const OVERVIEW = 30;
const TOP = OVERVIEW + SIZES.axis; // what stays while the tracks scroll
const STRIP = 10; // height of a folded track's boxes
const FOOT = 6;
const BAR = 12; // width of the scroll bar
const NEAREST = 1; // nanoseconds in view, at least

const words = new Map(facts.kinds);
let width = 0;
let height = 0; // of the canvas
let above = 0; // height of the head
let ratio = 1;
let scrolled = 0;
let lines = [];
let content = 0;
let data = null; // set once it is unpacked
let view = { at: 0, off: 0, span: facts.total };
let focused = null; // { row, i } or { track }
let hovered = null;
let found = null;
let colours = null;
let fit = null;
let paintRows = null;
let overview = null;
let asked = 0;

// --- the head: an HTML block, so that it wraps on a narrow page

const headFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
const head = html("div", "wt-head", "", headFrame);
const titleRow = html("div", "wt-row", "", head);
html("div", "wt-title", facts.title, titleRow);
const legend = html("div", "wt-legend", "", titleRow);
const key = (word, classes) => {
  const entry = html("span", "wt-key", "", legend);
  html("span", "wt-swatch " + classes, "", entry);
  entry.append(word);
};
for (const [kind, word] of facts.kinds) key(word, "wt-k" + kind + "s2");
if (facts.propagated) key("propagated", "wt-k0s2 wt-pale");
if (facts.subtitle) html("div", "wt-subtitle", facts.subtitle, head);
const toolRow = html("div", "wt-row", "", head);
const where = html("div", "wt-where", "", toolRow);
const tools = html("div", "wt-tools", "", toolRow);
const matched = html("span", "wt-matched", "", tools);
matched.setAttribute("role", "status");
const input = html("input", "wt-search", "", tools);
input.type = "text";
input.placeholder = "search, /";
input.setAttribute("aria-label", "search names and files, text or regular expression; Enter goes to the next match");
input.setAttribute("spellcheck", "false");
const button = (className, text, label, act) => {
  const element = html("button", className, text, tools);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", act);
  return element;
};
const clear = button("wt-clear", "clear", "clear the search", () => {
  clearSearch();
  input.focus();
});
clear.hidden = true;
button("wt-out", "−", "zoom out", () => zoomAt(width / 2, 2));
button("wt-in", "+", "zoom in", () => zoomAt(width / 2, 0.5));
const reset = button("wt-reset", "all", "show the whole run", () => showAll());
const foldAll = button("wt-fold", "fold all", "fold or open all tracks", () => {
  const fold = data.tracks.some((track) => !track.folded);
  for (const track of data.tracks) track.folded = fold;
  layOut();
});
foldAll.hidden = facts.tracks.length < 2;
const said = html("div", "wt-said", "", head);
said.setAttribute("aria-live", "polite");

// --- the chart

const chartFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
const chart = html("div", "wt-chart", "", chartFrame);
chart.tabIndex = 0;
chart.setAttribute("role", "application");
chart.setAttribute("aria-roledescription", "timeline");
chart.setAttribute(
  "aria-label",
  facts.title + ": " + facts.columns[0][0].toLocaleString("en") + " boxes on " + facts.tracks.length +
    (facts.tracks.length === 1 ? " track" : " tracks") + " over " + amount(facts.total, "ns") +
    ". Enter picks one, arrows move, Enter fits, plus and minus zoom, Escape shows all, slash searches."
);
const canvas = html("canvas", "wt-canvas", "", chart);
const brush = canvas.getContext("2d", { alpha: false });
const tipFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 1, "pointer-events": "none" });
const tip = html("div", "wt-tip", "", tipFrame);

function layLines() {
  lines = [];
  let y = 0;
  const add = (line, size) => {
    lines.push({ ...line, y, h: size });
    y += size;
  };
  for (const track of data.tracks) {
    add({ what: "head", track }, SIZES.head);
    if (track.folded) {
      const row = track.rows.find((candidate) => candidate.kind !== MARKS);
      if (row) add({ what: "row", track, row }, STRIP);
    } else {
      for (const curve of track.curves) add({ what: "curve", track, curve }, SIZES.curve);
      let kind = -1;
      for (const row of track.rows) {
        if (kind >= 0 && kind !== MARKS && row.kind !== kind) y += SIZES.gap;
        kind = row.kind;
        add({ what: "row", track, row }, SIZES.row);
      }
    }
    y += SIZES.gap;
  }
  content = y + FOOT;
}

const lineOf = (row) => lines.find((line) => line.row === row);
const headOf = (track) => lines.find((line) => line.what === "head" && line.track === track);
const room = () => height - TOP;
const scrolls = () => content > room() + 1;
const across = () => width - (scrolls() ? BAR : 0);

function layOut() {
  const seen = root.getBoundingClientRect().width;
  if (seen < 1) return; // in a closed part of the page: wait until it opens
  width = seen;
  layLines();
  headFrame.setAttribute("width", width);
  tipFrame.setAttribute("width", Math.min(width - 2 * SIZES.side, 520));
  foldAll.textContent = data.tracks.some((track) => !track.folded) ? "fold all" : "open all";
  // In a viewBox of one unit a pixel, or else the head is measured in a scaled timeline.
  root.setAttribute("viewBox", "0 0 " + width + " " + (root.getAttribute("height") || 400));
  sayWhere();
  above = Math.ceil(head.getBoundingClientRect().height);
  const most = standalone ? window.innerHeight - above : Math.max(320, 0.8 * window.innerHeight);
  height = Math.round(Math.max(Math.min(TOP + content, most), TOP + 60));
  headFrame.setAttribute("height", above);
  for (const [name, value] of [["y", above], ["width", width], ["height", height]]) chartFrame.setAttribute(name, value);
  const whole = standalone ? Math.max(above + height, window.innerHeight) : above + height;
  root.setAttribute("height", whole);
  root.setAttribute("viewBox", "0 0 " + width + " " + whole);
  ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  if (!fit || SIZES.ratio !== ratio) {
    SIZES.ratio = ratio;
    const atOne = canvasFitter(brush, SIZES.font);
    fit = atOne;
    paintRows = rowPainter(data, brush, SIZES, fit);
  }
  overview = null;
  scrollTo(scrolled);
  draw();
}

function sayWhere() {
  where.textContent = "";
  if (view.span >= data.total) {
    html("b", "", amount(data.total, "ns"), where);
    where.append(" · " + (standalone ? "wheel" : "Ctrl + wheel") + " zooms · drag pans · click, then arrows move · / searches");
  } else {
    const step = Math.max(10 ** Math.floor(Math.log10(view.span) - 3), 1);
    html("b", "", amount(Number(view.span.toPrecision(4)), "ns"), where);
    where.append(" from " + timeText(view.at, step) + " to " + timeText(Math.min(view.at + Math.ceil(view.off + view.span), data.total), step));
  }
  reset.disabled = view.span >= data.total;
}


// --- moving about

function moveBy(time) {
  view.off += time;
  settle();
}

function settle() {
  const whole = Math.floor(view.off);
  view.at += whole;
  view.off -= whole;
  const last = data.total - view.span;
  if (view.at < 0) view.at = view.off = 0;
  else if (view.at + view.off > last) {
    view.at = Math.max(Math.floor(last), 0);
    view.off = Math.max(last, 0) - view.at;
  }
  hideTip();
  sayWhere();
  ask();
}

function zoomAt(x, factor) {
  const before = view.span;
  view.span = Math.min(Math.max(before * factor, NEAREST), data.total);
  moveBy((x / across()) * (before - view.span));
}

function show(start, length) {
  const margin = length * 0.02;
  view.span = Math.min(Math.max(length + 2 * margin, NEAREST), data.total);
  view.at = start;
  view.off = length > 0 ? -margin : -view.span / 2;
  settle();
}

function showAll() {
  view = { at: 0, off: 0, span: data.total };
  settle();
}

function scrollTo(y) {
  scrolled = Math.max(Math.min(y, content - room()), 0);
  ask();
}

const timeAt = (x) => view.at + (view.off + (x / across()) * view.span);

function toggle(track) {
  track.folded = !track.folded;
  layOut();
}

// --- the beginning

function begin(bytes) {
  data = loaded(facts, bytes);
  hideTip();
  const still = root.querySelector(".wt-static");
  root.append(headFrame, chartFrame, tipFrame);
  root.setAttribute("role", "group");
  layOut();
  still.remove(); // last: where anything above failed, the static timeline stays
  new ResizeObserver(() => {
    if (Math.abs(root.getBoundingClientRect().width - width) > 0.5) layOut();
  }).observe(root);
  window.addEventListener("resize", layOut);
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(query).addEventListener("change", () => {
      colours = null;
      draw(); // at once: a printer does not wait for the next frame
    });
  performance.mark("timeline drawn");
}

unpacked([...root.querySelectorAll(".wt-data")].map((element) => element.textContent)).then(
  begin,
  (error) => {
    root.querySelector(".wt-hint").textContent = "this browser cannot unpack the data: " + error.message;
  }
);
