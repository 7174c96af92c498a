// Trees for tests, from paths of names with their self amounts.

import { IDLE, MERGED, NATIVE, PYTHON, SCOPE, THREAD } from "../../workbench/render/flamegraph/trees.js";

const KINDS = { s: SCOPE, n: NATIVE, i: IDLE, t: THREAD };

// A name may be “name@file”, and “s:name” a scope, n: a native function, i: waiting, t: a thread.
function labelOf(word) {
  const [, kind, text] = word.match(/^(?:([snit]):)?(.*)$/);
  const [name, place = ""] = text.replace(/\+/g, " ").split("@"); // + is a blank
  return [name, place, kind ? KINDS[kind] : PYTHON, 0];
}

export function treeOf(paths) {
  const labels = [["all", "", MERGED, 0]];
  const root = { label: 0, self: 0, children: [] };
  const numbers = new Map();
  for (const [path, self] of Object.entries(paths)) {
    let at = root;
    for (const word of path.split(" ")) {
      if (!numbers.has(word)) numbers.set(word, labels.push(labelOf(word)) - 1);
      const label = numbers.get(word);
      let next = at.children.find((child) => child.label === label);
      if (!next) at.children.push((next = { label, self: 0, children: [] }));
      at = next;
    }
    at.self += self;
  }
  const tree = { labels, label: [], depth: [], total: [], self: [], calls: [] };
  const add = (node, depth) => {
    const i = tree.label.push(node.label) - 1;
    tree.depth.push(depth);
    tree.self.push(node.self);
    tree.calls.push(i === 0 ? -1 : node.self);
    tree.total.push(0);
    for (const child of node.children) tree.total[i] += add(child, depth + 1);
    return (tree.total[i] += node.self);
  };
  add(root, 0);
  return tree;
}

// What a tree shows: “depth name total self” of each box.
export const rowsIn = (tree) =>
  tree.label.map((label, i) => [".".repeat(tree.depth[i]) + tree.labels[label][0], tree.total[i], tree.self[i]].join(" "));

// Children are inside their parents, and nothing of the whole is lost.
export function isSound(tree) {
  const inside = [];
  for (let i = 0; i < tree.depth.length; i++) {
    inside.length = tree.depth[i];
    if (inside.length && (inside[inside.length - 1] -= tree.total[i]) < 0) return false;
    inside.push(tree.total[i]);
  }
  return true;
}
