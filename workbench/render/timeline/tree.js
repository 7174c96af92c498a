// The time in a range as a tree: what a flame graph of that part shows.

import { MARKS, PROPAGATED, SAMPLES, SPANS } from "./data.js";
import { firstAbove, firstAtLeast } from "./order.js";
import { visitSamples } from "./samples.js";

const ALL = ["all", "", 4, 0]; // the label of the root, of the kind of boxes that are no frame
export const NOBODY = -1;

// Returns the tree of the spans or samples of tracks, by their numbers, or null: of all, from `from` to before `to`, in nanoseconds, depth first and the
// children of a node by name. Index 0 is the root, which stands for all of them.
//
// Spans are cut at the ends of the range, and `calls` has each that is partly inside; a propagated span has neither
// time nor calls of its own. Of samples, `calls` has those with the frame on top.
export function treeOf(data, part, { from, to }, wantedTracks = null) {
  const nodes = nodesOf(data);
  const { parent, label } = nodes;
  const own = new Float64Array(parent.length);
  const calls = new Float64Array(parent.length);
  const tracks = tracksOf(data, wantedTracks);
  if (part === "spans") addSpans(data, tracks, nodes, from, to, own, calls);
  else addSamples(tracks, nodes, from, to, own, calls);
  const total = own.slice();
  const wanted = Uint8Array.from(calls, (count) => Number(count > 0)); // with what is below
  for (let node = parent.length - 1; node >= 0; node--) {
    if (total[node] > 0) wanted[node] = 1;
    if (parent[node] === NOBODY) continue;
    total[parent[node]] += total[node];
    wanted[parent[node]] |= wanted[node];
  }
  return inOrder(data.labels, parent, label, wanted, { total, own, calls });
}

export const tracksOf = (data, numbers) => (numbers ? numbers.map((number) => data.tracks[number]) : data.tracks);

// Returns how long the calls of a scope took that are whole in a range, from short to long, in nanoseconds.
export function callsOf(data, name, { from, to }, wantedTracks = null) {
  const { start, length, flags, label, labels } = data;
  const isOfName = labels.map((each) => each[0] === name);
  const found = [];
  for (const { rows } of tracksOf(data, wantedTracks))
    for (const row of rows) {
      if (row.kind !== SPANS) continue;
      for (let i = firstAtLeast(start, from, row.from, row.to); i < row.to && start[i] <= to; i++)
        if (isOfName[label[i]] && start[i] + length[i] <= to && !(flags[i] & PROPAGATED)) found.push(length[i]);
    }
  return Float64Array.from(found).sort();
}

function addSpans(data, tracks, { node, outer }, from, to, own, calls) {
  const { start, length, flags } = data;
  for (const { rows } of tracks) {
    let above = 0; // the first box of the row above that is inside
    for (const row of rows) {
      if (row.kind !== SPANS) continue;
      const first = firstInside(data, row, from, to, above);
      const last = firstAtLeast(start, to, first, row.to);
      for (let i = first; i < last; i++) {
        if (flags[i] & PROPAGATED) continue;
        const time = Math.min(start[i] + length[i], to) - Math.max(start[i], from);
        own[node[i]] += time;
        if (outer[i] !== NOBODY) own[outer[i]] -= time;
        calls[node[i]]++;
      }
      above = first;
    }
  }
}

// Returns the first box of a row that is in the range: it ends in it, or takes no time at its start and stands on
// nothing that is over.
function firstInside({ start, length, parent }, row, from, to, above) {
  let first = firstAbove(start, from, row.from, row.to);
  while (first > row.from && start[first - 1] + length[first - 1] > from) first--;
  const isInside = (i) => start[i] === from && length[i] === 0 && (!row.above || row.above.from + parent[i] >= above);
  while (from < to && first > row.from && isInside(first - 1)) first--;
  return first;
}

function addSamples(tracks, { leaves }, from, to, own, calls) {
  for (const { sampled } of tracks) {
    if (!sampled) continue;
    const leaf = leaves[sampled.track];
    visitSamples(sampled, from, to, (entry, time, samples) => {
      own[leaf[entry]] += time;
      calls[leaf[entry]] += samples;
    });
  }
}

