// Search: labels that match are found once, then their boxes.

function search(text) {
  state.search = text;
  const matches = matcher(text);
  const isHit = ([label, file, labelKind]) => labelKind !== MERGED && (matches(label) || matches(file));
  hits = text ? data.labels.map(isHit) : null;
  chart.classList.toggle("wf-searching", hits !== null);
  for (const [i, element] of elements) {
    const hit = hits !== null && hits[view.label[i]];
    if (hit !== element.classList.contains("wf-hit")) element.classList.toggle("wf-hit", hit);
  }
  drawSpeckHits();
  matched.textContent = hits ? "matched: " + found() : "";
  clear.hidden = !hits;
  if (Math.ceil(head.getBoundingClientRect().height) !== top) layOut(); // the header wrapped
  remember();
}

function found() {
  const sums = { total: 0, before: 0, after: 0 };
  for (let i = 0; i < count; ) {
    const hit = hits[view.label[i]];
    if (hit) for (const column in sums) if (view[column]) sums[column] += view[column][i];
    i = hit ? end[i] : i + 1; // a match inside a match is in it already
  }
  if (!isChange) return share(sums.total, view.total[0]);
  return share(sums.before, view.before[0]) + " → " + share(sums.after, view.after[0]);
}

// Boxes too narrow to be elements are marked by one path.
function drawSpeckHits() {
  const old = chart.querySelector(".wf-speck-hits");
  if (old) old.remove();
  if (!hits) return;
  const perUnit = scale();
  const parts = [];
  for (const i of specks)
    if (hits[view.label[i]])
      parts.push(pathOf(SIDE + (start[i] - start[state.zoomed]) * perUnit, rowOf(i), Math.max(view.total[i] * perUnit, 1)));
  if (parts.length) svg("path", { class: "wf-speck-hits", d: parts.join(""), ...inPath }, chart);
}

function clearSearch() {
  input.value = "";
  search("");
}
