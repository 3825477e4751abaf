"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const sections = [...document.querySelectorAll("section[data-answer]")];
  const by = (id) => document.getElementById(id);
  const grades = data.rows.map(() => Object.create(null));
  let at = 0;

  const restore = () => {
    const kept = JSON.parse(localStorage.getItem(data.key) || "null");
    if (!kept) return;
    kept.grades.forEach((given, number) => Object.assign(grades[number], given));
    at = kept.at;
  };
  try { restore(); } catch { by("unsaved").hidden = false; }

  const save = () => {
    try { localStorage.setItem(data.key, JSON.stringify({ at, grades })); } catch { by("unsaved").hidden = false; }
  };
  const ordered = (given) =>
    `{${data.dimensions.filter((name) => given[name]).map((name) => `${JSON.stringify(name)}: ${given[name]}`).join(", ")}}`;
  const lines = () =>
    data.rows.map((row, number) => [row, grades[number]]).filter(([, given]) => Object.keys(given).length)
      .map(([row, given]) => `${row}, "grades": ${ordered(given)}}\n`).join("");
  const isDone = (number) => data.dimensions.every((name) => grades[number][name]);

  const report = () => {
    const done = grades.filter((_, number) => isDone(number)).length;
    by("progress").textContent = `${done} of ${data.rows.length} graded`;
    by("lines").value = lines();
    by("back").disabled = at === 0;
    by("next").textContent = at + 1 < sections.length ? (isDone(at) ? "Next" : "Skip") : "Finish";
    by("copied").textContent = "";
  };
  const show = (number, focus) => {
    at = Math.max(0, Math.min(sections.length - 1, number));
    sections.forEach((section, place) => { section.hidden = place !== at; });
    report();
    if (focus) by(`h${at}`).focus();
  };
  const go = (step) => {
    if (at + step >= sections.length) { by("done").scrollIntoView(); by("download").focus(); return; }
    show(at + step, true);
    save();
    window.scrollTo(0, sections[at].offsetTop - 12);
  };

  document.querySelectorAll("input[data-answer]").forEach((input) => {
    const given = grades[input.dataset.answer];
    input.checked = String(given[input.dataset.dimension]) === input.value;
    input.addEventListener("change", () => {
      given[input.dataset.dimension] = Number(input.value);
      save();
      report();
    });
  });

  const pick = (grade) => {
    const fields = [...sections[at].querySelectorAll("fieldset")];
    const open = fields.filter((field) => !field.querySelector(":checked"));
    const held = document.activeElement.closest("fieldset");
    const field = held || open[0];
    if (!field) return;
    field.querySelector(`input[value="${grade}"]`).click();
    // Only a complete answer leads to "Next", where a digit too many then changes nothing.
    const waiting = fields.filter((each) => !each.querySelector(":checked"));
    const following = waiting.find((each) => fields.indexOf(each) > fields.indexOf(field)) || waiting[0];
    (following ? following.querySelector("input") : by("next")).focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("textarea")) return;
    const key = event.key.toLowerCase();
    if (/^[1-5]$/.test(key)) pick(key);
    else if (key === "b") go(-1);
    else if (key === "s") go(1);
    else return;
    event.preventDefault();
  });
  by("back").addEventListener("click", () => go(-1));
  by("next").addEventListener("click", () => go(1));
  by("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines()], { type: "application/jsonl" }));
    link.download = data.file;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  by("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(lines());
      by("copied").textContent = "Copied.";
    } catch {
      by("lines").closest("details").open = true;
      by("lines").select();
      by("copied").textContent = "Copy the selected lines.";
    }
  });
  show(at, false);
})();
