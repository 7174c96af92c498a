// What the scopes in a range cost beside time: CPU time, waiting, and the resident set while they were open.

import { SPANS } from "./data.js";
import { firstAtLeast, gallop } from "./order.js";
import { visitSamples } from "./samples.js";
import { NOBODY, nodesOf, tracksOf } from "./tree.js";

const SCOPE = 0; // the kind of boxes that are scopes
const [WAITS_FOR_LOCK, SLEEPS] = [3, 4]; // of `ThreadState`

// Returns by the name of a scope what it cost in a range, of all tracks or of some, by their numbers: `samples` and the
// nanoseconds that they stand for: `time`, on a processor: `cpu`, waiting for the interpreter's lock and in the system;
// and the most bytes that were `resident` while it was open. A scope inside itself counts once. What is not known is
// not there.
export function costsOf(data, range, wantedTracks = null) {
  const tracks = tracksOf(data, wantedTracks);
  const byName = new Map();
  const costs = (label) => {
    const [name] = data.labels[label];
    if (!byName.has(name)) byName.set(name, {});
    return byName.get(name);
  };
  const sampled = tracks.flatMap((track) => track.sampled || []);
  if (sampled.length && sampled.every(({ takeCpu, takeState }) => takeCpu && takeState)) addSampled(data, sampled, range, costs);
  addResident(data, tracks, range, costs);
  return byName;
}

function addSampled(data, sampled, { from, to }, costs) {
  const { parent, label, leaves } = nodesOf(data);
  const column = () => new Float64Array(parent.length);
  const spent = { samples: column(), time: column(), cpu: column(), lock: column(), system: column() };
  for (const one of sampled) {
    one.cpu ||= one.takeCpu();
    one.state ||= one.takeState();
    const leaf = leaves[one.track];
    visitSamples(one, from, to, (entry, time, samples) => {
      const node = leaf[entry];
      spent.samples[node] += samples;
      spent.time[node] += time;
      spent.cpu[node] += (one.cpu[entry] / Math.max(one.count[entry], 1)) * samples;
      if (one.state[entry] === WAITS_FOR_LOCK) spent.lock[node] += time;
      else if (one.state[entry] === SLEEPS) spent.system[node] += time;
    });
  }
  const nameOf = (node) => (data.labels[label[node]][2] === SCOPE ? data.labels[label[node]][0] : null);
  const isOutermost = (node, name) => {
    let above = parent[node];
    while (above !== NOBODY && nameOf(above) !== name) above = parent[above];
    return above === NOBODY;
  };
  for (let node = parent.length - 1; node >= 0; node--) {
    const name = nameOf(node);
    const counts = name !== null && spent.time[node] > 0 && isOutermost(node, name) && costs(label[node]);
    for (const key in spent) {
      if (parent[node] !== NOBODY) spent[key][parent[node]] += spent[key][node];
      if (counts) counts[key] = (counts[key] || 0) + spent[key][node];
    }
  }
}

function addResident(data, tracks, { from, to }, costs) {
  const { start, length, label } = data;
  const most = new Float64Array(data.labels.length); // by label: there may be very many readings in open scopes
  for (const { ofProcess, rows } of tracks) {
    const curve = ofProcess >= 0 && data.tracks[ofProcess].curves.find(({ unit }) => unit === "B");
    if (!curve) continue;
    const { at, value } = curve;
    const first = firstAtLeast(at, from, 0, at.length);
    for (const row of rows) {
      if (row.kind !== SPANS) continue;
      let next = row.from; // the first that starts behind a reading
      for (let reading = first; reading < at.length && at[reading] < to; reading++) {
        if (next < row.to && start[next] <= at[reading]) next = gallop(start, at[reading] + 1, next, row.to);
        const box = next - 1;
        if (next > row.from && start[box] + length[box] >= at[reading] && value[reading] > most[label[box]]) most[label[box]] = value[reading];
      }
    }
  }
  most.forEach((bytes, number) => {
    if (bytes > 0) costs(number).resident = Math.max(costs(number).resident || 0, bytes);
  });
}
