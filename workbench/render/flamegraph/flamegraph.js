// What people do: pointer, keys, the page's width, paper.
//
// The root's property `chart` is for a page around it: search(text); select(frame), which marks the boxes of
// { name, place } and does not zoom; showTree(tree), which shows { labels, label, depth, total, self, calls } of a part
// of the run, or with null the whole again. `workbench:frame` on the root says which frame the user chose.

import { restore } from "./address.js";
import { ROW, data, name, place, root, shown, standalone, state, totalOf } from "./data.js";
import { detailsOf, hideTip, showTip } from "./details.js";
import { boxAt, drawn, layOut } from "./draw.js";
import { drawLegend } from "./header.js";
import { page, parts } from "./parts.js";
import { clearSearch, search, select } from "./search.js";
import { SWITCHES, drawSwitches } from "./switches.js";
import { choose, flip, showTree, zoom } from "./views.js";

function pointed(event) {
  const box = event.target.closest && event.target.closest(".wf-box");
  if (box) return drawn.boxOf.get(box);
  const corner = root.getBoundingClientRect();
  return page.width ? boxAt(event.clientX - corner.left, event.clientY - corner.top) : -1;
}

function focusBox(i) {
  const element = drawn.elements.get(i);
  if (!element) return;
  drawn.elements.get(page.focused).setAttribute("tabindex", "-1");
  page.focused = i;
  element.setAttribute("tabindex", "0");
  element.focus();
  showFocused();
}

function showFocused() {
  const i = page.focused;
  const element = drawn.elements.get(i);
  element.setAttribute("aria-label", [name(i).slice(0, 300), place(i).slice(0, 300), ...detailsOf(i)].filter(Boolean).join(", "));
  const box = element.firstChild;
  showTip(i, Number(box.getAttribute("x")), Number(box.getAttribute("y")) + ROW / 2);
}

parts.chart.addEventListener("click", (event) => {
  const i = pointed(event);
  if (i >= 0) choose(i);
});
parts.chart.addEventListener("pointermove", (event) => {
  const i = pointed(event);
  if (i < 0) return hideTip();
  const corner = root.getBoundingClientRect();
  showTip(i, event.clientX - corner.left, event.clientY - corner.top);
});
parts.chart.addEventListener("pointerleave", hideTip);
parts.chart.addEventListener("focusout", hideTip);
parts.chart.addEventListener("focusin", (event) => {
  const box = event.target.closest(".wf-box");
  if (!box) return;
  const i = drawn.boxOf.get(box);
  if (i !== page.focused) {
    drawn.elements.get(page.focused).setAttribute("tabindex", "-1");
    box.setAttribute("tabindex", "0");
    page.focused = i;
  }
  if (box.matches(":focus-visible") && parts.tipFrame.style.display === "none") showFocused();
});
parts.input.addEventListener("input", () => search(parts.input.value));
parts.clear.addEventListener("click", () => {
  clearSearch();
  parts.input.focus();
});
parts.reset.addEventListener("click", () => {
  zoom(0);
  drawn.elements.get(0).focus();
});
for (const { field, button } of SWITCHES) button.addEventListener("click", () => flip(field));

function move(key) {
  const { depth } = shown.tree;
  const { parent, end } = shown.shape;
  const { focused } = page;
  const toChild = key === (state.icicle ? "ArrowDown" : "ArrowUp");
  if (toChild) {
    if (focused < state.zoomed) return focusBox(drawn.boxes[drawn.boxes.indexOf(focused) + 1]);
    let widest = -1;
    for (let i = focused + 1; i < end[focused]; i = end[i])
      if (drawn.elements.has(i) && (widest < 0 || totalOf(i) > totalOf(widest))) widest = i;
    return focusBox(widest);
  }
  if (key === "ArrowUp" || key === "ArrowDown") return focusBox(parent[focused]);
  const level = drawn.boxes.filter((i) => depth[i] === depth[focused]);
  if (key === "Home") return focusBox(level[0]);
  if (key === "End") return focusBox(level[level.length - 1]);
  return focusBox(level[level.indexOf(focused) + (key === "ArrowRight" ? 1 : -1)]);
}

function press(key) {
  const pressed = SWITCHES.find((each) => each.key === key && !each.button.hidden);
  if (/^(Arrow|Home|End)/.test(key)) move(key);
  else if (key === "Enter" || key === " ") choose(page.focused);
  else if (key === "Backspace" && state.zoomed > 0) zoom(shown.shape.parent[state.zoomed]);
  else if (pressed) flip(pressed.field);
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  // Several flame graphs may share the page: a key is for the one that has the focus or the pointer.
  const active = document.activeElement;
  const inside = root.contains(active) && active !== root;
  const typing = active && (/^(input|textarea|select)$/i.test(active.localName) || active.isContentEditable);
  if (!standalone && !inside && (data.embedded || typing || !root.matches(":hover"))) return;
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  const find = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f" && (standalone || inside);
  if (!data.embedded && (find || (event.key === "/" && !typing && !modified))) {
    parts.input.focus();
    parts.input.select();
  } else if (event.key === "Escape" && active === parts.input) {
    clearSearch();
    drawn.elements.get(page.focused).focus({ preventScroll: true });
    hideTip();
  } else if (event.key === "Escape" && state.zoomed !== 0) {
    zoom(0);
  } else if (event.key === "Escape" && !data.embedded) {
    clearSearch();
  } else if (modified || !parts.chart.contains(active) || !press(event.key)) return;
  event.preventDefault();
});

// On paper is the flame graph for viewers without scripts: light, whole, at its own proportions.
const live = [parts.headFrame, parts.chart, parts.footer, parts.tipFrame];
const deadBox = root.getAttribute("viewBox");

function print(begins) {
  if (begins === parts.still.isConnected) return;
  if (begins) {
    for (const part of live) part.remove();
    root.append(parts.still);
    root.removeAttribute("height");
    root.setAttribute("viewBox", deadBox);
  } else {
    parts.still.remove();
    root.append(...live);
    layOut();
  }
}

hideTip();
drawSwitches();
drawLegend();
root.append(...live);
root.setAttribute("role", "group");
layOut();
parts.still.remove(); // where anything above failed, the static flame graph stays
page.started = true;
root.chart = { search, select, showTree };
if (location.hash.length > 1) restore();
addEventListener("popstate", restore);
addEventListener("hashchange", restore);
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));
const paper = matchMedia("print");
paper.addEventListener("change", () => print(paper.matches));
new ResizeObserver(() => {
  if (Math.abs(root.getBoundingClientRect().width - page.width) > 0.5) layOut();
}).observe(root);
