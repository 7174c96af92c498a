// The header: an HTML block, so that it wraps on a narrow page.

const headFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 10 });
const head = html("div", "wf-head", "", headFrame);
const titleRow = html("div", "wf-row", "", head);
html("div", "wf-title", data.title, titleRow);
const legend = html("div", "wf-legend", "", titleRow);
if (data.subtitle) html("div", "wf-subtitle", data.subtitle, head);
const toolRow = html("div", "wf-row wf-bar", "", head);
const crumbs = html("div", "wf-crumbs", "", toolRow);
crumbs.setAttribute("role", "navigation");
crumbs.setAttribute("aria-label", "path to the zoomed box");
const tools = html("div", "wf-tools", "", toolRow);
const matched = html("span", "wf-matched", "", tools);
matched.setAttribute("role", "status");
const input = html("input", "wf-search", "", tools);
input.type = "text";
input.placeholder = "search, / or Ctrl-F";
input.setAttribute("aria-label", "search names and files, text or regular expression");
input.setAttribute("spellcheck", "false");
const clear = button("wf-clear", "clear", "end the search (Escape)");
const reset = button("wf-reset", "reset zoom", "show all (Escape)");
clear.hidden = reset.hidden = true;
const selfTime = button("wf-own", "self time", "colour by the change of self time, not of total time (o)");
const byThread = button("wf-threads", "by thread", "each thread on a box of its own (t)");
const icicle = button("wf-icicle", "icicle", "roots on top (i)");
selfTime.hidden = !isChange;
byThread.hidden = data.views.length < 2;

const chart = svg("g", { class: "wf-chart", role: "tree" });
const tipFrame = svg("foreignObject", { x: 0, y: 0, width: 10, height: 1, "pointer-events": "none", "aria-hidden": "true" });
const tip = html("div", "wf-tip", "", tipFrame);
const footer = svg("text", { class: "wf-soft wf-footer", x: SIDE, "font-size": 11 });

function button(className, text, title) {
  const element = html("button", className, text, tools);
  element.type = "button";
  element.title = title;
  return element;
}

function drawLegend() {
  legend.textContent = "";
  legend.classList.toggle("wf-scale", isChange);
  if (isChange) {
    legend.setAttribute("role", "img");
    legend.setAttribute("aria-label", "colours: ratio of " + data.after + " to " + data.before + ", from gone and less in blue over the same in grey to more and new in red");
    data.steps.forEach((word, step) => html("span", "wf-step wf-d" + step, word, legend));
    return;
  }
  const used = new Set(view.label.map((index) => data.labels[index][2]));
  for (const [index, word] of data.kinds) {
    if (!used.has(index)) continue;
    const entry = html("span", "wf-key", "", legend);
    html("span", "wf-swatch wf-k" + index + "s" + (index < MERGED ? 2 : 0), "", entry);
    entry.append(word);
  }
}

function drawCrumbs() {
  crumbs.textContent = "";
  const { zoomed } = state;
  const path = [];
  for (let i = zoomed; i >= 0; i = parent[i]) path.unshift(i);
  if (zoomed === 0) {
    const all = isChange ? data.before + " " + amount(view.before[0], "ns") + " → " + data.after + " " + amount(view.after[0], "ns") : "all " + amount(view.total[0], "ns");
    html("span", "wf-all", all, crumbs);
    crumbs.append(" · click a box to zoom · arrows move, Enter zooms");
    return;
  }
  // The end of a long path matters most: its middle gives way.
  const shown = path.length > 4 ? [path[0], -1, ...path.slice(-3)] : path;
  for (const i of shown) {
    if (i !== 0) crumbs.append(" › ");
    if (i < 0) crumbs.append("…");
    else if (i === zoomed) html("b", "", name(i).slice(0, 200) + " " + share(view.total[i], view.total[0]), crumbs);
    else html("button", "", name(i).slice(0, 200), crumbs).onclick = () => zoom(i);
  }
}
