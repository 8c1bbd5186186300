// Scales a window by what it is itself, as some models want it (eeg/recording/scaling.py).
const LEAST = 1e-8; // added to a percentile

// Of a window (channel, time) in the unit and scale of the model, in place.
export function scale(x, rows, { by, percentile = 95, over = "channel", clip = null }) {
  const each = over === "window" ? x.length : x.length / rows;
  for (let at = 0; at < x.length; at += each) {
    const own = x.subarray(at, at + each);
    const [centre, spread] = by === "zscore" ? normal(own) : [0, quantile(own.map(Math.abs), percentile / 100) + LEAST];
    for (let i = 0; i < own.length; i++) own[i] = (own[i] - centre) / spread;
  }
  return clip === null ? x : x.map((v) => Math.max(-clip, Math.min(clip, v)));
}

// Mean and standard deviation; a flat signal is divided by one.
function normal(x) {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const spread = Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length);
  return [mean, spread > 1e-10 * Math.abs(mean) ? spread : 1];
}

// Linear between neighbours.
function quantile(values, q) {
  const sorted = values.sort(), at = q * (sorted.length - 1), low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

// How windows are scaled, in a sentence.
export function told({ by, percentile = 95, over = "channel", clip = null }) {
  const how = by === "zscore" ? "z-scored" : `divided by percentile ${percentile} of its size`;
  const what = over === "window" ? "Each window" : "Each electrode of each window";
  return `${what} is ${how}${clip === null ? "" : `, then clipped at ${clip}`}, as the contract says.`;
}
