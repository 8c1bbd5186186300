// What the viewer draws itself: colours of relevance, the head from above, and the row of all windows.
"use strict";

// RdBu from blue to red, the colours of the reports' figures; white is zero.
const COLOURS = ["053061", "2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d",
  "b2182b", "67001f"].map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
// Okabe & Ito's, told apart by colour-blind readers; what is wrong hangs down besides.
const RIGHT = "#0072b2", WRONG = "#d55e00", UNKNOWN = "#8a8a8a";

/** The colour of a value between -1 and 1, as three bytes. */
function colour(value) {
  const place = (Math.min(1, Math.max(-1, value)) + 1) * 5;
  const low = Math.min(9, Math.floor(place));
  return COLOURS[low].map((c, i) => Math.round(c + (COLOURS[low + 1][i] - c) * (place - low)));
}

/** A canvas of one pixel a value; null is left clear. */
function sheet(width, height, value) {
  const image = new ImageData(width, height);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += 4) {
      const v = value(x, y);
      if (v !== null) image.data.set([...colour(v), 255], at);
    }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** A canvas as large as its element, in pixels of the screen; its pen counts in those of the page. */
function penOf(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return pen;
}

/** The head from above, drawn for values of the channels. */
class HeadMap {
  constructor(canvas, page) {
    this.canvas = canvas;
    this.page = page;
    this.head = page.head;
    this.weights = this.head?.weights;
  }

  /**
   * @param {number[]} values Of every channel.
   * @param {number} limit Where colours end.
   * @param {number} marked The channel with a ring around it.
   */
  draw(values, limit, marked) {
    const size = 230, pen = penOf(this.canvas, size, size), radius = 0.41 * size, middle = size / 2;
    const { grid, inside, rows, whole } = this.head;
    const field = new Array(grid * grid).fill(null);
    inside.forEach((place, i) => {
      let total = 0;
      rows.forEach((row, j) => (total += this.weights[i * rows.length + j] * values[row]));
      field[place] = total / whole / limit;
    });
    pen.imageSmoothingEnabled = true;
    pen.drawImage(sheet(grid, grid, (x, y) => field[y * grid + x]),
      middle - radius, middle - radius, 2 * radius, 2 * radius);
    pen.strokeStyle = "#555";
    pen.beginPath();
    pen.arc(middle, middle, radius, 0, 2 * Math.PI);
    pen.moveTo(middle - 10, middle - radius + 1);
    pen.lineTo(middle, middle - radius - 11);
    pen.lineTo(middle + 10, middle - radius + 1);
    pen.stroke();
    const strongest = rows.map((r) => Math.abs(values[r])).sort((a, b) => b - a)[Math.min(7, rows.length - 1)];
    pen.font = "10px system-ui, sans-serif";
    pen.textAlign = "center";
    for (const row of rows) {
      const { name, place } = this.page.channels[row];
      const x = middle + (place[0] / 0.095) * radius, y = middle - (place[1] / 0.095) * radius;
      pen.fillStyle = "#222";
      pen.beginPath();
      pen.arc(x, y, row === marked ? 3 : 1.5, 0, 2 * Math.PI);
      pen.fill();
      if (row === marked) {
        pen.beginPath();
        pen.arc(x, y, 7, 0, 2 * Math.PI);
        pen.stroke();
      }
      // Of many electrodes, only names that do not run into each other.
      if (rows.length > 36 && row !== marked && Math.abs(values[row]) < strongest) continue;
      pen.strokeStyle = "rgb(255 255 255 / 0.8)";
      pen.lineWidth = 2.5;
      pen.strokeText(name, x, y - 5);
      pen.fillText(name, x, y - 5);
      pen.strokeStyle = "#555";
      pen.lineWidth = 1;
    }
  }
}

/** All windows in a row, as long as their explained value: right ones up, wrong ones down. */
function drawRow(canvas, windows, shown, chosen) {
  const width = canvas.parentElement.clientWidth, height = 56, pen = penOf(canvas, width, height);
  const top = Math.max(...windows.map((w) => Math.abs(w.explained))) || 1;
  const each = width / windows.length;
  pen.fillStyle = "#bbb";
  pen.fillRect(0, height / 2, width, 1);
  windows.forEach((w, k) => {
    const tall = 3 + (Math.abs(w.explained) / top) * (height / 2 - 5);
    pen.globalAlpha = shown.has(k) ? 1 : 0.25;
    pen.fillStyle = w.verdict === "wrong" ? WRONG : w.verdict === "right" ? RIGHT : UNKNOWN;
    pen.fillRect(k * each, w.verdict === "wrong" ? height / 2 : height / 2 - tall, Math.max(0.7, each * 0.8), tall);
  });
  pen.globalAlpha = 1;
  pen.strokeStyle = "#111";
  pen.lineWidth = 2;
  pen.strokeRect(Math.min(width - 5, chosen * each - 1) + 1, 1, Math.max(4, each) - 1, height - 2);
}
