import assert from "node:assert/strict";
import { test } from "node:test";

import { MARKS, SAMPLES, SPANS, loaded, matching, stackAt } from "../../workbench/render/timeline/data.js";
import { lastSampleBefore, momentsBetween, nearestSample, samplesBetween } from "../../workbench/render/timeline/samples.js";
import { boxDetails, crowdDetails, curveDetails, curveRange, sampleDetails, samplesSummary } from "../../workbench/render/timeline/details.js";
import { exactly, sampledAmount, sampledShare, ticksOf, timeText } from "../../workbench/render/timeline/times.js";
import { showsTicks } from "../../workbench/render/timeline/rows.js";
import { costsOf } from "../../workbench/render/timeline/costs.js";
import { callsOf, treeOf } from "../../workbench/render/timeline/tree.js";

// Packs columns as the file has them, one plane for each byte.
function packed(columns) {
  const bytes = [];
  const shapes = columns.map((values) => {
    let planes = 0;
    while (values.some((value) => value >= 256 ** planes)) planes++;
    for (let plane = 0; plane < planes; plane++) for (const value of values) bytes.push(Math.floor(value / 256 ** plane) % 256);
    return [values.length, planes];
  });
  return { shapes, bytes: Uint8Array.from(bytes) };
}

// One track: `fit` from 0 to 100, in it `solve` from 10 to 40 and from 60 to 90, and an instant at 60; seven samples,
// ten apart, of `fit` with `tanh` on top, the last two of `fit` alone.
function recorded(isCounted = true) {
  const { shapes, bytes } = packed([
    [0, 10, 20, 0, 50, 0, 0], // the gap before each box
    [100, 30, 0, 30, 0, 70, 50],
    [0, 1, 1, 1, 3, 0, 2],
    [0, 0, 0, 0, 0, 0, 0], // each stands on the first of the row above
    [0, 0, 0, 0, 0, 0, 0],
    ...[[0, 0], [50, 20], [5, 2], [1, 0]], // samples
  ]);
  return loaded(
    {
      total: 100,
      labels: [["fit", "", 0, 0], ["solve", "", 0, 1], ["tanh", "libm.so", 2, 2], ["saved", "", 9, 0]],
      tracks: [["main", "", false, false, 4, 7, 100, 0]],
      rows: [[0, SPANS, 0, 1, 1], [0, SPANS, 1, 3, 1], [0, MARKS, 0, 1, 1], [0, SAMPLES, 0, 1, 1], [0, SAMPLES, 1, 1, 1]],
      work: [], curves: [], samples: [[0, true, isCounted]], columns: shapes,
    },
    bytes
  );
}

const named = (tree) => tree.label.map((label, i) => [tree.labels[label][0], tree.depth[i], tree.total[i], tree.self[i], tree.calls[i]]);

test("a tree of spans is cut at the ends of its range", () => {
  const data = recorded();
  assert.deepEqual(named(treeOf(data, "spans", { from: 0, to: 100 })), [["all", 0, 100, 0, 0], ["fit", 1, 100, 40, 1], ["solve", 2, 60, 60, 3]]);
  assert.deepEqual(named(treeOf(data, "spans", { from: 30, to: 60 })), [["all", 0, 30, 0, 0], ["fit", 1, 30, 20, 1], ["solve", 2, 10, 10, 1]]);
  assert.deepEqual(named(treeOf(data, "spans", { from: 60, to: 61 })), [["all", 0, 1, 0, 0], ["fit", 1, 1, 0, 1], ["solve", 2, 1, 1, 2]]);
});

test("calls of a range are those that are whole in it, from short to long", () => {
  const data = recorded();
  assert.deepEqual([...callsOf(data, "solve", { from: 0, to: 100 })], [0, 30, 30]);
  assert.deepEqual([...callsOf(data, "solve", { from: 11, to: 90 })], [0, 30]);
  assert.deepEqual([...callsOf(data, "solve", { from: 0, to: 100 }, [])], []);
});

