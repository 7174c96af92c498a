// One frame of a timeline: rows, heads of tracks, axis, the band of the whole run, rings and the scroll bar.
// Stands in one function with timeline.js, and uses its state; see timeline.svg.

function ask() {
  if (!asked) asked = requestAnimationFrame(draw);
}

function draw() {
  cancelAnimationFrame(asked);
  asked = 0;
  if (!width) return;
  const began = performance.now();
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
  drawRing(hovered, scale, wide, 1, colours.ink);
  drawRing(focused, scale, wide, 2, colours.ink);
  drawAxis(ticks, scale, wide);
  drawOverview(wide);
  if (scrolls()) drawBar();
  chart.drawMilliseconds = performance.now() - began; // for whoever measures
}

const topOf = (line) => Math.round((TOP + line.y - scrolled) * ratio);

function drawLines(scale, wide) {
  const boxes = [];
  const visible = lines.filter((line) => line.y + line.h > scrolled && line.y < scrolled + room());
  for (const line of visible) {
    const top = topOf(line);
    if (line.what === "row" && line.row.kind !== MARKS) boxes.push({ row: line.row, top, height: Math.round(line.h * ratio) });
  }
  paintRows(boxes, scale, wide, canvas.height, colours, found, ratio);
  for (const line of visible) {
    const top = topOf(line);
    if (line.what === "head") drawHead(line, top, wide);
    else if (line.what === "curve") {
      paintCurve(brush, line.curve, top, line.h * ratio, scale, wide, colours, ratio);
      drawCurveName(line.curve, top, wide);
    } else if (line.row.kind === MARKS) paintMarks(data, brush, line.row, top, line.h * ratio, scale, wide, colours, found, ratio);
  }
}

function drawHead(line, top, wide) {
  const { track } = line;
  brush.fillStyle = colours.band;
  brush.fillRect(0, top, wide, (line.h - 2) * ratio);
  if (focused && focused.track === track) {
    brush.strokeStyle = colours.ink;
    brush.lineWidth = 2 * ratio;
    brush.strokeRect(ratio, top + ratio, wide - 2 * ratio, (line.h - 4) * ratio);
  }
  const x = SIZES.side * ratio;
  const y = top + 15.5 * ratio;
  brush.fillStyle = colours.soft;
  brush.beginPath();
  const turn = track.folded ? [[0, 6], [7, 10.5], [0, 15]] : [[0, 8], [9, 8], [4.5, 14]];
  for (const [dx, dy] of turn) brush.lineTo(x + dx * ratio, top + (dy + 0.5) * ratio);
  brush.fill();
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
  brush.font = 11 * ratio + "px " + SANS;
  const x = SIZES.side * ratio;
  const used = paintLine(brush, curve.name, x, top + 11 * ratio, wide * 0.6, colours.ink);
  if (!(curve.high > -Infinity)) return;
  const range = curve.low === curve.high ? scaled(curve.low, "") : scaled(curve.low, "") + " to " + scaled(curve.high, "");
  paintLine(brush, range, x + used + 8 * ratio, top + 11 * ratio, wide * 0.35, colours.soft);
}

function drawAxis(ticks, scale, wide) {
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
  if (view.span >= data.total) return;
  const [from, to] = [view.at + view.off, view.at + view.off + view.span].map((time) => (time / data.total) * wide);
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

function bar() {
  const size = Math.max((room() / content) * room(), 24);
  return { size, y: TOP + (scrolled / (content - room())) * (room() - size) };
}

function drawBar() {
  const { size, y } = bar();
  brush.fillStyle = colours.band;
  brush.fillRect((width - BAR) * ratio, TOP * ratio, BAR * ratio, canvas.height);
  brush.fillStyle = colours.line;
  brush.fillRect((width - BAR + 3) * ratio, y * ratio, (BAR - 6) * ratio, size * ratio);
}

function drawRing(item, scale, wide, thick, colour) {
  const line = item && item.row && lineOf(item.row);
  if (!line) return;
  const left = Math.max(place(scale, data.start[item.i]), -10);
  const right = Math.min(Math.max(place(scale, data.start[item.i] + data.length[item.i]), left + 5 * ratio), wide + 10);
  if (right < 0 || left > wide) return;
  brush.strokeStyle = colour;
  brush.lineWidth = thick * ratio;
  brush.strokeRect(Math.round(left), topOf(line), Math.round(right - left) - 1, line.h * ratio - 1);
}

// Returns round times in view, at least `least` pixels apart, and how much of the time stands before the axis.
function ticksOf(scale, across, least) {
  const shortest = least / scale.k;
  const power = Math.max(10 ** Math.floor(Math.log10(shortest)), 1);
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= shortest) || power;
  const first = Math.ceil(scale.from / step) * step;
  const times = [];
  for (let i = 0; i < 200 && first + i * step <= scale.to; i++) times.push(first + i * step);
  // Far from the start, ticks that differ in the last of many digits count from a round time.
  const base = first / step > 20000 ? Math.floor(scale.from / (step * 1000)) * step * 1000 : 0;
  return { times, step, base };
}

// Returns a time with all the digits that matter when the next tick is `step` away.
function timeText(time, step) {
  if (time === 0) return "0";
  const [factor, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([size]) => Math.abs(time) >= size) || [1, "ns"];
  const digits = Math.max(0, Math.ceil(Math.log10(factor / step) - 1e-9));
  return (time / factor).toLocaleString("en", { minimumFractionDigits: Math.min(digits, 9), maximumFractionDigits: Math.min(digits, 9) }) + " " + unit;
}

// Returns of each column of pixels how much of the most that tracks ever do together is done in it, 0 to 1.
function overviewOf(data, across) {
  const sums = new Float64Array(across);
  const pixel = data.total / across;
  for (const track of data.tracks) {
    const row = track.rows.find(({ kind }) => kind !== MARKS);
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
