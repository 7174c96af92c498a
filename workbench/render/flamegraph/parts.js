// The elements: the header, an HTML block so that it wraps on a narrow page, the chart, the details, the footer.

import { html, svg } from "../words.js";
import { SIDE, data, root } from "./data.js";

const headFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
const head = html("div", "wf-head", "", headFrame);
const legend = html("div", "wf-legend");
if (!data.embedded) {
  const titleRow = html("div", "wf-row", "", head);
  html("div", "wf-title", data.title, titleRow);
  titleRow.append(legend);
  if (data.subtitle) html("div", "wf-subtitle", data.subtitle, head);
}
const toolRow = html("div", "wf-row", "", head);
const crumbs = html("div", "wf-crumbs", "", toolRow);
if (data.embedded) toolRow.append(legend);
crumbs.setAttribute("role", "navigation");
crumbs.setAttribute("aria-label", "path to the zoomed box");
const tools = html("div", "wf-tools", "", toolRow);
const bar = html("span", "wf-bar", "", tools); // switches used most
const view = button("wf-view", "view", "more switches");
const menu = html("div", "wf-row wf-menu", "", head);
menu.hidden = true;
view.setAttribute("aria-expanded", "false");
const matched = html("span", "wf-matched", "", tools);
matched.setAttribute("role", "status");
const input = html("input", "wf-search", "", tools);
input.type = "text";
input.placeholder = "search, / or Ctrl-F";
input.setAttribute("aria-label", "search names and files, text or regular expression");
input.setAttribute("spellcheck", "false");
input.hidden = data.embedded;
const clear = button("wf-clear", "clear", "end the search (Escape)");
const reset = button("wf-reset", "reset zoom", "show all (Escape)");
clear.hidden = reset.hidden = true;

const tipFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 1, "pointer-events": "none", "aria-hidden": "true" });

export const parts = {
  headFrame, head, legend, crumbs, bar, view, menu, matched, input, clear, reset, tipFrame,
  tip: html("div", "wf-tip", "", tipFrame),
  chart: svg("g", { class: "wf-chart", role: "tree" }),
  footer: svg("text", { class: "wf-soft wf-footer", x: SIDE, "font-size": 11 }),
  still: root.querySelector(".wf-static"), // what is there where no script runs
};

// Where things are: the width, the top of the chart below the header, the box with the focus.
export const page = { width: 0, top: 0, focused: 0, started: false };

function button(className, text, title) {
  const element = html("button", className, text, tools);
  element.type = "button";
  element.title = title;
  return element;
}
