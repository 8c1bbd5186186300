// Explains the windows of a recording, and gives what the viewer shows of them (see data.js of the viewer).
import { Refused } from "./files.js";
import { heads } from "./head.js";
import { classOf } from "./recording.js";
import { sum } from "./model.js";

const OPEN = 1e-3; // of the larger of what was explained and the largest relevance: more is no rounding

const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

// Relevance (channel, time) summed in bins of so many samples.
function binned(relevance, rows, samples, bin) {
  const bins = Math.ceil(samples / bin), out = new Float32Array(rows * bins);
  for (let r = 0; r < rows; r++)
    for (let b = 0; b < bins; b++) out[r * bins + b] = sum(relevance.subarray(r * samples + b * bin, r * samples + Math.min(samples, (b + 1) * bin)));
  return out;
}

/**
 * @param {Model} model
 * @param {Recording} recording Fitted to it.
 * @param {{wanted: string, at: string, table: object}} how Which output; where windows start; electrodes.
 * @param {(done: number, of: number) => Promise<boolean>} go Called before each window; false stops.
 * @returns {Promise<{shown: object, numbers: object[]}>} What the viewer shows; and of each window all outputs, what
 *   was explained, what stayed on the way, and relevance of each electrode.
 */
export async function explained(model, recording, { wanted, at, table }, go) {
  const { contract } = recording, { channels, sfreq, window: samples, classes, tmin } = contract;
  const rows = channels.length, bin = Math.max(1, Math.round(0.02 * sfreq)), bins = Math.ceil(samples / bin);
  const starts = recording.starts(at), lost = {}, windows = [], numbers = [], relevance = [], sums = [];
  const drop = (why) => (lost[why] = (lost[why] ?? 0) + 1);
  let stopped = 0, guess = 0, open = 0, astray = 0;
  for (const [number, { first, label }] of starts.entries()) {
    if (!(await go(number, starts.length))) {
      stopped = number;
      break;
    }
    if (!recording.fits(first)) {
      drop("outside of the recording");
      continue;
    }
    const signal = await recording.signal(first), why = recording.lost(first, signal);
    if (why) {
      drop(why);
      continue;
    }
    const got = await model.explain(recording.input(signal), wanted, guess);
    guess = got.predicted;
    const own = recording.back(got.relevance), parts = binned(own, rows, samples, bin);
    const each = channels.map((_, r) => sum(own.subarray(r * samples, (r + 1) * samples)));
    const truth = classOf(label, classes), judged = truth >= 0 && !model.regresses;
    const said = model.regresses ? String(Number(got.logits[got.target].toPrecision(4))) : model.outputs[got.predicted];
    windows.push({
      number: windows.length, onset: first / sfreq, label, said, first, explained: got.explained,
      target: model.size > 1 || !model.regresses ? model.outputs[got.target] : "",
      verdict: !judged ? "" : truth === got.predicted ? "right" : "wrong",
      samples: 1, bin, parts: false, steps: [0.01, Math.max(1e-30, parts.reduce((most, v) => Math.max(most, Math.abs(v)), 0) / 1e5)],
    });
    numbers.push({ onset: first / sfreq, label, outputs: got.logits, target: got.target, explained: got.explained, ledger: got.ledger, relevance: each });
    relevance.push(parts);
    sums.push(...each);
    const apart = Math.abs(got.explained - sum(each) - sum(Object.values(got.ledger)));
    open = Math.max(open, apart);
    astray += apart > OPEN * got.relevance.reduce((most, v) => Math.max(most, Math.abs(v)), Math.abs(got.explained));
  }
  if (!windows.length) throw new Refused(stopped ? "stopped before a window was explained" :
    `no window is left: ${Object.entries(lost).map(([why, n]) => `${n} ${why}`).join("; ") || "none starts in it"}`);
  const accounted = Object.keys(numbers[0].ledger).length;
  const said = [
    `${counted(windows.length, "window")} of ${samples / sfreq} s, ${at === "one after another" ? at : "one at each annotation"}.`,
    stopped ? `Stopped: ${counted(starts.length - stopped, "further window")} would fit.` : "",
    ...Object.entries(lost).map(([why, n]) => `${counted(n, "window")} left out: ${why}.`),
    accounted && astray ? `Of ${counted(astray, "window")} relevance and what stayed on the way do not add up to what was ` +
      "explained: rounding does not do that, and these maps are not to be relied on." : "",
    accounted ? `Relevance and what stayed on the way add up to what was explained within ${Number(open.toPrecision(2))} ${model.unit()} in each window.` : "",
  ].filter(Boolean);
  const numbersOf = async (k) => ({
    points: samples, bins, signal: Float32Array.from(await recording.signal(windows[k].first)), relevance: relevance[k],
    partSignal: null, partRelevance: null, bands: null,
  });
  const target = wanted === "predicted" ? 0 : Number(wanted);
  const shown = {
    unit: model.unit(target), classes: model.regresses ? [] : model.outputs, sfreq, samples, windows, numbersOf, said,
    tmin: at === "one after another" ? 0 : tmin, ...heads(channels, table), sums: Float32Array.from(sums), parts: [], bands: [],
  };
  return { shown, numbers };
}
