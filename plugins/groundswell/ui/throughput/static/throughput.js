// Keeps the filters in step with the address, and fills their choices in once the reports are read.
(() => {
  "use strict";
  const form = document.getElementById("tp-filters");
  if (!form) return;
  const range = form.elements.range;
  const dates = [form.elements.from, form.elements.to];

  // Before the page's own listener: dates make the range one between dates, a named range needs no dates
  document.addEventListener(
    "change",
    (event) => {
      if (dates.includes(event.target)) range.value = dates.some((each) => each.value) ? "dates" : "7d";
      else if (event.target === range && range.value !== "dates") for (const each of dates) each.value = "";
    },
    true,
  );

  // "Between two dates" asks for nothing yet: go to the first of them instead of loading anything
  range.addEventListener("change", (event) => {
    if (range.value !== "dates") return;
    event.stopPropagation();
    dates[0].focus();
  });

  const fill = (select, list) => {
    const chosen = select.value;
    const values = [...list.options].map((each) => each.value);
    if (chosen && !values.includes(chosen)) values.unshift(chosen);
    select.replaceChildren(select.options[0], ...values.map((value) => new Option(value, value)));
    select.value = chosen;
  };

  // Links in the tables change the address too
  const follow = () => {
    const asked = new URLSearchParams(location.search);
    for (const field of form.elements) {
      if (!field.name || field.type === "hidden" || field === document.activeElement) continue;
      const value = asked.get(field.name) || "";
      if (field === range) {
        field.value = asked.get("from") || asked.get("to") ? "dates" : value || "7d";
        continue;
      }
      if (field.tagName === "SELECT" && value && ![...field.options].some((each) => each.value === value))
        field.append(new Option(value, value));
      field.value = value;
    }
  };

  document.addEventListener("groundswell:shown", () => {
    follow();
    // The parts that kept quiet while the summary could not be read
    if (document.getElementById("tp-choices-worker"))
      for (const quiet of document.querySelectorAll("[data-quiet]")) {
        const box = quiet.closest("[data-fragment]");
        quiet.remove();
        window.groundswell.load(box);
      }
    for (const select of form.querySelectorAll("[data-choices]")) {
      const list = document.getElementById(`tp-choices-${select.dataset.choices}`);
      if (list && select !== document.activeElement) fill(select, list);
    }
  });
})();
