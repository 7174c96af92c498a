// Times as text: ticks of the axis, times with the digits that matter, and what samples say about a time.

import { amount } from "../words.js";

// Returns round times in view, at least `least` pixels apart, and how much of the time stands before the axis.
export function ticksOf(scale, across, least) {
  const shortest = least / scale.k;
  const power = Math.max(10 ** Math.floor(Math.log10(shortest)), 1);
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= shortest) || power;
  const first = Math.ceil(scale.from / step) * step;
  const times = [];
  for (let i = 0; i < 200 && first + i * step <= scale.to; i++) times.push(first + i * step);
  // Far from the start, ticks that differ in the last of many digits count from a round time.
  const base = first / step > 20000 ? Math.floor(scale.from / (step * 1000)) * step * 1000 : 0;
  return { times, step, base };
}

// Returns a time with all the digits that matter when the next tick is `step` away.
export function timeText(time, step) {
  if (time === 0) return "0";
  const [factor, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([size]) => Math.abs(time) >= size) || [1, "ns"];
  const digits = Math.min(Math.max(0, Math.ceil(Math.log10(factor / step) - 1e-9)), 9);
  return (time / factor).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + " " + unit;
}

export function exactly(time) {
  return amount(time, "ns") + (time >= 1000 ? " (" + time.toLocaleString("en") + " ns)" : "");
}

// Returns about how long something took that was sampled: two digits, or three where there are very many samples.
export function sampledTime(count, period) {
  const digits = count < 10_000 ? 2 : 3;
  return amount(Number((count * period).toPrecision(digits)), "ns");
}

export function sampledAmount(count, period) {
  return count.toLocaleString("en") + (count === 1 ? " sample" : " samples") + " ≈ " + sampledTime(count, period);
}

export function sampledShare(count, all) {
  return "≈ " + Number(((100 * count) / Math.max(all, 1)).toPrecision(2)) + " %";
}
