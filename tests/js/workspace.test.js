import assert from "node:assert/strict";
import { test } from "node:test";

import { digits, digitsGiveOrTake, giveOrTake, offBy } from "../../workbench/report/templates/digits.js";
import { costRows, costsIn } from "../../workbench/report/templates/scope_costs.js";
import { figuresOfCalls, sampleRows, scopeRows } from "../../workbench/report/templates/side_panel.js";
import { readAddress, writeAddress } from "../../workbench/report/templates/workspace_address.js";

const TABS = ["flame", "timeline", "table"];
const SOURCES = ["samples", "scopes"];

test("an address says again what was written into it", () => {
  const states = [
    { tab: "flame", source: "samples", search: "", frame: null, thread: null, range: null },
    { tab: "table", source: "scopes", search: "a&b=c #", frame: { name: "f <&>", place: "x y.py:3" }, thread: 2, range: { from: 0, to: 1500000000 } },
  ];
  for (const state of states) assert.deepEqual(readAddress(writeAddress(state, TABS, SOURCES), TABS, SOURCES), state);
  assert.equal(writeAddress(states[0], TABS, SOURCES), "");
});

test("what is no address of the workspace is left alone, and wrong values are the defaults", () => {
  assert.equal(readAddress("files", TABS, SOURCES), null);
  assert.equal(readAddress("timeline", TABS, SOURCES).tab, "timeline");
  const found = readAddress("tab=lines&source=x&from=9&to=3", TABS, SOURCES);
  assert.deepEqual([found.tab, found.source, found.range], ["flame", "samples", null]);
});

test("digits of a column", () => {
  const cases = [[0, "0", "ns"], [999, "999", "ns"], [1000, "1.00", "µs"], [49_060_000, "49.1", "ms"], [999_700_000, "1.00", "s"], [6.53e9, "6.53", "s"], [1234e9, "1,234", "s"]];
  for (const [ns, text, unit] of cases) assert.deepEqual(digits(ns), [text, unit]);
});

test("digits that may be off", () => {
  const cases = [[1.234e9, 0.12e9, "1.23", "s ±0.12"], [0, 15e6, "0.0", "ms ±15.0"], [49.1e6, 1e3, "49.1", "ms ±0.1"], [1234e9, 5e8, "1,234", "s ±1"]];
  for (const [ns, off, text, unit] of cases) assert.deepEqual(digitsGiveOrTake(ns, off), [text, unit]);
});

test("costs of scopes in a range have intervals, and what nobody has is no column", () => {
  const fit = { samples: 100, time: 1e9, cpu: 5e8, lock: 0, system: 0, resident: 4.12e8 };
  const costs = costsIn({ from: 0, to: 1e9 }, new Map([["fit", fit], ["save", { resident: 1e6 }]]));
  assert.deepEqual(costs("save"), { cpu: null, resident: 1e6 });
  assert.deepEqual(costs("none"), { cpu: null, resident: null });
  assert.deepEqual(costRows(costs("fit")), [["on a processor", "500 ms ±96"], ["largest resident set", "412 MB"]]);
  assert.deepEqual(costRows(costs("none")), []);
  const two = costsIn({ from: 0, to: 5e8 }, new Map([["fit", fit]])); // on two threads at once: half as many independent samples
  assert.deepEqual(costRows(two("fit"))[0], ["on a processor", "500 ms ±134"]);
});

test("percentiles that are unknown are not there; carried work has its wall time apart", () => {
  const frame = ["f", "", 0, 4e9, 1e9, 4];
  const rows = Object.fromEntries(scopeRows(frame, 8e9, [1e9, 1e9, 1e9, null, null, 2e9], ["40 % ± 2", 400]));
  assert.deepEqual(rows, {
    wall: "1.00 s", "CPU × workers": "4.00 s · 50.0 %", self: "1.00 s · 25.0 % of it", calls: "4", mean: "1.00 s", p50: "1.00 s", max: "2.00 s",
    "of samples": "40 % ± 2", samples: "400",
  });
  assert.deepEqual(Object.keys(Object.fromEntries(scopeRows(frame, 8e9, null, null))), ["total", "self", "calls"]);
});

test("percentiles of calls are by the nearest rank, of enough calls", () => {
  const calls = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual(figuresOfCalls(calls), [undefined, 50.5, 50, 95, 99, 100]);
  assert.deepEqual(figuresOfCalls(calls.slice(0, 20)), [undefined, 10.5, 10, 19, null, 20]);
  assert.deepEqual(figuresOfCalls(calls.slice(0, 1)), [undefined, 1, null, null, null, 1]);
  assert.equal(figuresOfCalls(calls.slice(0, 0)), null);
});

test("figures of samples are shares with their intervals; times are approximate", () => {
  const rows = Object.fromEntries(sampleRows(["f", "", 1, 4e9, 1e9, 7], 8e9, ["50 % ± 3", 40], ["12 % ± 2", 7]));
  assert.deepEqual(rows, { "of samples": "50 % ± 3", samples: "40", "on top": "12 % ± 2 · 7", total: "≈ 4.00 s", self: "≈ 1.00 s" });
});

test("what a share of samples may be off by is half of Wilson's interval", () => {
  assert.ok(Math.abs(offBy(0.5, 100) - 0.0962) < 1e-4);
  assert.equal(giveOrTake(0.5, offBy(0.5, 100)), "50 % ± 10");
  assert.equal(giveOrTake(0.017, 0.006), "1.7 % ± 0.6");
  assert.equal(giveOrTake(0, 0.0001), "0.0 % ± 0.1");
  assert.equal(offBy(0, 0), 0.5);
});
