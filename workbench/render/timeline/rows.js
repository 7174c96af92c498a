// Draws the rows of a timeline on a canvas, at a cost that grows with the pixels and not with the spans.

import { BETWEEN, KINDS, LEVELS, LOOKS, SHADES } from "./colours.js";
import { PROPAGATED, SAMPLES, UNFINISHED, firstInView, mainKind } from "./data.js";
import { gallop } from "./order.js";
import { lastSampleBefore, momentsBetween } from "./samples.js";
import { place } from "./scale.js";
import { MONO } from "./text.js";

export const SPECK = 2; // device pixels; narrower boxes are drawn by columns of pixels, together
const BLOCK = 7; // device pixels; narrower boxes are drawn in the line image, the rest one by one
const APART = 5; // pixels between the samples of a track from which each is a tick
const TICK = 2; // pixels

// Whether each sample of a row is a tick, when a nanosecond has `pixels`.
export function showsTicks(data, row, pixels) {
  if (row.kind !== SAMPLES) return false;
  const { isCounted, period } = data.tracks[row.track].sampled;
  return isCounted && period * pixels >= APART;
}

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
