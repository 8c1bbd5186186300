// A compiled model: what its file says of itself, and what it makes of one window.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { regresses } from "./contract.js";
import { Refused, metadata } from "./files.js";

ort.env.wasm.numThreads = 1; // more need a server that isolates the page from other origins

export const times = (shape) => shape.join(" \u00d7 ");
export const sum = (values) => values.reduce((a, b) => a + b, 0);

export class Model {
  // `choice` is what the lists of models and of rules say while this one is shown.
  static async open(bytes, name, choice) {
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
    const against = rules.references ? `${rules.references} reference windows in its file` : "a silent signal";
    const names = { input: input.name, output: output.name };
    return Object.assign(new Model(), { name, choice, session, contract, rules, against, shape, ...names, size: seed.shape[1] });
  }

  release() {
    this.session.release();
  }

  // Whether it gives numbers that are explained as they are, and no classes.
  get regresses() {
    return regresses(this.contract);
  }

  // Names of its outputs.
  get outputs() {
    const known = this.contract.classes?.length ? this.contract.classes : Object.keys(this.contract.targets ?? {});
    const what = this.regresses ? "number" : "class";
    return known.length === this.size ? known : Array.from({ length: this.size }, (_, i) => `${what} ${i}`);
  }

  // The unit of what is explained.
  unit(target = 0) {
    const { output_unit: unit, targets = {} } = this.contract, [name, own] = Object.entries(targets)[target] ?? [];
    return own || name || unit || (this.regresses ? "output" : "logit");
  }

  // The class against the mean of the others: what all classes share tells nothing of one of them.
  seed(target) {
    const others = this.regresses || this.size === 1 ? 0 : -1 / (this.size - 1);
    return Float32Array.from({ length: this.size }, (_, i) => (i === target ? 1 : others));
  }

  run(data, seed) {
    return this.session.run({
      [this.input]: new ort.Tensor("float32", data, [1, ...this.shape]),
      seed: new ort.Tensor("float32", seed, [1, this.size]),
    });
  }

  // Outputs and relevance of a window. `wanted` is an output, or "predicted"; `guess` is what that may well be,
  // which spares a run where it is right.
  async explain(data, wanted, guess = 0) {
    const fixed = wanted === "predicted" ? null : Number(wanted);
    let target = fixed ?? guess;
    let got = await this.run(data, this.seed(target));
    const logits = [...got[this.output].data];
    const predicted = logits.indexOf(Math.max(...logits));
    if (fixed === null && predicted !== target) {
      target = predicted;
      got = await this.run(data, this.seed(target));
    }
    const seed = this.seed(target), relevance = got[`relevance.${this.input}`].data;
    if (!relevance.every(Number.isFinite)) throw new Refused("the relevance is not finite here");
    const stayed = Object.keys(got).filter((name) => name.startsWith("ledger."));
    return {
      logits, predicted, target, relevance,
      // Of a difference: less the mean over the references.
      explained: got.explained ? got.explained.data[0] : sum(logits.map((y, i) => y * seed[i])),
      ledger: Object.fromEntries(stayed.map((name) => [name.slice("ledger.".length), got[name].data[0]])),
    };
  }
}
