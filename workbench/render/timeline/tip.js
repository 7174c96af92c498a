// What is under the pointer, and the details that are shown beside it.

import { html } from "../words.js";
import { MARKS, firstInView } from "./data.js";
import { firstAbove } from "./order.js";
import { lastSampleBefore, nearestSample } from "./samples.js";
import { boxDetails, crowdDetails, curveDetails, moreSummary, sampleDetails, trackSummary } from "./details.js";
import { SPECK, showsTicks } from "./rows.js";
import { tip, tipFrame } from "./head.js";
import { SIZES, TOP, across, root, state, timeAt, words } from "./state.js";

const NEAR = 4; // pixels from a tick

export function itemAt(x, y) {
  const { data, lines, scrolled, view } = state;
  if (y < TOP || x > across()) return null;
  const line = lines.find((one) => y >= TOP + one.y - scrolled && y < TOP + one.y + one.h - scrolled);
  if (!line || line.what !== "row") return line || null;
  const { row } = line;
  const pixel = view.span / across();
  const time = timeAt(x);
  if (showsTicks(data, row, 1 / pixel)) return tickAt(line, time, NEAR * pixel);
  const near = (row.kind === MARKS ? 5 : 2) * pixel;
  const exact = firstInView(data, row, time);
  const inside = exact < row.to && data.start[exact] <= time;
  if (inside && data.length[exact] >= (SPECK / state.ratio) * pixel) return { ...line, i: exact };
  const from = firstInView(data, row, time - near);
  const to = firstAbove(data.start, time + near, from, row.to);
  if (from >= to) return null;
  return to - from === 1 ? { ...line, i: from } : { ...line, crowd: [from, to] };
}

// Returns the sample that is near, or else the box whose samples are on both sides.
function tickAt(line, time, near) {
  const { data } = state;
  const { row } = line;
  const { sampled } = data.tracks[row.track];
  const boxAt = (moment) => {
    const i = firstAbove(data.start, moment, row.from, row.to) - 1;
    return i >= row.from && data.start[i] + data.length[i] > moment ? i : -1;
  };
  const sample = nearestSample(sampled, time);
  if (Math.abs(sample.moment - time) <= near && boxAt(sample.moment) >= 0) return { ...line, i: boxAt(sample.moment), sample };
  const i = boxAt(time);
  return i >= 0 && time <= lastSampleBefore(sampled, data.start[i] + data.length[i]) ? { ...line, i } : null;
}

export function detailsOf(item, time) {
  const { data } = state;
  const { what, track } = item;
  if (item.crowd) return crowdDetails(data, item.row, ...item.crowd);
  if (item.sample) return sampleDetails(data, item.row, item.i, item.sample);
  if (what === "head") return [track.title, [trackSummary(data, track), track.process, "click folds or opens it"].filter(Boolean)];
  if (what === "samples") return [track.title, ["click shows or hides the rows of its samples"]];
  if (what === "more") return [track.title, ["click or r shows or hides " + moreSummary(item.more)]];
  if (what === "deeper") return [track.title, ["click shows the deeper rows of its samples"]];
  if (what === "curve") return curveDetails(item.curve, time, data);
  return boxDetails(data, words, item.row, item.i);
}

export function showTip(item, x, y) {
  const { above, data, width } = state;
  const [name, details] = detailsOf(item, timeAt(x));
  tip.textContent = "";
  html("div", "wt-tip-name", name.slice(0, 600), tip);
  const from = item.i === undefined ? "" : data.labels[data.label[item.i]][1];
  if (from) html("div", "wt-tip-place", from.slice(0, 600), tip);
  for (const line of details) html("div", "wt-tip-row", line, tip);
  tipFrame.style.display = "";
  const bottom = Number(root.getAttribute("height"));
  const isTooTall = () => tip.getBoundingClientRect().height > bottom - 4;
  while (isTooTall() && tip.childNodes.length > 2) {
    tip.lastChild.remove();
    tip.lastChild.textContent = "…";
  }
  const size = tip.getBoundingClientRect();
  const below = above + y + 18;
  const top = below + size.height <= bottom ? below : above + y - size.height - 12;
  tipFrame.setAttribute("x", Math.max(SIZES.side, Math.min(x + 10, width - size.width - SIZES.side)));
  tipFrame.setAttribute("y", Math.max(2, Math.min(top, bottom - size.height - 2)));
}

export function hideTip() {
  tipFrame.style.display = "none";
}
