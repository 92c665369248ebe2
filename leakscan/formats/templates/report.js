// Sorting and filtering. Without this script every table is there all the same, in the order of the report.
"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true });
  const text = (row, index) => row.cells[index].textContent.trim();
  const number = (value) => {
    const digits = value.replace(/[^0-9.]/g, "");
    return digits === "" ? -1 : Number(digits);
  };
  const comparers = (head) => {
    const order = (head.dataset.order || "").split(" ");
    return {
      number: (a, b) => number(a) - number(b),
      rank: (a, b) => order.indexOf(a) - order.indexOf(b),
    }[head.dataset.sort] || collator.compare;
  };

  const sort = (table, head, index) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const compare = comparers(head);
    const sign = down ? -1 : 1;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [text(row, index), row]);
    rows.sort((a, b) => sign * compare(a[0], b[0]));
    body.append(...rows.map((pair) => pair[1]));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, index));
      head.append(button);
    });
  }

  const input = document.getElementById("filter");
  if (!input) return;
  const rows = Array.from(document.getElementById("leak-table").tBodies[0].rows);
  const status = document.getElementById("filter-status");
  let contents = null;
  const filter = () => {
    contents = contents || rows.map((row) => Array.from(row.cells, (cell) => cell.textContent).join(" ").toLowerCase());
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => contents[index].includes(word));
      if (!row.hidden) shown += 1;
    });
    status.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  };
  let waiting = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  input.closest(".tools").hidden = false;
  filter();
})();
