// The viewer: signals of a window with relevance behind them, the head at the cursor, and tables of what is
// marked. Drawn by uPlot; data.js reads the numbers, pictures.js draws the rest.
"use strict";

const KEYS = [["←", "→", "cursor in time"], ["↑", "↓", "electrode"], ["Shift+←", "Shift+→", "mark"],
  ["+", "\u2212", "zoom"], ["PgUp", "PgDn", "window before, next"], ["Enter", "zoom to the mark"], ["Esc", "all of the window"]];
const EACH = 15; // pixels of an electrode's row, where there is room

/** An element with attributes and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const options = (entries) => entries.map(([value, text]) => make("option", { value }, text));

class Viewer {
  /**
   * @param {HTMLElement} root Filled with the viewer.
   * @param {Shown} page See data.js.
   */
  constructor(root, page) {
    this.page = page;
    this.rows = page.channels.length;
    this.seconds = page.samples / page.sfreq;
    this.sums = page.sums;
    this.k = 0; // which of the page's windows
    this.which = "all";
    this.taller = 1;
    this.zoom = [page.tmin, page.tmin + this.seconds];
    this.mark = null; // bins, from and up to
    this.cursor = { time: page.tmin + this.seconds / 2, row: 0 };
    this.build(root);
    const wrong = page.windows.findIndex((w) => w.verdict === "wrong");
    this.pick(wrong >= 0 ? "wrong" : "all");
    new ResizeObserver(() => this.resized()).observe(this.plotBox);
  }

  /** What there is to press, look at and read. */
  build(root) {
    const { windows, parts, bands } = this.page;
    const count = (is) => windows.filter(is).length;
    const groups = [["all", `all (${windows.length})`]];
    for (const verdict of ["wrong", "right"]) {
      const n = count((w) => w.verdict === verdict);
      if (n) groups.push([verdict, `${verdict} (${n})`]);
    }
    if (this.page.classes.length)
      for (const said of new Set(windows.map((w) => w.said).filter(Boolean)))
        groups.push([`said ${said}`, `the model says ${said} (${count((w) => w.said === said)})`]);
    this.group = make("select", { "aria-label": "Which windows", onchange: () => this.pick(this.group.value) },
      ...options(groups));
    this.list = make("select", { "aria-label": "Window", onchange: () => this.show(Number(this.list.value)) });
    const button = (text, label, action) =>
      make("button", { type: "button", "aria-label": /[a-z]/.test(text) ? null : label, title: label, onclick: action }, text);
    this.before = button("◀", "Window before", () => this.step(-1));
    this.next = button("▶", "Next window", () => this.step(1));
    this.row = make("canvas", { role: "img", "aria-label": "All windows in a row: bars as long as what was " +
      "explained, right ones up, wrong ones down" });
    this.row.addEventListener("click", (event) => {
      const place = (event.offsetX / this.row.clientWidth) * windows.length;
      this.show(Math.max(0, Math.min(windows.length - 1, Math.floor(place))));
    });
    this.head = make("p", { class: "ox-head" });
    const layers = parts.length ? [["all", "as the model saw them"], ["without", "without artefact parts"],
      ["parts", "artefact parts alone"]] : [];
    this.layersBox = make("fieldset", { hidden: !layers.length }, make("legend", {}, "Signals"),
      ...layers.map(([value, text]) => make("label", {},
        make("input", { type: "radio", name: "ox-layer", value, checked: value === "all",
          onchange: () => this.layered(value) }), ` ${text}`)));
    this.plotBox = make("div", { class: "ox-signals", tabindex: 0, role: "group", "aria-describedby": "ox-keys",
      "aria-label": "Signals with relevance behind them; arrow keys move the cursor" });
    this.plotBox.addEventListener("keydown", (event) => this.pressed(event));
    this.scroll = make("input", { type: "range", class: "ox-scroll", min: 0, max: 1000, "aria-label": "Scroll in time",
      oninput: () => this.moveTo(this.page.tmin + (this.scroll.value / 1000) * (this.seconds - this.span())), hidden: true });
    this.limits = make("p", { class: "ox-limits" });
    this.said = make("p", { class: "ox-said", "aria-live": "polite" });
    this.map = make("canvas", { role: "img", "aria-label": "Relevance on the head at the cursor" });
    this.of = make("select", { "aria-label": "The head map shows", onchange: () => this.read() },
      ...options([["cursor", "head at the cursor"], ["mark", "head, marked or whole"]]));
    this.headMap = new HeadMap(this.map, this.page);
    this.bands = make("table", { class: "ox-bands", hidden: !bands.length });
    this.most = make("table", { class: "ox-most" });
    const about = make("details", {}, make("summary", {}, "How to use it"),
      make("p", { id: "ox-keys" }, "Drag to mark a segment. Zoom with the buttons, Ctrl and the wheel, or two fingers; " +
        "move with Shift and the wheel, Shift and drag, or two fingers. Keys, when the signals have the focus: ",
        ...KEYS.flatMap((each) => [...each.slice(0, -1).flatMap((key) => [make("kbd", {}, key), " "]), `${each.at(-1)}; `])),
      ...parts.map((how) => make("p", {}, how)));
    root.replaceChildren(
      make("div", { class: "ox-bar" }, this.group, this.before, this.list, this.next),
      make("div", { class: "ox-row" }, this.row), this.head,
      make("div", { class: "ox-bar" }, this.layersBox),
      make("div", { class: "ox-both" },
        make("div", { class: "ox-plot" },
          make("div", { class: "ox-bar" },
            button("+", "Zoom in", () => this.zoomBy(0.5)), button("\u2212", "Zoom out", () => this.zoomBy(2)),
            button("all", "All of the window", () => this.whole()), button("to mark", "Zoom to the marked segment", () => this.toMark()),
            button("unmark", "Nothing marked", () => this.marked(null)),
            button("↕+", "Signals taller", () => this.sized(1.5)), button("↕\u2212", "Signals flatter", () => this.sized(1 / 1.5))),
          this.plotBox, this.scroll, this.limits),
        make("div", { class: "ox-side" }, this.said,
          make("div", { hidden: !this.page.head }, this.of, this.map), this.bands, this.most)),
      about, ...this.page.said.map((text) => make("p", {}, text)));
  }

  inGroup(w) {
    const group = this.group.value;
    return group === "all" || w.verdict === group || `said ${w.said}` === group;
  }

  /** The windows of a group; the first of them is shown. */
  pick(group) {
    this.group.value = group;
    const picked = this.page.windows.map((w, k) => [w, k]).filter(([w]) => this.inGroup(w));
    this.list.replaceChildren(...options(picked.map(([w, k]) =>
      [k, [`${w.number}: ${w.onset.toFixed(2)} s`, w.label, w.said && `says ${w.said}`, w.verdict].filter(Boolean).join(", ")])));
    this.shown = new Set(picked.map(([, k]) => k));
    return this.show(picked[0][1]);
  }

  step(by) {
    const order = [...this.shown], at = order.indexOf(this.k);
    const next = order[at < 0 ? 0 : at + by];
    return next === undefined ? undefined : this.show(next);
  }

  /** @param {number} k Which of the page's windows to show. */
  async show(k) {
    if (!this.shown.has(k)) {
      this.k = k;
      return this.pick("all").then(() => this.show(k));
    }
    this.k = k;
    this.list.value = String(k);
    const numbers = await this.page.numbersOf(k);
    if (this.k !== k) return; // another one was picked meanwhile
    this.numbers = numbers;
    this.own = this.page.windows[k];
    this.mark = null;
    this.limit = quantile(numbers.relevance, 0.995) || 1;
    this.layersBox.disabled = !this.own.parts;
    this.layer = layer(numbers, this.which);
    const order = [...this.shown], at = order.indexOf(k);
    [this.before.disabled, this.next.disabled] = [at <= 0, at >= order.length - 1];
    drawRow(this.row, this.page.windows, this.shown, k);
    const { own, page } = this;
    const target = own.target ? ` for ${own.target}` : "";
    this.head.textContent = `Window ${own.number} at ${own.onset.toFixed(2)} s` +
      (own.label ? `, labelled ${own.label}` : "") + (own.said ? `; the model says ${own.said}` : "") +
      (own.verdict ? ` (${own.verdict})` : "") + `. Explained: ${digits(own.explained)} ${page.unit}${target}.` +
      (own.samples > 1 ? ` Drawn at ${digits(page.sfreq / own.samples)} of ${digits(page.sfreq)} points a second.` : "");
    this.drawn();
  }

  layered(which) {
    this.which = which;
    this.layer = layer(this.numbers, which);
    this.drawn();
  }

  sized(by) {
    this.taller *= by;
    this.drawn();
  }

  /** Signals as rows of the plot, and the picture of relevance behind them. */
  drawn() {
    const { page, numbers, rows, own } = this;
    const { points, bins } = numbers;
    const whole = page.order.map((r) => {
      const trace = this.numbers.signal.subarray(r * points, (r + 1) * points);
      return Float64Array.from(trace).sort()[points >> 1];
    });
    const all = page.order.flatMap((r, at) => Array.from(this.numbers.signal.subarray(r * points, (r + 1) * points), (v) => v - whole[at]));
    this.unit = rounded(2 * quantile(all, 0.99) || 1) / this.taller;
    const times = Float64Array.from({ length: points }, (_, p) =>
      page.tmin + (Math.min(page.samples, (p + 1) * own.samples) + p * own.samples) / 2 / page.sfreq);
    const middle = this.which === "parts" && own.parts ? whole.map(() => 0) : whole;
    const traces = page.order.map((r, at) => Array.from(this.layer.signal.subarray(r * points, (r + 1) * points),
      (v) => at - Math.max(-2.5, Math.min(2.5, (v - middle[at]) / this.unit))));
    this.behind = sheet(bins, rows, (x, y) => this.layer.relevance[page.order[y] * bins + x] / this.limit);
    this.limits.textContent = `Height of a row: ${digits(this.unit)} µV. Colours: relevance in ${digits(1000 * own.bin / page.sfreq)} ms, ` +
      `red for and blue against, full at ${digits(this.limit)} ${page.unit}.`;
    if (!this.plot) this.plot = new uPlot(this.plotOptions(), [times, ...traces], this.plotBox);
    else this.plot.setData([times, ...traces], false);
    if (!this.watched) this.watch();
    this.zoomed(...this.zoom);
  }

  size() {
    const width = Math.max(240, this.plotBox.clientWidth);
    return { width, height: Math.round(Math.max(260, Math.min(EACH * this.rows, 680))) + 46 };
  }

  resized() {
    if (!this.plot || this.plotBox.clientWidth === this.plot.width) return;
    this.plot.setSize(this.size());
    drawRow(this.row, this.page.windows, this.shown, this.k);
    this.read();
  }

  plotOptions() {
    const { rows, page } = this, names = page.order.map((r) => page.channels[r].name);
    const every = Math.ceil(10 / ((this.size().height - 46) / rows));
    const font = `${Math.min(11, Math.max(8, ((this.size().height - 46) / rows) * every - 2))}px system-ui, sans-serif`;
    return {
      ...this.size(), legend: { show: false },
      scales: { x: { time: false, range: (_, a, b) => [a, b] }, y: { dir: -1, range: () => [-0.8, rows - 0.2] } },
      axes: [
        { label: page.tmin ? "time from the event (s)" : "time in the window (s)", labelSize: 18, size: 26, grid: { show: false } },
        { size: 48, gap: 2, font, ticks: { show: false }, grid: { show: false },
          splits: () => names.map((_, i) => i).filter((i) => i % every === 0), values: (_, at) => at.map((i) => names[i]) },
      ],
      series: [{}, ...names.map((label) => ({ label, stroke: "rgb(20 20 20 / 0.85)", width: 0.8, points: { show: false } }))],
      cursor: { drag: { x: false, y: false, setScale: false }, points: { show: false }, focus: { prox: -1 } },
      hooks: { drawClear: [(u) => this.drawBehind(u)], draw: [(u) => this.drawMark(u)], setCursor: [(u) => this.moved(u)] },
    };
  }

  /** Relevance, before axes and signals are drawn over it. */
  drawBehind(u) {
    const { left, top, width, height } = u.bbox, pen = u.ctx, { bins } = this.numbers;
    const x = (time) => u.valToPos(time, "x", true), y = (row) => u.valToPos(row, "y", true);
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.behind, x(this.timeOf(0)), y(-0.5), x(this.timeOf(bins)) - x(this.timeOf(0)), y(this.rows - 0.5) - y(-0.5));
    pen.restore();
  }

  drawMark(u) {
    if (!this.mark) return;
    const { top, height, left, width } = u.bbox, edge = (bin) =>
      Math.max(left, Math.min(left + width, u.valToPos(Math.min(this.timeOf(bin), this.page.tmin + this.seconds), "x", true)));
    const [a, b] = this.mark.map(edge);
    u.ctx.save();
    u.ctx.fillStyle = "rgb(150 120 0 / 0.07)";
    u.ctx.fillRect(a, top, b - a, height);
    u.ctx.strokeStyle = "#7a5c00";
    u.ctx.strokeRect(a, top, b - a, height);
    u.ctx.restore();
  }

  timeOf(bin) {
    return this.page.tmin + (bin * this.own.bin) / this.page.sfreq;
  }

  binAt(time) {
    const bin = Math.floor(((time - this.page.tmin) * this.page.sfreq) / this.own.bin + 1e-6);
    return Math.max(0, Math.min(this.numbers.bins - 1, bin));
  }

  span() {
    return this.zoom[1] - this.zoom[0];
  }

  zoomed(from, to) {
    const { tmin } = this.page, least = Math.min(this.seconds, 10 * this.own.samples / this.page.sfreq);
    const span = Math.max(least, Math.min(this.seconds, to - from));
    const a = Math.max(tmin, Math.min(tmin + this.seconds - span, from));
    this.zoom = [a, a + span];
    this.plot.setScale("x", { min: a, max: a + span });
    this.scroll.hidden = span > 0.999 * this.seconds;
    if (!this.scroll.hidden) this.scroll.value = String(Math.round((1000 * (a - tmin)) / (this.seconds - span)));
    this.place();
  }

  /** @param {number} by Of the span. @param {number} [about] The time that stays where it is. */
  zoomBy(by, about = this.cursor.time) {
    const [a, b] = this.zoom, at = about >= a && about <= b ? about : (a + b) / 2;
    this.zoomed(at - (at - a) * by, at + (b - at) * by);
  }

  moveTo(from) {
    this.zoomed(from, from + this.span());
  }

  whole() {
    this.zoomed(this.page.tmin, this.page.tmin + this.seconds);
  }

  toMark() {
    if (this.mark) this.zoomed(...this.mark.map((bin) => this.timeOf(bin)));
  }

  marked(mark) {
    this.mark = mark;
    this.of.value = mark ? "mark" : "cursor";
    this.plot.redraw(false, false);
    this.read();
  }
}
