// The search, and the boxes of a frame that is selected.

import { matcher } from "../words.js";
import { matching } from "./data.js";
import { firstAbove } from "./order.js";
import { focusOn } from "./focus.js";
import { ask } from "./frame.js";
import { clear, input, matched, wraps } from "./head.js";
import { layOut, reveal } from "./layout.js";
import { state, timeAt } from "./state.js";

export function search(text) {
  const matches = matcher(text);
  const found = text ? matching(state.data, ([name, place]) => matches(name) || matches(place)) : null;
  state.found = found;
  if (input) {
    matched.textContent = found ? found.count.toLocaleString("en") + (found.count === 1 ? " match" : " matches") : "";
    clear.hidden = !found;
    if (wraps()) layOut();
  }
  ask();
}

export function clearSearch() {
  if (input) input.value = "";
  search("");
}

// Marks all boxes of a frame, or none.
export function select(frame) {
  state.chosen = frame ? matching(state.data, ([name, place]) => name === frame.name && place === frame.place) : null;
  ask();
}

// Goes to the match that comes next in time, or before, from the focus or the left edge; around the end.
export function nextMatch(way) {
  const { data, focused, found } = state;
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
  reveal(row);
  focusOn({ row, i });
}
