// The data of a timeline, unpacked into columns, and questions to a row that take a logarithm of its length.

import { frameName } from "../words.js";
import { firstAbove, firstAtLeast } from "./order.js";
import { samplesOf } from "./samples.js";

export const SPANS = 0; // kinds of rows
export const SAMPLES = 1;
export const MARKS = 2;
export const UNFINISHED = 1;
export const PROPAGATED = 2;
const FAN = 16; // values under one entry of a curve's table of extremes

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

export async function unpacked(chunks) {
  const stream = new Blob(chunks.map(bytesOf)).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Returns the integers whose bytes stand in planes, lowest first. One type of array throughout keeps it quick.
function fromPlanes(bytes, at, count, planes) {
  const values = new Float64Array(count);
  if (planes === 0) return values;
  const [one, two, three, four] = [0, 1, 2, 3].map((plane) => at + plane * count);
  if (planes === 1) for (let i = 0; i < count; i++) values[i] = bytes[one + i];
  else if (planes === 2) for (let i = 0; i < count; i++) values[i] = bytes[one + i] | (bytes[two + i] << 8);
  else for (let i = 0; i < count; i++) values[i] = bytes[one + i] | (bytes[two + i] << 8) | (bytes[three + i] << 16);
  if (planes > 3) for (let i = 0; i < count; i++) values[i] += bytes[four + i] * 2 ** 24;
  for (let plane = 4; plane < planes; plane++) {
    const factor = 256 ** plane;
    for (let i = 0; i < count; i++) values[i] += factor * bytes[at + plane * count + i];
  }
  return values;
}

// Returns a function that gives the next column: a function that unpacks it. A shape of -8 planes is of floats.
function columnReader(bytes, shapes) {
  let next = 0;
  let column = 0;
  return function take() {
    const at = next;
    const [count, planes] = shapes[column++];
    next += count * Math.abs(planes);
    return function unpack() {
      if (planes >= 0) return fromPlanes(bytes, at, count, planes);
      const turned = new Uint8Array(8 * count);
      for (let plane = 0; plane < 8; plane++)
        for (let i = 0, from = at + plane * count; i < count; i++) turned[8 * i + plane] = bytes[from + i];
      return new Float64Array(turned.buffer);
    };
  };
}

export function addUp(differences) {
  for (let i = 1; i < differences.length; i++) differences[i] += differences[i - 1];
  return differences;
}

// Returns all that is drawn: columns over all boxes, and rows, curves and tracks that point into them.
export function loaded(facts, bytes) {
  const take = columnReader(bytes, facts.columns);
  const start = take()(); // gaps so far
  const length = take()();
  const label = new Int32Array(take()());
  const parent = new Int32Array(take()()); // differences so far
  const flags = new Uint8Array(take()());
  const busy = new Float64Array(start.length + facts.rows.length); // of each row: time in the boxes before
  const rows = [];
  let from = 0;
  for (const [track, kind, depth, count, kinds] of facts.rows) {
    const row = { track, kind, depth, from, to: from + count, shift: rows.length, above: null, below: null, mixed: kinds > 1, sums: null };
    placeRow(row, start, length, parent, busy);
    const before = rows[rows.length - 1];
    if (depth > 0 && before) {
      row.above = before;
      before.below = row;
    }
    rows.push(row);
    from = row.to;
  }
  const work = facts.work.map((name) => ({ name, takeBox: take(), takeValue: take(), box: null, value: null }));
  let times = null;
  const curves = facts.curves.map(([track, name, hasTimes, end, unit, isMore]) => {
    if (hasTimes) times = addUp(take()());
    return curveOf({ track, name, end, unit, isMore }, times, take()());
  });
  const samples = facts.samples.map(([track, hasPeriods, isCounted, hasLines, hasCpu, hasState]) => ({
    ...samplesOf(track, hasPeriods, take()(), take()(), take()(), new Uint16Array(take()())),
    isCounted,
    takeLine: hasLines && take(),
    takeCpu: hasCpu && take(),
    takeState: hasState && take(),
  }));
  const tracks = facts.tracks.map(([title, process, folded, samplesOpen, spans, count, busyTime, leftOut, ofProcess], number) => ({
    number, title, process, folded, samplesOpen, spans, samples: count, busy: busyTime, leftOut, ofProcess,
    isProcess: ofProcess === number,
    rows: rows.filter((row) => row.track === number),
    curves: curves.filter((curve) => curve.track === number),
    sampled: samples.find((one) => one.track === number) || null,
  }));
  const names = facts.labels.map(([name, place]) => frameName(name, place)); // for people
  return { total: facts.total, labels: facts.labels, names, start, length, label, parent, flags, busy, rows, work, curves, tracks, nodes: null };
}

// Returns the labels of a sample's stack, the outermost first.
export function stackAt(data, rows, sampled, entry) {
  const labels = [];
  let row = rows.find(({ kind, depth }) => kind === SAMPLES && depth === sampled.depth[entry]);
  let i = row ? firstAbove(data.start, sampled.at[entry], row.from, row.to) - 1 : -1;
  while (row && i >= row.from) {
    labels.push(data.label[i]);
    i = parentOf(data, row, i);
    row = row.above;
  }
  return labels.reverse();
}

// Turns the gaps of a row into starts, and the differences of its parents into parents.
function placeRow({ from, to, shift }, start, length, parent, busy) {
  let end = 0;
  let on = 0;
  let sum = 0;
  for (let i = from; i < to; i++) {
    start[i] += end;
    end = start[i] + length[i];
    parent[i] = on += parent[i];
    busy[i + shift] = sum;
    sum += length[i];
  }
  busy[to + shift] = sum;
}

function curveOf(said, at, value) {
  const levels = [[value, value]];
  while (levels[levels.length - 1][0].length > FAN) {
    const [low, high] = levels[levels.length - 1];
    const size = Math.ceil(low.length / FAN);
    const lows = new Float64Array(size).fill(Infinity);
    const highs = new Float64Array(size).fill(-Infinity);
    for (let i = 0; i < low.length; i++) {
      const slot = Math.floor(i / FAN);
      if (low[i] < lows[slot]) lows[slot] = low[i]; // NaN is neither
      if (high[i] > highs[slot]) highs[slot] = high[i];
    }
    levels.push([lows, highs]);
  }
  const curve = { ...said, at, value, levels, low: 0, high: 0 };
  [curve.low, curve.high] = extremes(curve, 0, value.length);
  return curve;
}

// Returns the least and the largest value of [from, to); Infinity and -Infinity where there is none.
export function extremes(curve, from, to) {
  let low = Infinity;
  let high = -Infinity;
  for (let level = 0; from < to; level++) {
    const [lows, highs] = curve.levels[level];
    const last = level === curve.levels.length - 1;
    const inner = last ? to : Math.min(Math.ceil(from / FAN) * FAN, to);
    const outer = last ? to : Math.max(Math.floor(to / FAN) * FAN, inner);
    for (let i = from; i < inner; i++) {
      if (lows[i] < low) low = lows[i];
      if (highs[i] > high) high = highs[i];
    }
    for (let i = outer; i < to; i++) {
      if (lows[i] < low) low = lows[i];
      if (highs[i] > high) high = highs[i];
    }
    from = inner / FAN;
    to = outer / FAN;
  }
  return [low, high];
}

// Returns the first box of a row that does not end before a time.
export function firstInView(data, row, time) {
  const i = firstAbove(data.start, time, row.from, row.to) - 1;
  return i >= row.from && data.start[i] + data.length[i] >= time ? i : i + 1;
}

export const timeInside = (data, row, from, to) => data.busy[to + row.shift] - data.busy[from + row.shift];

// Returns the range of boxes that stand on a box, in the row below.
export function childrenOf(data, row, i) {
  const below = row.below;
  if (!below) return [0, 0];
  const local = i - row.from;
  return [firstAtLeast(data.parent, local, below.from, below.to), firstAbove(data.parent, local, below.from, below.to)];
}

export function selfTime(data, row, i) {
  const [from, to] = childrenOf(data, row, i);
  return data.length[i] - (to > from ? timeInside(data, row.below, from, to) : 0);
}

export const parentOf = (data, row, i) => (row.above ? row.above.from + data.parent[i] : -1);

// Returns the kind that takes most of the time of [from, to), or that of the first.
export function mainKind(data, row, from, to) {
  let found = data.labels[data.label[from]][2];
  if (!row.mixed || to - from === 1) return found;
  if (!row.sums) row.sums = kindSums(data, row);
  let most = -1;
  for (const { kind, sums } of row.sums) {
    const time = sums[to - row.from] - sums[from - row.from];
    if (time > most) {
      most = time;
      found = kind;
    }
  }
  return found;
}

// Returns of each kind in a row the time in its boxes before each box.
function kindSums(data, row) {
  const kindOf = data.labels.map((label) => label[2]);
  const tables = new Map();
  for (let i = row.from; i < row.to; i++) {
    const kind = kindOf[data.label[i]];
    if (!tables.has(kind)) tables.set(kind, new Float64Array(row.to - row.from + 1));
    tables.get(kind)[i - row.from + 1] = data.length[i];
  }
  return [...tables].map(([kind, sums]) => ({ kind, sums: addUp(sums) }));
}

// Returns which labels match, and for each row how many boxes before each one do.
export function matching(data, matches) {
  const isHit = Uint8Array.from(data.labels, (label) => Number(matches(label)));
  const before = new Uint32Array(data.start.length + data.rows.length);
  let count = 0;
  for (const row of data.rows) {
    let sum = 0;
    for (let i = row.from; i < row.to; i++) {
      before[i + row.shift] = sum;
      sum += isHit[data.label[i]];
    }
    before[row.to + row.shift] = sum;
    count += sum;
  }
  return { isHit, before, count };
}
