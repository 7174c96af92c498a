// Brings one flame graph to life: zoom, search, details, keyboard, and a layout in the pixels of the page.
// It knows its own root and nothing else of the page. Names only ever become text nodes.

const root = document.currentScript.ownerSVGElement;
const standalone = document.documentElement === root;
const data = JSON.parse(root.querySelector(".wf-data").textContent);
const { row: ROW, font: FONT, side: SIDE, padding: PADDING } = data;
const FOOTER = 26;
const MERGED = 4; // the kind of boxes that stand for no frame
const THINNEST = 0.8; // pixels; narrower boxes run together into one pale stretch
const count = data.depth.length;
const rows = Math.max(data.depth.reduce((a, b) => Math.max(a, b), 0) + 1, 2);

// Starts, parents and ends of subtrees follow from depth and total, in depth-first order.
const start = new Float64Array(count);
const parent = new Int32Array(count).fill(-1);
const end = new Int32Array(count).fill(count);
const next = new Float64Array(count); // where the next child of a box starts
for (let i = 0, path = []; i < count; i++) {
  for (const closed of path.splice(data.depth[i])) end[closed] = i;
  if (i > 0) {
    parent[i] = path[path.length - 1];
    start[i] = next[parent[i]];
    next[parent[i]] += data.total[i];
  }
  next[i] = start[i];
  path.push(i);
}

let zoomed = 0;
let focused = 0;
let width = 0;
let top = 0; // where the chart starts, below the header
let drawn = []; // boxes in the picture, in order
let fit = null; // set once the font is known
let hits = null; // which labels the search matches
const elements = new Map();

function svg(name, attributes, parentNode) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (parentNode) parentNode.appendChild(element);
  return element;
}

function html(name, className, text, parentNode) {
  const element = document.createElementNS("http://www.w3.org/1999/xhtml", name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  if (parentNode) parentNode.appendChild(element);
  return element;
}

const name = (i) => data.labels[data.label[i]][0];
const place = (i) => data.labels[data.label[i]][1];
const kind = (i) => data.labels[data.label[i]][2];

// --- the header: an HTML block, so that it wraps on a narrow page

const headFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
const head = html("div", "wf-head", "", headFrame);
const titleRow = html("div", "wf-row", "", head);
html("div", "wf-title", data.title, titleRow);
const legend = html("div", "wf-legend", "", titleRow);
for (const [index, word] of data.kinds) {
  const entry = html("span", "wf-key", "", legend);
  html("span", "wf-swatch wf-k" + index + "s2", "", entry);
  entry.append(word);
}
if (data.subtitle) html("div", "wf-subtitle", data.subtitle, head);
const toolRow = html("div", "wf-row", "", head);
const crumbs = html("div", "wf-crumbs", "", toolRow);
const tools = html("div", "wf-tools", "", toolRow);
const matched = html("span", "wf-matched", "", tools);
matched.setAttribute("role", "status");
const input = html("input", "wf-search", "", tools);
input.type = "text";
input.placeholder = "search, / or Ctrl-F";
input.setAttribute("aria-label", "search names and files, text or regular expression");
input.setAttribute("spellcheck", "false");
const clear = html("button", "wf-clear", "clear", tools);
const reset = html("button", "wf-reset", "reset zoom", tools);
for (const button of [clear, reset]) {
  button.type = "button";
  button.hidden = true;
}
const chart = svg("g", { class: "wf-chart" });
const tipFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 1, "pointer-events": "none" });
const tip = html("div", "wf-tip", "", tipFrame);
const footer = svg("text", { class: "wf-soft wf-footer", x: SIDE, "font-size": 11 });

function drawCrumbs() {
  crumbs.textContent = "";
  const path = [];
  for (let i = zoomed; i >= 0; i = parent[i]) path.unshift(i);
  if (zoomed === 0) {
    crumbs.textContent = "all " + amount(data.total[0], data.unit) + " · click a box to zoom · arrows move · Esc resets";
    return;
  }
  // The end of a long path matters most: its middle gives way.
  const shown = path.length > 4 ? [path[0], -1, ...path.slice(-3)] : path;
  for (const i of shown) {
    if (i !== 0) crumbs.append(" › ");
    if (i < 0) crumbs.append("…");
    else if (i === zoomed) html("b", "", name(i).slice(0, 200) + " " + share(data.total[i], data.total[0]), crumbs);
    else html("button", "", name(i).slice(0, 200), crumbs).onclick = () => zoom(i);
  }
}

// --- the boxes

const rowOf = (i) => top + (data.icicle ? data.depth[i] : rows - 1 - data.depth[i]) * ROW;

