"use strict";
(() => {
  const root = document.documentElement;
  const specs = JSON.parse(document.getElementById("figures").textContent);
  const wide = () => window.innerWidth > 600;

  // ---- theme: the reader's choice, else the system's
  const memory = {
    get() { try { return localStorage.getItem("triptych-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("triptych-theme", value); } catch { /* private window */ } },
  };
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  if (!root.dataset.theme && memory.get()) root.dataset.theme = memory.get();

  // ---- "@profit/30" -> the colour of the theme in use, 30 % opaque
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  let colours = {};
  const colour = (token) => {
    if (!(token in colours)) {
      const [name, opacity] = token.slice(1).split("/");
      probe.style.color = `var(--${name})`;
      const rgb = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(", ");
      colours[token] = `rgba(${rgb}, ${opacity ? Number(opacity) / 100 : 1})`;
    }
    return colours[token];
  };
  const painted = (value) => {
    if (typeof value === "string") return /^@[a-z]+(\/\d+)?$/.test(value) ? colour(value) : value;
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(painted);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, painted(inner)]));
    }
    return value;
  };

  // ---- plots
  const layoutOf = (spec) => {
    const axis = {
      gridcolor: "@line", linecolor: "@line", zerolinecolor: "@line", tickcolor: "@line", automargin: true,
      zeroline: false, tickfont: { size: 11, color: "@muted" },
    };
    const layout = {
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "@ink" },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      margin: wide() ? { l: 56, r: 20, t: 34, b: 44 } : { l: 40, r: 8, t: 34, b: 40 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
      hoverlabel: { bgcolor: "@panel", bordercolor: "@line", font: { color: "@ink", size: 12 } },
      dragmode: wide() ? "zoom" : false, showlegend: spec.data.length > 1,
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "@muted", activecolor: "@ink" },
      ...spec.layout,
    };
    for (const key of new Set([...Object.keys(layout), "xaxis", "yaxis"])) {
      if (!/^[xy]axis\d*$/.test(key)) continue;
      layout[key] = { ...axis, ...layout[key] };
      if (layout[key].title) {
        layout[key].title = { standoff: 10, font: { size: 11, color: "@muted" }, ...layout[key].title };
        if (!wide() && key.startsWith("y")) delete layout[key].title;
      }
      if (layout[key].rangeslider) layout[key].rangeslider = { bgcolor: "@raised", bordercolor: "@line", borderwidth: 1, ...layout[key].rangeslider };
    }
    return painted(layout);
  };
  const settings = {
    responsive: true, displaylogo: false, displayModeBar: wide() ? "hover" : false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };

  // the price axis follows the candles in view
  const fitted = (spec, range) => {
    const candles = spec.data.find((trace) => trace.type === "candlestick");
    if (!candles) return null;
    let low = Infinity, high = -Infinity;
    const from = range ? String(range[0]).replace("T", " ") : "", to = range ? String(range[1]).replace("T", " ") : "9999";
    candles.x.forEach((time, i) => {
      if (time < from || time > to) return;
      low = Math.min(low, candles.low[i]);
      high = Math.max(high, candles.high[i]);
    });
    if (!(high >= low)) return null;
    const room = (high - low || high) * 0.06;
    return [low - room, high + room];
  };
  const drawn = new Set();
  const draw = (id) => {
    const element = document.getElementById(id), spec = specs[id];
    const layout = layoutOf(spec);
    if (spec.fit) {
      if (drawn.has(id)) {
        layout.xaxis.range = element.layout.xaxis.range.slice();
        layout.xaxis.autorange = false;
      }
      const range = fitted(spec, layout.xaxis.range);
      if (range) layout.yaxis = { ...layout.yaxis, range, autorange: false };
    }
    Plotly.react(element, painted(spec.data), layout, settings);
    if (!drawn.has(id) && spec.fit) {
      element.on("plotly_relayout", (change) => {
        if (!Object.keys(change).some((key) => key.startsWith("xaxis"))) return;
        const range = fitted(spec, change["xaxis.autorange"] ? null : element.layout.xaxis.range);
        if (range) Plotly.relayout(element, { "yaxis.range": range, "yaxis.autorange": false });
      });
    }
    drawn.add(id);
  };
  // a plot is drawn when it comes near the screen: a phone should not draw twenty at once
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target.id)) draw(entry.target.id);
    }
  }, { rootMargin: "600px" });
  Object.keys(specs).forEach((id) => near.observe(document.getElementById(id)));
  const redraw = () => { colours = {}; drawn.forEach(draw); };

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    memory.set(root.dataset.theme);
    redraw();
  });
  system.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => Object.keys(specs).forEach((id) => drawn.has(id) || draw(id)));

  // ---- several figures in one place
  document.querySelectorAll(".tabs").forEach((tabs) => tabs.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-shows]");
    if (!chosen) return;
    tabs.querySelectorAll("[data-shows]").forEach((tab) => tab.setAttribute("aria-selected", String(tab === chosen)));
    tabs.parentElement.querySelectorAll("[data-figure]").forEach((figure) => {
      figure.hidden = figure.dataset.figure !== chosen.dataset.shows;
    });
    if (drawn.has(chosen.dataset.shows)) Plotly.Plots.resize(chosen.dataset.shows); else draw(chosen.dataset.shows);
  }));
})();
