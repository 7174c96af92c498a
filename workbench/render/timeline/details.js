// What is said of a box, of many boxes, of a sample and of a track: a heading and lines of text.

import { amount, share, whole } from "../words.js";
import { MARKS, PROPAGATED, SAMPLES, UNFINISHED, addUp, parentOf, selfTime, stackAt, timeInside } from "./data.js";
import { firstAbove, firstAtLeast } from "./order.js";
import { samplesBetween } from "./samples.js";
import { exactly, sampledAmount, sampledShare, timeText } from "./times.js";

const RATES = { flops: "FLOP/s", flop: "FLOP/s", bytes: "B/s" };
const MEMORY = "memory: "; // begins the names of numbers that are traced memory
const SHOWN = 12; // frames of a stack
const MOMENT = 1e6; // nanoseconds: to so much the moment of a reading is worth stating

function scaled(value, unit) {
  const size = Math.abs(value);
  const [factor, letter] = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([least]) => size >= 0.9995 * least) || [1, ""];
  const digits = Number((value / factor).toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 20 });
  return (digits + " " + letter + unit).trim();
}

// Returns the numbers that a scope recorded for a box, with rates where they are amounts of work.
function workOf(data, i) {
  const lines = [];
  for (const kind of data.work) {
    if (!kind.box) { // a long column, and nobody may ask
      kind.box = addUp(kind.takeBox());
      kind.value = kind.takeValue();
    }
    const { name, box, value } = kind;
    const at = firstAtLeast(box, i, 0, box.length);
    if (box[at] !== i) continue;
    const rate = RATES[name.toLowerCase()];
    if (rate && data.length[i] > 0) lines.push(scaled((value[at] / data.length[i]) * 1e9, rate) + " · " + scaled(value[at], rate.slice(0, -2)));
    else if (name.startsWith(MEMORY)) lines.push(name + " " + amount(value[at], "bytes"));
    else lines.push(name + " " + value[at].toLocaleString("en", { maximumSignificantDigits: 7 }));
  }
  return lines;
}

// Returns the heading and the lines of a box.
export function boxDetails(data, words, row, i) {
  const name = data.names[data.label[i]];
  if (row.kind === MARKS) return [name, ["mark at " + timeText(data.start[i], 1)]];
  return [name, row.kind === SAMPLES ? sampledLines(data, words, row, i) : spanLines(data, words, row, i)];
}

function spanLines(data, words, row, i) {
  const [, , kind] = data.labels[data.label[i]];
  const time = data.length[i];
  const on = parentOf(data, row, i);
  const own = selfTime(data, row, i);
  const lines = [
    "duration " + exactly(time) + " · " + share(time, data.total) + " of the run" +
      (on >= 0 && data.length[on] > 0 ? " · " + share(time, data.length[on]) + " of parent" : ""),
    "self " + amount(own, "ns") + (time > 0 ? " · " + share(own, time) + " of it" : ""),
    "starts at " + timeText(data.start[i], 1),
    ...workOf(data, i),
  ];
  const said = [words.get(kind)];
  if (data.flags[i] & UNFINISHED) said.push("unfinished: still open when the record ended");
  if (data.flags[i] & PROPAGATED) said.push("propagated: stands for a scope of the track that sent this work");
  lines.push(said.filter(Boolean).join(" · "));
  return lines;
}

function sampledLines(data, words, row, i) {
  const { sampled, samples } = data.tracks[row.track];
  const [from, to] = [data.start[i], data.start[i] + data.length[i]];
  let [own, ownTime] = [0, 0];
  for (let entry = firstAtLeast(sampled.at, from, 0, sampled.at.length); entry < sampled.at.length && sampled.at[entry] < to; entry++) {
    if (sampled.depth[entry] !== row.depth) continue;
    own += sampled.count[entry];
    ownTime += sampled.weight[entry];
  }
  const kind = words.get(data.labels[data.label[i]][2]);
  if (!sampled.isCounted)
    return [
      amount(to - from, "ns") + " · " + share(to - from, data.tracks[row.track].busy) + " of the track's time",
      ...(ownTime ? ["self " + amount(ownTime, "ns")] : []),
      kind + " · from samples that the file has merged",
    ];
  const count = Math.max(samplesBetween(sampled, from, to), 1);
  return [
    sampledAmount(count, sampled.period) + " · " + sampledShare(count, samples) + " of the track's samples",
    ...(own ? ["self " + sampledAmount(own, sampled.period)] : []),
    "seen from " + timeText(from, sampled.period) + " to " + timeText(to, sampled.period),
    kind + " · from samples",
  ];
}

