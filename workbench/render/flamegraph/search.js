// Search and selection: labels that match are found once, then their boxes.

import { matcher, share } from "../words.js";
import { remember } from "./address.js";
import { data, isChange, shown, state, totalOf } from "./data.js";
import { drawFooter, drawSpeckMarks, drawn, layOut } from "./draw.js";
import { page, parts } from "./parts.js";
import { MERGED } from "./trees.js";

// Which labels the search matches, and which are the selected frame; null: none was asked for.
export const marks = { hits: null, chosen: null, frame: null };

export function search(text) {
  state.search = text;
  markLabels();
  drawMarks();
  remember();
}

// A frame as { name, place }; a long name may be cut, and a place may be unknown.
export function select(frame) {
  marks.frame = frame;
  markLabels();
  drawMarks();
}

export function markLabels() {
  const { labels } = shown.tree;
  const matches = matcher(state.search);
  const isHit = ([label, file, kind]) => kind !== MERGED && (matches(label) || matches(file));
  marks.hits = state.search ? labels.map(isHit) : null;
  marks.chosen = marks.frame ? labels.map((label) => isFrame(label, marks.frame)) : null;
}

function isFrame([name, place, kind], frame) {
  const named = name === frame.name || (frame.name.endsWith("…") && name.startsWith(frame.name.slice(0, -1)));
  return named && kind !== MERGED && (!frame.place || !place || frame.place === place);
}

function drawMarks() {
  sayMatched();
  if (!page.width) return; // drawn when it is seen
  for (const [i, element] of drawn.elements) {
    element.classList.toggle("wf-hit", marks.hits !== null && marks.hits[shown.tree.label[i]]);
    element.classList.toggle("wf-chosen", marks.chosen !== null && marks.chosen[shown.tree.label[i]]);
  }
  drawSpeckMarks();
  drawFooter();
  if (Math.ceil(parts.head.getBoundingClientRect().height) !== page.top) layOut(); // the header wrapped
}

export function sayMatched() {
  parts.chart.classList.toggle("wf-searching", marks.hits !== null);
  parts.matched.textContent = marks.hits ? "matched: " + found() : "";
  parts.clear.hidden = !marks.hits || data.embedded;
}

function found() {
  const { tree, shape } = shown;
  const sums = { total: 0, before: 0, after: 0 };
  for (let i = 0; i < shape.count; ) {
    const hit = marks.hits[tree.label[i]];
    if (hit) for (const column in sums) if (tree[column]) sums[column] += tree[column][i];
    i = hit ? shape.end[i] : i + 1; // a match inside a match is in it already
  }
  if (!isChange) return share(sums.total, totalOf(0));
  return share(sums.before, tree.before[0]) + " → " + share(sums.after, tree.after[0]);
}

export function clearSearch() {
  parts.input.value = "";
  search("");
}
