// Tables that sort: a button in the head of each column. Cells sort by their number, names as people order them;
// what is unknown stays last.

const byCodePoints = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;

// Calls `sorted` behind each sorting; returns what sorts again when the numbers have changed.
export function sortable(table, sorted = () => {}) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.querySelectorAll("th[aria-sort]")];
  const columnOf = (head) => Number(head.firstElementChild.dataset.column);
  const isNames = (column) => column === 0 && [...body.rows].every((row) => row.cells[0].dataset.v === undefined);

  function sort(head, ascending) {
    const column = columnOf(head);
    const way = ascending ? 1 : -1;
    const named = isNames(column);
    const rows = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return [row, named ? cell.firstElementChild.textContent : cell.dataset.v === undefined ? null : Number(cell.dataset.v)];
    });
    rows.sort(([, a], [, b]) => {
      if (named) return way * (byName(a, b) || byCodePoints(a, b));
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return a === b ? 0 : a < b ? -way : way; // infinite ones have no difference
    });
    for (const other of heads) other.setAttribute("aria-sort", other === head ? (ascending ? "ascending" : "descending") : "none");
    body.append(...rows.map(([row]) => row));
    sorted();
  }

  for (const head of heads)
    head.firstElementChild.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const rises = isNames(columnOf(head)) || table.dataset.falling === undefined;
      sort(head, was === "none" ? rises : was === "descending");
    });

  return {
    sortAgain() {
      const head = heads.find((each) => each.getAttribute("aria-sort") !== "none");
      if (head) sort(head, head.getAttribute("aria-sort") === "ascending");
    },
  };
}

if (globalThis.document) for (const table of document.querySelectorAll("table.sortable")) sortable(table);
