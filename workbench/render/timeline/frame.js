// One frame of a timeline: rows, heads of tracks, axis, the band of the whole run, rings and the scroll bar.

import { MARKS, timeInside } from "./data.js";
import { gallop } from "./order.js";
import { lastSampleBefore } from "./samples.js";
import { curveRange, moreSummary, samplesSummary, trackSummary } from "./details.js";
import { coloursOf } from "./colours.js";
import { curvePainter, paintMarks } from "./points.js";
import { rowPainter, showsTicks } from "./rows.js";
import { place, scaleOf } from "./scale.js";
import { canvasFitter, paintLine, SANS } from "./text.js";
import { brush, canvas, chart } from "./head.js";
import {
  BAR, OVERVIEW, SIZES, TOP, across, isWhole, lineOf, mainRow, room, root, scrolls, state, topOf,
} from "./state.js";
import { ticksOf, timeText } from "./times.js";

let asked = 0;
let colours = null;
let overview = null;
let paintRows = null;
const paintCurve = curvePainter(brush);

export function ask() {
  if (!asked) asked = requestAnimationFrame(draw);
}

export function draw() {
  cancelAnimationFrame(asked);
  asked = 0;
  if (!state.width) return;
  const began = performance.now();
  const { ratio, view } = state;
  if (!colours) {
    colours = coloursOf(root);
    overview = null;
  }
  const wide = Math.round(across() * ratio);
  const scale = scaleOf(view, across(), ratio);
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.direction = "ltr";
  brush.fillStyle = colours.back;
  brush.fillRect(0, 0, canvas.width, canvas.height);
  const ticks = ticksOf(scale, wide, 110 * ratio);
  brush.fillStyle = colours.grid;
  for (const time of ticks.times) brush.fillRect(Math.round(place(scale, time)), TOP * ratio, 1, canvas.height);
  drawLines(scale, wide);
  drawRing(state.hovered, scale, wide, 1, colours.ink);
  drawRing(state.focused, scale, wide, 2, colours.ink);
  drawAxis(ticks, scale, wide);
  drawOverview(wide);
  if (scrolls()) drawBar();
  chart.drawMilliseconds = performance.now() - began; // for whoever measures
}

// The canvas has another size, or another density of pixels.
export function resized() {
  const { ratio, width, height } = state;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  if (!paintRows || SIZES.ratio !== ratio) {
    SIZES.ratio = ratio;
    paintRows = rowPainter(state.data, brush, SIZES, canvasFitter(brush, SIZES.font));
  }
  overview = null;
}

// The page is dark now, or light, or printed.
export function recoloured() {
  colours = null;
  draw(); // at once: a printer does not wait for the next frame
}

function drawLines(scale, wide) {
  const { data, found, lines, ratio, scrolled } = state;
  const boxes = [];
  const visible = lines.filter((line) => line.y + line.h > scrolled && line.y < scrolled + room());
  for (const line of visible) {
    const top = topOf(line);
    if (line.what === "row" && line.row.kind !== MARKS) boxes.push({ row: line.row, top, height: Math.round(line.h * ratio) });
  }
  paintRows(boxes, scale, wide, colours, found, state.chosen, ratio);
  for (const line of visible) {
    const top = topOf(line);
    if (line.what === "head") drawHead(line, top, wide);
    else if (line.what === "samples") drawNote(samplesSummary(line.track), line.track.samplesOpen, top, wide);
    else if (line.what === "more") drawNote(moreSummary(line.more), line.track.moreOpen, top, wide);
    else if (line.what === "deeper") drawNote(line.count + " deeper rows", false, top, wide);
    else if (line.what === "curve") {
      paintCurve(line.curve, top, line.h * ratio, scale, wide, colours, ratio);
      drawCurveName(line.curve, top, wide);
    } else if (line.row.kind === MARKS) paintMarks(data, brush, line.row, top, line.h * ratio, scale, wide, colours, found, ratio);
  }
}

