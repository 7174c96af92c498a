// Draws rows, marks and curves of a timeline on a canvas, at a cost that grows with the pixels and not with the spans.

import {
  PROPAGATED, SAMPLES, UNFINISHED, extremes, firstAbove, firstInView, gallop, lastSampleBefore, mainKind, momentsBetween,
} from "./timeline_data.js";

const LEVELS = 8; // steps of how full a column of pixels is
export const SPECK = 2; // device pixels; narrower boxes are drawn by columns of pixels, together
const BLOCK = 7; // device pixels; narrower boxes are drawn in the line image, the rest one by one
const SHADES = 5;
const KINDS = 4;
const MONO = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
export const SANS = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const MIN_FILLED = 0.35; // so that one span in a column can be seen
const PALE = 0.45; // of propagated spans, and between samples
const DIM = 0.3; // of what a search does not find
const APART = 5; // pixels between the samples of a track from which each is a tick
const TICK = 2; // pixels
const LOOKS = 6; // plain; propagated, or between samples; not found; found; the last two between samples
const BETWEEN = [1, 1, 5, 4]; // the look between samples, by that of the samples


function parts(colour) {
  const number = parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

function mixed(colour, back, share) {
  const under = parts(back);
  return parts(colour).map((value, i) => Math.round(value * share + under[i] * (1 - share)));
}

const inBytes = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const asText = (rgb) => "rgb(" + rgb.join(",") + ")";

// Returns the colours of the page as it is now: names from the style sheet, and fills by look, kind and shade.
export function coloursOf(root) {
  const style = getComputedStyle(root);
  const named = {};
  for (const name of ["back", "ink", "soft", "line", "grid", "panel", "band", "hit", "hit-ink", "mark", "curve", "tick", "thin"])
    named[name] = style.getPropertyValue("--" + name).trim();
  const fills = [];
  const bytes = []; // by look, kind and shade: how it is in the line image
  const levels = []; // by look and kind, LEVELS each
  for (let look = 0; look < LOOKS; look++)
    for (let kind = 0; kind < KINDS; kind++) {
      const strength = [1, PALE, DIM, 1, PALE, DIM * PALE][look];
      const isFound = look === 3 || look === 4;
      for (let shade = 0; shade < SHADES; shade++) {
        const fill = isFound ? named.hit : style.getPropertyValue("--f" + kind + shade).trim();
        fills.push(asText(mixed(fill, named.back, strength)));
        bytes.push(inBytes(mixed(fill, named.back, strength)));
      }
      const middle = isFound ? named.hit : style.getPropertyValue("--f" + kind + "2").trim();
      for (let level = 1; level <= LEVELS; level++) {
        const filled = MIN_FILLED + (1 - MIN_FILLED) * (level / LEVELS);
        levels.push(inBytes(mixed(middle, named.back, strength * filled)));
      }
    }
  const inks = [];
  for (let kind = 0; kind < KINDS; kind++) inks.push(style.getPropertyValue("--i" + kind).trim());
  return { ...named, fills, bytes: Uint32Array.from(bytes), levels: Uint32Array.from(levels), inks };
}

// Returns fit(text, room, bold): the text, the part of it that fits with an ellipsis, or nothing.
export function canvasFitter(brush, size) {
  const cell = [400, 600].map((weight) => {
    brush.font = weight + " " + size + "px " + MONO;
    return brush.measureText("M".repeat(50)).width / 50;
  });
  const known = new Map();

  function width(text, bold) {
    if (/^[ -~]*$/.test(text)) return text.length * cell[bold];
    const key = bold + text;
    if (!known.has(key)) {
      if (known.size > 4000) known.clear();
      const before = brush.font;
      brush.font = (bold ? 600 : 400) + " " + size + "px " + MONO;
      known.set(key, brush.measureText(text).width + 1);
      brush.font = before;
    }
    return known.get(key);
  }

  return function fit(text, room, isBold) {
    const bold = Number(isBold);
    const letters = Math.floor(room / cell[bold]);
    if (letters < 2) return "";
    const head = text.slice(0, 8 * letters + 50); // many letters may stand in one cell
    if (head === text && width(text, bold) <= room) return text;
    if (/^[ -~]*$/.test(head)) return text.slice(0, letters - 1) + "…";
    const points = Array.from(head);
    let low = 0;
    let high = Math.min(points.length, letters);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (width(points.slice(0, middle).join("") + "…", bold) <= room) low = middle;
      else high = middle - 1;
    }
    return low > 0 ? points.slice(0, low).join("") + "…" : "";
  };
}

// A scale from time to device pixels: x = (time - at) * k + b. `at` is a whole number of nanoseconds, so that nothing
// is lost far from zero. b is such that time zero stands between two pixels: then panning moves columns as they are.
export function scaleOf(view, across, ratio) {
  const k = (across * ratio) / view.span;
  let b = -view.off * k;
  const zero = b - view.at * k;
  if (Math.abs(zero) < 1e9) b += Math.round(zero) - zero;
  return { k, b, at: view.at, from: view.at - b / k, to: view.at + (across * ratio - b) / k };
}

