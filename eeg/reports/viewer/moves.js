// What the viewer does with the mouse, fingers and keys, and what it says of where they are.
"use strict";

Object.assign(Viewer.prototype, {
  /** Mouse and fingers over the signals: one marks, two zoom and move. */
  watch() {
    const over = this.plot.over, down = new Map();
    let doing = null;
    this.watched = true;
    const timeAt = (event) => this.plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
    const spread = () => {
      const [a, b] = [...down.values()].map((event) => event.clientX - over.getBoundingClientRect().left);
      return { apart: Math.max(20, Math.abs(a - b)), middle: (a + b) / 2 };
    };
    over.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      down.set(event.pointerId, event);
      over.setPointerCapture(event.pointerId);
      if (down.size === 2) doing = { what: "pinch", ...spread(), zoom: [...this.zoom] };
      else doing = { what: event.shiftKey ? "move" : "mark", x: event.clientX, time: timeAt(event), zoom: [...this.zoom] };
    });
    over.addEventListener("pointermove", (event) => {
      if (!down.has(event.pointerId) || !doing) return;
      down.set(event.pointerId, event);
      const width = over.clientWidth, [from, to] = doing.zoom, second = width / (to - from);
      if (doing.what === "pinch" && down.size === 2) {
        const { apart, middle } = spread(), span = ((to - from) * doing.apart) / apart;
        const held = from + doing.middle / second; // the time between the fingers stays there
        this.zoomed(held - (middle / width) * span, held + (1 - middle / width) * span);
      } else if (doing.what === "move") {
        const by = (event.clientX - doing.x) / second;
        this.zoomed(from - by, to - by);
      } else if (doing.what === "mark" && Math.abs(event.clientX - doing.x) > 4) {
        const [a, b] = [doing.time, timeAt(event)].map((time) => this.binAt(time)).sort((p, q) => p - q);
        this.marked([a, b + 1]);
      }
    });
    const up = (event) => {
      if (event.type === "pointerup" && event.pointerType !== "mouse" && down.size === 1 && doing?.what === "mark") {
        const box = over.getBoundingClientRect();
        this.plot.setCursor({ left: event.clientX - box.left, top: event.clientY - box.top });
      }
      down.delete(event.pointerId);
      if (!down.size) doing = null;
    };
    over.addEventListener("pointerup", up);
    over.addEventListener("pointercancel", up);
    over.addEventListener("dblclick", () => this.whole());
    over.addEventListener("wheel", (event) => {
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey) this.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
      else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) this.moveTo(this.zoom[0] + (sideways / over.clientWidth) * this.span());
      else return; // the page scrolls
      event.preventDefault();
    }, { passive: false });
  },

  /** The cursor has moved, by the mouse or otherwise. */
  moved(u) {
    const { left, top } = u.cursor;
    if (left === undefined || left < 0 || top < 0 || !this.numbers) return;
    const { tmin } = this.page;
    this.cursor = {
      time: Math.max(tmin, Math.min(tmin + this.seconds - 1e-9, u.posToVal(left, "x"))),
      row: Math.max(0, Math.min(this.rows - 1, Math.round(u.posToVal(top, "y")))),
    };
    this.read();
  },

  /** Puts the cross where the cursor is, after a zoom or a key. */
  place() {
    const { plot, cursor, zoom } = this;
    cursor.time = Math.max(zoom[0], Math.min(zoom[1] - 1e-9, cursor.time));
    // A scale that was set is in force from the next turn on.
    queueMicrotask(() => plot.setCursor({ left: plot.valToPos(cursor.time, "x"), top: plot.valToPos(cursor.row, "y") }));
    this.read();
  },

  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { cursor } = this, bin = this.binAt(cursor.time), across = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const actions = {
      ArrowUp: () => (cursor.row = Math.max(0, cursor.row - 1)),
      ArrowDown: () => (cursor.row = Math.min(this.rows - 1, cursor.row + 1)),
      Home: () => (cursor.time = this.page.tmin),
      End: () => (cursor.time = this.timeOf(this.numbers.bins - 1)),
      "+": () => this.zoomBy(0.5), "=": () => this.zoomBy(0.5), "-": () => this.zoomBy(2),
      PageUp: () => this.step(-1), PageDown: () => this.step(1),
      Enter: () => this.toMark(), Escape: () => (this.marked(null), this.whole()),
    };
    if (across) {
      const to = Math.max(0, Math.min(this.numbers.bins - 1, bin + across));
      if (event.shiftKey) {
        const fixed = this.mark ? (bin === this.mark[0] ? this.mark[1] - 1 : this.mark[0]) : bin;
        this.marked([Math.min(fixed, to), Math.max(fixed, to) + 1]);
      }
      cursor.time = (this.timeOf(to) + Math.min(this.timeOf(to + 1), this.page.tmin + this.seconds)) / 2;
      const [a, b] = this.zoom, half = this.span() / 2;
      if (cursor.time < a || cursor.time > b) return event.preventDefault(), this.moveTo(cursor.time - half);
    } else if (actions[event.key]) actions[event.key]();
    else return;
    event.preventDefault();
    if (!event.key.startsWith("Page")) this.place();
  },

  /** What is at the cursor, and of what is marked. */
  read() {
    const { page, numbers, own, cursor, rows, layer: shown } = this;
    if (!numbers) return;
    const { bins, points } = numbers, bin = this.binAt(cursor.time), step = own.steps[1];
    const row = page.order[cursor.row], at = Math.min(points - 1, Math.floor(((cursor.time - page.tmin) * page.sfreq) / own.samples));
    const end = (b) => Math.min(this.timeOf(b), page.tmin + this.seconds);
    const mark = this.mark ?? [0, bins], from = `${this.timeOf(mark[0]).toFixed(2)} to ${end(mark[1]).toFixed(2)} s`;
    // Of a whole window the sums are those of relevance.nc; of a segment they are good to a step.
    const wholly = !this.mark && (this.which === "all" || !own.parts);
    const each = wholly ? Array.from(this.sums.subarray(this.k * rows, (this.k + 1) * rows))
      : summed(shown.relevance, rows, bins, ...mark);
    const say = (value) => (wholly ? digits(value) : told(value, step));
    const channel = page.channels[row];
    this.said.textContent = `${channel.name}${channel.made ? " (interpolated)" : ""} at ${cursor.time.toFixed(3)} s: ` +
      `${told(shown.signal[row * points + at], own.steps[0])} µV, relevance ${told(shown.relevance[row * bins + bin], step)} ${page.unit} ` +
      `from ${this.timeOf(bin).toFixed(3)} to ${end(bin + 1).toFixed(3)} s; ${say(each[row])} ${page.unit} ${this.mark ? `from ${from}` : "in the window"}.`;
    this.said.dataset.electrode = channel.name;
    this.said.dataset.bin = String(bin);
    if (page.head) {
      const values = this.of.value === "mark" ? each : summed(shown.relevance, rows, bins, bin, bin + 1);
      const limit = this.of.value === "mark" ? Math.max(...values.map(Math.abs)) || 1 : this.limit;
      this.headMap.draw(values, limit, row);
    }
    this.table(this.most, `Electrodes with most, ${this.mark ? from : "whole window"}`, ["electrode", page.unit, "share"],
      this.leading(page.channels.map((c) => c.name), each, 8).map(([name, value, part]) => [name, say(value), part]));
    if (!numbers.bands) return;
    const bands = summed(numbers.bands, page.bands.length, bins, ...mark);
    const hertz = (band) => (band.edges ? `${band.name}, ${band.edges[0]}\u2013${band.edges[1]}` : band.name);
    const size = bands.reduce((sum, v) => sum + Math.abs(v), 0) || 1;
    this.table(this.bands, `Bands of the signal, ${this.mark ? from : "whole window"}`, ["band, Hz", page.unit, "share"],
      page.bands.map((band, i) => [hertz(band), told(bands[i], own.steps[2]), `${Math.round((100 * Math.abs(bands[i])) / size)} %`]));
  },

  /** The largest of some values by size: name, value, share of all sizes. */
  leading(names, values, most) {
    const size = values.reduce((sum, v) => sum + Math.abs(v), 0) || 1;
    return names.map((name, i) => [name, values[i], `${Math.round((100 * Math.abs(values[i])) / size)} %`])
      .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, most);
  },

  table(table, caption, head, rows) {
    const cells = (tag, row) => row.map((text, i) => make(tag, { class: i ? "n" : "t", scope: tag === "th" ? "col" : null }, text));
    table.replaceChildren(make("caption", {}, caption), make("thead", {}, make("tr", {}, ...cells("th", head))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells("td", row)))));
  },
});
