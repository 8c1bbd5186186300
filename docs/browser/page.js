// Runs a compiled model and draws its relevance. Everything happens in this page.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { Refused, fromJson, fromNpy, metadata } from "./files.js";
import { draw, short } from "./map.js";

ort.env.wasm.numThreads = 1; // more need a server that isolates the page from other origins

const $ = (id) => document.getElementById(id);
const times = (shape) => shape.join(" \u00d7 ");
const product = (shape) => shape.reduce((a, b) => a * b, 1);

let model = null; // {name, choice, session, input, output, seed (its length), shape, contract, rules}
let sample = null; // {name, shape, data, and what a .json file may add}
let shown = null; // what the map shows

// ---- files -----------------------------------------------------------------------------------

// `choice` is what the lists of models and of rules say while this one is shown.
async function openModel(bytes, name, choice) {
  const about = metadata(bytes);
  if (!about["onnxplain.compiled"]) {
    throw new Refused("not a compiled file; make one with: onnxplain compile MODEL -o FILE");
  }
  const rules = JSON.parse(about["onnxplain.compiled"]);
  const contract = JSON.parse(about["onnxplain.contract"] ?? "{}");
  if (rules.targets) throw new Refused("compiled with --targets; this page takes files without it");
  const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
  const session = await ort.InferenceSession.create(bytes, options);
  const inputs = session.inputMetadata.filter((i) => i.name !== "seed");
  if (inputs.some((i) => i.name.startsWith("reference.")) && rules.references === "given") {
    throw new Refused("takes reference windows as an input; compile it with --against FILE to have them in it");
  }
  const input = inputs[0];
  const seed = session.inputMetadata.find((i) => i.name === "seed");
  const output = session.outputMetadata.find((o) => o.name === rules.explained);
  const shape = input?.shape.slice(1) ?? [];
  if (inputs.length !== 1 || input.type !== "float32" || !shape.length || shape.some((n) => !(n > 0))) {
    throw new Refused("this page takes models with one float32 input, whose shape is fixed but for the batch");
  }
  if (!output || !seed || seed.type !== "float32" || seed.shape.length !== 2 || !(seed.shape[1] > 0)) {
    throw new Refused("this page takes models that give one row of classes");
  }
  if (contract.channels?.length !== shape[0]) delete contract.channels;
  const names = { input: input.name, output: output.name };
  const against = rules.references ? `${rules.references} reference windows in its file` : "a silent signal";
  model = { name, choice, session, contract, rules, against, shape, ...names, seed: seed.shape[1] };
}

// Why the model cannot take a window; nothing where it can.
function misfit({ shape, channels }) {
  if (times(shape) !== times(model.shape)) {
    return `a window of ${times(shape) || "one number"}; ${model.name} takes ${times(model.shape)}`;
  }
  const own = model.contract.channels;
  const same = !own || !channels || own.join() === channels.join();
  return same ? "" : `its channels are not those of ${model.name}, in the same order`;
}

function openWindow(bytes, name) {
  if (!model) throw new Refused("choose a model first");
  const found = name.toLowerCase().endsWith(".npy") ? fromNpy(bytes) : fromJson(bytes);
  const batch = found.shape.length === model.shape.length + 1;
  if (batch && found.shape[0] !== 1) throw new Refused(`${found.shape[0]} windows; this page takes one`);
  const shape = batch ? found.shape.slice(1) : found.shape;
  const why = misfit({ shape, channels: found.channels });
  if (why) throw new Refused(why);
  if (product(shape) !== found.data.length) throw new Refused(`${found.data.length} values for ${times(shape)}`);
  if (!found.data.every(Number.isFinite)) throw new Refused("has values that are not finite");
  const known = (i) => Number.isInteger(i) && i >= 0 && i < found.channels?.length;
  const order = Array.isArray(found.order) && found.order.every(known) ? found.order : undefined;
  sample = { ...found, shape, name, order };
}

// ---- relevance -------------------------------------------------------------------------------

function classes() {
  const known = model.contract.classes ?? [];
  return known.length === model.seed ? known : Array.from({ length: model.seed }, (_, i) => `class ${i}`);
}

