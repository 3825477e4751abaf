"use strict";
(() => {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = document.getElementById("theme");
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();

  for (const tools of document.querySelectorAll(".tools")) {
    const table = document.getElementById(tools.dataset.table);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
    const [search, result, slice] = ["search", "result", "slice"].map((kind) => tools.querySelector(`[name=${kind}]`));
    const output = tools.querySelector("output");

    const filter = () => {
      const wanted = search.value.trim().toLowerCase();
      let shown = 0;
      for (const { row, text } of rows) {
        const fits = (!wanted || text.includes(wanted))
          && (!result.value || row.dataset.result === result.value)
          && (!slice.value || row.dataset.slices.split("⇥").includes(slice.value));
        row.hidden = !fits;
        shown += fits;
      }
      output.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} cases`;
    };
    for (const control of [search, result, slice]) control.addEventListener("input", filter);

    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[head.cellIndex].dataset.sort ?? row.cells[head.cellIndex].textContent.trim();
        const order = new Intl.Collator("en", { numeric: true }).compare;
        const sorted = rows.map(({ row }) => ({ row, value: key(row) })).sort((a, b) => {
          const numbers = [Number(a.value), Number(b.value)];
          return a.value !== "" && b.value !== "" && !numbers.some(Number.isNaN) ? numbers[0] - numbers[1] : order(a.value, b.value);
        });
        if (down) sorted.reverse();
        body.append(...sorted.map(({ row }) => row));
      });
    }
    tools.hidden = false;
    filter();
  }
})();
