// What is known of a box, shown beside the pointer and beside the focus, and told to screen readers.

function detailsOf(i) {
  const lines = isChange ? changeLines(i) : profileLines(i);
  const word = data.kinds.find(([index]) => index === kind(i));
  if (word) lines.push(word[1]);
  return lines;
}

function profileLines(i) {
  const total = view.total[i];
  const lines = [
    "total " + amount(total, "ns") + " · " + share(total, view.total[0]) + " of all" +
      (parent[i] > 0 ? " · " + share(total, view.total[parent[i]]) + " of parent" : ""),
    "self " + amount(view.self[i], "ns") + " · " + share(view.self[i], view.total[0]) + " of all",
  ];
  const calls = view.calls ? view.calls[i] : -1;
  if (calls > 0) {
    const one = data.counted.endsWith("s") && calls === 1 ? data.counted.slice(0, -1) : data.counted;
    let line = whole.format(calls) + " " + one;
    if (data.counted === "calls" && calls > 1) line += " · mean " + amount(total / calls, "ns");
    for (const part of ["p50", "p95"]) if (view[part] && view[part][i] >= 0) line += " · " + part + " " + amount(view[part][i], "ns");
    lines.push(line);
  }
  return lines;
}

function changeLines(i) {
  const pair = (word, before, after) => {
    const by = after - before;
    const signed = (by > 0 ? "+" : "") + amount(by, "ns");
    return word + " " + amount(before, "ns") + " → " + amount(after, "ns") + (by ? " · " + signed + " · " + change(before, after) : " · same");
  };
  const lines = [
    pair("total", view.before[i], view.after[i]),
    pair("self", view.beforeSelf[i], view.afterSelf[i]),
    "of all " + share(view.before[i], view.before[0]) + " → " + share(view.after[i], view.after[0]),
  ];
  if (parent[i] > 0)
    lines.push("of parent " + share(view.before[i], view.before[parent[i]]) + " → " + share(view.after[i], view.after[parent[i]]));
  if (view.note && view.note[i] >= 0) lines.push(...data.notes[view.note[i]]);
  lines.push(data.before + " → " + data.after + (data.normalised ? ", scaled to the same total" : ""));
  return lines;
}

function summaryOf(i) {
  const amounts = isChange
    ? amount(view.before[i], "ns") + " to " + amount(view.after[i], "ns") + ", " + change(view.before[i], view.after[i])
    : amount(view.total[i], "ns") + ", " + share(view.total[i], view.total[0]);
  return name(i).slice(0, 300) + ", " + amounts;
}

function showTip(i, x, y) {
  tip.textContent = "";
  html("div", "wf-tip-name", name(i).slice(0, 600), tip);
  if (place(i)) html("div", "wf-tip-place", place(i).slice(0, 600), tip);
  for (const line of detailsOf(i)) html("div", "wf-tip-row", line, tip);
  tipFrame.style.display = "";
  const size = tip.getBoundingClientRect();
  // Below the pointer if there is room in the flame graph, or below it in the window.
  const bottom = Math.max(Number(root.getAttribute("height")), innerHeight - root.getBoundingClientRect().top);
  const below = y + 18 + size.height <= bottom ? y + 18 : y - size.height - 12;
  tipFrame.setAttribute("x", Math.max(SIDE, Math.min(x + 10, width - size.width - SIDE)));
  tipFrame.setAttribute("y", Math.max(2, Math.min(below, bottom - size.height - 2)));
}

function hideTip() {
  tipFrame.style.display = "none";
}