function run(seed) {
  return model.session.run({
    [model.input]: new ort.Tensor("float32", sample.data, [1, ...model.shape]),
    seed: new ort.Tensor("float32", seed, [1, model.seed]),
  });
}

async function explain() {
  const n = model.seed;
  const logits = [...(await run(new Float32Array(n)))[model.output].data];
  const predicted = logits.indexOf(Math.max(...logits));
  const target = $("target").value === "predicted" ? predicted : Number($("target").value);
  // The class against the mean of the others: what all classes share tells nothing of one of them.
  const seed = Float32Array.from({ length: n }, (_, i) => (i === target ? 1 : -1 / (n - 1)));
  const got = await run(seed);
  const relevance = got[`relevance.${model.input}`].data;
  if (!relevance.every(Number.isFinite)) throw new Refused("the relevance is not finite here");
  const channels = model.contract.channels ?? [...Array(product(model.shape.slice(0, -1))).keys()].map(String);
  const cols = relevance.length / channels.length;
  const each = channels.map((_, r) => relevance.subarray(r * cols, (r + 1) * cols));
  const size = each.map((values) => sum(values.map(Math.abs)));
  const all = sum(size) || 1;
  const stayed = Object.keys(got).filter((name) => name.startsWith("ledger."));
  shown = {
    model: model.name,
    window: sample.name,
    composite: model.rules.composite,
    against: model.against,
    classes: classes(),
    logits,
    predicted,
    target,
    // Of a difference: less the mean over the references.
    explained: got.explained ? got.explained.data[0] : sum(logits.map((y, i) => y * seed[i])),
    channels,
    total: each.map(sum),
    share: size.map((s) => s / all),
    ledger: Object.fromEntries(stayed.map((name) => [name.slice("ledger.".length), got[name].data[0]])),
    input: model.input,
    shape: model.shape,
    relevance: [...relevance],
  };
}

const sum = (values) => values.reduce((a, b) => a + b, 0);

// ---- what is seen ----------------------------------------------------------------------------

function redraw() {
  if (!shown || !$("map").clientWidth) return; // nothing to draw, or hidden
  const { contract } = model;
  const unit = draw($("map"), {
    channels: shown.channels, relevance: shown.relevance, signal: sample.data, rate: contract.sfreq,
    order: sample.order, regions: sample.regions, unit: contract.output_unit ?? "logit",
  });
  const name = (contract.unit ?? (contract.sfreq ? "uV" : "")).replace("uV", "\u00b5V");
  $("caption").textContent =
    `Relevance against ${shown.against}, electrode by time. The lines are the signal; a row is ${short(unit / (contract.scale ?? 1))} ${name} high. ` +
    "Beyond the ends of the colour bar lies the strongest half percent of the samples.";
}

function cells(body, lines) {
  body.replaceChildren(...lines.map(([head, ...values]) => {
    const line = document.createElement("tr");
    const first = document.createElement("th");
    first.scope = "row";
    first.textContent = head;
    line.append(first);
    for (const value of values) line.insertCell().textContent = value;
    return line;
  }));
}

function show() {
  const { classes: names, logits, target, predicted, ledger, explained, share, channels, total } = shown;
  const others = names.length === 2 ? names[1 - target] : "the mean of the others";
  const what = names.length === 1 ? names[0] : `${names[target]} against ${others}`;
  $("result").hidden = false;
  const how = shown.composite === "difference" ? "difference to other windows" : "relevance against silence";
  $("title").textContent = `${what}: ${shown.model} on ${sample.label ?? shown.window}, ${how}`;
  const best = (i) => (i === predicted && names.length > 1 ? " (predicted)" : "");
  const digits = (value) => value.toFixed(3).replace("-", "\u2212");
  cells($("logits"), names.map((name, i) => [name + best(i), digits(logits[i])]));
  $("unit").textContent = model.contract.output_unit ?? "logit";
  const kept = Object.entries(ledger);
  const account = kept.map(([kind, value]) => `${short(value)} (${kind})`).join(", ");
  $("account").textContent =
    `Explained, by ${shown.composite} against ${shown.against}: ${what}, ${short(explained)}. The map adds up to ${short(sum(total))}` +
    (kept.length ? `; on the way stayed ${account}.` : ".");
  const strongest = channels.map((_, i) => i).sort((a, b) => share[b] - share[a]);
  const percent = (i) => `${(100 * share[i]).toFixed(1)} %`;
  cells($("electrodes"), strongest.map((i) => [channels[i], short(total[i]), percent(i)]));
  const most = strongest.slice(0, 3).map((i) => `${channels[i]} ${percent(i)}`).join(", ");
  const said = `Heat map of relevance, ${channels.length} electrodes by time. Most on ${most}.`;
  $("map").setAttribute("aria-label", said);
  redraw();
}

