// Channel names: one spelling for each electrode, and the recorded channel of each that a model takes, as
// onnxplain itself reads them (eeg/electrodes/names.py and matching.py), without deriving what was not recorded.
import { Refused } from "./files.js";
import { ELSEWHERE, listed } from "./edf.js";

const OLD = { T3: "T7", T4: "T8", T5: "P7", T6: "P8" };
const ELECTRODE = /^(?:(?:N|FP|AFP|AF|AFF|F|FFC|FFT|FC|FT|FCC|FTT|C|T|CCP|TTP|CP|TP|CPP|TPP|P|PPO|PO|POO|O|OI|I)(?:Z|(?:10|[1-9])H?)|[AM][12])$/i;
const EARS = new Set(["A1", "A2", "M1", "M2"]);
const LINKED = new Set(["A1A2", "A1+A2", "A12", "M1M2", "M1+M2", "M12"]);
const BOTH = new Set([...LINKED, "AA", "EARS", "LINKED", "LM", "LER"]);
const AVERAGE = new Set(["AVG", "AV", "AR", "AVR", "AVE", "CAR", "AVERAGE"]);
const REFERENCES = new Set([...BOTH, ...AVERAGE, "REF", "REFERENCE", "VREF", "LE", "RE", "EAR", "COMMON", "ORG", "G2"]);

// The standard spelling of one electrode's name; null where it is none.
function electrode(token) {
  if (!ELECTRODE.test(token)) return null;
  const name = OLD[token.toUpperCase()] ?? token.toUpperCase();
  return name.replace(/^(A?F)P(?=\d|Z)/, "$1p").replaceAll("Z", "z").replaceAll("H", "h");
}

// "C3M2" is two electrodes without a dash.
function undashed(token) {
  if (electrode(token)) return [token];
  const found = [];
  for (let i = 2; i < token.length - 1; i++) {
    const [a, b] = [token.slice(0, i), token.slice(i)];
    if (electrode(a) && (electrode(b) || LINKED.has(b.toUpperCase()))) found.push([a, b]);
  }
  return found.length === 1 ? found[0] : [token];
}

// What a name says: its key in the one spelling, its kind, the reference that it mentions, what is subtracted.
export function parse(name) {
  const text = name.replace(/^[ .'"]+|[ .'"]+$/g, "").replaceAll("\u2013", "-");
  const bare = text.replace(/^(?:EEG|POL)[\s_:-]*(?=\w)/i, "").replace(/\(?([AM]1)\s*\+\s*([AM]2)\)?(?:\/2)?/gi, "$1+$2");
  const trimmed = (token) => token.replace(/^\.+|\.+$/g, "");
  let tokens = bare.split(/[\s\-_/:]+/).map(trimmed).filter(Boolean);
  if (tokens.length === 1 || (tokens.length === 2 && /^\d+$/.test(tokens[1]))) tokens = [...undashed(tokens[0]), ...tokens.slice(1)];
  if (tokens.length > 1 && electrode(tokens[0]) && /-\d+$/.test(bare)) tokens = tokens.slice(0, -1);
  const found = tokens.map(electrode);
  const second = tokens[1]?.toUpperCase();
  if (found[0]) {
    if (tokens.length === 1) return { key: found[0], kind: "electrode" };
    if (tokens.length === 2) {
      const ears = EARS.has(found[0]) && EARS.has(found[1]);
      if (REFERENCES.has(second) || (EARS.has(found[1]) && !ears)) {
        return { key: found[0], kind: "electrode", reference: tokens[1], against: found[1] ?? undefined };
      }
      if (found[1]) return { key: `${found[0]}-${found[1]}`, kind: "bipolar", against: found[1] };
    }
  }
  const whole = tokens.join(" ").toLowerCase() || text.toLowerCase();
  if (tokens.length === 2 && EARS.has(found[1])) return { key: whole, kind: "other", reference: tokens[1], against: found[1] };
  return { key: whole, kind: "other" };
}

// Names that are a cap's own: a letter and a number, in a series that runs past 10 (A1 to A32).
function series(names) {
  const found = {};
  for (const name of names) {
    const [, letter, count] = /^(?:EEG[\s_:-]*)?([A-Z])(\d+)$/i.exec(name.replace(/^[ .'"]+|[ .'"]+$/g, "")) ?? [];
    if (letter) (found[letter.toUpperCase()] ??= []).push([name, Number(count)]);
  }
  return new Set(Object.values(found).filter((each) => each.some(([, count]) => count > 10)).flat().map(([name]) => name));
}

const voltage = ({ key, against, reference }) => `${key}|${against ?? (reference ?? "").toUpperCase().replaceAll("+", "")}`;

// The recorded channels that a model's channel is, by the strictest reading that finds any.
function same(name, recorded) {
  const wanted = parse(name);
  const token = (wanted.reference ?? "").toUpperCase();
  const derivation = wanted.against !== undefined || BOTH.has(token) || AVERAGE.has(token);
  const by = (is) => recorded.filter(is);
  const found = [by((c) => c.name === name), by((c) => c.name.toLowerCase() === name.trim().toLowerCase()),
    by((c) => voltage(c.said) === voltage(wanted))].find((each) => each.length);
  if (found || derivation) return found ?? [];
  const electrodes = by((c) => c.said.key === wanted.key && c.said.kind === wanted.kind);
  const common = electrodes.filter((c) => c.said.against === undefined);
  return common.length ? common : electrodes;
}

// For each channel of the model the place among those recorded.
export function matched(wanted, names) {
  const exactly = wanted.every((name) => names.includes(name));
  const own = exactly ? new Set() : series(names);
  const recorded = names.map((name, row) => ({ name, row, said: parse(name) })).filter((c) => !own.has(c.name));
  const hits = wanted.map((name) => same(name, recorded));
  const missing = wanted.filter((_, i) => !hits[i].length);
  if (missing.length) {
    throw new Refused(`${missing.length} of the model's ${wanted.length} channels ${missing.length === 1 ? "is" : "are"} missing: ` +
      `${listed(missing)}; this page derives and interpolates none, ${ELSEWHERE} (--interpolate-missing); the recording has ${listed(names, 20)}`);
  }
  const twice = wanted.find((_, i) => hits[i].length > 1);
  if (twice) throw new Refused(`several channels mean ${twice}: ${listed(same(twice, recorded).map((c) => c.name))}; leave one of them in the file`);
  const rows = hits.map(([c]) => c.row);
  const shared = rows.findIndex((row, i) => rows.indexOf(row) !== i);
  if (shared >= 0) throw new Refused(`${names[rows[shared]]} stands for several channels of the model`);
  return rows;
}
