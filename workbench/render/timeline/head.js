// The head above the chart, an HTML block, so that it wraps on a narrow page; the chart's canvas, and the tip.
// Names only ever become text nodes, or text on a canvas.

import { amount, html, svg } from "../words.js";
import { embedded, facts, root, state } from "./state.js";

export const headFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
export const head = html("div", "wt-head", "", headFrame);
const titleRow = html("div", "wt-row", "", head);
if (!embedded) html("div", "wt-title", facts.title, titleRow);
if (!embedded && facts.subtitle) html("div", "wt-subtitle", facts.subtitle, head);
const toolRow = embedded ? titleRow : html("div", "wt-row", "", head);
export const where = html("div", "wt-where", "", toolRow);
const legend = html("div", "wt-legend", "", titleRow);
function key(word, classes) {
  const entry = html("span", "wt-key", "", legend);
  html("span", "wt-swatch " + classes, "", entry);
  entry.append(word);
}
for (const [kind, word] of facts.kinds) key(word, "wt-k" + kind + "s2");
if (facts.propagated) key("propagated", "wt-k0s2 wt-pale");

const tools = html("div", "wt-tools", "", toolRow);
export const matched = embedded ? null : html("span", "wt-matched", "", tools);
export const input = embedded ? null : html("input", "wt-search", "", tools);
if (!embedded) {
  matched.setAttribute("role", "status");
  input.type = "text";
  input.placeholder = "search, /";
  input.setAttribute("aria-label", "search names and files, text or regular expression; Enter goes to the next match");
  input.setAttribute("spellcheck", "false");
}

function button(name, text, label) {
  const element = html("button", "wt-" + name, text, tools);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.title = label;
  return element;
}
export const clear = embedded ? null : button("clear", "clear", "clear the search");
if (clear) clear.hidden = true;
export const zoomOut = button("out", "−", "zoom out");
export const zoomIn = button("in", "+", "zoom in");
export const wholeRun = button("reset", "all", "show the whole run");
wholeRun.hidden = embedded;
export const samplesButton = button("samples", "", "show or hide the rows of the samples of all tracks, s");
export const foldButton = button("fold", "", "fold or open all tracks");
samplesButton.hidden = !facts.tracks.some(([, , , isOpen, , samples]) => !isOpen && samples);
foldButton.hidden = facts.tracks.length < 2;
export const more = html("div", "wt-more", "", head);
export const said = html("div", "wt-said", "", head);
said.setAttribute("aria-live", "polite");

export const chartFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
export const chart = html("div", "wt-chart", "", chartFrame);
chart.tabIndex = 0;
chart.setAttribute("role", "application");
chart.setAttribute("aria-roledescription", "timeline");
const tracks = facts.tracks.filter((track, number) => track[8] !== number).length; // the others are processes
const hasMore = facts.curves.some((curve) => curve[5]);
chart.setAttribute(
  "aria-label",
  facts.title + ": " + facts.columns[0][0].toLocaleString("en") + " boxes on " + tracks + (tracks === 1 ? " track" : " tracks") + " over " + amount(facts.total, "ns") +
    ". Enter picks one, arrows move, Enter fits, plus and minus zoom, Escape shows all" +
    (hasMore ? ", r shows more of each process" : "") + (embedded ? "." : ", slash searches.")
);
export const canvas = html("canvas", "wt-canvas", "", chart);
export const brush = canvas.getContext("2d", { alpha: false });
export const tipFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 1, "pointer-events": "none" });
export const tip = html("div", "wt-tip", "", tipFrame);

export const showHead = () => root.append(headFrame, chartFrame, tipFrame);
export const wraps = () => Math.ceil(head.getBoundingClientRect().height) !== state.above;
