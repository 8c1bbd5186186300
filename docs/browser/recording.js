// A recording as a model takes it: its channels found, rate and units as they should be, cut into windows.
import { layout, perMicrovolt, settled, undone } from "./contract.js";
import { ELSEWHERE, Edf, listed, microvolt } from "./edf.js";
import { Refused } from "./files.js";
import { matched } from "./names.js";
import { scale, told } from "./scaling.js";

const PLAUSIBLE = [0.5, 500]; // microvolt that an EEG's typical amplitude can be, once offset and drift are gone
const PROBES = 12, PROBE = 10; // places that are looked at, and seconds of each

export class Recording {
  static async open(file, model) {
    const edf = await Edf.open(file);
    const own = Object.assign(new Recording(), { name: file.name, edf });
    own.fit(model);
    own.annotations = await edf.annotations();
    await own.check();
    return own;
  }

  // Finds the channels of a model; refused where its input cannot be made of this recording.
  fit(model) {
    const contract = settled(model.contract, model.shape), { edf } = this;
    const signals = edf.channels.map((_, i) => i).filter((i) => !edf.channels[i].told);
    const rows = matched(contract.channels, signals.map((i) => edf.channels[i].name)).map((k) => signals[k]);
    const channels = rows.map((i) => edf.channels[i]);
    const refuse = (is, why) => {
      const found = channels.filter(is);
      if (found.length) throw new Refused(why(listed(found.map((c) => c.name)), found[0]));
    };
    refuse((c) => !c.scaled, (names) => `no scale in the header (minimum and maximum are the same) of ${names}`);
    refuse((c) => microvolt(c.unit) === undefined, (names, { unit }) => `the unit of ${names} is '${unit}', which is none of V, mV, uV and nV; put the right one into the header, or take onnxplain explain with --unit`);
    refuse((c) => Math.abs(c.rate / contract.sfreq - 1) > 1e-6, (names, { rate }) =>
      `recorded at ${Number(rate.toPrecision(9))} Hz and the model takes ${contract.sfreq} Hz; this page does not resample, ${ELSEWHERE}`);
    const samples = edf.records * channels[0].samples;
    if (samples < contract.window) throw new Refused(`${samples / contract.sfreq} s long, and a window takes ${contract.window / contract.sfreq} s`);
    Object.assign(this, { contract, rows, samples, layout: layout(contract), factor: perMicrovolt(contract) });
    const renamed = contract.channels.map((name, i) => [name, channels[i].name]).filter(([a, b]) => a.toLowerCase() !== b.toLowerCase());
    this.said = [undone(contract), contract.scaling ? told(contract.scaling) : "", renamed.length ? `Channels by other names: ${listed(renamed.map(([a, b]) => `${a} is '${b}'`), 40)}.` : "",
      contract.unknown?.length ? `Not known, and assumed, says the input contract: ${contract.unknown.join(", ")}.` : ""].filter(Boolean);
  }

  // Refuses what cannot be EEG, most often a unit that is not what the header says.
  async check() {
    const count = Math.min(this.samples, Math.round(PROBE * this.contract.sfreq)), n = this.rows.length;
    const levels = Array.from({ length: n }, () => []), flat = Array(n).fill(true);
    for (let k = 0; k < PROBES; k++) {
      const x = await this.edf.read(this.rows, Math.round(((this.samples - count) * k) / (PROBES - 1)), count);
      for (let r = 0; r < n; r++) {
        const own = x.subarray(r * count, (r + 1) * count);
        levels[r].push(level(own));
        flat[r] &&= own.every((v) => v === own[0]);
      }
    }
    const names = this.contract.channels;
    const off = levels.map((each) => median(each)).map((v, r) => [names[r], v]).filter(([, v], r) => !flat[r] && !(v >= PLAUSIBLE[0] && v <= PLAUSIBLE[1]));
    if (flat.includes(true)) throw new Refused(`flat, as far as was looked: ${listed(names.filter((_, r) => flat[r]))}; onnxplain explain can interpolate them (--interpolate-missing)`);
    if (off.length) {
      throw new Refused(`of an amplitude that no EEG has: ${listed(off.map(([name, v]) => `${name} (${Number(v.toPrecision(3))} \u00b5V)`))}; ` +
        "the unit in its header may be wrong; onnxplain explain takes another one (--unit)");
    }
  }

  // Starts of windows as {first, label}: one after another, or where annotations are.
  starts(at) {
    const { sfreq, window, stride, tmin } = this.contract;
    if (at !== "one after another") {
      return this.marks(at).map(({ onset, text }) => ({ first: Math.max(tmin ? -1 : 0, Math.round((onset + tmin) * sfreq)), label: text }));
    }
    const step = (stride ?? window / sfreq) * sfreq;
    const count = 1 + Math.floor((this.samples - window) / step + 1e-6);
    return Array.from({ length: count }, (_, k) => ({ first: Math.round(k * step), label: "" }));
  }

  // Annotations that windows can start at: all, or those that name a class.
  marks(at) {
    const fits = ({ text }) => !spoilt(text) && (at !== "classes" || classOf(text, this.contract.classes) >= 0);
    return this.annotations.filter(fits);
  }

  // The signal of a window in microvolt, (channel, time).
  signal(first) {
    return this.edf.read(this.rows, first, this.contract.window);
  }

  // Why a window is left out; empty where it is not.
  lost(first, signal) {
    const { sfreq, window } = this.contract, [start, end] = [first / sfreq, (first + window) / sfreq];
    const over = this.annotations.find(({ onset, duration, text }) => spoilt(text) && onset < end - 1e-6 && onset + duration > start + 1e-6);
    if (over) return `over the annotation ${over.text.slice(0, 40)}`;
    for (let r = 0; r < this.rows.length; r++) {
      const own = signal.subarray(r * window, (r + 1) * window);
      if (own.every((v) => v === own[0])) return `flat at ${this.contract.channels[r]}`;
    }
    return "";
  }

  fits(first) {
    return first >= 0 && first + this.contract.window <= this.samples;
  }

  // What the model takes of a window.
  input(signal) {
    const { scaling } = this.contract, x = signal.map((v) => v * this.factor);
    const made = scaling ? scale(x, this.rows.length, scaling) : x;
    return Float32Array.from(this.layout, (place) => made[place]);
  }

  // Relevance in the model's layout as (channel, time).
  back(relevance) {
    const out = new Float32Array(this.rows.length * this.contract.window);
    relevance.forEach((value, i) => (out[this.layout[i]] = value));
    return out;
  }
}

const spoilt = (text) => /^(bad|edge|new segment)|boundary/i.test(text);

// The class that a label names with one of its tags ("left/agree" is "left"); -1 for none.
export function classOf(label, classes) {
  const tags = [label.toLowerCase(), ...label.toLowerCase().split("/")];
  const found = classes.map((_, i) => i).filter((i) => tags.includes(classes[i].toLowerCase()));
  return found.length === 1 ? found[0] : -1;
}

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Median absolute value once offset and drift, a straight line, are gone.
function level(x) {
  const n = x.length, mean = x.reduce((a, b) => a + b, 0) / n, middle = (n - 1) / 2;
  let slope = 0, size = 0;
  for (let i = 0; i < n; i++) {
    slope += (x[i] - mean) * (i - middle);
    size += (i - middle) ** 2;
  }
  return median(x.map((v, i) => Math.abs(v - mean - (slope / (size || 1)) * (i - middle))));
}
