// Shows scores as they arrive, and saves the draft. Without this script, the page works by reloading.
"use strict";

const place = (text) => {
  // Safe: the server has encoded every text in it.
  const made = document.createElement("template");
  made.innerHTML = text;
  return made.content;
};

const follow = (live) => {
  const source = new EventSource(live.dataset.events);
  source.addEventListener("case", (event) => {
    const [key, ...rest] = event.data.split("\n");
    const row = place(rest.join("\n")).querySelector("tr");
    const old = document.getElementById(key);
    const body = document.getElementById("cases-body");
    if (old) old.replaceWith(row);
    else if (row && body) body.append(row);
    document.getElementById("cases-table")?.removeAttribute("hidden");
  });
  source.addEventListener("status", (event) => {
    document.getElementById("run-status")?.replaceChildren(place(event.data));
  });
  source.addEventListener("end", async () => {
    source.close();
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of ["run", "runs"]) document.getElementById(part).replaceWith(fresh.getElementById(part));
  });
};

// form.action would return the buttons with the name “action”.
const keepSaving = (form) => {
  const said = document.getElementById("saved");
  let waiting = 0;
  let saving = Promise.resolve();
  const save = async () => {
    const fields = new URLSearchParams(new FormData(form));
    fields.set("action", "save");
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body: fields });
      const draft = new URL(answer.url).searchParams.get("draft");
      if (!answer.ok || !draft) throw new Error(answer.status);
      form.elements.draft.value = draft;
      if (!new URL(location.href).searchParams.get("draft")) history.replaceState(null, "", answer.url);
      said.textContent = "Saved.";
    } catch {
      said.textContent = "Not saved. The next change tries again.";
    }
  };
  form.addEventListener("input", () => {
    said.textContent = "Saving…";
    clearTimeout(waiting);
    waiting = setTimeout(() => { saving = saving.then(save); }, 700);
  });
  form.addEventListener("submit", () => clearTimeout(waiting));
};

const form = document.getElementById("draft");
if (form) keepSaving(form);
const live = document.querySelector("#run[data-events]");
if (live && window.EventSource) follow(live);
