// What the viewer shows of an explanation, and how a report's page is read back into it.
//
// In a report a window's text is base64 of deflated whole numbers, two bytes each, low bytes of an array before its high
// ones. A signal is kept as differences of neighbours; relevance is kept in bins. Both times a step is 1.
"use strict";

/**
 * @typedef {object} WindowNumbers
 * @property {number} points Points of the signal, each the mean of `samples` samples.
 * @property {number} bins Bins of relevance, each the sum of `bin` samples.
 * @property {Float32Array} signal Microvolt, channel by point.
 * @property {Float32Array} relevance Channel by bin.
 * @property {?Float32Array} partSignal The same of the artefact parts.
 * @property {?Float32Array} partRelevance
 * @property {?Float32Array} bands Band by bin, summed over channels.
 */

/**
 * @typedef {object} Shown What the viewer shows: of an explanation in a report, or of one made in the page.
 * @property {string} unit Of relevance.
 * @property {string[]} classes Empty for a regression.
 * @property {number} sfreq Hz. @property {number} samples Of a window. @property {number} tmin Seconds.
 * @property {{name: string, place: ?number[], made: boolean}[]} channels
 * @property {number[]} order Channels from top to bottom.
 * @property {?object} head As head_weights.py makes it, its weights as an array (point, electrode).
 * @property {object[]} windows number, onset, label, said, target, verdict, explained, and the samples of a point
 *   (samples) and of a bin (bin), the steps of its numbers (steps), whether it has artefact parts (parts).
 * @property {Float32Array} sums Relevance of every electrode over each window, (window, channel).
 * @property {string[]} parts What artefact parts were made from. @property {string[]} said Further sentences.
 * @property {{name: string, edges: ?number[]}[]} bands
 * @property {(k: number) => Promise<WindowNumbers>} numbersOf
 */

/** @param {string} text base64 @returns {Uint8Array} */
function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} */
async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {object} page As payload.py makes it. @returns {Shown} */
function unpacked(page) {
  const head = page.head && { ...page.head, weights: new Int16Array(bytesOf(page.head.weights).buffer) };
  const sums = new Float32Array(bytesOf(page.sums).buffer);
  return { ...page, head, sums, numbersOf: (k) => readWindow(page, k) };
}

/**
 * The numbers of one window.
 *
 * @param {object} page What the page has, as payload.py makes it.
 * @param {number} k Which of its windows.
 * @returns {Promise<WindowNumbers>}
 */
async function readWindow(page, k) {
  const own = page.windows[k];
  const bytes = await inflated(bytesOf(own.data));
  const rows = page.channels.length;
  const points = Math.ceil(page.samples / own.samples);
  const bins = Math.ceil(page.samples / own.bin);
  let at = 0;
  const take = (n, width, step, running) => {
    const out = new Float32Array(n * width);
    const count = n * width;
    const whole = new Int16Array(1); // sums go round at two bytes, as they were written
    for (let i = 0; i < count; i++) {
      const value = bytes[at + i] | (bytes[at + count + i] << 8);
      whole[0] = running && i % width ? whole[0] + value : value;
      out[i] = whole[0] * step;
    }
    at += 2 * count;
    return out;
  };
  const [signalStep, relevanceStep, bandStep] = own.steps;
  const signal = take(rows, points, signalStep, true);
  const relevance = take(rows, bins, relevanceStep, false);
  const { parts } = own;
  const partSignal = parts ? take(rows, points, signalStep, true) : null;
  const partRelevance = parts ? take(rows, bins, relevanceStep, false) : null;
  const bands = page.bands.length ? take(page.bands.length, bins, bandStep, false) : null;
  return { points, bins, signal, relevance, partSignal, partRelevance, bands };
}

/** @param {?Float32Array} a @param {?Float32Array} b @returns {?Float32Array} What a has and b has not. */
const less = (a, b) => (b ? a.map((value, i) => value - b[i]) : a);

/**
 * A window before or behind the artefact parts, or what these parts alone have.
 *
 * @param {WindowNumbers} numbers
 * @param {"all" | "without" | "parts"} which
 */
function layer(numbers, which) {
  if (which === "parts" && numbers.partSignal) return { signal: numbers.partSignal, relevance: numbers.partRelevance };
  if (which === "all" || !numbers.partSignal) return { signal: numbers.signal, relevance: numbers.relevance };
  return {
    signal: less(numbers.signal, numbers.partSignal),
    relevance: less(numbers.relevance, numbers.partRelevance),
  };
}

/** Relevance of every channel in bins from a up to b. */
function summed(values, rows, bins, a, b) {
  return Array.from({ length: rows }, (_, r) => {
    let total = 0;
    for (let t = a; t < b; t++) total += values[r * bins + t];
    return total;
  });
}

/** A number with as many decimals as its step allows. */
function told(value, step) {
  const decimals = Math.min(12, Math.max(0, Math.floor(-Math.log10(2 * step))));
  const text = Math.abs(value).toFixed(decimals);
  return (value < 0 && Number(text) !== 0 ? "\u2212" : "") + text;
}

/** A number with four digits that count. */
const digits = (value) => value === null ? "not known" : String(Number(value.toPrecision(4))).replace("-", "\u2212").replace("e-", "e\u2212");

function quantile(values, q) {
  const sorted = Float64Array.from(values, Math.abs).sort();
  return sorted.length ? sorted[Math.round(q * (sorted.length - 1))] : 0;
}

/** The nearest of 1, 2, 5 times a power of ten. */
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].reduce((a, b) => (Math.abs(b * power - value) < Math.abs(a * power - value) ? b : a)) * power;
}
