// The tables of a profile page: searching, and the callers and callees of the chosen frame.
// Names only ever become text nodes. Words, elements and the search are those of the charts (words.js).

function start(section) {
  const data = JSON.parse(section.querySelector(".data").textContent);
  const { noun } = section.dataset;
  const panel = section.querySelector(".sandwich");
  const table = section.querySelector(".frames");
  const body = table.tBodies[0];
  const rows = [...body.rows]; // by the number of the frame
  const texts = rows.map((row) => row.cells[0].textContent);
  const find = section.querySelector(".find");
  const found = section.querySelector(".found");
  let chosen = -1;
  let inTabs = null; // the one row that Tab reaches

  // --- searching

  function search() {
    const has = matcher(find.value);
    let count = 0;
    rows.forEach((row, i) => {
      const is = !find.value || has(texts[i]);
      row.classList.toggle("gone", !is);
      count += Number(is);
    });
    found.textContent = find.value ? count.toLocaleString("en") + " of " + rows.length.toLocaleString("en") : "";
    if (!inTabs || inTabs.classList.contains("gone")) tabTo(shown()[0]);
  }
  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && find.value) {
      find.value = "";
      search();
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      if (inTabs) inTabs.focus();
      event.preventDefault();
    }
  });

  // --- rows: Tab reaches one of them, arrows the others

  const shown = () => [...body.rows].filter((row) => !row.classList.contains("gone"));

  function tabTo(row) {
    if (inTabs) inTabs.tabIndex = -1;
    inTabs = row || null;
    if (inTabs) inTabs.tabIndex = 0;
  }

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || String(getSelection())) return; // a name is being marked
    choose(Number(row.dataset.row));
    tabTo(row);
  });
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = shown();
    const at = all.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      const next = all[Math.max(0, Math.min(to, all.length - 1))];
      tabTo(next);
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") choose(Number(row.dataset.row));
    else return;
    event.preventDefault();
  });

  // --- callers and callees

  function choose(i) {
    if (rows[chosen]) rows[chosen].removeAttribute("aria-current");
    chosen = i;
    rows[i].setAttribute("aria-current", "true");
    const [name, place, kind, total, self, count] = data.frames[i];
    const [callers, callees] = data.edges[i];
    panel.textContent = "";
    list("called by", callers, total, "nobody: it is outermost");
    const middle = html("div", "middle", undefined, panel);
    middle.setAttribute("aria-live", "polite");
    html("h3", "", data.kinds[kind], middle);
    html("span", "name", name, middle);
    if (place) html("p", "soft clip", place, middle);
    html("p", "", "total " + amount(total, "ns") + " · " + share(total, data.all) + " of all", middle);
    html("p", "", "self " + amount(self, "ns") + " · " + share(self, total) + " of it", middle);
    const what = noun === "scope" ? "call" : "sample";
    html("p", "", whole.format(count) + " " + what + (count === 1 ? "" : "s") + (what === "call" ? "" : " on top"), middle);
    list("calls", [...callees, ...(self > 0 ? [[SELF, self]] : [])].sort((a, b) => b[1] - a[1]), total, "nothing");
    panel.hidden = false;
  }

  const NOBODY = -1;
  const REST = -2;
  const SELF = -3;
  const WORDS = { [NOBODY]: "nobody: outermost", [REST]: "all others", [SELF]: "itself: self time" };

  function list(title, edges, total, nothing) {
    const box = html("div", "", undefined, panel);
    html("h3", "", title, box);
    if (!edges.length) return void html("p", "soft", nothing, box);
    const items = html("ol", "", undefined, box);
    for (const [other, took] of edges) {
      const item = html("li", "", undefined, items);
      html("i", "", undefined, item).style.width = (total > 0 ? Math.max(0, Math.min(100, (100 * took) / total)) : 0) + "%";
      const canGo = other >= 0 && other < rows.length;
      const inner = html(canGo ? "button" : "span", "", undefined, item);
      if (other >= 0) html("span", "name", data.frames[other][0], inner);
      else html("em", "", WORDS[other], inner);
      html("span", "amount", amount(took, "ns") + " · " + share(took, total), inner);
      if (!canGo) continue;
      inner.type = "button";
      inner.title = data.frames[other][1] || data.frames[other][0].slice(0, 300);
      inner.addEventListener("click", () => {
        choose(other);
        bring(other);
        panel.querySelector("button")?.focus({ preventScroll: true });
      });
    }
  }

  // Scrolls the table, and nothing else, to a frame's row.
  function bring(i) {
    const box = table.parentElement;
    const row = rows[i];
    tabTo(row.classList.contains("gone") ? inTabs : row);
    const [seen, at] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
    const top = seen.top + table.tHead.getBoundingClientRect().height;
    if (at.top < top) box.scrollTop -= top - at.top;
    else if (at.bottom > seen.bottom) box.scrollTop += at.bottom - seen.bottom;
  }

  // Where a flame graph is zoomed, its frame is chosen here.
  section.addEventListener("workbench:frame", (event) => {
    const { name, place } = event.detail;
    const cut = name.endsWith("…") ? name.slice(0, -1) : null;
    const i = data.frames.findIndex((frame) => (frame[0] === name || (cut && frame[0].startsWith(cut))) && (!place || frame[1] === place || !frame[1]));
    if (i < 0 || i >= rows.length) return;
    choose(i);
    bring(i);
  });

  sortable(table, () => tabTo(inTabs && !inTabs.classList.contains("gone") ? inTabs : shown()[0]));
  for (const row of rows) row.tabIndex = -1;
  tabTo(rows[0]);
  if (rows.length) choose(0);
}

for (const section of document.querySelectorAll("section.source")) start(section);
// `workbench view` serves speedscope's own viewer; a file alone cannot.
if (location.protocol === "http:") for (const link of document.querySelectorAll("a.viewer")) link.hidden = false;
