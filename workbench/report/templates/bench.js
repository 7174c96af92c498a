// Tables that sort: a button in the head of each column. Cells sort by their number, names as people order them;
// what is unknown stays last.

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;

function start(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.querySelectorAll("th[aria-sort]")];

  function sort(head, ascending) {
    const column = Number(head.firstElementChild.dataset.column);
    const way = ascending ? 1 : -1;
    const named = column === 0 && [...body.rows].every((row) => row.cells[0].dataset.v === undefined);
    const rows = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return [row, named ? cell.firstChild.textContent : cell.dataset.v === undefined ? null : Number(cell.dataset.v)];
    });
    rows.sort(([, a], [, b]) => {
      if (named) return way * byName(a, b);
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return a === b ? 0 : a < b ? -way : way; // infinite ones have no difference
    });
    for (const other of heads) other.setAttribute("aria-sort", other === head ? (ascending ? "ascending" : "descending") : "none");
    body.append(...rows.map(([row]) => row));
  }

  for (const head of heads)
    head.firstElementChild.addEventListener("click", () => sort(head, head.getAttribute("aria-sort") !== "ascending"));
}

for (const table of document.querySelectorAll("table.sortable")) start(table);
