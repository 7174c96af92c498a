// Draws what is not made of boxes: marks and curves.

import { inBytes, parts } from "./colours.js";
import { extremes, firstInView } from "./data.js";
import { firstAbove, gallop } from "./order.js";
import { place } from "./scale.js";
import { SANS, paintLine } from "./text.js";

// Draws marks as ticks; those of one column of pixels are one tick, and a name stands where there is room.
export function paintMarks(data, brush, row, top, height, scale, across, colours, found, ratio) {
  const { start, label, names } = data;
  brush.font = 11 * ratio + "px " + SANS;
  for (let i = firstInView(data, row, scale.from); i < row.to; ) {
    const x = Math.round(place(scale, start[i]));
    if (x > across) break;
    const next = Math.max(gallop(start, scale.at + (x + 1 - scale.b) / scale.k, i + 1, row.to), i + 1);
    const hits = found && found.before[next + row.shift] - found.before[i + row.shift];
    brush.fillStyle = hits ? colours.hit : found ? colours.line : colours.tick;
    const wide = Math.max(Math.round(1.5 * ratio), 1);
    brush.fillRect(x, top + 2 * ratio, wide, height - 4 * ratio);
    brush.fillRect(x, top + 2 * ratio, 4 * ratio, 4 * ratio); // a flag
    const room = (next < row.to ? place(scale, start[next]) : across) - x - 10 * ratio;
    if (room > 24 * ratio) {
      const name = (next - i > 1 ? next - i + " × " : "") + names[label[i]];
      paintLine(brush, name, x + 7 * ratio, top + 13 * ratio, room, hits ? colours.hit : colours.soft);
    }
    i = next;
  }
}

// Returns paint(curve, top, height, scale, across, colours, ratio), which draws a curve in steps, with all that its
// values do within a column of pixels. It writes pixels: as rectangles, several curves would be very many.
export function curvePainter(brush) {
  const image = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas");
  const imageBrush = image.getContext("2d");
  let [columns, rows] = [0, 0];
  let pixels = null;
  let words = null;

  function put(left, top, wide, tall, colour) {
    const bottom = Math.min(top + tall, rows);
    for (let y = Math.max(top, 0); y < bottom; y++) {
      const from = y * columns + left;
      for (let x = from; x < from + wide; x++) words[x] = colour;
    }
  }

  return function paint(curve, top, height, scale, across, colours, ratio) {
    const floor = Math.round(height - 5 * ratio);
    brush.fillStyle = colours.grid;
    brush.fillRect(0, top + floor, across, 1);
    if (!(curve.high > -Infinity)) return;
    if (columns !== across || rows !== Math.ceil(height)) {
      [columns, rows] = [across, Math.ceil(height)];
      image.width = columns;
      image.height = rows;
      pixels = imageBrush.createImageData(columns, rows);
      words = new Uint32Array(pixels.data.buffer);
    }
    words.fill(0);
    const line = inBytes(parts(colours.curve));
    const area = ((line & 0xffffff) | (Math.round(0.16 * 255) << 24)) >>> 0;
    const thick = Math.max(1, Math.round(1.4 * ratio));
    for (const [x, wide, high, low] of stepsOf(curve, floor, height - 20 * ratio, scale, across, ratio)) {
      put(x, high, wide, floor - high, area);
      put(x, high, wide, Math.max(low - high, thick), line);
    }
    imageBrush.putImageData(pixels, 0, 0);
    brush.drawImage(image, 0, top);
  };
}

// Returns the steps of a curve: where each begins, how wide it is, and how high up its values reach, from and to.
function stepsOf(curve, floor, tall, scale, wide, ratio) {
  const across = Math.min(wide, Math.ceil(place(scale, curve.end)));
  const bottom = Math.min(curve.low, 0);
  const reach = (curve.high - bottom || 1) / tall;
  const level = (value) => Math.round(floor - (value - bottom) / reach);
  const { at, value } = curve;
  const step = Math.max(1, Math.round(ratio));
  const steps = [];
  let i = firstAbove(at, scale.from, 0, at.length);
  let x = i > 0 ? 0 : Math.max(Math.floor(place(scale, at[0])), 0);
  let last = NaN;
  for (let seen = i - 1; seen >= 0 && seen > i - 50 && Number.isNaN(last); seen--) last = value[seen];
  while (x < across) {
    // What comes next: changes in this column, or a level stretch up to the next change.
    const next = i < at.length ? Math.floor(place(scale, at[i])) : across;
    if (next > x) {
      const until = Math.min(next, across);
      if (!Number.isNaN(last)) steps.push([x, until - x, level(last), level(last)]);
      x = until;
      continue;
    }
    const end = Math.max(gallop(at, scale.at + (x + step - scale.b) / scale.k, i, at.length), i + 1);
    let [least, most] = extremes(curve, i, end);
    if (last < least) least = last;
    if (last > most) most = last;
    if (most >= least) steps.push([x, Math.min(step, across - x), level(most), level(least)]);
    if (!Number.isNaN(value[end - 1])) last = value[end - 1];
    i = end;
    x += step;
  }
  return steps;
}
