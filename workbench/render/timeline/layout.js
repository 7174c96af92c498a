// Where each line is: heads, curves and rows of the tracks, in the pixels of the page.

import { SAMPLES } from "./data.js";
import { ask, draw, resized } from "./frame.js";
import { chartFrame, foldButton, head, headFrame, more, samplesButton, tipFrame } from "./head.js";
import { SIZES, TOP, mainRow, room, root, scrolls, standalone, state } from "./state.js";
import { sayWhere } from "./view.js";

const STRIP = 10; // height of a folded track's boxes
const FOOT = 6;
const DEEPEST = 24; // rows of a track's samples that are shown, until the rest is asked for
const TALLEST = 1600; // pixels of the chart on a page, beyond which it scrolls

function layLines() {
  const lines = [];
  let y = 0;
  const add = (line, size) => {
    lines.push({ ...line, y, h: size });
    y += size;
  };
  for (const track of state.data.tracks) {
    add({ what: "head", track }, SIZES.head);
    if (track.folded) {
      const row = mainRow(track);
      if (row) add({ what: "row", track, row }, STRIP);
    } else layTrack(track, add);
    y += SIZES.gap;
  }
  state.lines = lines;
  state.content = y + FOOT;
}

function layTrack(track, add) {
  for (const curve of track.curves) if (!curve.isMore) add({ what: "curve", track, curve }, SIZES.curve);
  const more = track.curves.filter(({ isMore }) => isMore);
  if (more.length) add({ what: "more", track, more }, SIZES.row);
  if (track.moreOpen) for (const curve of more) add({ what: "curve", track, curve }, SIZES.curve);
  for (const row of track.rows) if (row.kind !== SAMPLES) add({ what: "row", track, row }, SIZES.row);
  const hasScopes = track.spans > 0;
  const rows = track.rows.filter(({ kind }) => kind === SAMPLES);
  if (hasScopes && rows.length) add({ what: "samples", track }, SIZES.row);
  if (hasScopes && !track.samplesOpen) return;
  const shown = track.deepOpen || rows.length <= DEEPEST + 1 ? rows.length : DEEPEST;
  for (const row of rows.slice(0, shown)) add({ what: "row", track, row }, SIZES.row);
  if (shown < rows.length) add({ what: "deeper", track, count: rows.length - shown }, SIZES.row);
}

export function layOut() {
  const seen = root.getBoundingClientRect().width;
  if (seen < 1) return; // in a closed part of the page: wait until it opens
  state.width = seen;
  layLines();
  headFrame.setAttribute("width", seen);
  tipFrame.setAttribute("width", Math.min(seen - 2 * SIZES.side, 520));
  const { tracks } = state.data;
  foldButton.textContent = tracks.some((track) => !track.folded) ? "fold all" : "open all";
  samplesButton.textContent = tracks.some(hidesSamples) ? "show samples" : "hide samples";
  more.textContent = !standalone && TOP + state.content > TALLEST ? "More rows than fit: Alt + wheel, Page Down or the bar on the right scrolls them." : "";
  // In a viewBox of one unit a pixel, or else the head is measured in a scaled timeline.
  root.setAttribute("viewBox", "0 0 " + seen + " " + (root.getAttribute("height") || 400));
  sayWhere();
  const above = Math.ceil(head.getBoundingClientRect().height);
  const most = standalone ? window.innerHeight - above : TALLEST;
  const height = Math.round(Math.max(Math.min(TOP + state.content, most), TOP + 60));
  Object.assign(state, { above, height, ratio: window.devicePixelRatio || 1 });
  headFrame.setAttribute("height", above);
  for (const [name, value] of [["y", above], ["width", seen], ["height", height]]) chartFrame.setAttribute(name, value);
  const all = standalone ? Math.max(above + height, window.innerHeight) : above + height;
  root.setAttribute("height", all);
  root.setAttribute("viewBox", "0 0 " + seen + " " + all);
  resized();
  scrollTracks(state.scrolled);
  draw();
}

export function scrollTracks(y) {
  state.scrolled = scrolls() ? Math.max(Math.min(y, state.content - room()), 0) : 0;
  ask();
}

// Whether the rows of a track's samples are not shown.
const hidesSamples = (track) => track.samples > 0 && (track.folded || (track.spans > 0 && !track.samplesOpen));

export function toggle(track) {
  track.folded = !track.folded;
  layOut();
}

export function toggleAll() {
  const { tracks } = state.data;
  const fold = tracks.some((track) => !track.folded);
  for (const track of tracks) track.folded = fold;
  layOut();
}

// Shows or hides the rows of a track's samples, or of all tracks.
export function toggleSamples(track) {
  const of = (track ? [track] : state.data.tracks).filter(({ samples }) => samples > 0);
  const open = of.some(hidesSamples);
  for (const each of of) {
    each.samplesOpen = open;
    if (open) each.folded = false;
    else if (!each.spans) each.folded = true;
  }
  layOut();
}

// Shows or hides all that the system counted of a process, or of all.
export function toggleMore(track) {
  const of = (track ? [track] : state.data.tracks).filter(({ curves }) => curves.some(({ isMore }) => isMore));
  const open = of.some((each) => each.folded || !each.moreOpen);
  for (const each of of) {
    each.moreOpen = open;
    if (open) each.folded = false;
  }
  layOut();
}

export function showDeeper(track) {
  track.deepOpen = true;
  layOut();
}

// Opens what a row is in.
export function reveal(row) {
  const track = state.data.tracks[row.track];
  if (state.lines.some((line) => line.row === row)) return;
  track.folded = false;
  if (row.kind === SAMPLES) track.samplesOpen = true;
  if (row.kind === SAMPLES && row.depth >= DEEPEST) track.deepOpen = true;
  layOut();
}
