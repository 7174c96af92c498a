import assert from "node:assert/strict";
import { test } from "node:test";

import { figureText, frameAt, functionOf, heatOf, lineColumns, piecesOf, rowsOf, shareText, textOf } from "../../workbench/report/templates/lines_data.js";

const file = { name: "p.py", place: "/p.py", note: "", lines: 20, shown: [[3, 6], [12, 14]], texts: [[3, ["a", "b", "c", "d"]], [12, ["x", "y", "z"]]], functions: [["f", 3, 6], ["f.<locals>.g", 5, 6]] };
const data = {
  unit: 10000,
  work: ["Python"],
  cpu: true,
  files: [file],
  run: [[0, 4, "f", 5000, 100, 6000, 90, 2500, 80, 5000, 100], [0, 13, "<module>", 0, 20, 6000, 90, 0, 20, 0, 20]],
  scopes: [["fit", [[0, 4, "f", 1000, 50, 1000, 50, 500, 40, 1000, 50]]]],
};

test("figures of a line are shares with half of their interval, of the run or of a scope", () => {
  assert.deepEqual(lineColumns(data).map(({ key }) => key), ["self", "total", "CPU", "Python"]);
  assert.deepEqual(rowsOf(data, null).get("0:4").figures, { self: [0.5, 0.01], total: [0.6, 0.009], CPU: [0.25, 0.008], Python: [0.5, 0.01] });
  assert.deepEqual(rowsOf(data, "fit").get("0:4").figures.self, [0.1, 0.005]);
  assert.equal(rowsOf(data, "no such scope").size, 0);
});

test("figures of a memory run are bytes at the peak and at the end", () => {
  const memory = { ...data, bytes: true, unit: 1, work: [], cpu: false, run: [[0, 4, "f", 50_000_000, 0, 1500, 0]], scopes: [] };
  assert.deepEqual(lineColumns(memory).map(({ key }) => key), ["peak", "end"]);
  const { peak, end } = rowsOf(memory, null).get("0:4").figures;
  assert.deepEqual([figureText(memory, peak), figureText(memory, end), figureText(memory, [0, 0])], ["50 MB", "1.5 kB", ""]);
  assert.equal(heatOf(end[0], peak[0]), 1);
});

test("a share is written as the terminal writes it", () => {
  assert.equal(shareText([0.358, 0.007]), "35.8 % ± 0.7");
  assert.equal(shareText([0.1, 0.012]), "10 % ± 1");
  assert.equal(shareText([0.358, 0.007], true), "36 %");
  assert.equal(shareText([0.0058, 0.007], true), "0.6 %");
  assert.equal(shareText([0.035, 0.03], true), "4 %", "no more digits than the share beside it");
  assert.equal(shareText([0, 0.01]), "");
});

test("the hottest line has the most heat, and a line without samples has none", () => {
  assert.deepEqual([0, 0.001, 0.1, 0.4].map((part) => heatOf(part, 0.4)), [0, 1, 3, 5]);
  assert.equal(heatOf(0, 0), 0);
});

test("what is not shown is folded, from the first line to the last", () => {
  const pieces = piecesOf(file).map(({ first, last, isFold }) => [first, last, isFold]);
  assert.deepEqual(pieces, [[1, 2, true], [3, 6, false], [7, 11, true], [12, 14, false], [15, 20, true]]);
  assert.deepEqual([textOf(file, 4), textOf(file, 13), textOf(file, 8)], ["b", "y", null]);
});

test("a frame is found by name and file, and a line by the innermost function around it", () => {
  const rows = rowsOf(data, null);
  const lines = (frame) => [...Array(21).keys()].filter((line) => functionOf(data, rows, frame)?.lines(line));
  assert.deepEqual(lines({ name: "f", place: "/p.py" }), [3, 4, 5, 6]);
  assert.deepEqual(lines({ name: "<module>", place: "/p.py" }), [13]);
  assert.deepEqual(lines({ name: "f", place: "/other.py" }), []);
  assert.deepEqual(frameAt(data, rows, 0, 4), { name: "f", place: "/p.py" });
  assert.deepEqual(frameAt(data, rows, 0, 6), { name: "f.<locals>.g", place: "/p.py" });
  assert.equal(frameAt(data, rows, 0, 20), null);
});
