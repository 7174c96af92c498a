// Which class colours a box: by its kind, its package, or its change.

import { packageOf } from "./code.js";
import { data, isChange, shown, state } from "./data.js";
import { NATIVE, PYTHON, SCOPE, MERGED } from "./trees.js";

const cache = { tree: null, numbers: null, names: [] };

// Steps of a change; the same as step_of in colours.py.
function stepOf(before, after) {
  if (before <= 0 || after <= 0) return before === after ? 4 : after <= 0 ? 0 : 8;
  const ratio = after / before;
  if (ratio < 1) return 1 + (ratio > 0.5) + (ratio > 0.8) + (ratio > 0.95);
  return 4 + (ratio >= 1.05) + (ratio >= 1.25) + (ratio >= 2);
}

// The packages of a tree, those with most self time first; beyond the colours that there are, they share the last.
function packages() {
  if (cache.tree === shown.tree) return cache;
  const { tree } = shown;
  const names = tree.labels.map((label) => (label[2] === PYTHON || label[2] === NATIVE ? packageOf(label) : ""));
  const self = new Map();
  tree.label.forEach((label, i) => names[label] && self.set(names[label], (self.get(names[label]) || 0) + tree.self[i]));
  const ranked = [...self.keys()].sort((a, b) => self.get(b) - self.get(a) || (a < b ? -1 : 1));
  const last = data.packageColours - 1;
  const number = new Map(ranked.map((each, i) => [each, Math.min(i, last)]));
  cache.numbers = names.map((each) => (each ? number.get(each) : -1));
  cache.names = ranked.length > last + 1 ? [...ranked.slice(0, last), "other packages"] : ranked;
  cache.tree = tree;
  return cache;
}

export function styleOf(i) {
  const { tree } = shown;
  if (isChange) {
    const of = state.own ? [tree.beforeSelf, tree.afterSelf] : [tree.before, tree.after];
    return "wf-d" + stepOf(of[0][i], of[1][i]);
  }
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
