// Which box has the focus, and where arrows take it.

import { MARKS, childrenOf, firstInView, parentOf } from "./data.js";
import { trackSummary } from "./details.js";
import { ask } from "./frame.js";
import { said } from "./head.js";
import { reveal, scrollTracks, toggle } from "./layout.js";
import { SIZES, TOP, across, headOf, lineOf, room, state, tell, timeAt, withBoxes } from "./state.js";
import { detailsOf, hideTip, showTip } from "./tip.js";
import { settle, show } from "./view.js";


export function focusOn(item) {
  state.focused = item;
  if (!item) return ask();
  const { data, scrolled, view } = state;
  const line = item.row ? lineOf(item.row) : headOf(item.track);
  if (!line) return ask();
  if (line.y < scrolled) scrollTracks(line.y - SIZES.head);
  else if (line.y + line.h > scrolled + room()) scrollTracks(line.y + line.h - room() + SIZES.head);
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
  const [name, details] = detailsOf({ ...line, i: item.i });
  said.textContent = name.slice(0, 300) + ", " + details.join(", ") + ", track " + line.track.title;
  const [frame, place] = data.labels[data.label[item.i]];
  if (item.row.kind !== MARKS) tell("frame", { name: frame, place });
  return ask();
}

// Returns the box of a row that is nearest to a time.
function nearest(row, time) {
  const { data } = state;
  const i = Math.min(firstInView(data, row, time), row.to - 1);
  const before = i > row.from && time - (data.start[i - 1] + data.length[i - 1]) <= data.start[i] - time;
  return { row, i: before ? i - 1 : i };
}

export function pick() {
  const open = state.lines.filter(withBoxes);
  const line = open.find((one) => one.y >= state.scrolled) || open[0];
  if (line) focusOn(nearest(line.row, timeAt(across() / 2)));
  else if (state.data.tracks.length) focusOn({ track: state.data.tracks[0] });
}

function step(way) {
  const { data, focused, lines } = state;
  const all = lines.filter((line) => line.what === "head" || withBoxes(line));
  const at = all.findIndex((line) => (focused.row ? line.row === focused.row : line.what === "head" && line.track === focused.track));
  const next = all[at + way];
  if (!next) return;
  focusOn(next.what === "head" ? { track: next.track } : nearest(next.row, focused.row ? data.start[focused.i] + data.length[focused.i] / 2 : timeAt(across() / 2)));
}

export function moveFocus(arrow) {
  const { data, focused, lines } = state;
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
  reveal(row.below);
  return focusOn({ row: row.below, i: longest });
}

export function enter() {
  const { data, focused } = state;
  if (!focused) return pick();
  if (focused.track) {
    toggle(focused.track);
    return focusOn(focused);
  }
  show(data.start[focused.i], data.length[focused.i]);
  return focusOn(focused);
}