function drawTurn(isOpen, x, top) {
  const { ratio } = state;
  brush.fillStyle = colours.soft;
  brush.beginPath();
  const turn = isOpen ? [[0, 8], [9, 8], [4.5, 14]] : [[0, 6], [7, 10.5], [0, 15]];
  for (const [dx, dy] of turn) brush.lineTo(x + dx * ratio, top + (dy + 0.5) * ratio);
  brush.fill();
}

// A line above or below the samples of a track, which opens more.
function drawNote(text, isOpen, top, wide) {
  const { ratio } = state;
  const x = SIZES.side * ratio;
  drawTurn(isOpen, x, top - 2 * ratio);
  brush.textBaseline = "alphabetic";
  brush.font = 11.5 * ratio + "px " + SANS;
  paintLine(brush, text, x + 14 * ratio, top + 13 * ratio, wide - x - 22 * ratio, colours.soft);
}

function drawHead(line, top, wide) {
  const { track } = line;
  const { data, focused, ratio } = state;
  brush.fillStyle = colours.band;
  brush.fillRect(0, top, wide, (line.h - 2) * ratio);
  if (focused && focused.track === track) {
    brush.strokeStyle = colours.ink;
    brush.lineWidth = 2 * ratio;
    brush.strokeRect(ratio, top + ratio, wide - 2 * ratio, (line.h - 4) * ratio);
  }
  const x = SIZES.side * ratio;
  const y = top + 15.5 * ratio;
  drawTurn(!track.folded, x, top);
  brush.textBaseline = "alphabetic";
  brush.font = "600 " + 12.5 * ratio + "px " + SANS;
  const after = x + 14 * ratio;
  const used = paintLine(brush, track.title, after, y, Math.max(wide - after - 8 * ratio, 0) * 0.7, colours.ink);
  brush.font = 11.5 * ratio + "px " + SANS;
  const rest = after + used + 10 * ratio;
  const words = [trackSummary(data, track), track.process].filter(Boolean).join(" · ");
  if (wide - rest > 60 * ratio) paintLine(brush, words, rest, y, wide - rest - 8 * ratio, colours.soft);
}

function drawCurveName(curve, top, wide) {
  const { ratio } = state;
  brush.font = 11 * ratio + "px " + SANS;
  const x = SIZES.side * ratio;
  const used = paintLine(brush, curve.name, x, top + 11 * ratio, wide * 0.6, colours.ink);
  paintLine(brush, curveRange(curve), x + used + 8 * ratio, top + 11 * ratio, wide * 0.35, colours.soft);
}

function drawAxis(ticks, scale, wide) {
  const { ratio } = state;
  const top = OVERVIEW * ratio;
  brush.fillStyle = colours.back;
  brush.fillRect(0, 0, canvas.width, TOP * ratio);
  brush.fillStyle = colours.line;
  brush.fillRect(0, TOP * ratio - 1, wide, 1);
  brush.font = 11 * ratio + "px " + SANS;
  brush.textBaseline = "alphabetic";
  let left = 0;
  if (ticks.base) {
    const text = timeText(ticks.base, ticks.step * 1000) + " …";
    left = paintLine(brush, text, SIZES.side * ratio, top + 16 * ratio, wide * 0.5, colours.ink) + (SIZES.side + 8) * ratio;
  }
  for (const time of ticks.times) {
    const x = Math.round(place(scale, time));
    brush.fillStyle = colours.line;
    brush.fillRect(x, top + 6 * ratio, 1, (SIZES.axis - 6) * ratio);
    const text = ticks.base ? "+" + timeText(time - ticks.base, ticks.step) : timeText(time, ticks.step);
    if (x >= left && wide - x > 24 * ratio) paintLine(brush, text, x + 4 * ratio, top + 16 * ratio, wide - x - 6 * ratio, colours.soft);
  }
}

