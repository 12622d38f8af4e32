// Comfort that pages do without: copying with a button, and "/" for the search box. No request.
"use strict";

async function copied(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* not allowed: the older way may be */ }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "away";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copied(button.dataset.copy);
      button.focus();
      button.textContent = done ? "Copied" : "Not copied";
    });
    button.addEventListener("blur", () => { button.textContent = "Copy"; });
  }
  const search = document.querySelector("form.search input");
  document.addEventListener("keydown", (event) => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select");
    if (event.key !== "/" || busy || !search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
});
