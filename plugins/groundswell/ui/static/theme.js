// Light or dark, before anything is painted: as Airflow around the frame has it, else as Airflow last remembered,
// else as the system wants it (the style sheet does that by itself).
(() => {
  "use strict";
  const root = document.documentElement;
  const around = () => {
    try {
      return window.parent !== window ? window.parent.document.documentElement : null;
    } catch {
      return null; // framed by another origin
    }
  };
  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const choose = () => {
    const outer = around();
    let theme = remembered();
    if (outer && outer.classList.contains("dark")) theme = "dark";
    else if (outer && outer.classList.contains("light")) theme = "light";
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.dataset.framed = outer ? "yes" : "no";
  };
  choose();
  const outer = around();
  if (outer) new MutationObserver(choose).observe(outer, { attributes: true, attributeFilter: ["class"] });
  window.addEventListener("storage", (event) => event.key === "theme" && choose());
})();