// Returns which node of the tree each box and each sample is, made when they are first asked for. What the spans and
// the samples have are two trees, in one numbering; parents come before their children.
export function nodesOf(data) {
  if (data.nodes) return data.nodes;
  const { start, label, flags, parent } = data;
  const table = nodeTable();
  const node = new Int32Array(start.length);
  const outer = new Int32Array(start.length).fill(NOBODY); // of a span: the node of what is around it and not propagated
  for (const row of data.rows) {
    if (row.kind === MARKS) continue;
    const ground = row.kind === SAMPLES ? -2 : NOBODY;
    for (let i = row.from; i < row.to; i++) {
      if (!row.above) {
        node[i] = table.child(ground, label[i]);
        continue;
      }
      const on = row.above.from + parent[i];
      node[i] = table.child(node[on], label[i]);
      outer[i] = flags[on] & PROPAGATED ? outer[on] : node[on];
    }
  }
  const leaves = data.tracks.map((track) => track.sampled && leavesOf(data, track, node));
  data.nodes = { node, outer, leaves, parent: Int32Array.from(table.parent, (above) => Math.max(above, NOBODY)), label: table.label };
  return data.nodes;
}

function leavesOf(data, { rows, sampled }, node) {
  const byDepth = [];
  for (const row of rows) if (row.kind === SAMPLES) byDepth[row.depth] = row;
  const next = byDepth.map((row) => row.from);
  const leaf = new Int32Array(sampled.at.length);
  for (let entry = 0; entry < leaf.length; entry++) {
    const depth = sampled.depth[entry];
    let i = next[depth];
    while (i + 1 < byDepth[depth].to && data.start[i + 1] <= sampled.at[entry]) i++;
    next[depth] = i;
    leaf[entry] = node[i];
  }
  return leaf;
}

// Returns a table of nodes that grows: child(parent, label) is the number of that node. It is a hash table with open
// addresses, several times as quick as a Map of a million entries.
function nodeTable() {
  const parent = [];
  const label = [];
  let slots = new Int32Array(1 << 12).fill(NOBODY);
  const slotOf = (above, which) => {
    let hash = Math.imul(above + 3, 0x9e3779b1) ^ Math.imul(which + 1, 0x85ebca6b);
    hash = (hash ^ (hash >>> 15)) & (slots.length - 1);
    while (slots[hash] !== NOBODY && (parent[slots[hash]] !== above || label[slots[hash]] !== which)) hash = (hash + 1) & (slots.length - 1);
    return hash;
  };
  function child(above, which) {
    const slot = slotOf(above, which);
    if (slots[slot] !== NOBODY) return slots[slot];
    const number = parent.length;
    parent.push(above);
    label.push(which);
    slots[slot] = number;
    if (2 * number > slots.length) {
      slots = new Int32Array(2 * slots.length).fill(NOBODY);
      for (let i = 0; i <= number; i++) slots[slotOf(parent[i], label[i])] = i;
    }
    return number;
  }
  return { child, parent, label };
}

// Returns the tree of those nodes that are wanted, depth first.
function inOrder(labels, parent, label, isWanted, { total, own, calls }) {
  const wanted = [];
  for (let node = 0; node < parent.length; node++) if (isWanted[node]) wanted.push(node);
  const alike = (a, b) => (a < b ? -1 : Number(a > b));
  wanted.sort((a, b) => alike(labels[label[a]][0], labels[label[b]][0]) || alike(labels[label[a]][1], labels[label[b]][1]) || a - b);
  const firstChild = new Int32Array(parent.length + 1).fill(NOBODY); // the last is the root's
  const sibling = new Int32Array(parent.length).fill(NOBODY);
  const slot = (above) => (above === NOBODY ? parent.length : above);
  for (const node of wanted.reverse()) {
    sibling[node] = firstChild[slot(parent[node])];
    firstChild[slot(parent[node])] = node;
  }
  const tree = { labels: [ALL], label: [0], depth: [0], total: [0], self: [0], calls: [0] };
  const numbers = new Map();
  const pending = [];
  const push = (node, depth) => node !== NOBODY && pending.push([node, depth]);
  push(firstChild[parent.length], 1);
  while (pending.length) {
    const [node, depth] = pending.pop();
    if (!numbers.has(label[node])) numbers.set(label[node], tree.labels.push(labels[label[node]]) - 1);
    tree.label.push(numbers.get(label[node]));
    tree.depth.push(depth);
    tree.total.push(total[node]);
    tree.self.push(own[node]);
    tree.calls.push(calls[node]);
    if (depth === 1) tree.total[0] += total[node];
    push(sibling[node], depth);
    push(firstChild[node], depth + 1);
  }
  return tree;
}
