// The boxes: their columns, one view at a time, and what follows from them.
// The script knows its own root and nothing else of the page. Names only ever become text nodes.

const root = document.currentScript.ownerSVGElement;
const standalone = document.documentElement === root;
const data = JSON.parse(root.querySelector(".wf-data").textContent);
const { row: ROW, font: FONT, side: SIDE, padding: PADDING, footerHeight: FOOTER } = data;
const WAITING = 9; // the step of what waits
const MERGED = 4; // the kind of boxes that stand for no frame
const isChange = data.sort === "change"; // from before to after; otherwise one profile, coloured by kind

let view; // the columns: label, depth, total and more
let viewIndex = -1;
let count = 0;
let rows = 2;
let start, parent, end;

// Starts, parents and ends of subtrees follow from depth and total, in depth-first order.
function useView(index) {
  viewIndex = index;
  view = data.views[index];
  count = view.depth.length;
  rows = Math.max(view.depth.reduce((a, b) => Math.max(a, b), 0) + 1, 2);
  start = new Float64Array(count);
  parent = new Int32Array(count).fill(-1);
  end = new Int32Array(count).fill(count);
  const next = new Float64Array(count); // where the next child of a box starts
  const path = [];
  for (let i = 0; i < count; i++) {
    while (path.length > view.depth[i]) end[path.pop()] = i;
    if (i > 0) {
      parent[i] = path[path.length - 1];
      start[i] = next[parent[i]];
      next[parent[i]] += view.total[i];
    }
    next[i] = start[i];
    path.push(i);
  }
}

const labelOf = (i) => data.labels[view.label[i]];
const name = (i) => labelOf(i)[0];
const place = (i) => labelOf(i)[1];
const kind = (i) => labelOf(i)[2];

// The class that colours a box.
function styleOf(i) {
  if (!isChange) return "wf-k" + kind(i) + "s" + labelOf(i)[3];
  return "wf-d" + view[state.own ? "ownStep" : "step"][i];
}

// A key of a box's path of names, which stays the same when the flame graph is made again.
function pathKeys() {
  const labelKeys = data.labels.map(([text, where, labelKind]) => {
    let a = 0x811c9dc5 ^ labelKind;
    let b = 0x1b873593;
    for (const part of text + "\n" + where) {
      a = Math.imul(a ^ part.codePointAt(0), 0x01000193);
      b = Math.imul(b ^ part.codePointAt(0), 0x85ebca6b);
      b ^= b >>> 13;
    }
    return [a, b];
  });
  const left = new Int32Array(count);
  const right = new Int32Array(count);
  for (let i = 1; i < count; i++) {
    const [a, b] = labelKeys[view.label[i]];
    left[i] = Math.imul(left[parent[i]] ^ a, 0x01000193) + 1;
    right[i] = Math.imul(right[parent[i]] + b, 0xc2b2ae35) ^ (b >>> 7);
  }
  const hex = (number) => (number >>> 0).toString(16).padStart(8, "0");
  return (i) => hex(left[i]) + hex(right[i]);
}

const state = { zoomed: 0, icicle: false, own: false, search: "" };
useView(0);
