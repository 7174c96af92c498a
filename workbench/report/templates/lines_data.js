import { amount } from "../../render/words.js";
import { independent, offBy } from "./digits.js";

// The lines of a profile as the page's data has them (lines.py): what is shown of a file, and figures by scope.

const STEPS = 5; // of heat
const FEW = 0.0005; // of all samples: less is not shown

// Returns the columns of figures, in the order in which rows have them: each is a share and half of its interval, or in
// a profile of memory bytes and nothing.
export function lineColumns(data) {
  if (data.bytes) return ["peak", "end"].map((key) => ({ key, label: labels[key], title: titles[key] }));
  const work = data.work.map((name) => ({ key: name, label: name, title: titles[name] }));
  const cpu = data.cpu ? [{ key: "CPU", label: "of CPU", title: titles.CPU }] : [];
  return [{ key: "self", label: "self", title: titles.self }, { key: "total", label: "total", title: titles.total }, ...cpu, ...work];
}

const labels = { peak: "at the peak", end: "at the end" };
const titles = {
  peak: "bytes that the line had made and that were alive at the snapshot nearest the peak",
  end: "bytes that the line had made and that were alive at the last snapshot",
  self: "share of all samples in the line, or in library code that it called",
  total: "the same, and in functions of the program's own that it called",
  CPU: "share of the CPU time of all threads",
  Python: "of self: the line's own bytecode and the interpreter's functions for it",
  native: "of self: native code of libraries",
  library: "of self: Python code of libraries",
  waiting: "of self: waiting in the system",
  lock: "of self: waiting for the interpreter's lock (GIL)",
};

// Returns the figures of a scope, null: everywhere, in the whole run, by file and line: { file, line, name, figures: {key: [share, half]} }.
export function rowsOf(data, scope) {
  const rows = scope === null ? data.run : (data.scopes.find(([name]) => name === scope) || [scope, []])[1];
  const columns = lineColumns(data);
  const found = new Map();
  for (const [file, line, name, ...numbers] of rows) {
    const figures = {};
    columns.forEach(({ key }, i) => (figures[key] = [numbers[2 * i] / data.unit, numbers[2 * i + 1] / data.unit]));
    found.set(rowKey(file, line), { file, line, name, figures });
  }
  return found;
}

// Returns the same of a part of the run; `part` is what its samples have by group, as `linesBetween` returns it.
export function rowsOfPart(data, scope, part) {
  const columns = lineColumns(data);
  const place = data.cpu ? 3 : 2; // of what was done
  const inside = scope === null ? null : data.scopes.findIndex(([name]) => name === scope);
  const amount = data.by_time ? part.time : part.samples;
  const sums = data.run.map(() => new Float64Array(columns.length));
  data.groups.forEach(([path, work, set], group) => {
    if (!amount[group] || (inside !== null && !data.scope_sets[set].includes(inside))) return;
    const [top, ...lines] = data.paths[path];
    for (const row of lines) sums[row][1] += amount[group];
    if (top < 0) return;
    sums[top][0] += amount[group];
    if (data.cpu) sums[top][2] += part.cpu[group];
    if (work >= 0) sums[top][place + work] += amount[group];
  });
  const add = (sum, each) => sum + each;
  const all = amount.reduce(add, 0);
  const time = part.time.reduce(add, 0);
  const cpu = part.cpu?.reduce(add, 0);
  const worth = independent(part.samples.reduce(add, 0), time, part);
  const ofCpu = part.squares > 0 ? independent((cpu * cpu) / part.squares, time, part) : 0; // of unequal ones
  const figure = (sum, whole, samples) => (whole > 0 ? [sum / whole, offBy(sum / whole, samples)] : [0, 0]);
  const found = new Map();
  data.run.forEach(([file, line, name], row) => {
    if (!sums[row][0] && !sums[row][1]) return;
    const figures = {};
    columns.forEach(({ key }, i) => (figures[key] = key === "CPU" ? figure(sums[row][i], cpu, ofCpu) : figure(sums[row][i], all, worth)));
    found.set(rowKey(file, line), { file, line, name, figures });
  });
  return found;
}

// Returns a figure as text; rough ones are shorter.
export const figureText = (data, [value, half], isRough) => {
  if (data.bytes) return value ? amount(value, "bytes") : "";
  return shareText([value, half], isRough);
};

export const rowKey = (file, line) => file + ":" + line;

// Returns a share with half of its interval, as the terminal has it; nothing where there is next to none.
export function shareText([part, half], isRough = false) {
  const percent = 100 * part;
  if (part < FEW) return "";
  const isUnsure = 100 * half >= 0.95;
  if (isRough) return percent.toFixed(percent >= 10 || isUnsure ? 0 : 1) + " %";
  if (isUnsure) return percent.toFixed(0) + " % ± " + (100 * half).toFixed(0);
  return percent.toFixed(1) + " % ± " + Math.max(100 * half, 0.1).toFixed(1);
}

// Returns how hot a line is, from 0 to 5: the hottest is 5, and a quarter of it half as hot.
export const heatOf = (part, most) => (part < FEW || !(most > 0) ? 0 : Math.max(1, Math.round(STEPS * Math.sqrt(part / most))));

// Returns the parts of a file from its first line to its last, those that are not shown as folds.
export function piecesOf(file) {
  const pieces = [];
  let next = 1;
  for (const [first, last] of file.shown) {
    if (first > next) pieces.push({ first: next, last: first - 1, isFold: true });
    pieces.push({ first, last, isFold: false });
    next = last + 1;
  }
  if (next <= file.lines) pieces.push({ first: next, last: file.lines, isFold: true });
  return pieces;
}

// Returns the text of a line; null where the page does not have it.
export function textOf(file, line) {
  const part = file.texts.find(([first, lines]) => first <= line && line < first + lines.length);
  return part ? part[1][line - part[0]] : null;
}

// Returns [first, last] of a function in a file, or null; `rows` are those of the whole run.
export function functionOf(data, rows, frame) {
  const file = data.files.findIndex(({ place }) => place === frame.place);
  if (file < 0) return null;
  const known = data.files[file].functions.find(([name]) => name === frame.name);
  if (known) return { file, lines: (line) => known[1] <= line && line <= known[2], first: known[1] };
  const lines = [...rows.values()].filter((row) => row.file === file && row.name === frame.name).map(({ line }) => line);
  return lines.length ? { file, lines: (line) => lines.includes(line), first: Math.min(...lines) } : null;
}

// Returns the frame that a line is of: that of its samples, or of the innermost function with samples around it.
export function frameAt(data, rows, file, line) {
  const { place, functions } = data.files[file];
  const row = rows.get(rowKey(file, line));
  if (row) return { name: row.name, place };
  const around = functions.filter(([, first, last]) => first <= line && line <= last).sort((a, b) => b[1] - a[1]);
  return around.length ? { name: around[0][0], place } : null;
}