test("a tree of samples counts those with the frame on top", () => {
  const data = recorded();
  assert.deepEqual(named(treeOf(data, "samples", { from: 0, to: 100 })), [["all", 0, 70, 0, 0], ["fit", 1, 70, 20, 2], ["tanh", 2, 50, 50, 5]]);
  assert.deepEqual(named(treeOf(data, "samples", { from: 15, to: 31 })), [["all", 0, 16, 0, 0], ["fit", 1, 16, 0, 0], ["tanh", 2, 16, 16, 2]]);
  assert.deepEqual(treeOf(data, "samples", { from: 90, to: 100 }).label, [0], "nothing but the root");
});

test("samples are found by their moments", () => {
  const [{ sampled, rows }] = recorded().tracks;
  assert.deepEqual(momentsBetween(sampled, 15, 61), [20, 30, 40, 50, 60]);
  assert.deepEqual(momentsBetween(sampled, 70, 100), []);
  assert.equal(samplesBetween(sampled, 0, 100), 7);
  assert.equal(samplesBetween(sampled, 10, 20), 1);
  assert.deepEqual(nearestSample(sampled, 44), { entry: 0, moment: 40 });
  assert.deepEqual(nearestSample(sampled, 47), { entry: 1, moment: 50 });
  assert.deepEqual(nearestSample(sampled, 99), { entry: 1, moment: 60 });
  assert.equal(lastSampleBefore(sampled, 50), 40);
  assert.deepEqual(stackAt(recorded(), rows, sampled, 0), [0, 2]);
  assert.equal(sampled.period, 10);
});

test("what is said of samples has no digits that they do not have", () => {
  const data = recorded();
  const words = new Map([[0, "scope"], [2, "native"]]);
  const [fit, tanh] = data.rows.slice(3);
  assert.deepEqual(boxDetails(data, words, tanh, 6), [
    "tanh", ["5 samples ≈ 50 ns · ≈ 71 % of the track's samples", "self 5 samples ≈ 50 ns", "seen from 0 to 50 ns", "native · from samples"],
  ]);
  assert.equal(boxDetails(data, words, fit, 5)[1][1], "self 2 samples ≈ 20 ns");
  assert.deepEqual(sampleDetails(data, tanh, 6, { entry: 0, moment: 20 }), [
    "tanh", ["1 sample at 20 ns, of 5 samples ≈ 50 ns in a row", "stack, innermost first:", "▸ tanh", "   fit"],
  ]);
  assert.deepEqual(crowdDetails(data, tanh, 6, 7), ["5 samples ≈ 50 ns", ["all tanh", "zoom in to see each"]]);
  assert.equal(samplesSummary(data.tracks[0]), "7 samples, one every ≈ 10 ns");
  assert.equal(sampledAmount(1, 3_142_857), "1 sample ≈ 3.1 ms");
  assert.equal(sampledAmount(12_345, 1e6), "12,345 samples ≈ 12.3 s");
  assert.equal(sampledShare(1, 3), "≈ 33 %");
});

test("of samples that a file has merged the times are known, and not how many there were", () => {
  const data = recorded(false);
  const words = new Map([[0, "scope"], [2, "native"]]);
  const [fit, tanh] = data.rows.slice(3);
  const merged = "from samples that the file has merged";
  assert.deepEqual(boxDetails(data, words, tanh, 6), ["tanh", ["50 ns · 50.0 % of the track's time", "self 50 ns", "native · " + merged]]);
  assert.deepEqual(boxDetails(data, words, fit, 5)[1].slice(1), ["self 20 ns", "scope · " + merged]);
  assert.deepEqual(crowdDetails(data, tanh, 6, 7), ["50 ns", ["all tanh", "zoom in to see each"]]);
  assert.equal(samplesSummary(data.tracks[0]), "7 stacks of merged samples");
  assert.equal(showsTicks(data, tanh, 1e9), false);
});

test("what is said of a span is exact", () => {
  const data = recorded();
  const [name, lines] = boxDetails(data, new Map([[0, "scope"]]), data.rows[0], 0);
  assert.equal(name, "fit");
  assert.deepEqual(lines, ["duration 100 ns · 100.0 % of the run", "self 40 ns · 40.0 % of it", "starts at 0", "scope"]);
  assert.equal(exactly(3_142_857), "3.14 ms (3,142,857 ns)");
});

