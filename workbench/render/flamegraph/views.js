// What changes what is shown: zoom, the switches, another tree.

import { remember } from "./address.js";
import { findBox, kind, labelOf, place, root, shown, state, useTree, zoomKey } from "./data.js";
import { hideTip } from "./details.js";
import { layOut } from "./draw.js";
import { drawLegend } from "./header.js";
import { page } from "./parts.js";
import { markLabels, sayMatched } from "./search.js";
import { SWITCHES, drawSwitches } from "./switches.js";
import { MERGED } from "./trees.js";

export function zoom(i) {
  state.zoomed = page.focused = i;
  hideTip();
  layOut();
  remember();
}

// Zooms to a box that the reader pointed at; a page that the flame graph is in may show more of its frame.
export function choose(i) {
  zoom(i);
  if (kind(i) >= MERGED) return;
  const detail = { name: labelOf(i)[0], place: place(i) };
  root.dispatchEvent(new CustomEvent("workbench:frame", { bubbles: true, detail }));
}

export function flip(field) {
  const { tree } = SWITCHES.find((each) => each.field === field);
  state[field] = field === "view" ? 1 - state.view : !state[field];
  if (tree) rebuild();
  else redraw();
}

// Shows a tree in place of the one in the file, or that one again.
export function showTree(tree) {
  shown.given = tree;
  rebuild();
}

// Makes the tree that is shown again; the zoom stays where its box is still there.
export function rebuild(key = zoomKey()) {
  useTree();
  state.zoomed = page.focused = key ? findBox(key) : 0;
  markLabels();
  redraw();
}

export function redraw() {
  drawSwitches();
  drawLegend();
  sayMatched();
  hideTip();
  layOut();
  remember();
}
