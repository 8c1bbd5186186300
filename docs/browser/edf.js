// Reads recordings: EDF, EDF+ and BDF. The header is checked against itself and against the file's size, and of
// the signal only what is asked for is read.
import { Refused } from "./files.js";

const ELSEWHERE = "onnxplain explain can";
const MICROVOLT = { v: 1e6, volt: 1e6, volts: 1e6, mv: 1e3, millivolt: 1e3, millivolts: 1e3, nv: 1e-3, nanovolt: 1e-3,
  uv: 1, microv: 1, uvolt: 1, microvolt: 1, microvolts: 1 };
const BLOCK = 4_000_000; // bytes that are read at a time

// A byte a letter; what TextDecoder calls latin1 is another code.
const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
// Letters that are bytes of UTF-8, or else as they are.
function utf8(text) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  } catch {
    return text;
  }
}
const listed = (names, most = 8) => names.slice(0, most).join(", ") + (names.length > most ? ` and ${names.length - most} more` : "");

// A field of the header that is a number. No message quotes the header: it has the patient's name.
function number(text, what) {
  const value = Number(text.replace(",", ".").replaceAll("\0", " ").trim() || NaN);
  if (!Number.isFinite(value)) throw new Refused(`the header's ${what} is no number; header and file may not go together`);
  return value;
}

// What a unit in the header is in microvolt; undefined where it is no voltage.
export const microvolt = (unit) => MICROVOLT[unit.replace(/[\u00b5\u03bc]|\u00c2\u00b5|\u00ce\u00bc/, "u").replace(/[\s\0.[\]()]/g, "").toLowerCase()];

export class Edf {
  // The header of a file, checked.
  static async open(file) {
    const part = async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer());
    const fixed = latin(await part(0, 256));
    const bdf = fixed.startsWith("\u00ffBIOSEMI");
    if (!bdf && !fixed.startsWith("0       ")) throw new Refused("no EDF or BDF file, and this page opens no others; save the recording as one");
    if (fixed.length < 256) throw new Refused("cut short in its header");
    const size = number(fixed.slice(184, 192), "size");
    const promised = number(fixed.slice(236, 244), "number of records");
    const seconds = number(fixed.slice(244, 252), "record duration");
    const n = number(fixed.slice(252, 256), "channel count");
    if (!(n > 0 && n <= 65536) || size !== 256 * (n + 1)) throw new Refused("the header's size and channel count do not go together");
    if (file.size < size) throw new Refused("cut short in its header");
    const table = latin(await part(256, size));
    const column = (offset, width) => Array.from({ length: n }, (_, i) => table.slice(offset * n + i * width, offset * n + (i + 1) * width));
    const numbers = (offset, what) => column(offset, 8).map((text) => number(text, what));
    const [samples, low, high, from, to] = [216, 104, 112, 120, 128].map((at) => numbers(at, at === 216 ? "samples a record" : "range"));
    const units = column(96, 8), wide = bdf ? 3 : 2;
    if (samples.some((s) => !(s > 0 && Number.isInteger(s)))) throw new Refused("a channel has no samples in a record");
    let at = 0;
    const channels = column(0, 16).map((label, i) => {
      const own = { name: label.replaceAll("\0", " ").trim(), unit: units[i].trim(), samples: samples[i], at };
      at += samples[i] * wide;
      const factor = (high[i] - low[i]) / (to[i] - from[i]);
      return { ...own, rate: samples[i] / seconds, told: /^[EB]DF Annotations$/.test(own.name),
        scaled: low[i] !== high[i] && from[i] < to[i], factor, offset: low[i] - from[i] * factor };
    });
    if (channels.every((c) => c.told)) throw new Refused("it holds annotations only, and no signal");
    if (!(seconds > 0)) throw new Refused(`the header gives records of ${seconds} s`);
    const held = Math.floor((file.size - size) / at);
    if (held < Math.max(promised, 1)) throw new Refused(`cut short (the header promises ${promised} records, the file holds ${held})`);
    return Object.assign(new Edf(), { file, part, channels, seconds, wide, records: held, begin: size, frame: at });
  }

  // Samples of some channels of one rate in microvolt, (channel, count), from the first one wanted.
  async read(rows, first, count) {
    const each = this.channels[rows[0]].samples, wide = this.wide;
    const from = Math.floor(first / each), to = Math.ceil((first + count) / each);
    // A record may be as long as the whole file: the last ones that were read are kept.
    if (this.kept?.from !== from || this.kept.to !== to) {
      this.kept = { from, to, bytes: await this.part(this.begin + from * this.frame, this.begin + to * this.frame) };
    }
    const view = new DataView(this.kept.bytes.buffer);
    const out = new Float64Array(rows.length * count);
    rows.forEach((row, r) => {
      const { at, factor, offset, unit } = this.channels[row], to = microvolt(unit);
      for (let i = 0; i < count; i++) {
        const sample = first + i - from * each;
        const place = Math.floor(sample / each) * this.frame + at + (sample % each) * wide;
        const stored = wide === 2 ? view.getInt16(place, true) : view.getUint16(place, true) + 65536 * view.getInt8(place + 2);
        out[r * count + i] = (stored * factor + offset) * to;
      }
    });
    return out;
  }

  // Annotations as {onset, duration, text}, in seconds from the first sample. A gap between records is refused.
  async annotations() {
    const found = [], told = this.channels.filter((c) => c.told);
    if (!told.length) return found;
    const many = Math.max(1, Math.floor(BLOCK / this.frame));
    let start = null, before = null;
    for (let r = 0; r < this.records; r++) {
      if (r % many === 0) this.block = await this.part(this.begin + r * this.frame, this.begin + (r + many) * this.frame);
      told.forEach((channel, c) => {
        const at = (r % many) * this.frame + channel.at;
        const tals = latin(this.block.subarray(at, at + channel.samples * this.wide));
        const [, own] = /^([+-]\d+(?:\.\d*)?)\x14/.exec(tals) ?? [];
        if (c === 0 && own !== undefined) {
          start ??= Number(own);
          if (before !== null && Math.abs(Number(own) - before - this.seconds) > 1e-4) {
            throw new Refused(`has gaps between its records, which this page does not read; ${ELSEWHERE}`);
          }
          before = Number(own);
        }
        for (const [, onset, duration, texts] of tals.matchAll(/([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14([^\0\x15]*)\x14\0/g)) {
          for (const text of texts.split("\x14").filter(Boolean)) {
            found.push({ onset: Number(onset) - (start ?? 0), duration: Number(duration ?? 0), text: utf8(text).trim() });
          }
        }
      });
    }
    this.block = null;
    return found.sort((a, b) => a.onset - b.onset);
  }
}

export { ELSEWHERE, listed };
