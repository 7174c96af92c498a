// What is known of the selected frame: its figures, its callers and its callees. Names only ever become text nodes.

import { html, share, whole } from "../../render/words.js";
import { NOBODY, REST } from "./callers.js";
import { digits } from "./digits.js";

const SELF = -3;
const WORDS = { [NOBODY]: "nobody: outermost", [REST]: "all others", [SELF]: "itself: self time" };
const time = (ns) => digits(ns).join(" ");
const size = (bytes) => digits(bytes, "bytes").join(" ");
const HEAVIEST = 12; // frames that are listed while none is selected

// Calls `choose` with the number of a frame, and `showLines` where the reader asks for the source of the selected one.
export function sidePanel(panel, choose, showLines) {
  const [head, body] = panel.children; // the head is read out when it changes

  function begin() {
    head.textContent = "";
    body.textContent = "";
  }

  // `about` is a word for approximate times: those of samples.
  function list(title, edges, total, { frames, about, nothing, unit, kinds }) {
    const count = countedBy(edges.filter(([other]) => other >= 0).map(([other]) => frames[other][0]));
    const written = unit === "bytes" ? size : time;
    html("h4", "", title, body);
    if (!edges.length) return void html("p", "soft", nothing, body);
    const items = html("ol", "", undefined, body);
    for (const [other, took] of edges) {
      const item = html("li", "", undefined, items);
      html("i", "", undefined, item).style.width = (total > 0 ? Math.max(0, Math.min(100, (100 * took) / total)) : 0) + "%";
      const inner = html(other >= 0 ? "button" : "span", "", undefined, item);
      if (other >= 0) {
        const [name, place, kind] = frames[other];
        const text = html("span", "name", name, inner);
        if (count.get(name) > 1) html("em", "", " " + [kinds[kind], place.replace(/.*[/\\]/, "")].filter(Boolean).join(" · "), text);
      }
      else html("em", "", other === SELF && unit === "bytes" ? "itself" : WORDS[other], inner);
      html("span", "amount", about + written(took) + " · " + share(took, total), inner);
      if (other < 0) continue;
      inner.type = "button";
      inner.title = frames[other][1] || frames[other][0].slice(0, 300);
      inner.addEventListener("click", () => {
        choose(other);
        body.querySelector("button")?.focus({ preventScroll: true });
      });
    }
  }

  return {
    showAll({ frames, all, about, note, unit, kinds }) {
      begin();
      html("h3", "kind", unit === "bytes" ? "most bytes of their own" : "most self time", head);
      if (note) html("p", "soft", note, body);
      const heaviest = frames.map((frame, i) => [i, frame[4] || 0]).filter(([, own]) => own > 0).sort((a, b) => b[1] - a[1]);
      list("", heaviest.slice(0, HEAVIEST), all, { frames, about, unit, kinds, nothing: "nothing" });
      html("p", "soft", "Choose a frame for its callers, callees and calls.", body);
    },

    // `rows` are pairs of what a figure is and its text.
    show({ kind, name, place, rows, note, callers, callees, total, self, frames, about, unit, kinds, hasLines }) {
      begin();
      html("p", "kind", kind, head);
      html("h3", "name", name, head);
      if (place) html(hasLines ? "button" : "p", "place", place, body);
      if (place && hasLines) {
        const button = body.lastElementChild;
        button.type = "button";
        button.title = "show its lines";
        button.addEventListener("click", showLines);
      }
      if (note) html("p", "soft", note, body);
      const table = html("dl", "", undefined, body);
      for (const [what, text] of rows) {
        const row = html("div", "", undefined, table);
        html("dt", "", what, row);
        html("dd", "", text, row);
      }
      if (!callers) return;
      const options = { frames, about, unit, kinds };
      list("called by", callers, total, { ...options, nothing: "nobody: it is outermost" });
      const called = [...callees, ...(self > 0 ? [[SELF, self]] : [])].sort((a, b) => b[1] - a[1]);
      list("calls", called, total, { ...options, nothing: "nothing" });
    },
  };
}

function countedBy(names) {
  const count = new Map();
  for (const name of names) count.set(name, (count.get(name) || 0) + 1);
  return count;
}

const MIN_CALLS = { 50: 2, 95: 20, 99: 100 }; // of which a percentile is known, as in tables.py

// The wall time, which is not known, mean, percentiles and longest of calls from short to long; null where there is none.
export function figuresOfCalls(calls) {
  if (!calls.length) return null;
  const percentile = (of) => (calls.length >= MIN_CALLS[of] ? calls[Math.ceil((calls.length * of) / 100) - 1] : null);
  const mean = calls.reduce((sum, each) => sum + each, 0) / calls.length;
  return [undefined, mean, percentile(50), percentile(95), percentile(99), calls[calls.length - 1]];
}

// The figures of a scope, which are exact: [what, text], the percentiles of its calls only where they are known.
// `memory` are further pairs, which come first.
export function scopeRows([, , , total, self, count], all, ofCalls, seen, memory = []) {
  const rows = [...memory];
  const [wall, mean, p50, p95, p99, longest] = ofCalls || [];
  const isCarried = wall !== undefined && wall !== total;
  if (isCarried) rows.push(["wall", time(wall)]);
  rows.push([isCarried ? "CPU × workers" : "total", time(total) + " · " + share(total, all)]);
  rows.push(["self", time(self) + " · " + share(self, total) + " of it"]);
  if (count !== null) rows.push(["calls", whole.format(count)]);
  if (count > 1 && mean !== undefined) {
    rows.push(["mean", time(mean)]);
    for (const [what, value] of [["p50", p50], ["p95", p95], ["p99", p99]]) if (value !== null) rows.push([what, time(value)]);
    rows.push(["max", time(longest)]);
  }
  if (seen) rows.push(["of samples", seen[0]]);
  if (seen && seen.length > 1) rows.push(["samples", whole.format(seen[1])]);
  return rows;
}

// The figures of a frame in a snapshot of memory.
export function memoryRows([, , , total, self, count], all) {
  const rows = [["total", size(total) + " · " + share(total, all)], ["self", size(self) + " · " + share(self, all)]];
  return count ? [...rows, ["blocks", whole.format(count)]] : rows;
}

// The figures of what was sampled; `seen` and `own` are [share with its interval, samples], the samples where known.
export function sampleRows([, , , total, self, count], all, seen, own) {
  const rows = [["of samples", seen ? seen[0] : share(total, all)]];
  if (seen && seen.length > 1) rows.push(["samples", whole.format(seen[1])]);
  rows.push(["on top", (own ? own[0] : share(self, all)) + (count ? " · " + whole.format(count) : "")]);
  rows.push(["total", "≈ " + time(total)], ["self", "≈ " + time(self)]);
  return rows;
}
