// What is known of a box, shown beside the pointer and beside the focus, and said to screen readers.

import { amount, html, share, whole } from "../words.js";
import { SIDE, data, isChange, kind, name, place, root, shown, state, totalOf } from "./data.js";
import { parts, page } from "./parts.js";
import { IMPORTS, INTERPRETER_START } from "./transforms.js";

// A change in words: +12.5 %, −3.0 %, ×2.4, new, gone. The same as as_difference in text.py.
export function change(before, after) {
  if (before <= 0 || after <= 0) return before === after ? "same" : after <= 0 ? "gone" : "new";
  const ratio = after / before;
  if (ratio >= 2) return "×" + Number(ratio.toPrecision(3));
  const digits = Math.abs(100 * (ratio - 1)).toFixed(1);
  return digits === "0.0" ? "same" : (ratio > 1 ? "+" : "−") + digits + " %";
}

export function detailsOf(i) {
  const lines = isChange ? changeLines(i) : state.inverted ? callerLines(i) : profileLines(i);
  const word = data.kinds.find(([index]) => index === kind(i));
  if (word) lines.push(word[1]);
  else if ([IMPORTS, INTERPRETER_START].includes(name(i))) lines.push("u shows what is inside");
  return lines;
}

function profileLines(i) {
  const { tree, shape } = shown;
  const total = totalOf(i);
  const parent = shape.parent[i];
  const lines = [
    "total " + amount(total, data.unit) + " · " + share(total, totalOf(0)) + ofAll() +
      (parent > 0 ? " · " + share(total, totalOf(parent)) + " of parent" : ""),
    "self " + amount(tree.self[i], data.unit) + " · " + share(tree.self[i], totalOf(0)) + ofAll(),
  ];
  const calls = callsOf(i);
  if (calls) {
    let line = calls;
    if (data.counted === "calls" && tree.calls[i] > 1) line += " · mean " + amount(total / tree.calls[i], data.unit);
    for (const part of ["p50", "p95"]) if (tree[part] && tree[part][i] >= 0) line += " · " + part + " " + amount(tree[part][i], data.unit);
    lines.push(line);
  }
  return lines;
}

// Of a function by its self time, and of its callers.
function callerLines(i) {
  const { shape } = shown;
  const total = totalOf(i);
  let leaf = i;
  while (shape.parent[leaf] > 0) leaf = shape.parent[leaf];
  const of = amount(total, data.unit) + " · " + share(total, totalOf(0)) + ofAll();
  if (leaf === i) return [(i > 0 ? "self " : "") + of, callsOf(i)].filter(Boolean);
  return [of, share(total, totalOf(leaf)) + " of the self time of " + name(leaf).slice(0, 100)];
}

function callsOf(i) {
  const calls = shown.tree.calls ? shown.tree.calls[i] : -1;
  if (!(calls > 0)) return "";
  return whole.format(calls) + " " + (calls === 1 ? data.counted.replace(/s$/, "") : data.counted);
}

const ofAll = () => (state.hidden ? " of what is shown" : " of all");

function changeLines(i) {
  const { tree, shape } = shown;
  const pair = (word, before, after) => {
    const by = after - before;
    const signed = (by > 0 ? "+" : "") + amount(by, data.unit);
    return word + " " + amount(before, data.unit) + " → " + amount(after, data.unit) + (by ? " · " + signed + " · " + change(before, after) : " · same");
  };
  const shares = (of, j) => "of " + of + " " + share(tree.before[i], tree.before[j]) + " → " + share(tree.after[i], tree.after[j]);
  const lines = [
    pair("total", tree.before[i], tree.after[i]),
    pair("self", tree.beforeSelf[i], tree.afterSelf[i]),
    shares("all", 0),
  ];
  if (shape.parent[i] > 0) lines.push(shares("parent", shape.parent[i]));
  if (data.known) lines.push(...(data.known[tree.label[i]] || []).slice(2));
  lines.push(data.before + " → " + data.after + (data.normalised ? ", scaled to the same total" : ""));
  return lines;
}

export function summaryOf(i) {
  const { tree } = shown;
  const amounts = isChange
    ? amount(tree.before[i], data.unit) + " to " + amount(tree.after[i], data.unit) + ", " + change(tree.before[i], tree.after[i])
    : amount(totalOf(i), data.unit) + ", " + share(totalOf(i), totalOf(0));
  return name(i).slice(0, 300) + ", " + amounts;
}

export function showTip(i, x, y) {
  const { tip, tipFrame } = parts;
  tip.textContent = "";
  html("div", "wf-tip-name", name(i).slice(0, 600), tip);
  if (place(i)) html("div", "wf-tip-place", place(i).slice(0, 600), tip);
  for (const line of detailsOf(i)) html("div", "wf-tip-row", line, tip);
  tipFrame.style.display = "";
  const size = tip.getBoundingClientRect();
  // Below the pointer if there is room in the flame graph, or below it in the window.
  const bottom = Math.max(Number(root.getAttribute("height")), innerHeight - root.getBoundingClientRect().top);
  const below = y + 18 + size.height <= bottom ? y + 18 : y - size.height - 12;
  tipFrame.setAttribute("x", Math.max(SIDE, Math.min(x + 10, page.width - size.width - SIDE)));
  tipFrame.setAttribute("y", Math.max(2, Math.min(below, bottom - size.height - 2)));
}

export function hideTip() {
  parts.tipFrame.style.display = "none";
}
