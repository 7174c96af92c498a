// The chart: elements for boxes that can be pointed at, one path for each colour of narrower ones.

import { svg, whole } from "../words.js";
import { styleOf } from "./colours.js";
import { FONT, FOOTER, PADDING, ROW, SIDE, data, fitRows, footerText, isChange, kind, name, root, shown, standalone, state, totalOf } from "./data.js";
import { summaryOf } from "./details.js";
import { drawCrumbs } from "./header.js";
import { page, parts } from "./parts.js";
import { marks } from "./search.js";
import { fitter } from "./text_fit.js";
import { IDLE, SCOPE } from "./trees.js";

const NARROWEST = 4; // pixels; narrower boxes are part of a path
const THINNEST = 0.6; // narrower ones run together into one pale stretch

// What is drawn: boxes that are elements and those in paths, in order; both by row; and which element is which box.
export const drawn = { boxes: [], specks: [], inRow: [], elements: new Map(), boxOf: new WeakMap() };
const text = { fit: null }; // set once the font is known

const rowOf = (i) => page.top + (state.icicle ? shown.tree.depth[i] : shown.rows - 1 - shown.tree.depth[i]) * ROW;
const room = () => page.width - 2 * SIDE;
const scale = () => (totalOf(state.zoomed) > 0 ? room() / totalOf(state.zoomed) : 0); // of an empty part of a run
const isAbove = (i) => i < state.zoomed && state.zoomed < shown.shape.end[i]; // those that the zoomed box stands on
const startOf = (i) => shown.shape.start[i] - shown.shape.start[state.zoomed];
const xOf = (i) => SIDE + (isAbove(i) ? 0 : startOf(i) * scale());
const widthOf = (i) => totalOf(isAbove(i) ? state.zoomed : i) * scale();

// Paths are in tenths of a pixel along x, so that they are short, and quick to write.
const inPath = { transform: "scale(0.1 1)" };
function pathOf(x, y, w) {
  const tenths = Math.max(Math.round(10 * w), 1);
  return "M" + Math.round(10 * x) + " " + y + "h" + tenths + "v" + (ROW - 1) + "h-" + tenths + "z";
}

export function draw() {
  const { chart, reset } = parts;
  const { elements } = drawn;
  const { depth } = shown.tree;
  const { parent, end } = shown.shape;
  const { zoomed } = state;
  const hadFocus = chart.contains(document.activeElement);
  const perUnit = scale();
  const boxes = document.createDocumentFragment();
  const pale = new Pale();
  const paths = new Map(); // by class
  drawn.boxes = [];
  drawn.specks = [];
  drawn.inRow = Array.from({ length: shown.rows }, () => []);
  elements.clear();
  for (let i = zoomed; i > 0; ) {
    i = parent[i];
    drawn.inRow[depth[i]].push(i);
    drawn.boxes.unshift(i);
  }
  for (const i of drawn.boxes) boxes.appendChild(drawBox(i, SIDE, room(), true));
  for (let i = zoomed; i < end[zoomed]; ) {
    if (depth[i] >= shown.rows) {
      i = end[i];
      continue;
    }
    const x = SIDE + startOf(i) * perUnit;
    const width = i === zoomed ? room() : totalOf(i) * perUnit;
    if (width < THINNEST) {
      pale.add(depth[i], x, width);
      i = end[i];
      continue;
    }
    drawn.inRow[depth[i]].push(i);
    if (width < NARROWEST) {
      const style = styleOf(i);
      const part = pathOf(x, rowOf(i), width - 0.2);
      if (paths.has(style)) paths.get(style).push(part);
      else paths.set(style, [part]);
      drawn.specks.push(i);
    } else {
      boxes.appendChild(drawBox(i, x, width, false));
      drawn.boxes.push(i);
    }
    i++;
  }
  chart.textContent = "";
  svg("path", { class: "wf-thin", d: pale.path(), ...inPath }, chart);
  for (const [style, of] of paths) svg("path", { class: "wf-speck " + style, d: of.join(""), ...inPath }, chart);
  chart.appendChild(boxes);
  drawSpeckMarks();
  if (!elements.has(page.focused)) page.focused = zoomed;
  elements.get(page.focused).setAttribute("tabindex", "0");
  elements.get(zoomed).setAttribute("aria-selected", "true");
  if (hadFocus) elements.get(page.focused).focus({ preventScroll: true });
  reset.hidden = zoomed === 0;
}

// Boxes too thin to be seen run together into stretches, row by row.
class Pale {
  constructor() {
    this.from = new Float64Array(shown.rows).fill(-1);
    this.to = new Float64Array(shown.rows);
    this.parts = [];
  }
  add(row, x, w) {
    if (this.from[row] < 0 || x - this.to[row] > 0.5) {
      this.flush(row);
      this.from[row] = x;
    }
    this.to[row] = x + w;
  }
  flush(row) {
    const w = this.to[row] - this.from[row];
    const y = page.top + (state.icicle ? row : shown.rows - 1 - row) * ROW;
    if (this.from[row] >= 0 && w >= 0.05) this.parts.push(pathOf(this.from[row], y, w));
  }
  path() {
    for (let row = 0; row < shown.rows; row++) this.flush(row);
    return this.parts.join("");
  }
}