function draw() {
  const hadFocus = chart.contains(document.activeElement);
  const scale = (width - 2 * SIDE) / data.total[zoomed];
  const thin = [];
  const boxes = document.createDocumentFragment();
  drawn = [];
  elements.clear();
  for (let i = 0; i < count; ) {
    const above = i < zoomed && zoomed < end[i];
    if (!above && (i < zoomed || i >= end[zoomed])) {
      i = end[i];
      continue;
    }
    const x = SIDE + (above ? 0 : (start[i] - start[zoomed]) * scale);
    const boxWidth = (above ? data.total[zoomed] : data.total[i]) * scale;
    if (boxWidth < THINNEST) {
      thin.push(`M${x.toFixed(2)} ${rowOf(i)}h${boxWidth.toFixed(2)}v${ROW - 1}h-${boxWidth.toFixed(2)}z`);
      i = end[i];
      continue;
    }
    boxes.appendChild(drawBox(i, x, boxWidth, above));
    drawn.push(i);
    i++;
  }
  chart.textContent = "";
  if (thin.length) svg("path", { class: "wf-thin", d: thin.join("") }, chart);
  chart.appendChild(boxes);
  if (!elements.has(focused)) focused = zoomed;
  elements.get(focused).setAttribute("tabindex", "0");
  if (hadFocus) elements.get(focused).focus({ preventScroll: true });
  reset.hidden = zoomed === 0;
}

function drawBox(i, x, boxWidth, above) {
  const [text, , boxKind, shade] = data.labels[data.label[i]];
  let classes = "wf-box wf-k" + boxKind + " wf-k" + boxKind + "s" + shade;
  if (above) classes += " wf-above";
  if (hits && hits[data.label[i]]) classes += " wf-hit";
  const group = svg("g", { class: classes, tabindex: "-1", role: "button", "data-i": i });
  const y = rowOf(i);
  svg("rect", { x: x.toFixed(2), y, width: Math.max(boxWidth - 0.6, 0.4).toFixed(2), height: ROW - 1, rx: boxWidth > 6 ? 2 : 0 }, group);
  const shown = fit(text, boxWidth - 2 * PADDING, boxKind === 0);
  if (shown) svg("text", { x: (x + PADDING).toFixed(2), y: y + 14 }, group).textContent = shown;
  elements.set(i, group);
  return group;
}

function layOut() {
  const seen = root.getBoundingClientRect().width;
  if (seen < 1) return; // in a closed part of the page: wait until it opens
  width = seen;
  headFrame.setAttribute("width", width);
  tipFrame.setAttribute("width", Math.min(width - 2 * SIDE, 520));
  root.setAttribute("viewBox", "0 0 " + width + " " + (root.getAttribute("height") || data.staticHeight));
  drawCrumbs();
  top = Math.ceil(head.getBoundingClientRect().height);
  headFrame.setAttribute("height", top);
  const height = top + rows * ROW + FOOTER;
  root.setAttribute("height", height);
  root.setAttribute("viewBox", "0 0 " + width + " " + height);
  footer.setAttribute("y", height - 8);
  fit = fitter(chart, FONT);
  draw();
}

function zoom(i) {
  zoomed = focused = i;
  hideTip();
  layOut();
}

// --- details

const boxOf = (target) => target.closest && target.closest(".wf-box");

function showTip(i, x, y) {
  tip.textContent = "";
  html("div", "wf-tip-name", name(i).slice(0, 600), tip);
  if (place(i)) html("div", "wf-tip-place", place(i).slice(0, 600), tip);
  const lines = [
    "total " + amount(data.total[i], data.unit) + " · " + share(data.total[i], data.total[0]) + " of all" +
      (parent[i] > 0 ? " · " + share(data.total[i], data.total[parent[i]]) + " of parent" : ""),
    "self " + amount(data.self[i], data.unit) + " · " + share(data.self[i], data.total[0]) + " of all",
  ];
  const word = data.kinds.find(([index]) => index === kind(i));
  if (word) lines.push(word[1]);
  for (const line of lines) html("div", "wf-tip-row", line, tip);
  tipFrame.style.display = "";
  const size = tip.getBoundingClientRect();
  const bottom = Number(root.getAttribute("height"));
  const below = y + 18 + size.height <= bottom ? y + 18 : y - size.height - 12;
  tipFrame.setAttribute("x", Math.max(SIDE, Math.min(x + 10, width - size.width - SIDE)));
  tipFrame.setAttribute("y", Math.max(2, Math.min(below, bottom - size.height - 2)));
}

function hideTip() {
  tipFrame.style.display = "none";
}

