import assert from "node:assert/strict";
import { test } from "node:test";

import { NOBODY, SCOPE, framesOf } from "../../workbench/report/templates/callers.js";

const byName = ([name]) => name;

// A tree from rows of [depth, name, self]; totals follow.
function treeOf(rows) {
  const labels = [["all", "", 4, 0]];
  const tree = { labels, label: [0], depth: [0], self: [0], calls: [0] };
  for (const [depth, name, self] of rows) {
    let label = labels.findIndex((each) => each[0] === name);
    if (label < 0) label = labels.push([name, "", 1, 0]) - 1;
    tree.label.push(label);
    tree.depth.push(depth);
    tree.self.push(self);
    tree.calls.push(1);
  }
  tree.total = tree.self.slice();
  for (let i = rows.length; i > 0; i--) {
    let above = i - 1;
    while (tree.depth[above] >= tree.depth[i]) above--;
    tree.total[above] += tree.total[i];
  }
  return tree;
}

test("callers and callees of a frame are those of all its boxes", () => {
  const found = framesOf(treeOf([[1, "a", 1], [2, "c", 10], [1, "b", 2], [2, "c", 20], [3, "d", 5]]), byName);
  const of = (name) => found.index.get(name);
  assert.equal(found.all, 38);
  assert.deepEqual(found.frames[of("c")].slice(3), [35, 30, 2]);
  assert.deepEqual(found.edges[of("c")], [[[of("b"), 25], [of("a"), 10]], [[of("d"), 5]]]);
  assert.deepEqual(found.edges[of("a")], [[[NOBODY, 11]], [[of("c"), 10]]]);
});

test("a frame inside itself counts once, and its edges sum up to its total", () => {
  const tree = treeOf([[1, "f", 1], [2, "g", 2], [3, "f", 4], [4, "f", 8], [5, "g", 16], [4, "h", 32]]);
  const { frames, edges, index } = framesOf(tree, byName);
  for (const name of ["f", "g", "h"]) {
    const [, , , total, self] = frames[index.get(name)];
    const [callers, callees] = edges[index.get(name)].map((side) => side.reduce((sum, [, took]) => sum + took, 0));
    assert.equal(callers, total, name);
    assert.equal(self + callees, total, name);
  }
  assert.equal(frames[index.get("f")][3], 63);
});

test("frames of one name in two files are two, where the key says so", () => {
  const tree = treeOf([[1, "f", 1], [1, "g", 2]]);
  tree.labels[2] = ["f", "other.py", 1, 0];
  assert.equal(framesOf(tree, byName).frames.length, 2); // the root's label is one of them
  assert.equal(framesOf(tree, ([name, place]) => name + "\n" + place).frames.length, 3);
});

test("code of a function in its scope is the function's, and its edges sum up to its total", () => {
  const tree = treeOf([[1, "main", 1], [2, "f", 2], [3, "step", 4], [4, "g", 8]]);
  for (const label of tree.labels) if (label[0] === "step") label[2] = SCOPE;
  const { frames, edges, index } = framesOf(tree, byName);
  const figures = (name) => frames[index.get(name)].slice(3, 5);
  assert.deepEqual(["main", "f", "step", "g"].map(figures), [[15, 1], [14, 6], [12, 0], [8, 8]]);
  for (const name of ["main", "f", "step", "g"]) {
    const [, , , total, self] = frames[index.get(name)];
    const callees = edges[index.get(name)][1].reduce((sum, [, took]) => sum + took, 0);
    assert.equal(self + callees, total, name);
  }
});