function offer() {
  const names = classes();
  const chosen = $("target").value;
  const options = names.map((name, i) => new Option(name, i));
  $("target").replaceChildren(new Option("predicted", "predicted"), ...options);
  $("target").value = Number(chosen) < names.length ? chosen : "predicted";
}

// ---- what the user does ----------------------------------------------------------------------

let last = Promise.resolve();

// One thing after another; a file that cannot be used leaves what was there, and one line.
function act(name, what) {
  $("main").setAttribute("aria-busy", "true");
  last = last.then(async () => {
    const before = [model, sample];
    try {
      await what();
      offer();
      $("error").hidden = true;
      if (sample) {
        const began = performance.now();
        await explain();
        const spent = performance.now() - began;
        show();
        $("status").textContent = `Explained in ${(spent / 1000).toFixed(2)} s, in this page.`;
      } else {
        $("result").hidden = true;
        $("status").textContent = `${model.name} takes a window of ${times(model.shape)}; choose your own.`;
      }
      if (before[0] !== model) before[0]?.session.release();
    } catch (problem) {
      if (model !== before[0]) model?.session.release();
      [model, sample] = before;
      if (model) offer();
      const line = String(problem?.message ?? problem).split("\n")[0].slice(0, 300);
      $("error").textContent = `${name}: ${problem instanceof Refused ? line : `cannot be used (${line})`}`;
      $("error").hidden = false;
      if (!shown) $("status").textContent = "Nothing is explained yet.";
    }
    if (model) [$("model").value, $("rules").value] = model.choice;
    $("main").setAttribute("aria-busy", "false");
  });
  return last;
}

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Refused(`the page's own file is missing (${answer.status}); run: make browser`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function json(path) {
  return JSON.parse(new TextDecoder().decode(await fetched(path)));
}

async function demo(name, rules) {
  const kept = sample;
  const path = `models/${name}.${rules}.onnx`;
  await openModel(await fetched(path), name, [name, rules]);
  if (rules === "difference") model.against = (await json("models/references.json"))[name];
  if (!kept || misfit(kept)) openWindow(await fetched("window.json"), "window.json");
}

// A choice in one list; the other one stays, or is the first where it was a file of the user's own.
function chosen() {
  for (const id of ["model", "rules"]) if (!$(id).value) $(id).selectedIndex = 0;
  const choice = [$("model").value, $("rules").value];
  act(choice.join(", "), () => demo(...choice));
}
$("model").addEventListener("change", chosen);
$("rules").addEventListener("change", chosen);
$("target").addEventListener("change", () => act(model.name, () => {}));
for (const id of ["own-model", "own-window"]) {
  // A file that was changed on disk can be chosen again.
  $(id).addEventListener("click", ({ target }) => (target.value = ""));
}
$("own-model").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  act(file.name, async () => {
    await openModel(new Uint8Array(await file.arrayBuffer()), file.name, ["", ""]);
    if (sample && misfit(sample)) sample = null;
  });
});
$("own-window").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (file) act(file.name, async () => openWindow(new Uint8Array(await file.arrayBuffer()), file.name));
});
$("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(shown)], { type: "application/json" }));
  link.download = "relevance.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
new ResizeObserver(redraw).observe($("map"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
chosen();
