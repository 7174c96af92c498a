// Which class colours a box: by its kind, its package, or its change.

import { changeStep } from "./change_steps.js";
import { PROGRAM, packageOf } from "./code.js";
import { data, isChange, shown, state } from "./data.js";
import { IDLE, NATIVE, PYTHON, SCOPE, MERGED } from "./trees.js";

const cache = { tree: null, numbers: null, names: [] };

// The packages of a tree, the program itself and then those with most self time first; beyond the colours that there
// are, they share the last.
function packages() {
  if (cache.tree === shown.tree) return cache;
  const { tree } = shown;
  const names = tree.labels.map((label) => (label[2] === PYTHON || label[2] === NATIVE ? packageOf(label) : ""));
  const self = new Map();
  tree.label.forEach((label, i) => names[label] && self.set(names[label], (self.get(names[label]) || 0) + tree.self[i]));
  const ranked = [...self.keys()].sort((a, b) => (b === PROGRAM) - (a === PROGRAM) || self.get(b) - self.get(a) || (a < b ? -1 : 1));
  const last = data.packageColours - 1;
  const number = new Map(ranked.map((each, i) => [each, Math.min(i, last)]));
  cache.numbers = names.map((each) => (each ? number.get(each) : -1));
  cache.names = ranked.length > last + 1 ? [...ranked.slice(0, last), "other packages"] : ranked;
  cache.tree = tree;
  return cache;
}

function stepOfBox(i) {
  const { tree } = shown;
  const [before, after] = state.own ? [tree.beforeSelf, tree.afterSelf] : [tree.before, tree.after];
  const known = data.known && (data.known[tree.label[i]] || [0, 0]);
  const sign = known ? known[Number(state.own)] : null;
  const all = Math.max(tree.before[0], tree.after[0]);
  return changeStep(before[i], after[i], all, sign, tree.labels[tree.label[i]][2] === IDLE);
}

export function styleOf(i) {
  const { tree } = shown;
  if (isChange) return "wf-d" + stepOfBox(i);
  const number = state.packages ? packages().numbers[tree.label[i]] : -1;
  const [, , kind, shade] = tree.labels[tree.label[i]];
  return number >= 0 ? "wf-p" + number : "wf-k" + kind + "s" + shade;
}

// The entries of the legend: a class and a word each.
export function legendEntries() {
  const used = new Set(shown.tree.label.map((index) => shown.tree.labels[index][2]));
  const kinds = data.kinds.filter(([kind]) => used.has(kind));
  const byKind = ([kind, word]) => ["wf-k" + kind + "s" + (kind < MERGED ? 2 : 0), word];
  if (!state.packages) return kinds.map(byKind);
  const rest = kinds.filter(([kind]) => kind !== PYTHON && kind !== NATIVE);
  const before = rest.filter(([kind]) => kind === SCOPE).map(byKind);
  const own = packages().names.map((word, number) => ["wf-p" + number, word]);
  return [...before, ...own, ...rest.filter(([kind]) => kind !== SCOPE).map(byKind)];
}
