import assert from "node:assert/strict";
import { test } from "node:test";

import { changeStep, stepOf } from "../../workbench/render/flamegraph/change_steps.js";

test("a ratio has the step that its legend names", () => {
  const cases = [[2, 0, 0], [4, 2, 1], [4, 3, 2], [10, 9, 3], [10, 10, 4], [10, 11, 5], [10, 13, 6], [1, 2, 7], [0, 1, 8], [0, 0, 4]];
  for (const [before, after, step] of cases) assert.equal(stepOf(before, after), step);
});

test("only what changes as its frame is known to is coloured", () => {
  assert.equal(changeStep(100, 130, 1000, 1, false), 6);
  assert.equal(changeStep(100, 130, 1000, 0, false), 4, "within noise");
  assert.equal(changeStep(100, 130, 1000, -1, false), 4, "its frame takes less");
  assert.equal(changeStep(100, 102, 1000, 1, false), 5, "little, but known");
  assert.equal(changeStep(100, 98, 1000, -1, false), 3);
  assert.equal(changeStep(100, 130, 1000, null, false), 6, "nothing is known of noise");
});

test("what is under 1 % of all is grey, and waiting is outside of the scale", () => {
  assert.equal(changeStep(0, 9, 1000, null, false), 4);
  assert.equal(changeStep(0, 9, 1000, 1, false), 4);
  assert.equal(changeStep(100, 900, 1000, 1, true), 9);
});