// Returns the heading and the lines of one sample: when, how many of its neighbours agree, and its stack.
export function sampleDetails(data, row, i, { entry, moment }) {
  const { rows, sampled } = data.tracks[row.track];
  const count = samplesBetween(sampled, data.start[i], data.start[i] + data.length[i]);
  const stack = stackAt(data, rows, sampled, entry).map((label) => data.names[label].slice(0, 200));
  const inner = stack.slice(-SHOWN).reverse();
  return [
    data.names[data.label[i]],
    [
      "1 sample at " + timeText(moment, sampled.period) + (count > 1 ? ", of " + sampledAmount(count, sampled.period) + " in a row" : ""),
      "stack, innermost first:",
      ...inner.map((name, k) => (stack.length - 1 - k === row.depth ? "▸ " : "   ") + name),
      ...(stack.length > SHOWN ? ["   and " + (stack.length - SHOWN) + " more"] : []),
    ],
  ];
}

// Returns the heading and the lines of boxes [from, to) that are too narrow to distinguish.
export function crowdDetails(data, row, from, to) {
  const counts = new Map();
  const step = Math.max(1, Math.floor((to - from) / 1000)); // of very many, a thousand tell
  for (let i = from; i < to; i += step) counts.set(data.label[i], (counts.get(data.label[i]) || 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const lines = [(counts.size > 1 ? "mostly " : "all ") + data.names[most].slice(0, 200)];
  const stretch = data.start[to - 1] + data.length[to - 1] - data.start[from];
  if (row.kind === SAMPLES) {
    const { sampled } = data.tracks[row.track];
    const more = [...lines, "zoom in to see each"];
    if (!sampled.isCounted) return [amount(stretch, "ns"), more];
    const count = samplesBetween(sampled, data.start[from], data.start[from] + stretch);
    return [sampledAmount(Math.max(count, 1), sampled.period), more];
  }
  if (row.kind !== MARKS) {
    const held = timeInside(data, row, from, to);
    lines.push("together " + amount(held, "ns") + (stretch > 0 ? " · " + share(held, stretch) + " of " + amount(stretch, "ns") : ""));
  }
  lines.push("zoom in to see each");
  return [(to - from).toLocaleString("en") + (row.kind === MARKS ? " marks" : " spans") + " here", lines];
}

// Returns a value of a curve with its unit, as far as three digits.
function valueText(value, unit) {
  if (unit === "%") return whole.format(value) + " %";
  return unit === "/s" ? scaled(value, "") + "/s" : scaled(value, unit);
}

export function curveRange({ low, high, unit }) {
  if (!(high > -Infinity)) return "";
  return low === high ? valueText(low, unit) : valueText(low, unit) + " to " + valueText(high, unit);
}

// A counter has its value until the next; what the system counts was read at a moment, or is a rate between two.
export function curveDetails({ at, value, name, unit, track, end }, time, { tracks }) {
  const i = firstAbove(at, time, 0, at.length) - 1;
  const isRead = tracks[track].isProcess;
  if (i < 0 || time > end || Number.isNaN(value[i])) return [name, [isRead ? "not read here" : "no value yet"]];
  if (!isRead) return [name, [value[i].toLocaleString("en", { maximumSignificantDigits: 7 }) + " since " + timeText(at[i], 1)]];
  const text = valueText(value[i], unit) + (unit === "%" ? " of one core" : "");
  const isRate = unit === "%" || unit.endsWith("/s");
  return [name, [text + (isRate ? ", from " + timeText(at[i], MOMENT) + " to " + timeText(at[i + 1], MOMENT) : " at " + timeText(at[i], MOMENT))]];
}

const counted = (count, word) => count.toLocaleString("en") + " " + word + (count === 1 ? "" : "s");
const mergedStacks = (count) => counted(count, "stack") + " of merged samples";

export const moreSummary = (curves) => curves.map(({ name }) => name).join(", ");

export function samplesSummary({ samples, sampled }) {
  if (!sampled.isCounted) return mergedStacks(samples);
  return counted(samples, "sample") + (samples === 1 ? "" : ", one every ≈ " + amount(Number(sampled.period.toPrecision(2)), "ns"));
}

export function trackSummary(data, track) {
  const said = [];
  if (track.spans) said.push(counted(track.spans, "span"));
  if (track.samples && !track.spans)
    said.push(track.sampled.isCounted ? counted(track.samples, "sample") : mergedStacks(track.samples));
  if (track.busy) said.push(track.spans ? share(track.busy, data.total) + " in scopes" : "busy " + sampledShare(track.busy, data.total));
  if (track.leftOut) said.push(track.leftOut.toLocaleString("en") + " deeper than 1,000 left out");
  return said.join(" · ");
}
