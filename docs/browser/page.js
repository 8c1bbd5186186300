// Runs a compiled model on one window or on a recording, and shows its relevance. Everything happens in this page.
import { Refused, fromJson, fromNpy } from "./files.js";
import { draw, short } from "./map.js";
import { Model, sum, times } from "./model.js";
import { Recording } from "./recording.js";
import { Viewer } from "./viewer.js";
import { explained } from "./windows.js";

const $ = (id) => document.getElementById(id);
const product = (shape) => shape.reduce((a, b) => a * b, 1);

let model = null; // a Model
let sample = null; // one window: {name, shape, data, and what a .json file may add}
let recording = null; // a Recording, which is shown in place of the window
let shown = null; // what is shown, as it is saved
let stopped = false; // whether the user wants no further window
let closed = ""; // why a recording was closed that another model was chosen for

// ---- one window -----------------------------------------------------------------------------

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

async function explainWindow() {
  const got = await model.explain(sample.data, $("target").value);
  const channels = model.contract.channels ?? [...Array(product(model.shape.slice(0, -1))).keys()].map(String);
  const cols = got.relevance.length / channels.length;
  const each = channels.map((_, r) => got.relevance.subarray(r * cols, (r + 1) * cols));
  const size = each.map((values) => sum(values.map(Math.abs)));
  const all = sum(size) || 1;
  shown = {
    model: model.name,
    window: sample.name,
    composite: model.rules.composite,
    against: model.against,
    classes: model.outputs,
    channels,
    total: each.map(sum),
    share: size.map((s) => s / all),
    input: model.input,
    shape: model.shape,
    ...got,
    relevance: [...got.relevance],
  };
}

// ---- what is seen ----------------------------------------------------------------------------

