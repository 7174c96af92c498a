// Amounts and shares as columns and the side panel have them: the same as in text.py.

import { unitOf } from "../../render/words.js";

const group = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

// Nanoseconds or bytes with three digits, and the unit.
export function digits(amount, unit = "ns") {
  const [factor, name] = unitOf(amount, unit);
  const value = amount / factor;
  return [factor === 1 || value >= 99.95 ? group.format(value) : value.toFixed(value < 9.995 ? 2 : 1), name];
}

// The same of an amount that may be off by some: 1.23 and s ±0.12.
export function digitsGiveOrTake(amount, off, unit = "ns") {
  const [factor, name] = unitOf(Math.max(amount, off), unit);
  const decimals = (digits(Math.max(amount, off), unit)[0].split(".")[1] || "").length;
  const text = (value) => value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return [text(amount / factor), name + " ±" + text(Math.max(off / factor, 10 ** -decimals))];
}

const Z = 1.959963984540054; // standard deviations of a normal distribution that hold 95 % of it

// By how much a share of so many independent samples may be off: half of its 95 % interval, by Wilson's score.
export function offBy(part, samples) {
  if (!(samples > 0)) return 0.5;
  const z2 = (Z * Z) / samples;
  const middle = (part + z2 / 2) / (1 + z2);
  const half = (Z / (1 + z2)) * Math.sqrt((part * (1 - part)) / samples + z2 / (4 * samples));
  return (Math.max(middle + half, part) - Math.max(Math.min(middle - half, part), 0)) / 2;
}

// How many samples in a range are independent: threads that are sampled at one moment are not. `time` is what they all
// stand for.
export const independent = (samples, time, { from, to }) => samples / Math.max(1, time / (to - from));

// A share with what it may be off by: 41 % ± 2.
export function giveOrTake(part, off) {
  if (100 * off >= 0.95) return (100 * part).toFixed(0) + " % ± " + (100 * off).toFixed(0);
  return (100 * part).toFixed(1) + " % ± " + Math.max(100 * off, 0.1).toFixed(1);
}
