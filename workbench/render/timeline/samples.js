// The samples of a track, one by one: where they are, and how many there are in a part.

import { firstAbove, firstAtLeast } from "./order.js";

// The samples of a track: each entry stands for `count` samples of one stack, evenly apart over its weight, and the
// first of them is at its start. `gap` is the time since the entry before.
export function samplesOf(track, hasPeriods, gap, weight, count, depth) {
  const before = new Float64Array(gap.length + 1); // samples in the entries before each
  let end = 0;
  for (let i = 0; i < gap.length; i++) {
    gap[i] += end;
    end = gap[i] + weight[i];
    before[i + 1] = before[i] + count[i];
  }
  const period = weight.reduce((sum, each) => sum + each, 0) / Math.max(before[gap.length], 1); // on average
  return { track, hasPeriods, at: gap, weight, count, depth, before, period };
}

// Returns how many samples of an entry come before a time: each begins its period.
export function ticksBefore(sampled, entry, time) {
  const count = sampled.count[entry];
  const period = Math.max(Math.floor(sampled.weight[entry] / Math.max(count, 1)), 1);
  return Math.max(Math.min(Math.ceil((time - sampled.at[entry]) / period), count), 0);
}

// Returns how many samples of a track are in a range of time.
export function samplesBetween(sampled, from, to) {
  const until = (time) => {
    const entry = firstAtLeast(sampled.at, time, 0, sampled.at.length) - 1;
    return entry < 0 ? 0 : sampled.before[entry] + ticksBefore(sampled, entry, time);
  };
  return until(to) - until(from);
}

// Calls `visit` with each entry that is partly in a range of time, what it has inside in nanoseconds, and in samples.
export function visitSamples(sampled, from, to, visit) {
  const { at, weight, count, hasPeriods } = sampled;
  let entry = Math.max(firstAbove(at, from, 0, at.length) - 1, 0);
  while (entry > 0 && at[entry] === from) entry--; // some take no time
  for (; entry < at.length && at[entry] < to; entry++) {
    const until = at[entry] + weight[entry];
    if (weight[entry] > 0 ? until <= from : at[entry] < from) continue;
    const [begins, ends] = [Math.max(at[entry], from), Math.min(until, to)];
    visit(entry, ends - begins, hasPeriods ? ticksBefore(sampled, entry, ends) - ticksBefore(sampled, entry, begins) : count[entry]);
  }
}

// Returns what the samples of all tracks in a range have by the number of their lines, of which there are `size`:
// how many they are, nanoseconds, and nanoseconds of CPU time with their squares by sample, where that is known.
export function linesBetween(tracks, size, { from, to }) {
  const sums = { from, to, samples: new Float64Array(size), time: new Float64Array(size), cpu: null, squares: 0 };
  for (const { sampled } of tracks) {
    if (!sampled?.takeLine) continue;
    sampled.line ||= sampled.takeLine();
    if (sampled.takeCpu) {
      sampled.cpu ||= sampled.takeCpu();
      sums.cpu ||= new Float64Array(size);
    }
    visitSamples(sampled, from, to, (entry, time, samples) => {
      const line = sampled.line[entry] - 1;
      sums.samples[line] += samples;
      sums.time[line] += time;
      if (!sampled.cpu || !samples) return;
      const each = sampled.cpu[entry] / sampled.count[entry];
      sums.cpu[line] += each * samples;
      sums.squares += each * each * samples;
    });
  }
  return sums;
}

// Returns the sample of a track that is nearest to a time: its entry and its moment.
export function nearestSample(sampled, time) {
  const { at, weight, count } = sampled;
  const entry = Math.max(firstAbove(at, time, 0, at.length) - 1, 0);
  const step = weight[entry] / Math.max(count[entry], 1);
  const moment = at[entry] + step * Math.max(Math.min(step > 0 ? Math.round((time - at[entry]) / step) : 0, count[entry] - 1), 0);
  const next = entry + 1 < at.length ? at[entry + 1] : Infinity;
  return next - time < Math.abs(time - moment) ? { entry: entry + 1, moment: next } : { entry, moment };
}

// Returns the moments of a track's samples in a range of time.
export function momentsBetween(sampled, from, to) {
  const { at, weight, count } = sampled;
  const moments = [];
  for (let entry = Math.max(firstAbove(at, from, 0, at.length) - 1, 0); entry < at.length && at[entry] < to; entry++) {
    const step = weight[entry] / Math.max(count[entry], 1);
    for (let k = step > 0 ? Math.max(Math.ceil((from - at[entry]) / step), 0) : 0; k < count[entry]; k++) {
      const moment = at[entry] + k * step;
      if (moment >= to) break;
      if (moment >= from) moments.push(moment);
    }
  }
  return moments;
}

// Returns the last sample of a track before a time, or -Infinity.
export function lastSampleBefore(sampled, time) {
  const entry = firstAtLeast(sampled.at, time, 0, sampled.at.length) - 1;
  if (entry < 0) return -Infinity;
  const count = Math.max(ticksBefore(sampled, entry, time), 1);
  return sampled.at[entry] + ((count - 1) * sampled.weight[entry]) / Math.max(sampled.count[entry], 1);
}
