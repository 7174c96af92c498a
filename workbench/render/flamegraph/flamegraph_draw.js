// The chart: elements for boxes that can be pointed at, one path for each colour of narrower ones.

const NARROWEST = 4; // pixels; narrower boxes are part of a path
const THINNEST = 0.6; // narrower ones run together into one pale stretch

let width = 0;
let top = 0; // where the chart starts, below the header
let focused = 0;
let drawn = []; // boxes that are elements, in order
let specks = []; // boxes in paths, in order
let inRow = []; // both, by depth
let fit = null; // set once the font is known
let hits = null; // which labels the search matches
const elements = new Map(); // by box
const places = new WeakMap(); // boxes by element
const still = root.querySelector(".wf-static");

const rowOf = (i) => top + (state.icicle ? view.depth[i] : rows - 1 - view.depth[i]) * ROW;
const scale = () => (width - 2 * SIDE) / view.total[state.zoomed];
const isAbove = (i) => i < state.zoomed && state.zoomed < end[i]; // those that the zoomed box stands on
const xOf = (i) => SIDE + (isAbove(i) ? 0 : (start[i] - start[state.zoomed]) * scale());
const widthOf = (i) => view.total[isAbove(i) ? state.zoomed : i] * scale();

// Paths are in tenths of a pixel along x, so that they are short, and quick to write.
const inPath = { transform: "scale(0.1 1)" };
const pathOf = (x, y, w) => {
  const tenths = Math.max(Math.round(10 * w), 1);
  return "M" + Math.round(10 * x) + " " + y + "h" + tenths + "v" + (ROW - 1) + "h-" + tenths + "z";
};

function draw() {
  const hadFocus = chart.contains(document.activeElement);
  const perUnit = scale();
  const { zoomed } = state;
  const { depth, total } = view;
  const [first, last] = [start[zoomed], end[zoomed]];
  const boxes = document.createDocumentFragment();
  const pale = new Pale();
  const paths = new Map(); // by class
  drawn = [];
  specks = [];
  inRow = Array.from({ length: rows }, () => []);
  elements.clear();
  for (let i = zoomed; i > 0; ) {
    i = parent[i];
    inRow[depth[i]].push(i);
    drawn.unshift(i);
  }
  for (const i of drawn) boxes.appendChild(drawBox(i, SIDE, width - 2 * SIDE, true));
  for (let i = zoomed; i < last; ) {
    const x = SIDE + (start[i] - first) * perUnit;
    const boxWidth = total[i] * perUnit;
    if (boxWidth < THINNEST) {
      pale.add(depth[i], x, boxWidth);
      i = end[i];
      continue;
    }
    inRow[depth[i]].push(i);
    if (boxWidth < NARROWEST) {
      const style = styleOf(i);
      const part = pathOf(x, rowOf(i), boxWidth - 0.2);
      if (paths.has(style)) paths.get(style).push(part);
      else paths.set(style, [part]);
      specks.push(i);
    } else {
      boxes.appendChild(drawBox(i, x, boxWidth, false));
      drawn.push(i);
    }
    i++;
  }
  chart.textContent = "";
  svg("path", { class: "wf-thin", d: pale.path(), ...inPath }, chart);
  for (const [style, parts] of paths) svg("path", { class: "wf-speck " + style, d: parts.join(""), ...inPath }, chart);
  chart.appendChild(boxes);
  drawSpeckHits();
  if (!elements.has(focused)) focused = zoomed;
  elements.get(focused).setAttribute("tabindex", "0");
  elements.get(zoomed).setAttribute("aria-selected", "true");
  if (hadFocus) elements.get(focused).focus({ preventScroll: true });
  reset.hidden = zoomed === 0;
}

// Boxes too thin to be seen run together into stretches, row by row.
class Pale {
  constructor() {
    this.from = new Float64Array(rows).fill(-1);
    this.to = new Float64Array(rows);
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
    const y = top + (state.icicle ? row : rows - 1 - row) * ROW;
    if (this.from[row] >= 0 && w >= 0.05) this.parts.push(pathOf(this.from[row], y, w));
  }
  path() {
    for (let row = 0; row < rows; row++) this.flush(row);
    return this.parts.join("");
  }
}

