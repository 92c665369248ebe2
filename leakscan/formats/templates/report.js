// Sorting and filtering. Without this script every table is there all the same, in the order of the report.
"use strict";
(() => {
  const STEP = 500; // rows of the list of leaks that are shown at once: a browser needs seconds for thousands
  const collator = new Intl.Collator("en", { numeric: true });
  const count = (number) => number.toLocaleString("en");
  const number = (value) => {
    const digits = value.replace(/[^0-9.]/g, "");
    return digits === "" ? -1 : Number(digits);
  };
  const comparer = (head) => {
    const order = (head.dataset.order || "").split(" ");
    const rank = (value) => order.indexOf(value.split(" ")[0]);
    return {
      number: (a, b) => number(a) - number(b),
      rank: (a, b) => rank(a) - rank(b),
    }[head.dataset.sort] || collator.compare;
  };

  const sort = (table, head, index) => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    const compare = comparer(head);
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [row.cells[index].textContent.trim(), row]);
    rows.sort((a, b) => sign * compare(a[0], b[0]));
    body.replaceChildren(...rows.map((pair) => pair[1]));
  };

  const list = document.getElementById("leak-table");
  let refresh = () => {};
  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => {
        sort(table, head, index);
        if (table === list) refresh();
      });
      head.append(button);
    });
  }
  if (!list) return;

  const input = document.getElementById("filter");
  const status = document.getElementById("filter-status");
  const more = document.getElementById("more");
  const contents = new Map();
  const holds = (row, words) => {
    if (words.length === 0) return true;
    if (!contents.has(row)) contents.set(row, Array.from(row.cells, (cell) => cell.textContent).join(" ").toLowerCase());
    return words.every((word) => contents.get(row).includes(word));
  };
  let limit = STEP;
  refresh = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = list.tBodies[0].rows;
    let found = 0;
    for (const row of rows) {
      const fits = holds(row, words);
      row.hidden = !fits || found >= limit;
      if (fits) found += 1;
    }
    const first = found > limit ? `, the first ${count(limit)} of them shown` : "";
    status.textContent = `${count(found)} of ${count(rows.length)} leaks${first}`;
    more.hidden = found <= limit;
  };
  let waiting = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      limit = STEP;
      refresh();
    }, 120);
  });
  more.addEventListener("click", () => {
    limit += STEP;
    refresh();
  });
  input.closest(".tools").hidden = false;
  refresh();
})();
