// Draws relevance on a canvas: electrode by time, with the signal over it.

import { quantile, rounded, sheet } from "./viewer.js";

export const short = (value) => String(Number(value.toPrecision(3))).replace("-", "\u2212");

// Draws on a canvas as wide as its element, and gives what one row's height means in the signal.
//
// what: {channels, relevance (channel by time, flat), signal (likewise), unit, rate in Hz or undefined,
//        order and regions of the channels, or undefined}
export function draw(canvas, what) {
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.body);
  const [ink, muted] = ["--ink", "--muted"].map((name) => style.getPropertyValue(name));
  const rows = what.channels.length;
  const cols = what.relevance.length / rows;
  const wide = canvas.clientWidth;
  const roomy = wide >= 640;
  const order = what.order?.length === rows ? what.order : what.channels.map((_, i) => i);
  const regions = what.regions?.length === rows ? order.map((i) => what.regions[i]) : null;
  const row = Math.max(4, Math.min(16, 640 / rows));
  const left = 40;
  const top = 6;
  const width = wide - left - (roomy && regions ? 112 : 10);
  const height = row * rows;
  const tall = top + height + 96;
  const scale = window.devicePixelRatio || 1;
  canvas.style.height = `${tall}px`;
  canvas.width = Math.round(wide * scale);
  canvas.height = Math.round(tall * scale);
  pen.scale(scale, scale);
  pen.imageSmoothingEnabled = false;

  const limit = quantile(what.relevance, 0.995) || 1;
  // Where there are more samples than pixels, a pixel shows the strongest of its samples.
  const across = Math.min(cols, Math.round(width * scale));
  const strongest = (x, y) => {
    let found = 0;
    for (let t = Math.floor((x * cols) / across); t < Math.ceil(((x + 1) * cols) / across); t++) {
      const value = what.relevance[order[y] * cols + t];
      if (Math.abs(value) > Math.abs(found)) found = value;
    }
    return found / limit;
  };
  pen.drawImage(sheet(across, rows, strongest), left, top, width, height);

  // The signal over it, in the dark ink of both themes: the map's middle is white in both.
  const traces = order.map((i) => {
    const trace = what.signal.subarray(i * cols, (i + 1) * cols);
    const middle = [...trace].sort((a, b) => a - b)[cols >> 1];
    return trace.map((v) => v - middle);
  });
  const unit = rounded(2 * quantile(traces.flatMap((t) => [...t]), 0.99) || 1);
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  pen.strokeStyle = "rgb(34 34 34 / 0.75)";
  pen.lineWidth = roomy ? 0.7 : 0.5;
  traces.forEach((trace, r) => {
    pen.beginPath();
    trace.forEach((v, t) => {
      const y = top + row * (r + 0.5 - Math.max(-2.5, Math.min(2.5, v / unit)));
      pen.lineTo(left + ((t + 0.5) * width) / cols, y);
    });
    pen.stroke();
  });
  pen.restore();

  pen.font = `${Math.min(11, Math.max(5, row - 2))}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.fillStyle = ink;
  order.forEach((i, r) => pen.fillText(what.channels[i], left - 5, top + row * (r + 0.5), left - 5));
  pen.font = "11px system-ui, sans-serif";
  if (regions) {
    for (let r = 0, first = 0; r < rows; r++) {
      if (r + 1 < rows && regions[r + 1] === regions[r]) continue;
      pen.fillStyle = "#8c8c8c";
      if (r + 1 < rows) pen.fillRect(left, top + row * (r + 1) - 0.25, width, 0.5);
      pen.fillStyle = muted;
      pen.textAlign = "left";
      if (roomy) pen.fillText(regions[r], left + width + 8, top + (row * (first + r + 1)) / 2);
      first = r + 1;
    }
  }

  // The time axis.
  const rate = what.rate;
  const end = rate ? cols / rate : cols;
  const step = rounded(end / (roomy ? 8 : 4));
  pen.fillStyle = ink;
  pen.textAlign = "center";
  for (let t = 0; t <= end * 1.0001; t += step) {
    const x = left + (t / end) * width;
    pen.fillRect(x - 0.5, top + height, 1, 4);
    pen.fillText(short(t), x, top + height + 12);
  }
  pen.fillText(rate ? "time in the window (s)" : "sample", left + width / 2, top + height + 28);

  // The colour bar, symmetric about zero.
  const bar = Math.min(width - 24, 320);
  const start = left + (width - bar) / 2;
  const under = top + height + 46;
  pen.drawImage(sheet(256, 1, (x) => x / 127.5 - 1), start, under, bar, 10);
  pen.fillStyle = ink;
  for (const value of [-1, -0.5, 0, 0.5, 1]) {
    const x = start + ((value + 1) / 2) * bar;
    pen.fillRect(x - 0.5, under + 10, 1, 3);
    pen.fillText(short(value * limit), x, under + 21);
  }
  pen.fillText(`relevance per sample (${what.unit}); blue: against, red: for`, left + width / 2, under + 38, wide - 8);

  return unit;
}
