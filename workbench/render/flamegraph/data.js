// The file's data, what is chosen, and the tree that is shown.
// The script knows its own root and nothing else of the page. Names only ever become text nodes.

import { idleAmounts, folded, inverted, withoutIdle, withoutRecursion } from "./transforms.js";
import { frameName } from "../words.js";
import { pathKeys, rowsOf, shapeOf } from "./trees.js";

export const root = document.currentScript.ownerSVGElement;
export const standalone = document.documentElement === root;
export const data = JSON.parse(root.querySelector(".wf-data").textContent);
export const { row: ROW, font: FONT, side: SIDE, padding: PADDING, footerHeight: FOOTER } = data;
export const isChange = data.sort === "change"; // from before to after; otherwise one profile, coloured by kind
const SHOWN_SHARE = 0.005; // of the zoomed box; rows of narrower boxes are shown by zooming in

// What the reader chose.
export const state = {
  zoomed: 0, view: 0, icicle: data.embedded, own: false, search: "",
  unfolded: false, hidden: false, merged: false, inverted: false, packages: false,
};

// What is shown: the tree, what follows from it, how many rows are drawn and how many more there are.
export const shown = { given: null, tree: null, shape: null, rows: 2, more: 0, idle: { waiting: 0, helpers: 0 }, all: 0, hasImports: false };

const views = data.views.map((view) => ({ labels: data.labels, ...view }));
const baseTree = () => shown.given || views[state.view];

export function useTree() {
  let tree = baseTree();
  shown.all = tree.total[0];
  shown.idle = isChange ? shown.idle : idleAmounts(tree);
  if (state.hidden) tree = withoutIdle(tree);
  const short = folded(tree);
  shown.hasImports = short !== tree;
  if (!state.unfolded) tree = short;
  if (state.merged) tree = withoutRecursion(tree);
  if (state.inverted) tree = inverted(tree);
  shown.tree = tree;
  shown.shape = shapeOf(tree);
}

// The box with a path's key, or the whole.
export function findBox(key) {
  const keyOf = pathKeys(shown.tree, shown.shape);
  for (let i = 1; i < shown.shape.count; i++) if (keyOf(i) === key) return i;
  return 0;
}

export const zoomKey = () => (state.zoomed > 0 ? pathKeys(shown.tree, shown.shape)(state.zoomed) : "");
export const footerText = () => (shown.given ? "" : views[state.view].footer);
export const viewName = () => views[state.view].name;

export function fitRows() {
  Object.assign(shown, rowsOf(shown.tree, shown.shape, state.zoomed, SHOWN_SHARE));
}

export const labelOf = (i) => shown.tree.labels[shown.tree.label[i]];
export const name = (i) => frameName(labelOf(i)[0], labelOf(i)[1]);
export const place = (i) => labelOf(i)[1];
export const kind = (i) => labelOf(i)[2];
export const totalOf = (i) => shown.tree.total[i];

useTree();
