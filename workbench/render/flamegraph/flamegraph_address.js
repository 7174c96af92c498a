// The state stands in the fragment of the address, where the flame graph is a file of its own: a link shows the
// same to somebody else, and the browser's Back goes back to the last zoom. In a page the address is the page's.

let started = false;
let restoring = false;
let lastZoom = "";
let writing = 0;

function fragment() {
  const said = new URLSearchParams();
  if (state.zoomed > 0) said.set("zoom", pathKeys()(state.zoomed));
  if (state.search) said.set("search", state.search.slice(0, 500));
  if (state.icicle) said.set("icicle", Number(state.icicle));
  if (viewIndex > 0) said.set("view", viewIndex);
  if (state.own) said.set("own", 1);
  return said.toString();
}

function remember() {
  if (!standalone || !started || restoring) return;
  // Browsers allow some dozens of changes of the address in a few seconds; a search is one for each letter.
  clearTimeout(writing);
  writing = setTimeout(() => {
    const said = fragment();
    if (said === location.hash.slice(1)) return;
    const where = said ? "#" + said : location.pathname + location.search;
    const zoomNow = new URLSearchParams(said).get("zoom") || "";
    try {
      if (zoomNow !== lastZoom) history.pushState(null, "", where);
      else history.replaceState(null, "", where);
    } catch {
      location.replace("#" + said); // where a file may not change its history
    }
    lastZoom = zoomNow;
  }, 150);
}

function restore() {
  if (!standalone) return;
  clearTimeout(writing);
  restoring = true;
  const said = new URLSearchParams(location.hash.slice(1));
  const index = Number(said.get("view"));
  if (data.views[index] && index !== viewIndex) show(index);
  state.own = isChange && said.get("own") === "1";
  selfTime.setAttribute("aria-pressed", state.own);
  state.icicle = said.get("icicle") === "1";
  icicle.setAttribute("aria-pressed", state.icicle);
  state.zoomed = 0;
  lastZoom = said.get("zoom") || "";
  if (lastZoom) {
    const key = pathKeys();
    for (let i = 1; i < count && state.zoomed === 0; i++) if (key(i) === lastZoom) state.zoomed = i;
  }
  focused = state.zoomed;
  hideTip();
  layOut();
  input.value = said.get("search") || "";
  if (input.value !== state.search) search(input.value);
  restoring = false;
}
