"use strict";
// Sorting, filtering, the choice of a layer, hover texts, copying, and light or dark. Without it the page is whole, and still.
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));

  // Light or dark -------------------------------------------------------------------------------------
  const root = document.documentElement;
  const kept = "tracrcheck-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.querySelector("button.theme");
  const stored = () => { try { return localStorage.getItem(kept); } catch { return null; } };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => {
    toggle.textContent = isDark() ? "Light" : "Dark";
    toggle.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
    toggle.setAttribute("aria-pressed", String(isDark()));
  };
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem(kept, root.dataset.theme); } catch { /* a page that may keep nothing */ }
    tell();
  });
  system.addEventListener("change", tell);
  tell();

  // Tables --------------------------------------------------------------------------------------------
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.by ?? cell.textContent.trim();
  };
  const number = (text) => {
    const found = Number.parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(found) ? null : found;
  };
  const words = new Intl.Collator("en", { numeric: true });

  const sorted = (rows, column, asNumber, down) => {
    const keyed = rows.map((row) => [asNumber ? number(value(row, column)) : value(row, column), row]);
    const compare = (a, b) => {
      if (a === b) return 0;
      if (a === null || a === "") return 1; // what is not there comes last, whichever way
      if (b === null || b === "") return -1;
      return (asNumber ? a - b : words.compare(a, b)) * (down ? -1 : 1);
    };
    return keyed.sort((a, b) => compare(a[0], b[0])).map((pair) => pair[1]);
  };

  for (const data of all(".data")) {
    const table = data.querySelector("table");
    const body = table.tBodies[0];
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...sorted(Array.from(body.rows), column, head.classList.contains("number"), down));
      });
    });

    const controls = data.querySelector(".controls");
    if (!controls) continue;
    controls.hidden = false;
    const search = controls.querySelector("input");
    const choices = all("select", controls);
    const shown = controls.querySelector(".shown");
    const total = body.rows.length;
    const filter = () => {
      const wanted = search.value.trim().toLowerCase();
      let left = 0;
      for (const row of body.rows) {
        const fits =
          choices.every((choice) => !choice.value || value(row, Number(choice.dataset.column)) === choice.value) &&
          (!wanted || row.textContent.toLowerCase().includes(wanted));
        row.hidden = !fits;
        left += fits ? 1 : 0;
      }
      shown.textContent = left === total ? `${total.toLocaleString("en")} rows`
        : `${left.toLocaleString("en")} of ${total.toLocaleString("en")} rows`;
    };
    search.addEventListener("input", filter);
    choices.forEach((choice) => choice.addEventListener("change", filter));
    filter(); // a browser may have kept what was typed before the page was loaded again
  }

  // Circuits ------------------------------------------------------------------------------------------
  const LETTERS = "opfrxm"; // what is drawn first lies below
  for (const figure of all("figure.circuit")) {
    const svg = figure.querySelector("svg");
    if (!svg) continue;
    const paths = all("path[data-e]", svg);
    const rows = all(".edges tbody tr", figure);
    const names = all(".edges thead th", figure).map((head) => head.textContent);
    const hint = figure.querySelector(".hint");
    hint.hidden = false;
    const fit = figure.querySelector("button.fit");
    fit.addEventListener("click", () => {
      const narrow = figure.classList.toggle("fit-width");
      figure.dataset.chosen = "yes"; // by the reader, and not changed any more
      fit.setAttribute("aria-pressed", String(narrow));
      wide();
    });

    const told = (path) => {
      const cells = Array.from(rows[Number(path.dataset.e)].cells);
      return cells.map((cell, column) => (column ? `${names[column]}: ` : "") + cell.textContent.trim());
    };
    const choose = (path) => {
      const row = rows[Number(path.dataset.e)];
      all(".chosen", figure).forEach((other) => other.classList.remove("chosen"));
      path.classList.add("chosen");
      row.classList.add("chosen");
      hint.textContent = told(path).join(" · ");
    };
    for (const path of paths) {
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = told(path).join("\n");
      path.append(title);
      path.addEventListener("click", () => choose(path));
      path.addEventListener("pointerenter", () => choose(path));
    }
    rows.forEach((row, place) => {
      row.addEventListener("pointerenter", () => choose(paths.find((path) => Number(path.dataset.e) === place)));
    });

    const buttons = all(".layers input", figure);
    const layer = () => {
      const now = Math.max(0, buttons.findIndex((button) => button.checked));
      const letters = (path) => (path.dataset.k ?? path.getAttribute("class"))[now] ?? "o";
      for (const path of paths) if (path.dataset.k) path.setAttribute("class", letters(path));
      const first = svg.querySelector("g");
      const order = paths.map((path) => [LETTERS.indexOf(path.getAttribute("class")[0]), path]);
      for (const [, path] of order.sort((a, b) => a[0] - b[0])) svg.insertBefore(path, first);
    };
    buttons.forEach((button) => button.addEventListener("change", layer));
    if (buttons.length > 1) layer();
  }

  // What is wider than its place: a circuit that stays legible is made to fit; for the rest a line says that there is more. ---
  const LEGIBLE = 0.7; // of a drawing's own size
  const wide = () => {
    for (const figure of all("figure.circuit")) {
      const svg = figure.querySelector("svg");
      const room = svg && svg.parentElement.clientWidth;
      if (!room) continue;
      const part = room / Number(svg.getAttribute("width"));
      figure.querySelector("button.fit").hidden = part >= 1;
      if (figure.dataset.chosen) continue;
      figure.classList.toggle("fit-width", part < 1 && part >= LEGIBLE);
      figure.querySelector("button.fit").setAttribute("aria-pressed", String(part < 1 && part >= LEGIBLE));
    }
    for (const place of all(".scroll")) {
      const left = place.scrollWidth - place.clientWidth - place.scrollLeft;
      place.classList.toggle("wider", place.scrollWidth > place.clientWidth + 1 && left > 1);
    }
  };
  all(".scroll").forEach((place) => place.addEventListener("scroll", wide, { passive: true }));
  all("details").forEach((one) => one.addEventListener("toggle", wide));
  window.addEventListener("resize", wide);
  wide();

  // Commands ------------------------------------------------------------------------------------------
  if (navigator.clipboard) {
    for (const line of all(".command")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(line.querySelector("code").textContent);
          button.textContent = "Copied";
        } catch {
          button.textContent = "Not allowed";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
      line.append(button);
    }
  }

  // A link into what is folded opens it. ----------------------------------------------------------------
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    all("details", target.parentElement).filter((one) => one === target).forEach((one) => { one.open = true; });
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    for (let up = target.parentElement; up; up = up.parentElement) if (up.matches("details")) up.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", open);
  all('a[href^="#"]').forEach((link) => link.addEventListener("click", () => setTimeout(open)));
  open();
})();
