// The header's words: the legend, and the path to the zoomed box.

import { amount, html, share } from "../words.js";
import { legendEntries } from "./colours.js";
import { data, isChange, name, shown, state, totalOf } from "./data.js";
import { parts } from "./parts.js";
import { zoom } from "./views.js";

export function drawLegend() {
  const { legend } = parts;
  legend.textContent = "";
  legend.classList.toggle("wf-scale", isChange);
  if (isChange) {
    legend.setAttribute("role", "img");
    legend.setAttribute("aria-label", "colours: ratio of " + data.after + " to " + data.before + ", from gone and less in blue over the same in grey to more and new in red");
    data.steps.forEach((word, step) => html("span", "wf-step wf-d" + step, word, legend));
    return;
  }
  for (const [style, word] of legendEntries()) {
    const entry = html("span", "wf-key", "", legend);
    html("span", "wf-swatch " + style, "", entry);
    entry.append(word);
  }
}

export function drawCrumbs() {
  const { crumbs } = parts;
  const { tree, shape } = shown;
  const { zoomed } = state;
  crumbs.textContent = "";
  const path = [];
  for (let i = zoomed; i >= 0; i = shape.parent[i]) path.unshift(i);
  if (zoomed === 0) {
    const both = () => data.before + " " + amount(tree.before[0], data.unit) + " → " + data.after + " " + amount(tree.after[0], data.unit);
    html("span", "wf-all", isChange ? both() : (state.hidden ? "shown " : "all ") + amount(totalOf(0), data.unit), crumbs);
    crumbs.append(" · click a box to zoom" + (data.embedded ? "" : " · arrows move, Enter zooms"));
    return;
  }
  // The end of a long path matters most: its middle gives way.
  const steps = path.length > 4 ? [path[0], -1, ...path.slice(-3)] : path;
  for (const i of steps) {
    if (i !== 0) crumbs.append(" › ");
    if (i < 0) crumbs.append("…");
    else if (i === zoomed) html("b", "", name(i).slice(0, 200) + " " + share(totalOf(i), totalOf(0)), crumbs);
    else html("button", "", name(i).slice(0, 200), crumbs).onclick = () => zoom(i);
  }
}
