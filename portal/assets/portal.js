// Postern's portal: what makes the pages quicker and livelier. Every page can be read and every form sent without it.
(() => {
  "use strict";

  const root = document.documentElement;
  root.classList.add("js");

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (text) => {
    const region = document.getElementById("announcer");
    if (region) region.textContent = text;
  };

  // --- The browser's time zone, once, for the server: it writes all times.

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && root.dataset.zoneChosen === "no" && root.dataset.zone !== zone) {
    document.cookie = `__Host-zone=${encodeURIComponent(zone)}; Path=/; Secure; SameSite=Lax; Max-Age=31536000`;
  }

  // --- Charts: drawn from the table below them.

  const plots = new Map();

  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  const readTable = (table) => {
    const rows = all("tbody tr", table);
    const columns = all("thead th", table).length;
    const data = [];
    for (let column = 0; column < columns; column += 1) {
      data.push(rows.map((row) => {
        const value = row.children[column].dataset.value;
        return value === undefined || value === "" ? null : Number(value);
      }));
    }
    return data;
  };

  const width = (box) => Math.max(box.clientWidth, 200);

  const makePlot = (box, table) => {
    const titles = all("thead th", table);
    const text = color("--bs-secondary-color");
    const grid = { stroke: color("--chart-grid"), width: 1 };
    const axis = { stroke: text, grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const series = titles.slice(1).map((title) => ({
      label: title.textContent.trim(),
      stroke: color(title.dataset.color || "--chart-1"),
      width: 2,
      points: { show: false },
      dash: title.dataset.dash ? title.dataset.dash.split(" ").map(Number) : undefined,
    }));
    const zoneName = root.dataset.zone || "UTC";
    const data = readTable(table);
    const span = data[0].length > 1 ? data[0][data[0].length - 1] - data[0][0] : 0;
    const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zoneName, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat("en-GB", { timeZone: zoneName, day: "numeric", month: "short" });
    const tick = (seconds) => (span > 172800 ? day : clock).format(new Date(seconds * 1000));
    const moment = (seconds) => (seconds === null || seconds === undefined ? "–"
      : `${day.format(new Date(seconds * 1000))} ${clock.format(new Date(seconds * 1000))}`);
    return new uPlot({
      width: width(box),
      height: 260,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zoneName),
      scales: { y: { range: (plot, low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [{ ...axis, values: (plot, ticks) => ticks.map(tick) }, { ...axis, size: 64 }],
      series: [{ label: titles[0].textContent.trim(), value: (plot, seconds) => moment(seconds) }, ...series],
      cursor: { drag: { x: false, y: false } },
    }, data, box);
  };

  const drawCharts = () => {
    for (const box of all("[data-chart]")) {
      const table = document.getElementById(box.dataset.chart);
      if (!table || typeof uPlot === "undefined") continue;
      const known = plots.get(box);
      if (known) {
        known.setData(readTable(table));
      } else {
        plots.set(box, makePlot(box, table));
        sizes.observe(box);
      }
    }
    for (const [box, plot] of plots) {
      if (box.isConnected) continue;
      plot.destroy();
      sizes.unobserve(box);
      plots.delete(box);
    }
  };

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = plots.get(target);
      if (plot && plot.width !== width(target)) plot.setSize({ width: width(target), height: 260 });
    }
  });

  const redrawCharts = () => {
    for (const [, plot] of plots) plot.destroy();
    plots.clear();
    drawCharts();
  };

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);

  // --- Live pages: the server says that something changed, and the page fetches the part that shows it.

  const live = document.querySelector("[data-live]");
  const PAUSED = "postern.paused";
  const POLL_MS = 30000;
  let source = null;
  let poll = 0;

  const paused = () => window.sessionStorage.getItem(PAUSED) === "yes";

  const refresh = () => {
    if (document.hidden || paused()) return;
    document.body.dispatchEvent(new CustomEvent("postern:changed"));
  };

  const showLive = () => {
    if (!live) return;
    const button = live.querySelector("[data-live-pause]");
    const words = live.querySelector("[data-live-state]");
    const dot = live.querySelector(".live-dot");
    const on = source !== null && source.readyState === EventSource.OPEN;
    if (button) {
      button.setAttribute("aria-pressed", String(paused()));
      button.querySelector("[data-live-word]").textContent = paused() ? "Resume" : "Pause";
    }
    if (words) words.textContent = paused() ? "Paused" : on ? "Live" : poll ? "Every 30 s" : "Connecting";
    if (dot) dot.classList.toggle("on", on && !paused());
  };

  const stopLive = () => {
    if (source) source.close();
    source = null;
    window.clearInterval(poll);
    poll = 0;
  };

  const startLive = () => {
    stopLive();
    if (!live || paused() || document.hidden) return showLive();
    source = new EventSource(live.dataset.live);
    source.addEventListener("open", showLive);
    source.addEventListener("changed", refresh);
    // A newer page of this session has taken its place.
    source.addEventListener("replaced", () => {
      stopLive();
      poll = window.setInterval(refresh, POLL_MS);
      showLive();
    });
    source.addEventListener("error", () => {
      // The browser connects again by itself, unless the server refused.
      if (source && source.readyState === EventSource.CLOSED && !poll) poll = window.setInterval(refresh, POLL_MS);
      showLive();
    });
    return showLive();
  };

  if (live) {
    document.addEventListener("visibilitychange", () => (document.hidden ? stopLive() : (refresh(), startLive())));
    window.addEventListener("pagehide", stopLive);
    window.addEventListener("pageshow", (event) => { if (event.persisted) startLive(); });
    const button = live.querySelector("[data-live-pause]");
    if (button) {
      button.addEventListener("click", () => {
        window.sessionStorage.setItem(PAUSED, paused() ? "no" : "yes");
        startLive();
        if (!paused()) refresh();
        say(paused() ? "Live updates are paused" : "Live updates go on");
      });
    }
    startLive();
  }

  // --- Copying.

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.textContent.trim());
      say("Copied");
      button.classList.add("copied");
      window.setTimeout(() => button.classList.remove("copied"), 1500);
    } catch {
      window.getSelection().selectAllChildren(from);
      say("Selected. Copy it with the keyboard.");
    }
  });

  // A file's text instead of pasting it.
  document.addEventListener("change", async (event) => {
    const input = event.target.closest("[data-into]");
    if (!input || !input.files.length) return;
    document.getElementById(input.dataset.into).value = (await input.files[0].text()).slice(0, 20000);
  });

  // --- The keyboard. Single keys can be switched off (WCAG 2.1.4).

  const KEYS_OFF = "postern.keys";
  const dialog = document.getElementById("keys");
  const keysOn = () => window.localStorage.getItem(KEYS_OFF) !== "off";
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
  const GO = { m: "/messages", d: "/dashboard", p: "/profile", c: "/clients", u: "/users", q: "/queue", a: "/audit" };
  let leader = 0;

  const go = (path) => {
    const link = document.querySelector(`.side a[href="${path}"]`);
    if (link) window.location.assign(link.href);
  };

  const moveRow = (step) => {
    const links = all("main table.list tbody a.row-link");
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = Math.min(Math.max(at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step, 0), links.length - 1);
    links[next].focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !keysOn()) return;
    if (dialog && dialog.open) return;
    if (leader && performance.now() - leader < 1500 && GO[event.key]) {
      leader = 0;
      event.preventDefault();
      go(GO[event.key]);
      return;
    }
    leader = 0;
    if (event.key === "g") leader = performance.now();
    if (event.key === "j") moveRow(1);
    if (event.key === "k") moveRow(-1);
    if (event.key === "?" && dialog) dialog.showModal();
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (!search) return;
      event.preventDefault();
      const box = search.closest("details");
      if (box) box.open = true;
      search.focus();
    }
  });

  if (dialog) {
    const box = dialog.querySelector("input[type=checkbox]");
    box.checked = keysOn();
    box.addEventListener("change", () => window.localStorage.setItem(KEYS_OFF, box.checked ? "on" : "off"));
    for (const opener of all("[data-open-keys]")) opener.addEventListener("click", () => dialog.showModal());
  }

  // --- A server that was away: looks again, and goes on when it is back.

  const retry = document.querySelector("[data-retry]");
  if (retry) {
    window.setInterval(async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(retry.href, { method: "HEAD", redirect: "manual" });
        if (answer.status !== 503) window.location.assign(retry.href);
      } catch {
        // The portal itself is away, too.
      }
    }, Number(retry.dataset.retry) * 1000);
  }

  // --- Parts that htmx has replaced.

  // Whoever is at a row stays there when the list comes anew.
  let row = "";

  document.body.addEventListener("htmx:afterSwap", () => {
    drawCharts();
    const link = row && all("main table.list tbody a.row-link").find((each) => each.getAttribute("href") === row);
    if (link && document.activeElement === document.body) link.focus({ preventScroll: true });
    row = "";
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const atRow = event.detail.target.contains(document.activeElement) && document.activeElement.matches("a.row-link");
    row = atRow ? document.activeElement.getAttribute("href") : "";
    // A login page in place of a table would be odd: the whole page goes there.
    const at = new URL(event.detail.xhr.responseURL || window.location.href);
    if (at.pathname === "/login") {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });
  drawCharts();
})();