export const place = (scale, time) => (time - scale.at) * scale.k + scale.b;

// Whether each sample of a row is a tick, when a nanosecond has `pixels`.
export const showsTicks = (data, row, pixels) => row.kind === SAMPLES && data.tracks[row.track].sampled.period * pixels >= APART;

// Collects what stands in the visible rows, and puts it on the canvas: first one image with a line of pixels for each
// row, stretched to the row's height; then boxes, by colour; then text, by font and ink.
export function rowPainter(data, brush, sizes, fit) {
  const image = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas");
  const imageBrush = image.getContext("2d");
  const labels = data.labels;
  const boxes = Array.from({ length: LOOKS * KINDS * SHADES }, () => []);
  const ticks = Array.from({ length: LOOKS * KINDS * SHADES }, () => []);
  const texts = Array.from({ length: LOOKS * KINDS }, () => []);
  const ragged = [];
  const underlined = [];
  let pixels = null;
  let line = null;

  function underline(left, right, bottom) {
    const last = underlined.length - 3;
    if (last >= 0 && underlined[last + 2] === bottom && underlined[last + 1] >= left) underlined[last + 1] = right;
    else underlined.push(left, right, bottom);
  }

  // Each sample is a tick; between those of one box it is paler, as nobody looked there.
  function addTicks(row, top, height, scale, across, found, chosen) {
    const { start, length, label } = data;
    const { sampled } = data.tracks[row.track];
    const tick = Math.round(TICK * sizes.ratio);
    let drawn = -1; // up to this column; where samples are close by each other, many boxes end before it
    for (let i = firstInView(data, row, scale.from); i < row.to; i++) {
      const left = Math.round(place(scale, start[i]));
      if (left >= across) break;
      const end = start[i] + length[i];
      if (place(scale, end) <= drawn) continue;
      const right = Math.round(place(scale, lastSampleBefore(sampled, end))) + tick;
      drawn = right;
      const [, , kind, shade] = labels[label[i]];
      const look = found ? 2 + found.isHit[label[i]] : 0;
      const shown = [Math.max(left, -1), Math.min(right, across + 1)];
      boxes[(BETWEEN[look] * KINDS + kind) * SHADES + shade].push(shown[0], top, shown[1] - shown[0], height - 1);
      const alone = right - left <= tick;
      const tall = Math.round(alone ? height - 1 : 5 * sizes.ratio);
      const own = ticks[(look * KINDS + kind) * SHADES + shade];
      let last = -Infinity;
      for (const moment of momentsBetween(sampled, Math.max(start[i], scale.from), Math.min(end, scale.to))) {
        const x = Math.round(place(scale, moment));
        if (x > last) own.push(x, top + height - 1 - tall, tick, tall);
        last = x;
      }
      if (chosen && chosen.isHit[label[i]]) underline(shown[0], shown[1], top + height - 1);
      const room = (i + 1 < row.to ? Math.min(place(scale, start[i + 1]), across) : across) - left;
      if (height >= sizes.row - 1 && room > 26 * sizes.ratio) texts[BETWEEN[look] * KINDS + kind].push(label[i], left, top, room);
    }
  }

  function add(row, top, height, scale, across, colours, found, chosen) {
    if (showsTicks(data, row, scale.k / sizes.ratio)) return addTicks(row, top, height, scale, across, found, chosen);
    const { start, length, busy, flags, label } = data;
    const { k, b, at } = scale;
    const { shift, to } = row;
    const bare = height < sizes.row - 1; // a folded track's strip
    for (let i = firstInView(data, row, scale.from); i < to; ) {
      const x0 = (start[i] - at) * k + b;
      if (x0 >= across) break;
      const wide = length[i] * k;
      const x1 = x0 + wide;
      if (wide >= SPECK) {
        const [, , kind, shade] = labels[label[i]];
        const look = found ? 2 + found.isHit[label[i]] : flags[i] & PROPAGATED ? 1 : 0;
        const left = Math.max(Math.round(x0), -1);
        const right = Math.min(Math.round(x1), across + 1);
        const colour = (look * KINDS + kind) * SHADES + shade;
        if (wide < BLOCK) {
          const end = Math.min(Math.max(right - (wide > 3 ? 1 : 0), left + 1), across);
          line.fill(colours.bytes[colour], Math.max(left, 0), end);
          if (chosen && chosen.isHit[label[i]]) underline(Math.max(left, 0), end, top + height - 1);
        } else {
          boxes[colour].push(left, top, right - left - 1, height - 1);
          if (flags[i] & UNFINISHED) ragged.push(right - 1, top, height - 1);
          if (chosen && chosen.isHit[label[i]]) underline(left, right - 1, top + height - 1);
          if (!bare && right - left > 26 * sizes.ratio) texts[look * KINDS + kind].push(label[i], left, top, right - left);
        }
        i++;
        continue;
      }
      // All that starts in this column of pixels; the last of it may be wide, then it is drawn by itself.
      const column = Math.max(Math.floor(x0), 0);
      let next = Math.max(gallop(start, at + (column + 1 - b) / k, i + 1, to), i + 1);
      if (next - 1 > i && length[next - 1] * k >= SPECK) next--;
      const covered = (busy[next + shift] - busy[i + shift]) * k;
      const hits = found ? found.before[next + shift] - found.before[i + shift] : 0;
      const look = found ? (hits ? 3 : 2) : flags[i] & PROPAGATED ? 1 : 0;
      // How full the column is, or how many of what is in it are found.
      const part = look === 3 ? hits / (next - i) : covered;
      const level = Math.min(Math.ceil(part * LEVELS), LEVELS) || 1;
      const colour = colours.levels[(look * KINDS + mainKind(data, row, i, next)) * LEVELS + level - 1];
      const reach = (start[next - 1] + length[next - 1] - at) * k + b;
      if (column < across && !(hits === 0 && found && line[column])) line[column] = colour;
      if (reach > column + 1.5 && column + 1 < across) line[column + 1] = colour;
      if (chosen && chosen.before[next + shift] > chosen.before[i + shift]) underline(column, column + 1, top + height - 1);
      i = next;
    }
    return undefined;
  }

  function paint(visible, scale, across, colours, found, chosen, ratio) {
    if (image.width !== across || image.height < visible.length) {
      image.width = across;
      image.height = visible.length + 8;
      pixels = imageBrush.createImageData(across, image.height);
    }
    const words = new Uint32Array(pixels.data.buffer);
    words.fill(0);
    visible.forEach(({ row, top, height }, i) => {
      line = words.subarray(i * across, (i + 1) * across);
      add(row, top, height, scale, across, colours, found, chosen);
    });
    imageBrush.putImageData(pixels, 0, 0);
    brush.imageSmoothingEnabled = false;
    visible.forEach(({ top, height }, i) => brush.drawImage(image, 0, i, across, 1, 0, top, across, height - 1));
    for (const layer of [boxes, ticks])
      layer.forEach((flat, colour) => {
        if (!flat.length) return;
        brush.fillStyle = colours.fills[colour];
        for (let i = 0; i < flat.length; i += 4) brush.fillRect(flat[i], flat[i + 1], flat[i + 2], flat[i + 3]);
        flat.length = 0;
      });
    brush.fillStyle = colours.back;
    for (let i = 0; i < ragged.length; i += 3) // an open end: a row of notches
      for (let y = 0; y < ragged[i + 2]; y += 4 * ratio) brush.fillRect(ragged[i] - 3 * ratio, ragged[i + 1] + y, 3 * ratio, 2 * ratio);
    ragged.length = 0;
    brush.fillStyle = colours.ink;
    const thick = Math.round(2 * ratio);
    for (let i = 0; i < underlined.length; i += 3) brush.fillRect(underlined[i], underlined[i + 2] - thick, underlined[i + 1] - underlined[i], thick);
    underlined.length = 0;
    paintTexts(colours, ratio);
  }

  function paintTexts(colours, ratio) {
    brush.textBaseline = "alphabetic";
    texts.forEach((flat, slot) => {
      if (!flat.length) return;
      const look = Math.floor(slot / KINDS);
      const kind = slot % KINDS;
      brush.fillStyle = [colours.inks[kind], colours.ink, colours.soft, colours["hit-ink"], colours.ink, colours.soft][look];
      brush.font = (kind === 0 ? 600 : 400) + " " + sizes.font * ratio + "px " + MONO;
      for (let i = 0; i < flat.length; i += 4) {
        const left = Math.max(flat[i + 1], 0);
        const room = Math.min(flat[i + 1] + flat[i + 3], image.width) - left - 2 * sizes.padding * ratio;
        const text = fit(data.names[flat[i]], room / ratio, kind === 0);
        if (text) brush.fillText(text, left + sizes.padding * ratio, flat[i + 2] + 13 * ratio);
      }
      flat.length = 0;
    });
  }

  return paint;
}

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

// Writes text in the font that is set, cut with an ellipsis to a room in device pixels.
export function paintLine(brush, text, x, y, room, colour) {
  const letters = Array.from(text.slice(0, 400));
  let shown = text.length > 400 ? letters.join("") + "…" : text;
  if (brush.measureText(shown).width > room) {
    let low = 0;
    let high = letters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (brush.measureText(letters.slice(0, middle).join("") + "…").width <= room) low = middle;
      else high = middle - 1;
    }
    shown = low ? letters.slice(0, low).join("") + "…" : "";
  }
  brush.fillStyle = colour;
  if (shown) brush.fillText(shown, x, y);
  return shown ? brush.measureText(shown).width : 0;
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
function stepsOf(curve, floor, tall, scale, across, ratio) {
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