function focusBox(i) {
  const element = elements.get(i);
  if (!element) return;
  elements.get(focused).setAttribute("tabindex", "-1");
  focused = i;
  element.setAttribute("tabindex", "0");
  element.focus();
  const box = element.firstChild;
  showTip(i, Number(box.getAttribute("x")), Number(box.getAttribute("y")) + ROW / 2);
}

// --- search

function matcher(text) {
  const plain = text.toLowerCase();
  try {
    const pattern = new RegExp(text, "i");
    return (value) => pattern.test(value) || value.toLowerCase().includes(plain);
  } catch {
    return (value) => value.toLowerCase().includes(plain); // no regular expression: the text itself
  }
}

function search(text) {
  const matches = matcher(text);
  const isHit = ([label, file, labelKind]) => labelKind !== MERGED && (matches(label) || matches(file));
  hits = text ? data.labels.map(isHit) : null;
  let found = 0;
  for (let i = 0; hits && i < count; ) {
    const hit = hits[data.label[i]];
    if (hit) found += data.total[i];
    i = hit ? end[i] : i + 1; // a match inside a match is in it already
  }
  chart.classList.toggle("wf-searching", hits !== null);
  for (const [i, element] of elements) element.classList.toggle("wf-hit", hits !== null && hits[data.label[i]]);
  matched.textContent = hits ? "matched: " + share(found, data.total[0]) : "";
  clear.hidden = !hits;
  if (Math.ceil(head.getBoundingClientRect().height) !== top) layOut(); // the header wrapped
}

function clearSearch() {
  input.value = "";
  search("");
}

// --- what people do

chart.addEventListener("click", (event) => {
  const box = boxOf(event.target);
  if (box) zoom(Number(box.dataset.i));
});
chart.addEventListener("pointermove", (event) => {
  const box = boxOf(event.target);
  if (!box) return hideTip();
  const corner = root.getBoundingClientRect();
  showTip(Number(box.dataset.i), event.clientX - corner.left, event.clientY - corner.top);
});
chart.addEventListener("pointerleave", hideTip);
chart.addEventListener("focusout", hideTip);
chart.addEventListener("focusin", (event) => {
  const box = boxOf(event.target);
  if (box && box.matches(":focus-visible") && Number(box.dataset.i) === focused && tipFrame.style.display === "none")
    focusBox(focused);
});
input.addEventListener("input", () => search(input.value));
clear.addEventListener("click", () => {
  clearSearch();
  input.focus();
});
reset.addEventListener("click", () => {
  zoom(0);
  elements.get(0).focus();
});

function move(key) {
  const toChild = key === (data.icicle ? "ArrowDown" : "ArrowUp");
  if (toChild) {
    let widest = -1;
    for (let i = focused + 1; i < end[focused]; i = end[i])
      if (elements.has(i) && (widest < 0 || data.total[i] > data.total[widest])) widest = i;
    return focusBox(widest);
  }
  if (key === "ArrowUp" || key === "ArrowDown") return focusBox(parent[focused]);
  const level = drawn.filter((i) => data.depth[i] === data.depth[focused]);
  return focusBox(level[level.indexOf(focused) + (key === "ArrowRight" ? 1 : -1)]);
}

document.addEventListener("keydown", (event) => {
  // Several pictures may share the page: a key is for the one that has the focus or the pointer.
  const inside = root.contains(document.activeElement) && document.activeElement !== root;
  const typing = /^(input|textarea|select)$/i.test(document.activeElement && document.activeElement.localName);
  if (!standalone && !inside && !(root.matches(":hover") && !typing)) return;
  const find = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f" && (standalone || inside);
  const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (find || slash) {
    input.focus();
    input.select();
  } else if (event.key === "Escape") {
    if (document.activeElement === input) {
      clearSearch();
      elements.get(focused).focus({ preventScroll: true });
      hideTip();
    } else if (zoomed !== 0) zoom(0);
    else clearSearch();
  } else if (chart.contains(document.activeElement) && /^Arrow/.test(event.key)) move(event.key);
  else if (chart.contains(document.activeElement) && (event.key === "Enter" || event.key === " ")) zoom(focused);
  else return;
  event.preventDefault();
});

hideTip();
footer.textContent = data.footer;
const still = root.querySelector(".wf-static");
root.append(headFrame, chart, footer, tipFrame);
root.setAttribute("role", "group");
layOut();
still.remove(); // last: where anything above failed, the dead picture stays
new ResizeObserver(() => {
  if (Math.abs(root.getBoundingClientRect().width - width) > 0.5) layOut();
}).observe(root);
