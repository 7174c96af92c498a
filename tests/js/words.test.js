import assert from "node:assert/strict";
import { test } from "node:test";

import { amount, matcher, share } from "../../workbench/render/words.js";

test("an amount of time has three digits and the unit that suits it", () => {
  const cases = [[0, "0 ns"], [999, "999 ns"], [1500, "1.5 µs"], [12_345_678, "12.3 ms"], [2e9, "2 s"], [1234e9, "1,234 s"], [999_700_000, "1 s"], [-2e6, "−2 ms"]];
  for (const [value, text] of cases) assert.equal(amount(value, "ns"), text);
  assert.equal(amount(12345, "calls"), "12,345 calls");
});

test("an amount of bytes does, too", () => {
  const cases = [[0, "0 B"], [999, "999 B"], [1500, "1.5 kB"], [999_900, "1 MB"], [412e6, "412 MB"], [2.5e9, "2.5 GB"], [-1500, "−1.5 kB"]];
  for (const [value, text] of cases) assert.equal(amount(value, "bytes"), text);
});

test("a share has one digit, and more where it would be nothing", () => {
  assert.equal(share(1, 3), "33.3 %");
  assert.equal(share(0, 3), "0.0 %");
  assert.equal(share(1, 3000), "0.033 %");
  assert.equal(share(1, 0), "0.0 %");
});

test("a search is a regular expression, or the text itself", () => {
  assert.ok(matcher("^so.ve$")("Solve"));
  assert.ok(!matcher("^so.ve$")("resolve"));
  assert.ok(matcher("tanh(")("call of Tanh(x)"), "no regular expression");
  assert.ok(matcher("a.b")("a.b"));
});