const prototype = svg("g", { tabindex: "-1", role: "treeitem" });
svg("rect", { height: ROW - 1 }, prototype);

function drawBox(i, x, width, above) {
  const group = prototype.cloneNode(true);
  const rect = group.firstChild;
  const style = styleOf(i);
  const classes = ["wf-box", style];
  if (style.startsWith("wf-k")) classes.push("wf-k" + kind(i));
  if (above) classes.push("wf-above");
  if (marks.hits && marks.hits[shown.tree.label[i]]) classes.push("wf-hit");
  if (marks.chosen && marks.chosen[shown.tree.label[i]]) classes.push("wf-chosen");
  group.setAttribute("class", classes.join(" "));
  group.setAttribute("aria-level", shown.tree.depth[i] + 1);
  group.setAttribute("aria-label", summaryOf(i));
  const y = rowOf(i);
  rect.setAttribute("x", Math.round(100 * x) / 100);
  rect.setAttribute("y", y);
  rect.setAttribute("width", Math.round(100 * width - 60) / 100);
  if (isChange && kind(i) === IDLE) svg("path", { class: "wf-hatch", d: "M" + x + " " + (y + (ROW - 1) / 2) + "h" + Math.max(width - 0.6, 0.4) }, group);
  const words = width > 20 ? text.fit(name(i), width - 2 * PADDING, kind(i) === SCOPE && !isChange) : "";
  if (words) svg("text", { x: Math.round(100 * (x + PADDING)) / 100, y: y + 14 }, group).textContent = words;
  drawn.elements.set(i, group);
  drawn.boxOf.set(group, i);
  return group;
}

// Boxes too narrow to be elements are marked by one path.
export function drawSpeckMarks() {
  for (const [marked, className] of [[marks.hits, "wf-speck-hits"], [marks.chosen, "wf-speck-chosen"]]) {
    const old = parts.chart.querySelector("." + className);
    if (old) old.remove();
    if (!marked) continue;
    const perUnit = scale();
    const of = drawn.specks
      .filter((i) => marked[shown.tree.label[i]])
      .map((i) => pathOf(SIDE + startOf(i) * perUnit, rowOf(i), Math.max(totalOf(i) * perUnit, 1)));
    if (of.length) svg("path", { class: className, d: of.join(""), ...inPath }, parts.chart);
  }
}

// The box at a place in the flame graph, or -1.
export function boxAt(x, y) {
  const row = Math.floor((y - page.top) / ROW);
  const level = drawn.inRow[state.icicle ? row : shown.rows - 1 - row];
  if (!level) return -1;
  let low = 0;
  let high = level.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xOf(level[middle]) <= x) low = middle + 1;
    else high = middle;
  }
  const i = low > 0 ? level[low - 1] : -1;
  return i >= 0 && x <= xOf(i) + widthOf(i) ? i : -1;
}

export function layOut() {
  const { headFrame, head, tipFrame, still, chart } = parts;
  const seen = root.getBoundingClientRect().width;
  if (seen < 1 || (still.isConnected && page.started)) {
    page.width = 0; // in a closed part of the page, or printing: wait until it is seen
    return;
  }
  page.width = seen;
  headFrame.setAttribute("width", seen);
  tipFrame.setAttribute("width", Math.max(Math.min(seen - 2 * SIDE, 520), 1));
  root.setAttribute("viewBox", "0 0 " + seen + " " + (root.getAttribute("height") || 200));
  drawCrumbs();
  page.top = Math.ceil(head.getBoundingClientRect().height);
  headFrame.setAttribute("height", page.top);
  fitRows();
  // A file of its own fills the window: details of a small flame graph would be cut at its end.
  const needed = page.top + shown.rows * ROW + FOOTER;
  const height = standalone ? Math.max(needed, innerHeight) : needed;
  root.setAttribute("height", height);
  root.setAttribute("viewBox", "0 0 " + seen + " " + height);
  parts.footer.setAttribute("y", needed - 8);
  chart.setAttribute("aria-label", data.title + ", " + whole.format(shown.shape.count) + " boxes; arrows move, Enter zooms, Escape shows all");
  if (!text.fit) text.fit = fitter(chart, FONT);
  draw();
  drawFooter();
}

// What is not there: matches that are elsewhere, rows of narrow boxes, and boxes that are not in the file.
export function drawFooter() {
  const { footer } = parts;
  const isHit = (i) => marks.hits[shown.tree.label[i]];
  const unseen = marks.hits && marks.hits.includes(true) && !drawn.boxes.some(isHit) && !drawn.specks.some(isHit);
  const rows = shown.more ? (shown.more === 1 ? "1 more row" : shown.more + " more rows") + " of boxes under 0.5 %: zoom in to see them" : "";
  const first = unseen ? "no match is in view: zoom to where it is" : rows;
  const said = [first, footerText()].filter(Boolean).join(" · ");
  footer.textContent = said.length * 6 < page.width ? said : first || said.replace(/,[^,]*, together/, ", together");
}
