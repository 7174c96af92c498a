// The lines of a profile's page: source with the share of samples beside each line, folded where nothing was sampled.

import { html, matcher, svg, whole } from "../../render/words.js";
import { figureText, frameAt, functionOf, heatOf, lineColumns, piecesOf, rowKey, rowsOf, rowsOfPart, textOf } from "./lines_data.js";

const WORK = ["Python", "native", "library", "waiting", "lock"]; // parts of the bar, in this order

const section = document.getElementById("lines");
section.chart = linesView();

// Fills the section and returns { search(text), select(frame|null), showScope(name|null), showPart(between|null, where),
// showBy(key): the column that bars and heat go by, where there is such a one }.
function linesView() {
  const data = JSON.parse(section.querySelector(".data").textContent);
  const columns = lineColumns(data);
  const run = rowsOf(data, null);
  const chooser = section.querySelector("select");
  const ofRange = section.querySelector(".of-range");
  const shown = { scope: null, part: null, rows: run, has: null, frame: null, by: columns[0].key }; // what bars go by
  const files = data.files.map((file, number) => fileView(file, number));

  function fileView(file, number) {
    const box = html("details", "file", "", section.querySelector(".sources"));
    const summary = html("summary", "", "", box);
    html("span", "name", file.name, summary).title = file.place;
    const view = { file, number, box, share: html("span", "share", "", summary), hits: html("span", "hits", "", summary), lines: new Map(), isBuilt: false };
    if (file.note) html("span", "soft", file.note, summary);
    view.most = () => Math.max(...[...shown.rows.values()].map(({ figures }) => figures[shown.by][0]));
    box.addEventListener("toggle", () => box.open && build(view));
    return view;
  }

  function build(view) {
    if (view.isBuilt || !view.file.lines) return;
    view.isBuilt = true;
    const scroll = html("div", "scroll", "", view.box);
    const table = html("table", "code", "", scroll);
    table.setAttribute("aria-label", view.file.name);
    const head = html("tr", "", "", html("thead", "", "", table));
    for (const { key, label, title } of columns) {
      const cell = html("th", "of-" + key, label, head);
      cell.scope = "col";
      cell.title = title;
    }
    html("th", "bar", "", head);
    html("th", "number", "line", head).scope = "col";
    html("th", "source", "source", head).scope = "col";
    for (const piece of piecesOf(view.file)) {
      const body = html("tbody", "", "", table);
      if (piece.isFold) fold(view, body, piece);
      else for (let line = piece.first; line <= piece.last; line++) addLine(view, body, line);
    }
    refresh(view);
  }

  function fold(view, body, { first, last }) {
    const text = "… " + whole.format(last - first + 1) + (last > first ? " lines" : " line");
    const cell = html("td", "fold", "", html("tr", "", "", body));
    cell.colSpan = columns.length + 3;
    if (textOf(view.file, first) === null) return void (cell.textContent = text);
    const button = html("button", "", text, cell);
    button.type = "button";
    button.addEventListener("click", () => {
      body.replaceChildren();
      for (let line = first; line <= last; line++) addLine(view, body, line);
      refresh(view);
      body.firstChild.tabIndex = -1;
      body.firstChild.focus();
    });
  }

  function addLine(view, body, line) {
    const row = html("tr", "", "", body);
    const cells = columns.map(({ key }) => html("td", "of-" + key, "", row));
    const bar = html("td", "bar", "", row);
    const number = html("td", "number", String(line), row);
    html("pre", "", textOf(view.file, line) ?? "", html("td", "source", "", row));
    view.lines.set(line, { row, cells, bar, number, line });
    row.addEventListener("click", () => !String(getSelection()) && choose(view, line));
    row.addEventListener("keydown", (event) => press(event, view, line));
    row.addEventListener("focus", () => holdFocus(row));
  }

  // --- what follows the scope, the search and the selection

  function refresh(view) {
    const { rows, has, frame } = shown;
    const most = view.most();
    const inFunction = frame && functionOf(data, run, frame);
    let [self, hits] = [0, 0];
    for (const { file, figures } of rows.values()) if (file === view.number) self += figures[shown.by][0];
    view.share.textContent = figureText(data, [self, 0], true);
    for (const [line, { row, cells, bar, number }] of view.lines) {
      const of = rows.get(rowKey(view.number, line));
      columns.forEach(({ key }, i) => (cells[i].textContent = of ? figureText(data, of.figures[key], key !== "self") : ""));
      row.title = of ? about(of) : "";
      drawBar(bar, of, most);
      number.className = "number heat" + (of ? heatOf(of.figures[shown.by][0], most) : 0);
      row.classList.toggle("sampled", run.has(rowKey(view.number, line)));
      if (run.has(rowKey(view.number, line)) && row !== held) row.tabIndex = -1;
      row.classList.toggle("chosen", Boolean(inFunction && inFunction.file === view.number && inFunction.lines(line)));
    }
    if (has)
      for (let line = 1; line <= view.file.lines; line++) {
        const isHit = has(textOf(view.file, line) ?? "") || has(frameAt(data, run, view.number, line)?.name ?? "");
        if (isHit) hits++;
        view.lines.get(line)?.row.classList.toggle("hit", isHit);
      }
    else for (const { row } of view.lines.values()) row.classList.remove("hit");
    view.hits.textContent = has ? whole.format(hits) + (hits === 1 ? " line matches" : " lines match") : "";
    if (!held) holdFocus(section.querySelector("tr.sampled"));
  }

  const refreshAll = () => files.forEach(refresh);

  function about({ name, figures }) {
    const parts = columns.map(({ key }) => [key, figureText(data, figures[key])]).filter(([, text]) => text);
    return [name, ...parts.map(([key, text]) => key + " " + text)].join("\n");
  }

  function drawBar(cell, of, most) {
    cell.replaceChildren();
    if (!of || !figureText(data, of.figures[shown.by])) return;
    const chart = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, cell);
    let x = 0;
    const draw = (key, width) => {
      if (width > 0) svg("rect", { class: "work-" + key, x, width, height: 10 }, chart);
      x += width;
    };
    for (const key of WORK) if (of.figures[key]) draw(key, (100 * of.figures[key][0]) / most);
    draw("self", (100 * of.figures[shown.by][0]) / most - x); // of what nothing more is known
  }

  // --- what people do: rows with samples have one place in the tab order, and arrows go from one to the next

  let held = null;

  function holdFocus(row) {
    if (held) held.tabIndex = -1;
    held = row;
    if (row) row.tabIndex = 0;
  }

  function choose(view, line) {
    const frame = frameAt(data, run, view.number, line);
    if (!frame) return;
    shown.isOwn = true; // the reader has it in view
    section.dispatchEvent(new CustomEvent("workbench:frame", { bubbles: true, detail: frame }));
    shown.isOwn = false;
  }

  function press(event, view, line) {
    if (event.target.localName !== "tr" || event.ctrlKey || event.metaKey || event.altKey) return;
    const sampled = [...section.querySelectorAll("details[open] tr.sampled")];
    const at = sampled.indexOf(event.currentTarget);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: sampled.length - 1 }[event.key];
    if (event.key === "Enter") choose(view, line);
    else if (to === undefined) return;
    else sampled[to]?.focus();
    event.preventDefault();
  }

  // --- what the page asks for

  function search(text) {
    shown.has = text ? matcher(text) : null;
    refreshAll();
  }

  function select(frame) {
    shown.frame = frame;
    const of = frame && functionOf(data, run, frame);
    if (of) {
      files[of.file].box.open = true;
      build(files[of.file]);
    }
    refreshAll();
    const chosen = of && !shown.isOwn && section.querySelector("tr.chosen.sampled, tr.chosen");
    if (chosen) {
      chosen.scrollIntoView({ block: "center" });
      if (chosen.classList.contains("sampled")) holdFocus(chosen);
    }
  }

  function showScope(name) {
    shown.scope = data.scopes.some(([scope]) => scope === name) ? name : null;
    if (chooser) chooser.value = shown.scope ?? "";
    count();
  }

  // `between(size)` returns what the samples of a part of the run have, by group; null: the whole run.
  function showPart(between, where) {
    shown.part = between && between(data.groups.length);
    ofRange.hidden = !shown.part;
    if (chooser) chooser.options[0].textContent = shown.part ? "all of them" : "all of the run";
    if (shown.part) {
      const samples = shown.part.samples.reduce((sum, each) => sum + each, 0);
      const { merged } = section.dataset;
      ofRange.textContent = "of the " + whole.format(samples) + (samples === 1 ? " sample" : " samples") + " " + where + (merged && ", which are merged where shorter than " + merged);
    }
    count();
  }

  function showBy(key) {
    if (columns.some((column) => column.key === key)) shown.by = key;
    refreshAll();
  }

  function count() {
    shown.rows = shown.part ? rowsOfPart(data, shown.scope, shown.part) : rowsOf(data, shown.scope);
    refreshAll();
  }

  if (chooser) {
    for (const [scope] of data.scopes) html("option", "", scope, chooser).value = scope;
    chooser.addEventListener("change", () => showScope(chooser.value || null));
  }
  if (files.length) files[0].box.open = true;
  refreshAll();
  // Shows a line of a file, and chooses its function.
  function showLine(place, line) {
    const view = files[data.files.findIndex((file) => file.place === place)];
    if (!view) return;
    view.box.open = true;
    build(view);
    const row = view.lines.get(line)?.row;
    if (!row) return;
    choose(view, line);
    row.scrollIntoView({ block: "center" });
    holdFocus(row);
    row.focus({ preventScroll: true });
  }

  return { search, select, showScope, showPart, showBy, showLine };
}