function redraw() {
  if (!shown || recording || !$("map").clientWidth) return; // nothing to draw, or hidden
  const { contract } = model;
  const unit = draw($("map"), {
    channels: shown.channels, relevance: shown.relevance, signal: sample.data, rate: contract.sfreq,
    order: sample.order, regions: sample.regions, unit: model.unit(shown.target),
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
  const what = names.length === 1 || model.regresses ? names[target] : `${names[target]} against ${others}`;
  const how = shown.composite === "difference" ? "difference to other windows" : "relevance against silence";
  $("title").textContent = `${what}: ${shown.model} on ${sample.label ?? shown.window}, ${how}`;
  const best = (i) => (i === predicted && names.length > 1 && !model.regresses ? " (predicted)" : "");
  const digits = (value) => value.toFixed(3).replace("-", "\u2212");
  cells($("logits"), names.map((name, i) => [name + best(i), digits(logits[i])]));
  $("unit").textContent = model.unit(target);
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

// What there is to choose: outputs of the model, and where windows of the recording start.
function offer() {
  const chosen = $("target").value, names = model.outputs;
  const first = model.regresses ? [] : [new Option("predicted", "predicted")];
  $("target").replaceChildren(...first, ...names.map((name, i) => new Option(name, i)));
  $("target").value = chosen && Number(chosen) < names.length ? chosen : first.length ? "predicted" : "0";
  $("cut-label").hidden = !recording;
  if (!recording) return;
  const at = $("cut").value, ways = [["one after another", "one after another"]];
  for (const [way, text] of [["classes", "at annotations of its classes"], ["all", "at all annotations"]]) {
    const n = recording.marks(way).length;
    if (n) ways.push([way, `${text} (${n})`]);
  }
  $("cut").replaceChildren(...ways.map(([way, text]) => new Option(text, way)));
  $("cut").value = ways.some(([way]) => way === at) ? at : "one after another";
}

// ---- a recording -----------------------------------------------------------------------------

let electrodes = null; // where electrodes lie, from front to back

// Before each window the page is drawn, so that it can be seen how far it is, and stopped.
async function further(done, of) {
  [$("progress").max, $("progress").value] = [of, done];
  $("far").textContent = `Window ${done + 1} of ${of}`;
  await new Promise((go) => setTimeout(go));
  return !stopped;
}

async function explainRecording() {
  electrodes ??= await json("electrodes.json");
  stopped = false;
  $("working").hidden = false;
  const how = { wanted: $("target").value, at: $("cut").value, table: electrodes };
  const { shown: view, numbers } = await explained(model, recording, how, further);
  const { name, rules, against } = model, { channels } = recording.contract;
  shown = { model: name, recording: recording.name, composite: rules.composite, against, classes: model.outputs, channels, windows: numbers };
  return view;
}

function open(view) {
  const how = model.rules.composite === "difference" ? "difference to other windows" : "relevance against silence";
  $("of").textContent = `${model.name} on ${recording.name}, ${how}`;
  $("prepared").replaceChildren(...recording.said.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  $("prepared").hidden = !recording.said.length;
  $("viewer").viewer = new Viewer($("viewer"), view);
}

// ---- what the user does ----------------------------------------------------------------------

let last = Promise.resolve();
let waiting = 0; // what is to be done, with what is being done

// Explains what is open; the line that says so.
async function explainOpen() {
  const began = performance.now();
  const view = recording ? await explainRecording() : sample ? await explainWindow() : null;
  const spent = ((performance.now() - began) / 1000).toFixed(2);
  $("result").hidden = Boolean(recording) || !sample;
  $("recording").hidden = !recording;
  if (recording) open(view);
  else if (sample) show();
  else return `${model.name} takes a window of ${times(model.shape)}; choose your own.`;
  return `${recording ? `${shown.windows.length} windows explained` : "Explained"} in ${spent} s, in this page.`;
}

// One thing after another; a file that cannot be used leaves what was there, and one line.
function act(name, what) {
  $("main").setAttribute("aria-busy", "true");
  waiting++;
  last = last.then(async () => {
    const before = [model, sample, recording];
    closed = "";
    try {
      await what();
      offer();
      $("status").textContent = (await explainOpen()) + closed;
      $("error").hidden = true;
      if (before[0] !== model) before[0]?.release();
    } catch (problem) {
      if (model !== before[0]) model?.release();
      [model, sample, recording] = before;
      if (recording && model) recording.fit(model);
      if (model) offer();
      const line = String(problem?.message ?? problem).split("\n")[0].slice(0, 300);
      $("error").textContent = `${name}: ${problem instanceof Refused ? line : `cannot be used (${line})`}`;
      $("error").hidden = false;
      if (!shown) $("status").textContent = "Nothing is explained yet.";
    }
    $("working").hidden = true;
    if (--waiting) return; // the lists have what was chosen meanwhile
    if (model) [$("model").value, $("rules").value] = model.choice;
    $("main").setAttribute("aria-busy", "false");
  });
  return last;
}

// Another model for what is open; what does not fit it is closed.
async function use(bytes, name, choice) {
  model = await Model.open(bytes, name, choice);
  try {
    recording?.fit(model);
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    closed = ` ${recording.name} was closed, for ${model.name} does not fit it: ${problem.message}.`;
    recording = null;
  }
  if (sample && misfit(sample)) sample = null;
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
  await use(await fetched(`models/${name}.${rules}.onnx`), name, [name, rules]);
  if (rules === "difference") model.against = (await json("models/references.json"))[name];
  if (!sample) openWindow(await fetched("window.json"), "window.json");
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
$("cut").addEventListener("change", () => act(recording.name, () => {}));
$("stop").addEventListener("click", () => (stopped = true));

// A file that the user chooses; one that was changed on disk can be chosen again.
function onFile(id, what) {
  $(id).addEventListener("click", ({ target }) => (target.value = ""));
  $(id).addEventListener("change", ({ target: { files: [file] } }) => file && act(file.name, () => what(file)));
}
const bytesOf = async (file) => new Uint8Array(await file.arrayBuffer());
async function openRecording(file) {
  if (!model) throw new Refused("choose a model first");
  recording = await Recording.open(file, model);
}
onFile("own-model", async (file) => use(await bytesOf(file), file.name, ["", ""]));
onFile("own-recording", openRecording);
onFile("own-window", async (file) => {
  openWindow(await bytesOf(file), file.name);
  recording = null;
});
$("demo-recording").addEventListener("click", () =>
  act("recording.edf", async () => openRecording(new File([await fetched("recording.edf")], "recording.edf"))));
for (const id of ["save", "save-recording"]) $(id).addEventListener("click", save);

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(shown)], { type: "application/json" }));
  link.download = "relevance.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
new ResizeObserver(redraw).observe($("map"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
chosen();
