// What the modules of one timeline share: its root, its sizes, its state, and where things are on the canvas.
// It knows its own root and nothing else of the page.

import { MARKS } from "./data.js";

export const root = document.currentScript.ownerSVGElement;
export const standalone = document.documentElement === root;
export const embedded = root.classList.contains("wt-embedded");
export const facts = JSON.parse(root.querySelector(".wt-facts").textContent);
export const words = new Map(facts.kinds);
export const SIZES = { ...facts.sizes, ratio: 1 };
export const OVERVIEW = 30; // height of the band of the whole run
export const TOP = OVERVIEW + SIZES.axis; // what stays while the tracks scroll
export const BAR = 12; // width of the scroll bar

export const state = {
  data: null, // set once it is unpacked
  width: 0,
  height: 0, // of the canvas
  above: 0, // height of the head
  ratio: 1,
  scrolled: 0,
  lines: [],
  content: 0, // height of all lines
  view: { at: 0, off: 0, span: facts.total },
  focused: null, // { row, i } or { track }
  hovered: null,
  found: null, // what the search matches
  chosen: null, // the boxes of the frame that is selected
  picked: null, // pixels on the band, while a range is dragged
};

export const room = () => state.height - TOP;
export const scrolls = () => state.content > room() + 1;
export const across = () => state.width - (scrolls() ? BAR : 0);
export const timeAt = (x) => state.view.at + (state.view.off + (x / across()) * state.view.span);
export const lineOf = (row) => state.lines.find((line) => line.row === row);
export const headOf = (track) => state.lines.find((line) => line.what === "head" && line.track === track);
export const topOf = (line) => Math.round((TOP + line.y - state.scrolled) * state.ratio);
export const isWhole = () => state.view.span >= facts.total;

// Whether a click on a line opens or closes something.
export const isSwitch = ({ what }) => what === "head" || what === "samples" || what === "more" || what === "deeper";

// The lines that have boxes to go to.
export const withBoxes = (line) => line.what === "row" && line.row.to > line.row.from && !line.track.folded;

// The first row of a track that is not of marks: what is seen of it when it is folded.
export const mainRow = (track) => track.rows.find(({ kind }) => kind !== MARKS);

// Tells the page, or whoever listens, what the user did.
export function tell(what, detail) {
  root.dispatchEvent(new CustomEvent("workbench:" + what, { bubbles: true, detail }));
}
