// The colours of a timeline on the page as it is now.

export const LEVELS = 8; // steps of how full a column of pixels is
export const SHADES = 5;
export const KINDS = 4;
export const LOOKS = 6; // plain; propagated, or between samples; not found; found; the last two between samples
export const BETWEEN = [1, 1, 5, 4]; // the look between samples, by that of the samples
const MIN_FILLED = 0.35; // so that one span in a column can be seen
const PALE = 0.45; // of propagated spans, and between samples
const DIM = 0.3; // of what a search does not find

export function parts(colour) {
  const number = parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

function mixed(colour, back, share) {
  const under = parts(back);
  return parts(colour).map((value, i) => Math.round(value * share + under[i] * (1 - share)));
}

export const inBytes = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
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