// The same with the thread's state and CPU time of each run of samples, and what the system counted every 20.
function withCosts() {
  const { shapes, bytes } = packed([
    [0, 10, 20, 0], [100, 30, 30, 100], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0],
    [0, 20, 20, 20, 20, 20], [100, 300, 200, 150, 400, 100], [50, 0, 100, 100, 100, 0],
    ...[[0, 0, 0], [40, 20, 40], [4, 2, 4], [0, 0, 0], [40, 0, 0], [1, 3, 4]], // samples
  ]);
  return loaded(
    {
      total: 100,
      labels: [["fit", "", 0, 0], ["solve", "", 0, 1]],
      tracks: [["process 7", "", false, false, 0, 0, 0, 0, 0], ["main", "", false, false, 3, 10, 100, 0, 0]],
      rows: [[1, SPANS, 0, 1, 1], [1, SPANS, 1, 2, 1], [1, SAMPLES, 0, 1, 1]],
      work: [], curves: [[0, "resident set", true, 100, "B", false], [0, "CPU", false, 100, "%", false]],
      samples: [[1, true, true, false, true, true]], columns: shapes,
    },
    bytes
  );
}

test("costs of scopes in a range", () => {
  const all = costsOf(withCosts(), { from: 0, to: 100 });
  assert.deepEqual(all.get("fit"), { samples: 10, time: 100, cpu: 40, lock: 20, system: 40, resident: 400 });
  assert.deepEqual(all.get("solve"), { resident: 400 }, "no sample of its own, a reading at 20 and one at 80");
  const part = costsOf(withCosts(), { from: 30, to: 70 });
  assert.deepEqual(part.get("fit"), { samples: 4, time: 40, cpu: 10, lock: 20, system: 10, resident: 200 });
  assert.deepEqual(part.get("solve"), { resident: 200 }, "it ends at 40, and is open again from 60");
  assert.equal(costsOf(withCosts(), { from: 0, to: 100 }, [0]).size, 0, "a process has no scopes of its own");
  assert.equal(costsOf(recorded(), { from: 0, to: 100 }).size, 0, "nothing is known");
});

test("what was read has its moment, and a rate the time that it is of", () => {
  const data = withCosts();
  const [resident, cpu] = data.curves;
  assert.deepEqual(curveDetails(resident, 30, data), ["resident set", ["300 B at 20 ns"]]);
  assert.deepEqual(curveDetails(cpu, 50, data), ["CPU", ["100 % of one core, from 40 ns to 60 ns"]]);
  assert.deepEqual(curveDetails(cpu, 101, data), ["CPU", ["not read here"]]);
  assert.equal(curveRange(resident), "100 B to 400 B");
  assert.equal(curveRange({ low: 2, high: 2, unit: "/s" }), "2/s");
  assert.equal(curveRange({ low: 999_600, high: 4.125e8, unit: "B/s" }), "1 MB/s to 413 MB/s");
});

test("a match is counted in its row", () => {
  const data = recorded();
  const { count, isHit, before } = matching(data, ([name]) => name === "solve");
  assert.equal(count, 3);
  assert.deepEqual([...isHit], [0, 1, 0, 0]);
  const { from, to, shift } = data.rows[1];
  assert.equal(before[to + shift] - before[from + shift], 3);
});

test("ticks are at round times, and their texts differ", () => {
  const { times, step, base } = ticksOf({ k: 1, from: 0, to: 1000 }, 1000, 110);
  assert.deepEqual([times[0], times[1], step, base], [0, 200, 200, 0]);
  const far = ticksOf({ k: 1, from: 1e12, to: 1e12 + 1000 }, 1000, 110);
  assert.equal(far.base, 1e12);
  assert.equal(timeText(1_234_567, 1000), "1.235 ms");
  assert.equal(timeText(300e6, 100e6), "300 ms");
  assert.equal(timeText(0, 1), "0");
});