// The whole run on a small band: how many tracks are busy when, and which part is in view.
function drawOverview(wide) {
  const { data, picked, ratio, view } = state;
  const tall = (OVERVIEW - 8) * ratio;
  const top = 4 * ratio;
  brush.fillStyle = colours.band;
  brush.fillRect(0, top, wide, tall);
  overview = overview && overview.length === wide ? overview : overviewOf(data, wide);
  brush.fillStyle = colours.thin;
  for (let x = 0; x < wide; ) {
    const high = Math.round(overview[x] * (tall - 2 * ratio));
    let end = x + 1;
    while (end < wide && Math.round(overview[end] * (tall - 2 * ratio)) === high) end++;
    if (high) brush.fillRect(x, top + tall - high, end - x, high);
    x = end;
  }
  if (isWhole() && !picked) return;
  const inView = [view.at + view.off, view.at + view.off + view.span].map((time) => (time / data.total) * wide);
  const [from, to] = picked ? picked.map((x) => x * ratio) : inView;
  brush.globalAlpha = 0.6;
  brush.fillStyle = colours.back;
  brush.fillRect(0, top, from, tall);
  brush.fillRect(to, top, wide - to, tall);
  brush.globalAlpha = 1;
  brush.strokeStyle = colours.mark;
  brush.lineWidth = 1.5 * ratio;
  const seen = Math.max(to - from, 3 * ratio);
  brush.strokeRect(Math.min(from, wide - seen), top, seen, tall);
}

export function bar() {
  const { content, scrolled } = state;
  const size = Math.max((room() / content) * room(), 24);
  return { size, y: TOP + (scrolled / (content - room())) * (room() - size) };
}

function drawBar() {
  const { ratio, width } = state;
  const { size, y } = bar();
  brush.fillStyle = colours.band;
  brush.fillRect((width - BAR) * ratio, TOP * ratio, BAR * ratio, canvas.height);
  brush.fillStyle = colours.line;
  brush.fillRect((width - BAR + 3) * ratio, y * ratio, (BAR - 6) * ratio, size * ratio);
}

function drawRing(item, scale, wide, thick, colour) {
  const line = item && item.row && lineOf(item.row);
  if (!line) return;
  const { data, ratio } = state;
  const begins = data.start[item.i];
  let ends = begins + data.length[item.i];
  if (showsTicks(data, item.row, scale.k / ratio)) ends = lastSampleBefore(data.tracks[item.row.track].sampled, ends);
  const left = Math.max(place(scale, begins), -10);
  const right = Math.min(Math.max(place(scale, ends), left + 5 * ratio), wide + 10);
  if (right < 0 || left > wide) return;
  brush.strokeStyle = colour;
  brush.lineWidth = thick * ratio;
  brush.strokeRect(Math.round(left), topOf(line), Math.round(right - left) - 1, line.h * ratio - 1);
}

// Returns of each column of pixels how much of the most that tracks ever do together is done in it, 0 to 1.
function overviewOf(data, across) {
  const sums = new Float64Array(across);
  const pixel = data.total / across;
  for (const track of data.tracks) {
    const row = mainRow(track);
    if (!row) continue;
    for (let i = row.from; i < row.to; ) {
      const x = Math.min(Math.floor(data.start[i] / pixel), across - 1);
      const next = Math.max(gallop(data.start, (x + 1) * pixel, i + 1, row.to), i + 1);
      const last = data.start[next - 1] + data.length[next - 1];
      const reach = Math.min(Math.floor(last / pixel), across - 1);
      sums[x] += timeInside(data, row, i, next) - Math.max(last - (x + 1) * pixel, 0);
      for (let column = x + 1; column <= reach; column++) sums[column] += Math.min(last - column * pixel, pixel);
      i = next;
    }
  }
  const most = Math.max(pixel, sums.reduce((a, b) => Math.max(a, b), 0));
  return sums.map((sum) => (sum > 0 ? Math.max(sum / most, 0.12) : 0));
}
