// Which box has the focus and where arrows take it, and the search.
// Stands in one function with timeline.js, and uses its state; see timeline.svg.

function focusOn(item) {
  focused = item;
  if (!item) return ask();
  const line = item.row ? lineOf(item.row) : headOf(item.track);
  if (!line) return ask();
  if (line.y < scrolled) scrollTo(line.y - SIZES.head);
  else if (line.y + line.h > scrolled + room()) scrollTo(line.y + line.h - room() + SIZES.head);
  if (!item.row) {
    hideTip();
    said.textContent = "track " + item.track.title + ", " + (item.track.folded ? "folded" : "open") + ", " + trackSummary(data, item.track);
    return ask();
  }
  const begins = data.start[item.i];
  const ends = begins + data.length[item.i];
  if (ends < timeAt(0) || begins > timeAt(across())) {
    view.at = begins;
    view.off = Math.min(data.length[item.i], view.span) / 2 - view.span / 2;
    settle();
  }
  const from = (Math.max(begins - view.at, view.off) - view.off) / view.span;
  showTip({ ...line, i: item.i }, Math.max(from, 0) * across(), TOP + line.y - scrolled + line.h / 2);
  const [name, details] = linesOf({ ...line, i: item.i });
  said.textContent = name.slice(0, 300) + ", " + details.join(", ") + ", track " + line.track.title;
  ask();
}

const visibleRows = () => lines.filter((line) => line.what === "row" && line.row.to > line.row.from && !line.track.folded);

// Returns the box of a row that is nearest to a time.
function nearest(row, time) {
  const i = Math.min(firstInView(data, row, time), row.to - 1);
  const before = i > row.from && time - (data.start[i - 1] + data.length[i - 1]) <= data.start[i] - time;
  return { row, i: before ? i - 1 : i };
}

function pick() {
  const open = visibleRows();
  const line = open.find((one) => one.y >= scrolled) || open[0];
  if (line) focusOn(nearest(line.row, timeAt(across() / 2)));
  else if (data.tracks.length) focusOn({ track: data.tracks[0] });
}

function step(way) {
  const all = lines.filter((line) => line.what === "head" || (line.what === "row" && line.row.to > line.row.from && !line.track.folded));
  const at = all.findIndex((line) => (focused.row ? line.row === focused.row : line.what === "head" && line.track === focused.track));
  const next = all[at + way];
  if (!next) return;
  focusOn(next.what === "head" ? { track: next.track } : nearest(next.row, focused.row ? data.start[focused.i] + data.length[focused.i] / 2 : timeAt(across() / 2)));
}

function moveFocus(arrow) {
  if (focused.track) {
    const fold = arrow === "ArrowLeft";
    if (arrow === "ArrowLeft" || arrow === "ArrowRight") {
      if (focused.track.folded !== fold) toggle(focused.track);
      return focusOn(focused);
    }
    return step(arrow === "ArrowDown" ? 1 : -1);
  }
  const { row, i } = focused;
  if (arrow === "ArrowLeft") return i > row.from && focusOn({ row, i: i - 1 });
  if (arrow === "ArrowRight") return i + 1 < row.to && focusOn({ row, i: i + 1 });
  if (arrow === "ArrowUp") return row.above ? focusOn({ row: row.above, i: parentOf(data, row, i) }) : step(-1);
  const [from, to] = childrenOf(data, row, i);
  if (from === to) {
    // Nothing on it: on to the next part of the track, or to the next track.
    const at = lines.findIndex((line) => line.row === row);
    const next = lines.slice(at + 1).find((line) => line.what === "head" || (line.row && line.row.kind !== row.kind && line.row.to > line.row.from));
    if (next) focusOn(next.row ? nearest(next.row, data.start[i] + data.length[i] / 2) : { track: next.track });
    return undefined;
  }
  let longest = from;
  for (let child = from; child < Math.min(to, from + 100000); child++) if (data.length[child] > data.length[longest]) longest = child;
  return focusOn({ row: row.below, i: longest });
}

function enter() {
  if (!focused) return pick();
  if (focused.track) {
    toggle(focused.track);
    return focusOn(focused);
  }
  show(data.start[focused.i], data.length[focused.i]);
  return focusOn(focused);
}

// --- search

function search(text) {
  found = text ? matching(data, matcher(text)) : null;
  matched.textContent = found ? found.count.toLocaleString("en") + (found.count === 1 ? " match" : " matches") : "";
  clear.hidden = !found;
  if (Math.ceil(head.getBoundingClientRect().height) !== above) layOut(); // the head wrapped
  ask();
}

function clearSearch() {
  input.value = "";
  search("");
}

// Goes to the match that comes next in time, or before, from the focus or the left edge; around the end.
function nextMatch(way) {
  if (!found || !found.count) return;
  const key = (row, i) => [data.start[i], row.shift, i];
  const less = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
  const from = focused && focused.row ? key(focused.row, focused.i) : [timeAt(0), -1, -1];
  let best = null;
  let around = null;
  for (const row of data.rows) {
    const { before } = found;
    const hit = (n) => firstAbove(before, n, row.from + row.shift, row.to + row.shift + 1) - 1 - row.shift; // the n-th match of the row
    const count = before[row.to + row.shift];
    if (!count) continue;
    let low = 0;
    let high = count; // how many matches of the row are at or before the focus
    while (low < high) {
      const middle = (low + high) >> 1;
      if (less(key(row, hit(middle)), from) <= 0) low = middle + 1;
      else high = middle;
    }
    const at = way > 0 ? low : low - 1 - Number(low > 0 && less(key(row, hit(low - 1)), from) === 0);
    if (at >= 0 && at < count) {
      const candidate = { row, i: hit(at) };
      if (!best || way * less(key(row, candidate.i), key(best.row, best.i)) < 0) best = candidate;
    }
    const end = { row, i: hit(way > 0 ? 0 : count - 1) };
    if (!around || way * less(key(row, end.i), key(around.row, around.i)) < 0) around = end;
  }
  const { row, i } = best || around;
  const { folded } = data.tracks[row.track];
  if (folded) toggle(data.tracks[row.track]);
  focusOn({ row, i });
}
