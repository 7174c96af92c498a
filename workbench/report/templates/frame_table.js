// The table of scopes or of functions: sorting, searching, choosing a row, and a part of the run.

import { whole } from "../../render/words.js";
import { digits, digitsGiveOrTake, offBy } from "./digits.js";
import { sortable } from "./tables.js";

const FIRST = 50; // rows that are shown at first

// `samples` is how many independent ones a share is of; undefined: it is exact. A time with what it may be off by is
// a pair.
function textOf(key, value, samples) {
  if (Array.isArray(value)) return digitsGiveOrTake(...value);
  if (key === "resident") return digits(value, "bytes");
  if (key.endsWith("share")) return [(100 * value).toFixed(1), samples === undefined ? "" : "±" + Math.max(100 * offBy(value, samples), 0.1).toFixed(1)];
  return key === "count" ? [whole.format(value), ""] : digits(value);
}

// Calls `chosen` with the number of the row that the reader chose. `frames` are [name, place, …], by the same number.
export function frameTable(part, frames, chosen) {
  const table = part.querySelector("table.frames");
  const body = table.tBodies[0];
  const rows = [...body.rows]; // by the number of the frame
  const texts = rows.map((row, i) => [frames[i][0], frames[i][1], ...[...row.querySelectorAll("small")].map((note) => note.textContent)]);
  const heads = [...table.tHead.rows[0].cells];
  const more = document.createElement("button");
  const shown = { all: false, matches: null, current: -1, inTabs: null, times: null };

  // --- which rows are there

  const isThere = (i) => (!shown.matches || shown.matches[i]) && (!shown.times || shown.times[i] !== null);

  function lay() {
    let count = 0;
    for (const row of body.rows) {
      const there = isThere(Number(row.dataset.row));
      count += Number(there);
      row.classList.toggle("gone", !there || (count > FIRST && !shown.all));
    }
    more.hidden = shown.all || count <= FIRST;
    more.textContent = "show all " + whole.format(count);
    if (!shown.inTabs || shown.inTabs.classList.contains("gone")) tabTo(visible()[0]);
  }

  more.type = "button";
  more.className = "more";
  more.addEventListener("click", () => {
    const next = visible().length;
    shown.all = true;
    lay();
    visible()[next]?.focus();
  });
  table.after(more);

  // --- rows: Tab reaches one of them, arrows the others

  const visible = () => [...body.rows].filter((row) => !row.classList.contains("gone"));

  function tabTo(row) {
    if (shown.inTabs) shown.inTabs.tabIndex = -1;
    shown.inTabs = row || null;
    if (row) row.tabIndex = 0;
  }

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || String(getSelection())) return; // a name is being marked
    tabTo(row);
    chosen(Number(row.dataset.row));
  });
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = visible();
    const at = all.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      const next = all[Math.max(0, Math.min(to, all.length - 1))];
      tabTo(next);
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") chosen(Number(row.dataset.row));
    else return;
    event.preventDefault();
  });

  // --- figures of a part of the run, in the columns that know them

  const columns = heads.flatMap((head, column) => (head.dataset.key ? [[column, head.dataset.key]] : []));
  const original = rows.map((row) => columns.map(([column]) => [...row.cells[column].childNodes]));
  const values = rows.map((row) => columns.map(([column]) => row.cells[column].dataset.v));

  function fill(row, figures) {
    columns.forEach(([column, key], k) => {
      const cell = row.cells[column];
      if (figures === undefined) {
        cell.replaceChildren(...original[row.dataset.row][k]);
        if (values[row.dataset.row][k] === undefined) delete cell.dataset.v;
        else cell.dataset.v = values[row.dataset.row][k];
      } else if (figures && figures[key] === null) {
        cell.textContent = "–";
        delete cell.dataset.v;
      } else if (figures && key in figures) {
        const [text, unit] = textOf(key, figures[key], figures.samples);
        cell.textContent = text;
        if (unit) cell.appendChild(document.createElement("i")).textContent = unit;
        cell.dataset.v = [figures[key]].flat()[0];
      }
    });
  }

  const { sortAgain } = sortable(table, lay);
  for (const row of rows) row.tabIndex = -1;
  lay();

  return {
    // Shows the rows with a text that matches.
    search(matches) {
      shown.matches = matches && texts.map((own) => own.some(matches));
      lay();
    },
    select(i) {
      rows[shown.current]?.removeAttribute("aria-current");
      shown.current = i;
      if (!rows[i]) return;
      rows[i].setAttribute("aria-current", "true");
      if (isThere(i) && rows[i].classList.contains("gone")) {
        shown.all = true;
        lay();
      }
      if (isThere(i)) tabTo(rows[i]);
    },
    // Shows other figures: of each row those by the key of a column, or null where it has none; null: the whole run.
    showFigures(figures) {
      shown.times = figures;
      table.classList.toggle("part-of-run", Boolean(figures));
      rows.forEach((row, i) => fill(row, figures ? figures[i] : undefined));
      const known = figures?.find(Boolean) || {};
      heads.forEach((head, column) => {
        const hides = figures && column > 0 && !(head.dataset.key in known);
        table.classList.toggle("hides" + column, Boolean(hides));
      });
      sortAgain();
    },
  };
}
