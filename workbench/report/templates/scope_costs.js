// What scopes cost beside time: a pair of nanoseconds and what they may be off by, or bytes; null is unknown.

import { digits, digitsGiveOrTake, independent, offBy } from "./digits.js";

// Returns a function from the name of a scope to its costs in a range, as far as they are known of any; `found` is what
// `costsOf` of the timeline has.
export function costsIn(range, found) {
  const costs = new Map();
  for (const [name, { samples, time, cpu, lock, system, resident = null }] of found) {
    const estimate = (part) => [part, offBy(part / time, independent(samples, time, range)) * time];
    const waiting = (part) => (part > 0 && estimate(part)[1] < part ? estimate(part) : null); // else it may as well be none
    costs.set(name, { cpu: time > 0 ? estimate(cpu) : null, lock: waiting(lock), system: waiting(system), resident });
  }
  const known = ["cpu", "lock", "system", "resident"].filter((key) => [...costs.values()].some((each) => each[key] !== null));
  return (name) => Object.fromEntries(known.map((key) => [key, costs.get(name)?.[key] ?? null]));
}

// Returns pairs of what a cost is and its text, of those that are known.
export function costRows({ cpu, lock, system, resident }) {
  const times = [["on a processor", cpu], ["waiting for the lock", lock], ["waiting in the system", system]];
  const rows = times.filter(([, value]) => value).map(([what, value]) => [what, digitsGiveOrTake(...value).join(" ")]);
  return resident ? [...rows, ["largest resident set", digits(resident, "bytes").join(" ")]] : rows;
}
