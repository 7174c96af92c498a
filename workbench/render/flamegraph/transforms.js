// What is shown of a tree: imports folded, waiting and helpers hidden, recursion merged, or from the leaves down.
// Every amount of the result is a sum of amounts of the tree.

import { isImport, isModuleBody, isOwn, isStart, runsModules } from "./code.js";
import { IDLE, MERGED, NATIVE, PYTHON, THREAD, ownOf, regrown, shapeOf } from "./trees.js";

export const IMPORTS = "(imports)";
export const INTERPRETER_START = "(interpreter start and imports)";
const SMALL = "(small boxes)";
const IS_SMALL = /^\((?:\d+ )?small box(?:es)?\)$/;
const MIN_SHARE = 0.0005; // of all; callers that are narrower are left out
const MAX_CALLERS = 200;

// Imports, and how the interpreter comes to the program, are one box in each place. The program's own functions and
// scopes that run inside are put on what the import was on. The same as folded in _fold.py.
export function folded(tree) {
  const { parent } = shapeOf(tree);
  const labels = [...tree.labels, [IMPORTS, "", MERGED, 0], [INTERPRETER_START, "", MERGED, 0]];
  const own = tree.labels.map(isOwn);
  const imports = tree.labels.map(isImport);
  const bodies = tree.labels.map(isModuleBody);
  const runpy = tree.labels.map(runsModules);
  const starts = tree.labels.map(isStart);
  if (![imports, bodies, runpy, starts].some((each) => each.includes(true))) return tree;
  const inside = new Uint8Array(tree.label.length); // 1: an import, 2: the start of the interpreter
  const anchor = new Int32Array(tree.label.length); // the node that what is above stands on
  return regrown(tree, labels, (i, node, child, nodes) => {
    const label = tree.label[i];
    const kind = tree.labels[label][2];
    const around = inside[parent[i]];
    const base = anchor[parent[i]];
    const outermost = base === 0 || labels[nodes.label[base]][2] === THREAD;
    const isBody = bodies[label] && !outermost && !runpy[tree.label[parent[i]]];
    if (own[label]) inside[i] = 0;
    else if (imports[label] || isBody || around === 1) inside[i] = 1;
    else if (outermost && (starts[label] || runpy[label])) inside[i] = 2;
    else if (kind === NATIVE && around === 2) inside[i] = 2;
    if (inside[i]) {
      anchor[i] = base;
      return child(base, tree.labels.length + Number(outermost));
    }
    return (anchor[i] = child(base, label));
  });
}

// Which boxes are waiting, and which are helpers: threads and processes of libraries, as far as they run Python code
// and none of it is the program's own.
function idleParts(tree) {
  const { count, parent } = shapeOf(tree);
  const own = tree.labels.map((label) => isOwn(label) || isImport(label));
  const waiting = new Uint8Array(count);
  const owned = new Uint8Array(count);
  const python = new Uint8Array(count);
  const helper = new Uint8Array(count);
  for (let i = 1; i < count; i++) {
    const kind = tree.labels[tree.label[i]][2];
    waiting[i] = waiting[parent[i]] || Number(kind === IDLE);
    owned[i] = owned[parent[i]] || Number(own[tree.label[i]]);
    python[i] = python[parent[i]] || Number(kind === PYTHON);
    helper[i] = Number(!waiting[i] && python[i] && !owned[i] && kind !== MERGED);
  }
  return { waiting, helper };
}

// How much of a tree is waiting, and how much helpers.
export function idleAmounts(tree) {
  const own = ownOf(tree.total, shapeOf(tree).parent);
  const { waiting, helper } = idleParts(tree);
  const sum = (part) => own.reduce((all, amount, i) => all + (part[i] ? amount : 0), 0);
  return { waiting: sum(waiting), helpers: sum(helper) };
}

export function withoutIdle(tree) {
  const { waiting, helper } = idleParts(tree);
  const place = (i, node, child) => child(node, tree.label[i]);
  return regrown(tree, tree.labels, place, (i) => waiting[i] || helper[i]);
}

// A function that is on its own path already, directly or through others, is there once: what it calls is put on
// the outermost of its boxes, and the amounts of those between are without it.
export function withoutRecursion(tree) {
  return regrown(tree, tree.labels, (i, node, child, nodes) => {
    const label = tree.label[i];
    if (tree.labels[label][2] !== MERGED)
      for (let at = node; at > 0; at = nodes.parent[at]) if (nodes.label[at] === label) return at;
    return child(node, label);
  });
}

// From the leaves down: boxes on the root are functions by their self time, and above each are its callers.
export function inverted(tree) {
  const { count, parent } = shapeOf(tree);
  const own = ownOf(tree.total, parent);
  const small = tree.labels.length;
  const found = { labels: [...tree.labels, [SMALL, "", MERGED, 0]], label: [], depth: [], total: [], self: [], calls: [] };
  const add = (label, depth, total, self, calls) => {
    found.label.push(label);
    found.depth.push(depth);
    found.total.push(total);
    found.self.push(self);
    found.calls.push(calls);
  };
  const leaves = [];
  let rest = own[0];
  for (let i = 1; i < count; i++) {
    const [name, , kind] = tree.labels[tree.label[i]];
    const isSmall = kind === MERGED && IS_SMALL.test(name);
    if (tree.self[i] > 0 && !isSmall) leaves.push([i, i]);
    rest += isSmall ? own[i] : own[i] - Math.max(tree.self[i], 0);
  }
  add(tree.label[0], 0, tree.total[0], 0, -1);
  const narrowest = MIN_SHARE * tree.total[0];
  const pending = groups(leaves).reverse();
  while (pending.length) {
    const { label, depth, total, pairs } = pending.pop();
    if (total < narrowest) {
      if (depth === 1) rest += total;
      continue;
    }
    const calls = depth === 1 && tree.calls ? pairs.reduce((sum, [leaf]) => sum + tree.calls[leaf], 0) : -1;
    add(label, depth, total, depth === 1 ? total : 0, calls);
    if (depth < MAX_CALLERS) pending.push(...groups(callers(pairs), depth + 1).reverse());
  }
  if (rest > 0) add(small, 1, rest, rest, -1);
  return found;

  function callers(pairs) {
    return pairs.filter(([, at]) => parent[at] > 0).map(([leaf, at]) => [leaf, parent[at]]);
  }

  // The same names together, the widest first.
  function groups(pairs, depth = 1) {
    const byLabel = new Map();
    for (const pair of pairs) {
      const label = tree.label[pair[1]];
      if (!byLabel.has(label)) byLabel.set(label, { label, depth, total: 0, pairs: [] });
      const group = byLabel.get(label);
      group.total += tree.self[pair[0]];
      group.pairs.push(pair);
    }
    return [...byLabel.values()].sort((a, b) => b.total - a.total);
  }
}
