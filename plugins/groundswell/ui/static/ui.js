// Loads the fragments of a page, keeps its address and Airflow's in step, sorts tables, refreshes what changes.
// What it understands in the markup is described in groundswell/ui/shell.py.
(() => {
  "use strict";
  const HEADERS = { "X-Groundswell-Fragment": "1", Accept: "text/html" };
  const TYPING_MS = 350;
  const RETRY_S = 30;
  const announcer = document.getElementById("announcer");
  const fragments = new Map(); // element -> {timer, abort, since, failed, orders}
  let paused = false;

  const say = (text) => {
    if (text && announcer) announcer.textContent = text;
  };

  // ---- fragments -------------------------------------------------------------------------------------------

  const address = (box) => {
    const url = new URL(box.dataset.fragment, location.href);
    if (!("fixed" in box.dataset))
      for (const [name, value] of new URLSearchParams(location.search)) url.searchParams.append(name, value);
    return url;
  };

  // What has no id is known by what it is and leads to: a list that refreshes itself must not throw the keyboard
  // back to its beginning
  const alike = (box, one) =>
    [...box.querySelectorAll(one.localName)].filter(
      (each) =>
        each.className === one.className &&
        each.getAttribute("href") === one.getAttribute("href") &&
        (one.localName === "div" || each.textContent === one.textContent),
    );

  const remember = (box) => {
    const active = document.activeElement;
    const inside = active && active !== box && box.contains(active);
    return {
      focus: inside ? active : null,
      place: inside && !active.id ? alike(box, active).indexOf(active) : 0,
      scroll: [...box.querySelectorAll(".scroll")].map((each) => each.scrollLeft),
      open: [...box.querySelectorAll("details[id][open]")].map((each) => each.id),
    };
  };

  const restore = (box, before) => {
    for (const id of before.open) {
      const details = document.getElementById(id);
      if (details && box.contains(details)) details.open = true;
    }
    [...box.querySelectorAll(".scroll")].forEach((each, index) => {
      each.scrollLeft = before.scroll[index] || 0;
    });
    const was = before.focus;
    if (was === null) return;
    const again = was.id ? document.getElementById(was.id) : alike(box, was)[before.place];
    (again && box.contains(again) ? again : box).focus({ preventScroll: true });
  };

  const show = (box, html, asked) => {
    const before = remember(box);
    box.innerHTML = html;
    prepare(box);
    restore(box, before);
    const first = box.firstElementChild;
    if (asked && first) say(first.dataset.announce);
  };

  const template = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

  const fail = (box, state, html) => {
    if (state.since && !html) {
      // What was there stays, with a line that says how old it is
      if (!box.querySelector("[data-stale]")) {
        const line = template("gs-stale");
        line.dataset.stale = "";
        const since = line.querySelector("[data-since]");
        since.dateTime = state.since.toISOString();
        since.textContent = state.since.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
        box.prepend(line);
      }
    } else if (html) show(box, html, false);
    else box.replaceChildren(template("gs-failed"));
    state.failed = true;
  };

  const load = async (box, asked) => {
    const state = fragments.get(box);
    clearTimeout(state.timer);
    if (state.abort) state.abort.abort();
    const abort = (state.abort = new AbortController());
    box.setAttribute("aria-busy", "true");
    if (asked) box.classList.add("busy");
    let seconds = null;
    try {
      const response = await fetch(address(box), {
        headers: HEADERS,
        credentials: "same-origin",
        signal: abort.signal,
      });
      const html = await response.text();
      if (abort.signal.aborted) return;
      if (response.ok) {
        show(box, html, asked);
        state.since = new Date();
        state.failed = false;
        const first = box.querySelector("[data-refresh]");
        seconds = first ? Number(first.dataset.refresh) : null;
      } else {
        // A store that hiccups leaves the old content; what will not heal by itself replaces it
        fail(box, state, response.status >= 500 && state.since ? "" : html);
        seconds = response.status >= 500 ? RETRY_S : null;
      }
    } catch (error) {
      if (abort.signal.aborted) return;
      fail(box, state, "");
      seconds = RETRY_S;
    }
    box.removeAttribute("aria-busy");
    box.classList.remove("busy");
    state.next = seconds ? Date.now() + seconds * 1000 : null;
    schedule(box);
    showPause();
  };

  const schedule = (box) => {
    const state = fragments.get(box);
    clearTimeout(state.timer);
    if (state.next && !paused && !document.hidden)
      state.timer = setTimeout(() => load(box, false), Math.max(0, state.next - Date.now()));
  };

  const loadAll = (asked) => {
    for (const box of fragments.keys()) if (!asked || !("fixed" in box.dataset)) load(box, asked);
  };

  // ---- the address -----------------------------------------------------------------------------------------

  // Airflow copies the frame's address into its own when the frame has loaded, so that links to a page can be
  // shared; what changes without a load is told to it the same way.
  const tellAirflow = () => {
    try {
      if (window.frameElement) window.frameElement.dispatchEvent(new Event("load"));
    } catch {
      // framed by another origin
    }
  };

  const go = (href, replace) => {
    const target = new URL(href, location.href);
    if (target.pathname !== location.pathname) {
      location.assign(target);
      return;
    }
    history[replace ? "replaceState" : "pushState"](null, "", target);
    tellAirflow();
    loadAll(true);
  };

  const formAddress = (form) => {
    const target = new URL(form.getAttribute("action") || location.pathname, location.href);
    const parameters = new URLSearchParams();
    for (const [name, value] of new FormData(form))
      if (typeof value === "string" && value !== "") parameters.append(name, value);
    // How tables are sorted is no field of the form, and stays; which of their pages is shown does not
    const now = new URLSearchParams(location.search);
    for (const name of (form.dataset.keep || "").split(" "))
      if (now.get(name)) parameters.set(name, now.get(name));
    target.search = parameters.toString();
    return target;
  };

  // Links out of the frame: its sandbox does not let it move Airflow's window, Airflow's own document may
  const leave = (link) => {
    const outer = window.parent.document;
    const copy = outer.createElement("a");
    copy.href = link.href;
    outer.body.append(copy);
    copy.click();
    copy.remove();
  };

  const plain = (event) =>
    !event.defaultPrevented && event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const again = target.closest("[data-retry]");
    if (again) {
      const box = again.closest("[data-fragment]");
      if (box) load(box, true);
      else location.reload();
      return;
    }
    const pause = target.closest("[data-pause]");
    if (pause) {
      setPaused(!paused);
      return;
    }
    const link = target.closest("a[href]");
    if (!link || !plain(event)) return;
    if ("live" in link.dataset) {
      event.preventDefault();
      go(link.href, false);
    } else if ("airflow" in link.dataset && window.parent !== window) {
      try {
        leave(link);
        event.preventDefault();
      } catch {
        // framed by another origin: the browser decides
      }
    }
  });

  let typing = 0;
  const changed = (event, wait) => {
    const form = event.target instanceof Element ? event.target.closest("form[data-live]") : null;
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => go(formAddress(form), wait > 0), wait);
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches('input[type="search"], input[type="text"]')) changed(event, TYPING_MS);
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches('input[type="search"], input[type="text"]')) changed(event, 0);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-live]")) return;
    event.preventDefault();
    clearTimeout(typing);
    go(formAddress(event.target), false);
  });
  document.addEventListener("reset", (event) => {
    if (!event.target.matches("form[data-live]")) return;
    event.preventDefault();
    for (const field of event.target.elements)
      if (field.type !== "hidden" && "value" in field && field.tagName !== "BUTTON") field.value = "";
    clearTimeout(typing);
    go(formAddress(event.target), false);
  });
  window.addEventListener("popstate", () => {
    const parameters = new URLSearchParams(location.search);
    for (const form of document.querySelectorAll("form[data-live]"))
      for (const field of form.elements)
        if (field.name && field.type !== "hidden" && !field.multiple) field.value = parameters.get(field.name) || "";
    tellAirflow();
    loadAll(true);
  });

  // ---- pausing what refreshes itself -------------------------------------------------------------------------

  const showPause = () => {
    const any = [...fragments.values()].some((state) => state.next);
    for (const button of document.querySelectorAll("[data-pause]")) {
      button.hidden = !any && !paused;
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "Resume updates" : "Pause updates";
    }
  };

  const setPaused = (value) => {
    paused = value;
    showPause();
    say(paused ? "Updates are paused" : "Updates go on");
    for (const box of fragments.keys()) schedule(box);
  };

  document.addEventListener("visibilitychange", () => {
    for (const box of fragments.keys()) schedule(box);
  });

  // ---- tables that sort in the browser -------------------------------------------------------------------------

  const ARROW =
    '<svg class="arrow" viewBox="0 0 8 10" aria-hidden="true"><path class="up" d="M4 0 8 4H0Z"/><path class="down" d="M4 10 0 6h8Z"/></svg>';

  const value = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = cell ? (cell.dataset.value ?? cell.textContent.trim()) : "";
    if (!numeric) return text === "–" ? "" : text;
    const parsed = Number(text.replace(/[^0-9.eE+-]/g, ""));
    return text === "" || text === "–" || Number.isNaN(parsed) ? null : parsed;
  };

  const compare = (a, b, numeric) => {
    if (numeric) return a - b;
    return a.localeCompare(b, undefined, { numeric: true, sensitivity: "base" });
  };

  const sortTable = (table, column, descending) => {
    const heads = [...table.tHead.rows[0].cells];
    const numeric = heads[column].dataset.sort === "number";
    heads.forEach((head, index) => {
      if (!("sort" in head.dataset)) return;
      head.setAttribute("aria-sort", index === column ? (descending ? "descending" : "ascending") : "none");
    });
    for (const body of table.tBodies) {
      const rows = [...body.rows].map((row, index) => ({ row, index, value: value(row, column, numeric) }));
      const missing = (each) => each.value === null || each.value === "";
      rows.sort((a, b) => {
        if (missing(a) || missing(b)) return missing(a) - missing(b) || a.index - b.index; // without a value: last
        return (descending ? -1 : 1) * compare(a.value, b.value, numeric) || a.index - b.index;
      });
      body.append(...rows.map((each) => each.row));
    }
  };

  const sortable = (table, orders) => {
    if (!table.tHead || table.dataset.ready) return;
    table.dataset.ready = "yes";
    const name = table.id || "table";
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!("sort" in head.dataset)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.id = `${name}-sort-${column}`;
      button.append(...head.childNodes);
      button.insertAdjacentHTML("beforeend", ARROW);
      head.append(button);
      if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const descending = now === "none" ? head.dataset.sort === "number" : now === "ascending";
        sortTable(table, column, descending);
        if (orders) orders.set(name, [column, descending]);
        say(`Sorted by ${button.textContent.trim()}, ${descending ? "descending" : "ascending"}`);
      });
    });
    const known = orders && orders.get(name);
    if (known) sortTable(table, ...known);
  };

  // ---- start -------------------------------------------------------------------------------------------------

  const prepare = (root) => {
    const box = root.closest && root.closest("[data-fragment]");
    const orders = box && fragments.has(box) ? fragments.get(box).orders : null;
    for (const table of root.querySelectorAll("table[data-sortable]")) sortable(table, orders);
    // Only what overflows needs to be reached by keyboard
    for (const scroll of root.querySelectorAll(".scroll"))
      if (scroll.scrollWidth > scroll.clientWidth) scroll.tabIndex = 0;
    for (const text of root.querySelectorAll(".value-text"))
      if (text.scrollHeight > text.clientHeight) text.tabIndex = 0;
    for (const image of root.querySelectorAll("img[data-fallback]"))
      image.addEventListener("error", () => image.closest("figure").classList.add("missing"), { once: true });
    document.dispatchEvent(new CustomEvent("groundswell:shown", { detail: { root } }));
  };

  for (const box of document.querySelectorAll("[data-fragment]")) {
    fragments.set(box, { timer: 0, abort: null, since: null, next: null, failed: false, orders: new Map() });
    if (!box.hasAttribute("tabindex")) box.tabIndex = -1;
  }
  prepare(document);
  loadAll(false);
  window.groundswell = { go, load: (box) => load(box, true), say };
})();
