// Trees as columns, depth first: label, depth, total, self and what else is known of each box. No document is
// needed here, so that these work on any tree: one in the file, or one that the page gives for a part of the run.

export const SCOPE = 0;
export const PYTHON = 1;
export const NATIVE = 2;
export const IDLE = 3;
export const MERGED = 4; // the kind of boxes that stand for no frame
export const THREAD = 5;

const TOTALS = ["total", "before", "after"];
const SELVES = ["self", "beforeSelf", "afterSelf"];
const SINGLES = ["p50", "p95"]; // known of one path alone
const UNKNOWN = -1;

// Starts, parents and ends of subtrees follow from depth and total.
export function shapeOf({ depth, total }) {
  const count = depth.length;
  const start = new Float64Array(count);
  const parent = new Int32Array(count).fill(-1);
  const end = new Int32Array(count).fill(count);
  const next = new Float64Array(count); // where the next child of a box starts
  const path = [];
  for (let i = 0; i < count; i++) {
    while (path.length > depth[i]) end[path.pop()] = i;
    if (i > 0) {
      parent[i] = path[path.length - 1];
      start[i] = next[parent[i]];
      next[parent[i]] += total[i];
    }
    next[i] = start[i];
    path.push(i);
  }
  return { count, start, parent, end };
}

// What a column of totals has for each box without its children: its self amount, and what was too small for a box.
export function ownOf(column, parent) {
  const own = Float64Array.from(column);
  for (let i = 1; i < own.length; i++) own[parent[i]] -= column[i];
  return own;
}

// Returns the tree that has each box of another one where place(i, node) says: a node of the new tree for box i,
// whose parent is at `node`. Amounts are added up where boxes meet; a box in `dropped` adds none.
export function regrown(tree, labels, place, dropped = () => false) {
  const { count, parent } = shapeOf(tree);
  const nodes = { label: [tree.label[0]], parent: [-1], sources: [0] };
  const known = new Map(); // node by parent and label
  const child = (node, label) => {
    const key = node * labels.length + label;
    let found = known.get(key);
    if (found === undefined) {
      found = nodes.label.push(label) - 1;
      nodes.parent.push(node);
      nodes.sources.push(0);
      known.set(key, found);
    }
    return found;
  };
  const target = new Int32Array(count);
  for (let i = 1; i < count; i++) target[i] = place(i, target[parent[i]], child, nodes);
  for (let i = 0; i < count; i++) nodes.sources[target[i]] += 1;
  const columns = {};
  for (const name of [...TOTALS, ...SELVES, ...SINGLES, "calls"]) {
    if (!tree[name]) continue;
    const from = TOTALS.includes(name) ? ownOf(tree[name], parent) : tree[name];
    columns[name] = summed(name, from, target, nodes, dropped);
  }
  return depthFirst(labels, nodes, columns);
}

function summed(name, from, target, nodes, dropped) {
  const sums = new Array(nodes.label.length).fill(0);
  for (let i = 0; i < from.length; i++) {
    const node = target[i];
    if (dropped(i)) continue;
    if (SINGLES.includes(name)) sums[node] = nodes.sources[node] === 1 ? from[i] : UNKNOWN;
    else if (name === "calls" && (from[i] < 0 || sums[node] < 0)) sums[node] = UNKNOWN;
    else sums[node] += from[i];
  }
  if (TOTALS.includes(name)) for (let node = sums.length - 1; node > 0; node--) sums[nodes.parent[node]] += sums[node];
  return sums;
}

// Nodes come after their parents; children keep the order in which they came, and empty ones are left out.
function depthFirst(labels, nodes, columns) {
  const children = nodes.label.map(() => []);
  for (let node = 1; node < nodes.label.length; node++) if (columns.total[node] > 0) children[nodes.parent[node]].push(node);
  const order = [];
  const depth = [];
  const pending = [[0, 0]];
  while (pending.length) {
    const [node, level] = pending.pop();
    order.push(node);
    depth.push(level);
    for (let i = children[node].length - 1; i >= 0; i--) pending.push([children[node][i], level + 1]);
  }
  const tree = { labels, depth, label: order.map((node) => nodes.label[node]) };
  for (const name in columns) tree[name] = order.map((node) => columns[name][node]);
  return tree;
}

// How many rows show all that is wider than a share of the zoomed box, and how many more there are above it. What is
// right above the zoomed box is shown in any case, so that every box can be reached.
export function rowsOf({ depth, total }, { end }, zoomed, share) {
  let wide = depth[zoomed] + Number(end[zoomed] > zoomed + 1);
  let deepest = depth[zoomed];
  for (let i = zoomed; i < end[zoomed]; i++) {
    if (depth[i] > deepest) deepest = depth[i];
    if (depth[i] > wide && total[i] >= share * total[zoomed]) wide = depth[i];
  }
  return { rows: Math.max(wide + 1, 2), more: deepest - wide };
}

// Returns a function that gives a key of a box's path of names, which stays the same when the flame graph is made again.
export function pathKeys(tree, { count, parent }) {
  const labelKeys = tree.labels.map(([text, where, kind]) => {
    let a = 0x811c9dc5 ^ kind;
    let b = 0x1b873593;
    for (const part of text + "\n" + where) {
      a = Math.imul(a ^ part.codePointAt(0), 0x01000193);
      b = Math.imul(b ^ part.codePointAt(0), 0x85ebca6b);
      b ^= b >>> 13;
    }
    return [a, b];
  });
  const left = new Int32Array(count);
  const right = new Int32Array(count);
  for (let i = 1; i < count; i++) {
    const [a, b] = labelKeys[tree.label[i]];
    left[i] = Math.imul(left[parent[i]] ^ a, 0x01000193) + 1;
    right[i] = Math.imul(right[parent[i]] + b, 0xc2b2ae35) ^ (b >>> 7);
  }
  const hex = (number) => (number >>> 0).toString(16).padStart(8, "0");
  return (i) => hex(left[i]) + hex(right[i]);
}
