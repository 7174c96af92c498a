// What is said of a box, of many boxes, of a counter: lines of text for the details and for a screen reader.
// Stands in one function with timeline_data.js and timeline.js; see timeline.svg.

const RATES = { flops: "FLOP/s", flop: "FLOP/s", bytes: "B/s" };

function scaled(value, unit) {
  const size = Math.abs(value);
  const [factor, letter] = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([least]) => size >= least) || [1, ""];
  const digits = Number((value / factor).toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 20 });
  return (digits + " " + letter + unit).trim();
}

function exactly(time) {
  return amount(time, "ns") + (time >= 1000 ? " (" + time.toLocaleString("en") + " ns)" : "");
}

// Returns the numbers that a scope recorded for a box, with rates where they are amounts of work.
function workOf(data, i) {
  const lines = [];
  for (const kind of data.work) {
    if (!kind.box) { // a long column, and nobody may ask
      kind.box = addUp(kind.takeBox());
      kind.value = kind.takeValue();
    }
    const { name, box, value } = kind;
    const at = firstAtLeast(box, i, 0, box.length);
    if (box[at] !== i) continue;
    const rate = RATES[name.toLowerCase()];
    if (rate && data.length[i] > 0) lines.push(scaled((value[at] / data.length[i]) * 1e9, rate) + " · " + scaled(value[at], rate.slice(0, -2)));
    else lines.push(name + " " + value[at].toLocaleString("en", { maximumSignificantDigits: 7 }));
  }
  return lines;
}

function boxLines(data, words, row, i) {
  const [, , kind] = data.labels[data.label[i]];
  const time = data.length[i];
  if (row.kind === MARKS) return ["mark at " + timeText(data.start[i], 1)];
  const on = parentOf(data, row, i);
  const own = selfTime(data, row, i);
  const lines = [
    "duration " + exactly(time) + " · " + share(time, data.total) + " of the run" +
      (on >= 0 && data.length[on] > 0 ? " · " + share(time, data.length[on]) + " of parent" : ""),
    "self " + amount(own, "ns") + (time > 0 ? " · " + share(own, time) + " of it" : ""),
    "starts at " + timeText(data.start[i], 1),
    ...workOf(data, i),
  ];
  const said = [words.get(kind)];
  if (row.kind === 1) said.push("from samples");
  if (data.flags[i] & UNFINISHED) said.push("unfinished: still open when the record ended");
  if (data.flags[i] & PROPAGATED) said.push("propagated: stands for a scope of the track that sent this work");
  lines.push(said.filter(Boolean).join(" · "));
  return lines;
}

// Returns a heading and lines for boxes [from, to) that are too narrow to distinguish.
function crowdLines(data, row, from, to) {
  const counts = new Map();
  const step = Math.max(1, Math.floor((to - from) / 1000)); // of very many, a thousand tell
  for (let i = from; i < to; i += step) counts.set(data.label[i], (counts.get(data.label[i]) || 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const what = row.kind === MARKS ? "marks" : row.kind === 1 ? "boxes" : "spans";
  const lines = [(counts.size > 1 ? "mostly " : "all ") + data.labels[most][0].slice(0, 200)];
  if (row.kind !== MARKS) {
    const stretch = data.start[to - 1] + data.length[to - 1] - data.start[from];
    const held = timeInside(data, row, from, to);
    lines.push("together " + amount(held, "ns") + (stretch > 0 ? " · " + share(held, stretch) + " of " + amount(stretch, "ns") : ""));
  }
  lines.push("zoom in to see each");
  return [(to - from).toLocaleString("en") + " " + what + " here", lines];
}

function trackSummary(data, track) {
  const said = [];
  if (track.spans) said.push(track.spans.toLocaleString("en") + (track.spans === 1 ? " span" : " spans"));
  if (track.samples) said.push(track.samples.toLocaleString("en") + (track.samples === 1 ? " sample" : " samples"));
  if (track.busy) said.push("busy " + share(track.busy, data.total));
  if (track.leftOut) said.push(track.leftOut.toLocaleString("en") + " deeper than 1,000 left out");
  return said.join(" · ");
}

function itemAt(x, y) {
  if (y < TOP || x > across()) return null;
  const line = lines.find((one) => y >= TOP + one.y - scrolled && y < TOP + one.y + one.h - scrolled);
  if (!line || line.what !== "row") return line || null;
  const { row } = line;
  const pixel = view.span / across();
  const time = timeAt(x);
  const near = (row.kind === MARKS ? 5 : 2) * pixel;
  const exact = firstInView(data, row, time);
  const inside = exact < row.to && data.start[exact] <= time;
  if (inside && data.length[exact] >= (SPECK / ratio) * pixel) return { ...line, i: exact };
  const from = firstInView(data, row, time - near);
  const to = firstAbove(data.start, time + near, from, row.to);
  if (from >= to) return null;
  return to - from === 1 ? { ...line, i: from } : { ...line, crowd: [from, to] };
}

function linesOf(item, time) {
  if (item.crowd) return ["", ...crowdLines(data, item.row, ...item.crowd)].slice(1);
  if (item.what === "head") return [item.track.title, [trackSummary(data, item.track), item.track.process, "click folds or opens it"].filter(Boolean)];
  if (item.what === "curve") {
    const { at, value, name } = item.curve;
    const i = firstAbove(at, time, 0, at.length) - 1;
    return [name, [i < 0 || Number.isNaN(value[i]) ? "no value yet" : value[i].toLocaleString("en", { maximumSignificantDigits: 7 }) + " since " + timeText(at[i], 1)]];
  }
  return [data.labels[data.label[item.i]][0], boxLines(data, words, item.row, item.i)];
}

function showTip(item, x, y) {
  const [name, details] = linesOf(item, timeAt(x));
  tip.textContent = "";
  html("div", "wt-tip-name", name.slice(0, 600), tip);
  const from = item.i === undefined ? "" : data.labels[data.label[item.i]][1];
  if (from) html("div", "wt-tip-place", from.slice(0, 600), tip);
  for (const line of details) html("div", "wt-tip-row", line, tip);
  tipFrame.style.display = "";
  const size = tip.getBoundingClientRect();
  const bottom = Number(root.getAttribute("height"));
  const below = above + y + 18;
  const top = below + size.height <= bottom ? below : above + y - size.height - 12;
  tipFrame.setAttribute("x", Math.max(SIZES.side, Math.min(x + 10, width - size.width - SIZES.side)));
  tipFrame.setAttribute("y", Math.max(2, Math.min(top, bottom - size.height - 2)));
}

function hideTip() {
  tipFrame.style.display = "none";
}
