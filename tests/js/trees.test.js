import assert from "node:assert/strict";
import { test } from "node:test";

import { MERGED, pathKeys, regrown, rowsOf, shapeOf } from "../../workbench/render/flamegraph/trees.js";
import { treeOf } from "./tree_of.js";

test("starts, parents and ends follow from depth and total", () => {
  const tree = treeOf({ "a": 10, "a b": 20, "a c": 30, "d": 40 });
  const { count, start, parent, end } = shapeOf(tree);
  assert.equal(count, 5);
  assert.deepEqual([...start], [0, 0, 0, 20, 60]);
  assert.deepEqual([...parent], [-1, 0, 1, 1, 0]);
  assert.deepEqual([...end], [5, 4, 3, 4, 5]);
});

test("boxes that meet add up, and what was too small for a box stays in its parent", () => {
  const tree = treeOf({ "a b": 20, "c b": 30 });
  tree.total[1] += 5; // of small boxes above a
  tree.total[0] += 5;
  const together = regrown(tree, [...tree.labels, ["both", "", MERGED, 0]], (i, node, child) =>
    child(node, tree.labels[tree.label[i]][0] === "b" ? tree.label[i] : tree.labels.length));
  assert.deepEqual(together.label.map((label) => together.labels[label][0]), ["all", "both", "b"]);
  assert.deepEqual(together.total, [55, 55, 50]);
  assert.deepEqual(together.self, [0, 0, 50]);
  assert.deepEqual(together.calls, [-1, 0, 50]);
});

test("percentiles are known of one box alone", () => {
  const tree = { ...treeOf({ "a": 10, "b": 20 }), p50: [-1, 3, 4] };
  const same = regrown(tree, tree.labels, (i, node, child) => child(node, tree.label[i]));
  const one = regrown(tree, tree.labels, (i, node, child) => child(node, tree.label[1]));
  assert.deepEqual(same.p50, [-1, 3, 4]);
  assert.deepEqual(one.p50, [-1, -1]);
});

test("rows reach to the last box wider than the share, of the box that is zoomed", () => {
  const tree = treeOf({ "a": 989, "a thin deep deeper": 1, "wide": 10 });
  const shape = shapeOf(tree);
  assert.deepEqual(rowsOf(tree, shape, 0, 0.005), { rows: 2, more: 3 });
  assert.deepEqual(rowsOf(tree, shape, 1, 0.005), { rows: 3, more: 2 }, "what is right above a is shown");
  assert.deepEqual(rowsOf(tree, shape, 2, 0.005), { rows: 5, more: 0 }, "zoomed into thin");
});

test("a path has the same key in another tree, and another one there is none with", () => {
  const one = treeOf({ "a b": 1, "c": 2 });
  const two = treeOf({ "x": 5, "a b": 7 });
  const key = pathKeys(one, shapeOf(one))(2);
  const keys = [...two.depth.keys()].map(pathKeys(two, shapeOf(two)));
  assert.equal(keys.indexOf(key), 3);
  assert.equal(new Set(keys).size, keys.length);
});