const prototype = svg("g", { tabindex: "-1", role: "treeitem" });
svg("rect", { height: ROW - 1 }, prototype);

function drawBox(i, x, boxWidth, above) {
  const group = prototype.cloneNode(true);
  const rect = group.firstChild;
  let classes = "wf-box " + styleOf(i);
  if (!isChange) classes += " wf-k" + kind(i);
  if (above) classes += " wf-above";
  if (hits && hits[view.label[i]]) classes += " wf-hit";
  group.setAttribute("class", classes);
  group.setAttribute("aria-level", view.depth[i] + 1);
  group.setAttribute("aria-label", summaryOf(i));
  const y = rowOf(i);
  rect.setAttribute("x", Math.round(100 * x) / 100);
  rect.setAttribute("y", y);
  rect.setAttribute("width", Math.round(100 * boxWidth - 60) / 100);
  if (isChange && view.step[i] === WAITING) svg("path", { class: "wf-hatch", d: "M" + x + " " + (y + (ROW - 1) / 2) + "h" + Math.max(boxWidth - 0.6, 0.4) }, group);
  const shown = boxWidth > 20 ? fit(name(i), boxWidth - 2 * PADDING, kind(i) === 0 && !isChange) : "";
  if (shown) svg("text", { x: Math.round(100 * (x + PADDING)) / 100, y: y + 14 }, group).textContent = shown;
  elements.set(i, group);
  places.set(group, i);
  return group;
}

// The box at a place in the flame graph, or -1.
function boxAt(x, y) {
  const row = Math.floor((y - top) / ROW);
  const level = inRow[state.icicle ? row : rows - 1 - row];
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

function layOut() {
  const seen = root.getBoundingClientRect().width;
  if (seen < 1 || still.isConnected && started) return; // in a closed part of the page, or printing: wait
  width = seen;
  headFrame.setAttribute("width", width);
  tipFrame.setAttribute("width", Math.max(Math.min(width - 2 * SIDE, 520), 1));
  root.setAttribute("viewBox", "0 0 " + width + " " + (root.getAttribute("height") || 200));
  drawCrumbs();
  top = Math.ceil(head.getBoundingClientRect().height);
  headFrame.setAttribute("height", top);
  // A file of its own fills the window: details of a small flame graph would be cut at its end.
  const needed = top + rows * ROW + FOOTER;
  const height = standalone ? Math.max(needed, innerHeight) : needed;
  root.setAttribute("height", height);
  root.setAttribute("viewBox", "0 0 " + width + " " + height);
  footer.setAttribute("y", needed - 8);
  footer.textContent = view.footer.length * 6 < width ? view.footer : view.footer.replace(/,[^,]*, together/, ", together");
  chart.setAttribute("aria-label", data.title + ", " + whole.format(count) + " boxes; arrows move, Enter zooms, Escape shows all");
  if (!fit) fit = fitter(chart, FONT);
  draw();
}

function zoom(i) {
  state.zoomed = focused = i;
  hideTip();
  layOut();
  remember();
  // A page that the flame graph is inlined in may show more of the frame.
  root.dispatchEvent(new CustomEvent("workbench:frame", { bubbles: true, detail: { name: name(i), place: place(i) } }));
}

function turn(how) {
  state.icicle = how;
  icicle.setAttribute("aria-pressed", how);
  hideTip();
  layOut();
  remember();
}

function colourOwn(how) {
  state.own = how;
  selfTime.setAttribute("aria-pressed", how);
  hideTip();
  layOut();
  remember();
}

function show(index) {
  const text = state.search;
  useView(index);
  state.zoomed = focused = 0;
  byThread.setAttribute("aria-pressed", view.name === "by thread");
  drawLegend();
  hideTip();
  layOut();
  search(text);
}
