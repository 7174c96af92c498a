// The switches of what is shown: those used most in the bar, the others in a row that “view” opens.

import { html, share } from "../words.js";
import { data, isChange, shown, state } from "./data.js";
import { layOut } from "./draw.js";
import { parts } from "./parts.js";
import { NATIVE, PYTHON } from "./trees.js";

const MIN_IDLE = 0.001; // of all; what is less is not worth a switch

// `field` of the state; `key` presses it; `tree`: whether another tree is shown.
export const SWITCHES = [
  { field: "own", key: "o", bar: true, text: "self time", title: "colour by the change of self time, not of total time", is: isChange },
  { field: "inverted", key: "v", bar: true, tree: true, text: "by self time", title: "functions by their self time, their callers above them", is: !isChange },
  { field: "hidden", key: "w", bar: true, tree: true, text: "hide waiting", title: "without threads that wait, and without threads and processes of libraries that run none of the program’s functions", is: !isChange },
  { field: "view", className: "wf-threads", key: "t", tree: true, text: "by thread", title: "each thread on a box of its own", is: data.views.length > 1 },
  { field: "icicle", key: "i", text: "roots on top", title: "callers above, callees below", is: true },
  { field: "packages", key: "p", text: "colour by package", title: "one colour for each package, not for each kind of function", is: !isChange },
  { field: "merged", key: "r", tree: true, text: "merge recursion", title: "a function that calls itself, directly or through others, is one box; amounts of those between are without it", is: !isChange },
  { field: "unfolded", key: "u", tree: true, text: "unfold imports", title: "imports and the interpreter’s start in full", is: true },
].filter((each) => each.is);

for (const each of SWITCHES) {
  each.button = html("button", each.className || "wf-" + each.field, each.text, each.bar ? parts.bar : parts.menu);
  each.button.type = "button";
  each.button.title = each.title + " (" + each.key + ")";
}

parts.view.addEventListener("click", () => {
  const { view, menu } = parts;
  menu.hidden = !menu.hidden;
  view.setAttribute("aria-expanded", !menu.hidden);
  layOut();
});

const hasPackage = ([, , kind]) => kind === PYTHON || kind === NATIVE;

export function drawSwitches() {
  for (const { field, button } of SWITCHES) button.setAttribute("aria-pressed", Boolean(state[field]));
  for (const { field, button } of SWITCHES) {
    if (field === "view") button.hidden = shown.given !== null; // a part of the run is of all threads together
    if (field === "unfolded") button.hidden = !shown.hasImports;
    if (field === "packages") button.hidden = !shown.tree.labels.some(hasPackage);
    if (field === "hidden") {
      const { waiting, helpers } = shown.idle;
      const words = [["waiting", waiting], ["helpers", helpers]].filter(([, amount]) => amount >= MIN_IDLE * shown.all);
      button.hidden = !words.length && !state.hidden;
      button.textContent = "hide " + words.map(([word, amount]) => word + " " + share(amount, shown.all)).join(", ");
    }
  }
}
