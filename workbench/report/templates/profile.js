// The workspace of a profile page: tabs, and the one search, selection and time range that drive all of them.

import { amount, html, matcher, whole } from "../../render/words.js";
import { SCOPE, framesOf } from "./callers.js";
import { giveOrTake, independent, offBy } from "./digits.js";
import { frameTable } from "./frame_table.js";
import { costRows, costsIn } from "./scope_costs.js";
import { figuresOfCalls, memoryRows, sampleRows, scopeRows, sidePanel } from "./side_panel.js";
import { readAddress, writeAddress } from "./workspace_address.js";

const PAUSE = 150; // ms without a further change until what is dear follows it

const workspace = document.getElementById("workspace");
if (workspace) begin();
// `workbench view` serves speedscope's own viewer; a file alone cannot.
if (location.protocol === "http:") for (const link of document.querySelectorAll("a.viewer")) link.hidden = false;

function begin() {
  const tabs = [...workspace.querySelectorAll("[role=tab]")];
  const tabKeys = tabs.map((tab) => tab.dataset.tab);
  const switches = [...workspace.querySelectorAll(".switch button")];
  const find = workspace.querySelector(".find");
  const found = workspace.querySelector(".found");
  const chooser = workspace.querySelector(".thread select");
  const rangeBar = workspace.querySelector(".range");
  const timelines = [...workspace.querySelectorAll("#timeline .chart[data-of]")]
    .map((box) => ({ of: box.dataset.of, svg: box.querySelector("svg"), isMerged: "merged" in box.dataset }))
    .filter(({ svg }) => svg.chart); // one without events has no script
  const sources = [...workspace.querySelectorAll("#flame > .part")].map(sourceOf);
  const sourceKeys = sources.map(({ key }) => key);
  if (!sources.length) sourceKeys.push("");

  const state = readAddress("", tabKeys, sourceKeys);
  let rangeIn = null; // the timeline that the range is of

  // --- where the frames come from

  function sourceOf(part) {
    const { source: key } = part.dataset;
    const tablePart = document.getElementById("table-" + key);
    const keyOf = key === "scopes" ? ([name]) => name : ([name, place, kind]) => [name, place, kind].join("\n"); // it works, or waits
    const data = JSON.parse(tablePart.querySelector(".data").textContent);
    for (const frame of data.frames) frame[1] = data.places[frame[1]];
    data.index = new Map(data.frames.map((frame, i) => [keyOf(frame), i]).reverse()); // the first of a key counts
    const source = { key, part, tablePart, keyOf, data, chart: part.querySelector(".chart > svg") };
    const timeline = timelines.find(({ of }) => of === "profile" || of === key);
    source.timeline = timeline?.svg;
    source.hasCalls = key !== "scopes" || !timeline?.isMerged; // in parts of the run, too
    source.table = frameTable(tablePart, data.frames, (i) => choose(frameAt(data, i), source));
    return source;
  }

  const current = () => sources.find(({ key }) => key === state.source) || sources[0];
  const frameAt = (view, i) => ({ name: view.frames[i][0], place: view.frames[i][1], kind: view.frames[i][2] });

  // Charts cut names that are very long, and other samplers know a scope's call sites: the name is enough there.
  function placeOf(view, source, frame) {
    if (!frame) return -1;
    const exact = view.index.get(source.keyOf([frame.name, frame.place, frame.kind]));
    if (exact !== undefined) return exact;
    const start = frame.name.endsWith("…") ? frame.name.slice(0, -1) : null;
    return view.frames.findIndex(([name, place]) => (name === frame.name || (start && name.startsWith(start))) && (!frame.place || !place || place === frame.place));
  }

  // --- the part of the run that is shown: what the timeline has in view, or one thread, or both

  let part = null; // the same object as long as it is the same part

  function updatePart() {
    const { range, thread } = state;
    if (!range && thread === null) part = null;
    else if (part?.range !== range || part?.thread !== thread) part = { range, thread, tracks: thread === null ? null : [thread] };
    state.part = part;
  }

  const chartOf = (svg) => svg && (part?.range ? svg === rangeIn : part) && svg.chart;
  const timeOf = (svg) => part.range || svg.chart.whole;

  function whereOf() {
    const thread = part.thread !== null && "on " + chooser.selectedOptions[0].textContent;
    return [thread, part.range && "in the range"].filter(Boolean).join(", ");
  }

  // Returns the tree of a source within the part; null: the whole run.
  function treeOf(source) {
    const { timeline, key } = source;
    const chart = chartOf(timeline);
    if (!chart) return null;
    if (source.part !== part) {
      source.part = part;
      source.tree = chart.treeOf(key === "scopes" ? "spans" : "samples", timeOf(timeline), part.tracks);
      source.view = framesOf(source.tree, source.keyOf);
      source.costs = costsIn(timeOf(timeline), key === "scopes" ? chart.costsOf(timeOf(timeline), part.tracks) : []);
      const samples = source.tree.calls.reduce((sum, count) => sum + count, 0);
      source.view.samples = key === "samples" ? independent(samples, source.tree.total[0], timeOf(timeline)) : undefined;
    }
    return source.tree;
  }

  const viewOf = (source) => (treeOf(source) ? source.view : source.data);

  function isScope(frame) {
    const source = current();
    const i = source ? placeOf(source.data, source, frame) : -1;
    return i >= 0 && source.data.frames[i][2] === SCOPE;
  }

  function figuresOf(source) {
    if (!treeOf(source)) return null;
    const { frames, index, all, samples } = source.view;
    return source.data.frames.map((frame) => {
      const i = index.get(source.keyOf(frame));
      if (i === undefined) return null;
      const [, , , total, self, count] = frames[i];
      const calls = source.hasCalls ? { count } : {};
      return { total, self, ...calls, ...source.costs(frame[0]), share: all > 0 ? total / all : 0, self_share: all > 0 ? self / all : 0, samples };
    });
  }

  // --- what follows the state, where it is shown

  const isShown = (tab, source) => state.tab === tab && (!source || source === current());
  const followers = sources.flatMap((source) => [
    {
      isShown: () => isShown("flame", source),
      follow: {
        search: (text) => source.chart.chart.search(text),
        frame: (frame) => source.chart.chart.select(frame),
        part: () => source.chart.chart.showTree(treeOf(source)),
      },
    },
    {
      isShown: () => isShown("table", source),
      follow: {
        search: (text) => source.table.search(text ? matcher(text) : null),
        frame: (frame) => source.table.select(placeOf(source.data, source, frame)),
        part: () => source.table.showFigures(figuresOf(source)),
      },
    },
  ]);
  for (const { svg } of timelines)
    followers.push({
      isShown: () => isShown("timeline"),
      follow: { search: (text) => svg.chart.search(text), frame: (frame) => svg.chart.select(frame) },
    });
  const lines = document.getElementById("lines");
  const ofLines = timelines.find(({ of }) => of !== "scopes")?.svg; // lines are of samples
  if (lines)
    followers.push({
      isShown: () => isShown("lines"),
      follow: {
        search: (text) => lines.chart.search(text),
        frame: (frame) => {
          if (!frame || isScope(frame)) lines.chart.showScope(frame && frame.name);
          lines.chart.select(frame);
        },
        part: () => {
          const chart = chartOf(ofLines);
          if (chart) lines.chart.showPart((size) => chart.linesBetween(size, timeOf(ofLines), part.tracks), whereOf());
          else lines.chart.showPart(null);
        },
        source: (key) => lines.chart.showBy(key),
      },
    });
  for (const follower of followers) follower.had = { search: "", frame: null, part: null, source: sourceKeys[0] };

  function show() {
    for (const tab of tabs) {
      const chosen = tab.dataset.tab === state.tab;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
    }
    for (const button of switches) button.setAttribute("aria-pressed", button.dataset.source === state.source);
    for (const source of sources) source.part.hidden = source.tablePart.hidden = source !== current();
    workspace.dataset.tab = state.tab;
    workspace.dataset.unit = current()?.data.unit || "ns";
    updatePart();
    chooser.value = state.thread ?? "";
    if (find.value !== state.search) find.value = state.search;
    for (const { isShown: isThere, follow, had } of followers)
      if (isThere())
        for (const key in follow)
          if (had[key] !== state[key]) {
            had[key] = state[key];
            follow[key](state[key]);
          }
    showFound();
    showRange();
    showSelected();
    remember();
  }

  const change = (changes) => {
    Object.assign(state, changes);
    show();
  };

  function showFound() {
    const source = current();
    if (!state.search || !source) return void (found.textContent = "");
    const has = matcher(state.search);
    const { frames } = source.data;
    const count = frames.filter(([name, place]) => has(name) || has(place)).length;
    found.textContent = whole.format(count) + " of " + whole.format(frames.length);
  }

  function showRange() {
    rangeBar.hidden = !state.range;
    if (!state.range) return;
    const { from, to } = state.range;
    const { of } = timelines.find(({ svg }) => svg === rangeIn); // each source has its own where their clocks differ
    const which = of === "profile" || sources.length < 2 ? "" : " of the " + of;
    const whole = state.tab === "lines" ? !chartOf(ofLines) && "lines are" : state.tab !== "timeline" && current()?.data.unit === "bytes" && "memory is";
    const but = whole ? ": the " + whole + " of the whole run" : "";
    rangeBar.firstElementChild.textContent = amount(to - from, "ns") + " from " + amount(from, "ns") + which + but;
  }

  // --- the selected frame

  const panel = sidePanel(
    workspace.querySelector(".side"),
    (i) => choose(frameAt(viewOf(current()), i), current()),
    () => change({ tab: "lines" }),
  );

  function choose(frame, source = current()) {
    if (!source) return;
    const other = sources.find((each) => placeOf(each.data, each, frame) >= 0);
    if (placeOf(source.data, source, frame) < 0 && other) return change({ frame, source: other.key });
    change({ frame, source: source.key });
  }

  function showSelected() {
    const source = current();
    if (!source) return;
    const view = viewOf(source);
    const isPart = view !== source.data;
    const { unit } = source.data;
    const about = source.key === "samples" ? "≈ " : "";
    const note = isPart ? whereOf() + (source.hasCalls ? "" : "; short calls are merged there, and not counted") : "";
    const i = placeOf(view, source, state.frame);
    workspace.classList.toggle("chosen", i >= 0);
    if (i < 0) return panel.showAll({ frames: view.frames, all: view.all, about, unit, kinds: source.data.kinds, note: state.frame ? named(state.frame) + " is not there" : note });
    const [name, place, kind, total, self] = view.frames[i];
    const [callers, callees] = view.edges[i] || [];
    panel.show({
      kind: source.data.kinds[kind],
      name,
      place,
      note,
      rows: rowsOf(source, view, i),
      callers,
      callees,
      total,
      self,
      frames: view.frames,
      about,
      unit,
      kinds: source.data.kinds,
      hasLines: tabKeys.includes("lines") && kind !== SCOPE,
    });
  }

  const named = ({ name }) => "“" + name.slice(0, 80) + "”";

  function rowsOf(source, view, i) {
    const isPart = view !== source.data;
    const { data } = source;
    if (source.key === "scopes") return rowsOfScope(source, view, i);
    if (data.unit === "bytes") {
      const scopes = view.frames[i][2] === SCOPE && sources.find(({ key }) => key === "scopes");
      const at = scopes ? scopes.data.index.get(view.frames[i][0]) : undefined;
      return [...memoryRows(view.frames[i], view.all), ...((at !== undefined && scopes.data.memory[at]) || [])];
    }
    const exact = view.frames[i][2] === SCOPE && sources.find(({ key }) => key === "scopes");
    if (exact) {
      const ofScope = viewOf(exact);
      const at = ofScope.index.get(view.frames[i][0]);
      if (at !== undefined && (ofScope !== exact.data) === isPart) return rowsOfScope(exact, ofScope, at);
    }
    const of = (time) => [giveOrTake(time / view.all, offBy(time / view.all, view.samples))];
    const [, , , total, self] = view.frames[i];
    return sampleRows(view.frames[i], view.all, isPart ? of(total) : data.seen[i], isPart ? of(self) : data.own[i]);
  }

  function rowsOfScope(source, { frames, all }, i) {
    const { data, timeline, hasCalls } = source;
    if (!chartOf(timeline)) return [...scopeRows(frames[i], all, data.calls[i], data.seen[i], data.memory[i]), ...costRows(data.costs[i] || {})];
    const [name, place, kind, total, self, count] = frames[i];
    const costs = costRows(source.costs(name));
    if (!hasCalls) return [...scopeRows([name, place, kind, total, self, null], all, null, null), ...costs];
    const calls = timeline.chart.callsOf(name, timeOf(timeline), part.tracks);
    const rows = scopeRows(frames[i], all, figuresOfCalls(calls), null);
    const at = rows.findIndex(([what]) => what === "mean");
    if (at >= 0 && calls.length < count) rows.splice(at, 0, ["whole calls", whole.format(calls.length)]);
    return [...rows, ...costs];
  }

  // --- what people do

  for (const tab of tabs) tab.addEventListener("click", () => change({ tab: tab.dataset.tab }));
  workspace.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const at = tabKeys.indexOf(state.tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    change({ tab: tabKeys[(to + tabs.length) % tabs.length] });
    tabs[tabKeys.indexOf(state.tab)].focus();
    event.preventDefault();
  });
  for (const button of switches) button.addEventListener("click", () => change({ source: button.dataset.source }));
  find.addEventListener("input", () => change({ search: find.value }));
  if (timelines.length === 1)
    timelines[0].svg.chart.ready.then(() => {
      const tracks = timelines[0].svg.chart.tracks().filter(({ spans, samples }) => spans || samples);
      for (const { number, title } of tracks) html("option", "", title, chooser).value = number;
      chooser.parentNode.hidden = tracks.length < 2;
      show();
    });
  chooser.addEventListener("change", () => change({ thread: chooser.value === "" ? null : Number(chooser.value) }));
  rangeBar.lastElementChild.addEventListener("click", () => {
    rangeIn?.chart.setRange(null);
    change({ range: null });
  });

  addEventListener("keydown", (event) => {
    const typing = /^(input|textarea|select)$/i.test(event.target.localName) || event.target.isContentEditable;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && state.search) change({ search: "" });
    else if (event.key === "Escape" && event.target === find) find.blur();
    else if (typing) return;
    else if (event.key === "/") {
      find.focus();
      find.select();
    } else if (tabs[Number(event.key) - 1]) change({ tab: tabKeys[Number(event.key) - 1] });
    else return;
    event.preventDefault();
  });

  workspace.addEventListener("workbench:frame", (event) => {
    const part = event.target.closest("#flame > .part");
    choose(event.detail, sources.find((source) => source.part === part) || current());
  });
  let pause = 0;
  workspace.addEventListener("workbench:range", (event) => {
    const { target, detail } = event;
    clearTimeout(pause);
    pause = setTimeout(() => {
      rangeIn = target;
      if (detail?.from !== state.range?.from || detail?.to !== state.range?.to) change({ range: detail });
    }, PAUSE);
  });

  // The names of the first screen become buttons: a scope, or one that leaks, is selected, a function is searched for,
  // and a line is shown.
  function becomeButton(name, title, press) {
    const button = html("button", name.className + "", name.textContent);
    button.type = "button";
    button.title = title;
    button.addEventListener("click", press);
    name.replaceWith(button);
  }
  for (const name of document.querySelectorAll(".overview .scope .name, .leak h3 .name"))
    becomeButton(name, "select it below", () => choose({ name: name.textContent, place: "" }));
  for (const row of document.querySelectorAll(".overview [data-find]")) {
    const { find: text } = row.dataset;
    becomeButton(row.querySelector(".name"), "search for it below", () => {
      change({ search: text.includes("[") ? text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") : text });
      workspace.scrollIntoView({ block: "nearest" });
    });
  }
  for (const row of lines ? document.querySelectorAll(".overview [data-line]") : []) {
    const { file, line } = row.dataset;
    becomeButton(row.querySelector(".place"), "show it below", () => {
      change({ tab: "lines" });
      lines.chart.showLine(file, Number(line));
    });
  }

  // --- the address

  let writing = 0;

  function remember() {
    clearTimeout(writing);
    writing = setTimeout(() => {
      const said = writeAddress(state, tabKeys, sourceKeys);
      if (said === location.hash.slice(1)) return;
      try {
        history.replaceState(null, "", said ? "#" + said : location.pathname + location.search);
      } catch {
        location.replace("#" + said); // where a file may not change its history
      }
    }, PAUSE);
  }

  async function restore() {
    const said = readAddress(location.hash.slice(1), tabKeys, sourceKeys);
    if (!said) return show();
    const [range, had] = [said.range, state.range];
    change({ ...said, range: null, thread: null });
    const { thread } = said;
    const timeline = current()?.timeline || timelines[0]?.svg;
    if ((!range && !had && thread === null) || !timeline) return;
    await timeline.chart.ready;
    rangeIn = timeline;
    timeline.chart.setRange(range);
    const isThere = [...chooser.options].some(({ value }) => value === String(thread));
    change({ range: timeline.chart.range(), thread: isThere ? thread : null }); // a range may be all of the run
  }

  workspace.classList.add("live");
  restore();
  addEventListener("hashchange", restore);
}
