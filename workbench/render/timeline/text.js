// Text on a canvas, cut to the room that there is.

export const MONO = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
export const SANS = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

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
