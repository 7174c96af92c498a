// The state is in the fragment of the address, where the flame graph is a file of its own: a link shows the same to
// somebody else, and the browser's Back goes back to the last zoom. In a page the address is the page's.

import { data, standalone, state, zoomKey } from "./data.js";
import { page, parts } from "./parts.js";
import { search } from "./search.js";
import { SWITCHES } from "./switches.js";
import { rebuild } from "./views.js";

const kept = { restoring: false, lastZoom: "", writing: 0 };

function fragment() {
  const said = new URLSearchParams();
  if (state.zoomed > 0) said.set("zoom", zoomKey());
  if (state.search) said.set("search", state.search.slice(0, 500));
  for (const { field } of SWITCHES) if (state[field]) said.set(field, 1);
  return said.toString();
}

export function remember() {
  if (!standalone || !page.started || kept.restoring) return;
  // Browsers allow some dozens of changes of the address in a few seconds; a search is one for each letter.
  clearTimeout(kept.writing);
  kept.writing = setTimeout(() => {
    const said = fragment();
    if (said === location.hash.slice(1)) return;
    const where = said ? "#" + said : location.pathname + location.search;
    const zoomNow = new URLSearchParams(said).get("zoom") || "";
    try {
      if (zoomNow !== kept.lastZoom) history.pushState(null, "", where);
      else history.replaceState(null, "", where);
    } catch {
      location.replace("#" + said); // where a file may not change its history
    }
    kept.lastZoom = zoomNow;
  }, 150);
}

export function restore() {
  if (!standalone) return;
  clearTimeout(kept.writing);
  kept.restoring = true;
  const said = new URLSearchParams(location.hash.slice(1));
  for (const { field } of SWITCHES) state[field] = said.get(field) === "1";
  state.view = Number(state.view && data.views.length > 1);
  kept.lastZoom = said.get("zoom") || "";
  rebuild(kept.lastZoom);
  parts.input.value = said.get("search") || "";
  if (parts.input.value !== state.search) search(parts.input.value);
  kept.restoring = false;
}
