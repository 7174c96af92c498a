import assert from "node:assert/strict";
import { test } from "node:test";

import { folded, idleAmounts, inverted, withoutIdle, withoutRecursion } from "../../workbench/render/flamegraph/transforms.js";
import { isSound, rowsIn, treeOf } from "./tree_of.js";

const LOAD = "_load@<frozen+importlib._bootstrap>";
const NUMPY = "numpy@/env/lib/python3.11/site-packages/numpy/__init__.py";
const BODY = "<module>@/env/lib/python3.11/site-packages/numpy/__init__.py";
const MAIN = "main@/home/me/fit.py:3";
const THREAD = "run@/usr/lib/python3.11/threading.py:9";

test("imports are one box in each place, and the program's own code in them is put on what they were on", () => {
  const tree = treeOf({
    [`${MAIN}`]: 5,
    [`${MAIN} ${LOAD}`]: 1,
    [`${MAIN} ${LOAD} ${NUMPY} n:init@/env/numpy.so`]: 7,
    [`${MAIN} ${LOAD} helper@/home/me/helper.py`]: 11,
    [`${MAIN} ${LOAD} ${NUMPY} s:hook`]: 13,
    "n:_start@/usr/bin/python3 n:Py_RunMain@/usr/bin/python3": 3,
    [`n:_start@/usr/bin/python3 n:Py_RunMain@/usr/bin/python3 work@/home/me/fit.py`]: 17,
    "n:worker@/lib/libblas.so": 19,
  });
  const found = folded(tree);
  assert.deepEqual(rowsIn(found), [
    "all 76 0",
    ".main 37 5",
    "..(imports) 8 8",
    "..hook 13 13",
    "..helper 11 11",
    ".(interpreter start and imports) 3 3",
    ".work 17 17",
    ".worker 19 19",
  ]);
  assert.ok(isSound(found));
});

test("the body of a module above the program's own code is an import, also without the import system's frames", () => {
  const tree = treeOf({ [`${MAIN} ${BODY} init@/env/lib/python3.11/site-packages/numpy/core.py`]: 5, [`${MAIN} <module>@<string>`]: 2 });
  assert.deepEqual(rowsIn(folded(tree)), ["all 7 0", ".main 7 0", "..(imports) 5 5", "..<module> 2 2"]);
});

test("programs that are installed are not folded, and python -m is how the interpreter comes to them", () => {
  const tool = `${BODY} tool@/env/lib/python3.11/site-packages/tool.py`;
  const plain = treeOf({ [tool]: 5 });
  assert.deepEqual(rowsIn(folded(plain)), rowsIn(plain));
  const runpy = "_run@<frozen+runpy>";
  const tree = treeOf({ [`${runpy} ${tool}`]: 5, [`${runpy} details@<frozen+runpy> ${LOAD}`]: 3, [runpy]: 1 });
  assert.deepEqual(rowsIn(folded(tree)), ["all 9 0", ".(interpreter start and imports) 4 4", ".<module> 5 0", "..tool 5 5"]);
});

test("a thread's box is a place for imports, too", () => {
  const tree = treeOf({ [`t:worker ${LOAD}`]: 5 });
  assert.deepEqual(rowsIn(folded(tree)), ["all 5 0", ".worker 5 0", "..(interpreter start and imports) 5 5"]);
});

test("a difference is folded on both sides", () => {
  const tree = { ...treeOf({ [`${MAIN} ${LOAD}`]: 5, [MAIN]: 2 }), before: [7, 7, 5], after: [3, 3, 2], beforeSelf: [0, 2, 5], afterSelf: [0, 1, 2] };
  const { before, after, beforeSelf, afterSelf } = folded(tree);
  assert.deepEqual({ before, after, beforeSelf, afterSelf }, { before: [7, 7, 5], after: [3, 3, 2], beforeSelf: [0, 2, 5], afterSelf: [0, 1, 2] });
});

test("waiting and helpers are counted apart and hidden together", () => {
  const tree = treeOf({
    [MAIN]: 50,
    [`${MAIN} wait@/usr/lib/python3.11/threading.py i:futex@/lib/libc.so`]: 20,
    [`${THREAD} feed@/usr/lib/python3.11/multiprocessing/queues.py`]: 8,
    [`${THREAD} feed@/usr/lib/python3.11/multiprocessing/queues.py i:read`]: 2,
    [`${THREAD} task@/home/me/fit.py n:dgemm@/lib/libblas.so`]: 15,
    "n:blas_thread@/lib/libblas.so": 5,
  });
  assert.deepEqual(idleAmounts(tree), { waiting: 22, helpers: 8 });
  const found = withoutIdle(tree);
  assert.equal(found.total[0], 70);
  assert.deepEqual(rowsIn(found), ["all 70 0", ".main 50 50", ".run 15 0", "..task 15 0", "...dgemm 15 15", ".blas_thread 5 5"]);
});

test("recursion, direct or through others, is one box, and all amounts are those of the tree", () => {
  const tree = treeOf({ "f": 1, "f f": 2, "f f f g": 3, "f g f h": 4, "f g": 5, "s:f f": 6 });
  const found = withoutRecursion(tree);
  assert.deepEqual(rowsIn(found), ["all 21 0", ".f 15 3", "..g 8 8", "..h 4 4", ".f 6 0", "..f 6 6"]);
  assert.ok(isSound(found));
  const deep = treeOf({ [Array(900).fill("even odd").join(" ")]: 7 });
  assert.deepEqual(rowsIn(withoutRecursion(deep)), ["all 7 0", ".even 7 0", "..odd 7 7"]);
});

test("from the leaves down: self time, and above each function its callers", () => {
  const tree = treeOf({ "a": 10, "a b": 20, "c b": 30, "c a b": 5, "d": 35 });
  const found = inverted(tree);
  assert.deepEqual(rowsIn(found), [
    "all 100 0",
    ".b 55 55",
    "..c 30 0",
    "..a 25 0",
    "...c 5 0",
    ".d 35 35",
    ".a 10 10",
  ]);
  assert.deepEqual(found.calls.slice(0, 3), [-1, 55, -1], "samples of the function itself");
});

test("what is too small for a box of its own is one box in the inverted tree, too", () => {
  const tree = treeOf({ "a": 9000, "b": 998, "tiny": 2 });
  tree.total[1] += 50; // above a, without a box
  tree.total[0] += 50;
  const found = inverted(tree);
  assert.deepEqual(rowsIn(found), ["all 10050 0", ".a 9000 9000", ".b 998 998", ".(small boxes) 52 52"]);
  assert.ok(isSound(found));
});

test("an empty tree stays empty", () => {
  const tree = treeOf({});
  for (const change of [folded, withoutIdle, withoutRecursion, inverted]) assert.deepEqual(rowsIn(change(tree)), ["all 0 0"]);
  assert.deepEqual(idleAmounts(tree), { waiting: 0, helpers: 0 });
});
