// Brings one timeline to life: pan, zoom, search, details, keyboard, folding, and a layout in the pixels of the page.
//
// The root's property `chart` is for a page around it: search, select, the range in view, and the time in a range as
// a tree, by the lines of samples, as calls, or what scopes cost beside it, of all tracks or of some. `workbench:frame`
// on the root says which frame the user chose, `workbench:range` what is in view, in nanoseconds from the start, or null
// for the whole run, whoever changed it.

import { costsOf } from "./costs.js";
import { loaded, unpacked } from "./data.js";
import { recoloured } from "./frame.js";
import { showHead } from "./head.js";
import "./hands.js";
import { layOut } from "./layout.js";
import { linesBetween } from "./samples.js";
import { search, select } from "./search.js";
import { facts, root, state } from "./state.js";
import { hideTip } from "./tip.js";
import { callsOf, tracksOf, treeOf } from "./tree.js";
import { range, setRange } from "./view.js";

function begin(bytes) {
  state.data = loaded(facts, bytes);
  hideTip();
  const still = root.querySelector(".wt-static");
  showHead();
  root.setAttribute("role", "group");
  layOut();
  still.remove(); // last: where anything above failed, the static timeline stays
  new ResizeObserver(() => {
    if (Math.abs(root.getBoundingClientRect().width - state.width) > 0.5) layOut();
  }).observe(root);
  window.addEventListener("resize", layOut);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", recoloured);
  performance.mark("timeline drawn");
}

const ready = unpacked([...root.querySelectorAll(".wt-data")].map((element) => element.textContent)).then(begin);
ready.catch((error) => {
  const hint = root.querySelector(".wt-hint");
  if (!hint) throw error;
  hint.textContent = "this browser cannot unpack the data: " + error.message;
});

root.chart = {
  ready,
  search: (text) => ready.then(() => search(text)),
  select: (frame) => ready.then(() => select(frame)),
  range,
  setRange,
  whole: { from: 0, to: facts.total },
  tracks: () => state.data.tracks.map(({ number, title, spans, samples }) => ({ number, title, spans, samples })),
  linesBetween: (size, wanted, tracks) => linesBetween(tracksOf(state.data, tracks), size, wanted),
  callsOf: (name, wanted, tracks) => callsOf(state.data, name, wanted, tracks),
  costsOf: (wanted, tracks) => costsOf(state.data, wanted, tracks),
  treeOf: (part, wanted, tracks) => treeOf(state.data, part, wanted, tracks),
};
