// The input contract of a compiled file, as far as this page can follow it: which channels, rate, unit and layout
// a model takes. What is to be done to a recording before, this page does not do, and says so.
import { Refused } from "./files.js";
import { ELSEWHERE } from "./edf.js";

const DEFAULTS = { axes: ["batch", "channel", "time"], tmin: 0, unit: "uV", scale: 1, reference: "as recorded", classes: [], targets: {} };
const PER_MICROVOLT = { V: 1e-6, mV: 1e-3, uV: 1 };

const product = (shape) => shape.reduce((a, b) => a * b, 1);

// The contract with what it leaves out, for a model whose window has a shape; refused where the page cannot follow.
export function settled(contract, shape) {
  if (!contract.channels || !contract.sfreq || !contract.window) {
    throw new Refused("its file has no input contract, so that channels, rate and unit are not known; add one with " +
      "onnxplain contract embed, and compile it again");
  }
  const whole = { ...DEFAULTS, ...contract };
  if (whole.scaling?.over === "recording") {
    throw new Refused(`scales each electrode over the whole recording, which this page does not do; ${ELSEWHERE}`);
  }
  const lengths = { batch: 1, channel: whole.channels.length, time: whole.window, patch: whole.window / whole.patch, sample: whole.patch };
  const axes = whole.axes.slice(1).map((axis) => lengths[axis] ?? 1);
  if (axes.join() !== shape.join()) throw new Refused(`takes ${shape.join(" \u00d7 ")}, and its input contract says ${axes.join(" \u00d7 ")}`);
  return whole;
}

// For each number of the model's input its place in the signal, (channel, time).
export function layout({ axes, channels, window, patch }) {
  const names = axes.slice(1);
  const steps = { channel: window, time: 1, patch, sample: 1 };
  const lengths = { channel: channels.length, time: window, patch: window / patch, sample: patch };
  const shape = names.map((axis) => lengths[axis] ?? 1);
  return Int32Array.from({ length: product(shape) }, (_, i) => {
    let place = 0;
    for (let a = names.length - 1; a >= 0; a--) {
      place += (i % shape[a]) * (steps[names[a]] ?? 0);
      i = Math.floor(i / shape[a]);
    }
    return place;
  });
}

// What a microvolt is in the numbers that the model takes.
export const perMicrovolt = ({ unit, scale }) => PER_MICROVOLT[unit] * scale;

// What the model is to get and this page does not do, in a sentence; empty where there is nothing.
export function undone({ highpass, lowpass, notch, reference }) {
  const asks = [];
  if (highpass || lowpass) asks.push(`${highpass ?? 0} to ${lowpass ? `${lowpass} Hz` : "as high as recorded"}`);
  if (notch) asks.push(`no mains at ${notch} Hz`);
  if (reference !== "as recorded") asks.push(`a reference to ${[reference].flat().join(", ")}`);
  if (!asks.length) return "";
  return `This page does not filter, resample or change the reference. The model asks for ${asks.join(", ")}: what is shown ` +
    `is right only for a recording that was prepared so. onnxplain explain prepares it.`;
}

// Whether outputs are numbers that are explained as they are.
export const regresses = ({ task, targets = {}, output_unit: unit, classes = [] }) =>
  task === "regression" || Object.keys(targets).length > 0 || (!task && Boolean(unit) && !classes.length);
