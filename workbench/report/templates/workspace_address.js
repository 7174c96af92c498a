// What the workspace shows, as the fragment of the page's address, so that a link shows the same to somebody else.

const KEYS = ["tab", "source", "search", "name", "from", "thread"];

// A fragment that is the name of a tab alone, as in index.html#timeline, opens it. Returns null for one that is no
// address of the workspace, such as that of another part of the page.
export function readAddress(fragment, tabs, sources) {
  const said = new URLSearchParams(fragment);
  if (fragment && !tabs.includes(fragment) && !KEYS.some((key) => said.has(key))) return null;
  const one = (key, among) => (among.includes(said.get(key)) ? said.get(key) : among[0]);
  const [from, to] = ["from", "to"].map((key) => (said.has(key) ? Number(said.get(key)) : NaN));
  return {
    tab: tabs.includes(fragment) ? fragment : one("tab", tabs),
    source: one("source", sources),
    search: said.get("search") || "",
    frame: said.has("name") ? { name: said.get("name"), place: said.get("place") || "" } : null,
    thread: /^\d+$/.test(said.get("thread")) ? Number(said.get("thread")) : null,
    range: from >= 0 && to > from ? { from, to } : null,
  };
}

const MAX_LETTERS = 500; // of each text: longer ones make no address

export function writeAddress(state, tabs, sources) {
  const said = new URLSearchParams();
  if (state.tab !== tabs[0]) said.set("tab", state.tab);
  if (state.source !== sources[0]) said.set("source", state.source);
  if (state.search) said.set("search", state.search.slice(0, MAX_LETTERS));
  if (state.frame) {
    said.set("name", state.frame.name.slice(0, MAX_LETTERS));
    if (state.frame.place) said.set("place", state.frame.place.slice(0, MAX_LETTERS));
  }
  if (state.thread !== null) said.set("thread", state.thread);
  if (state.range) {
    said.set("from", Math.round(state.range.from));
    said.set("to", Math.round(state.range.to));
  }
  return said.toString();
}
