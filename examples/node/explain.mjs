// node explain.mjs MODEL.lrp.onnx WINDOW.json [OUT.json]
//
// Runs a compiled model on one window: the logits, and the relevance of each electrode for the
// predicted class against the mean of the others. Compiled by `difference`, it is relevance of the difference to
// reference windows, in the file or in WINDOW.json. Nothing of onnxplain is needed for it.
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-node";

const [model, file, out] = process.argv.slice(2);
if (!file) throw new Error("usage: node explain.mjs MODEL.lrp.onnx WINDOW.json [OUT.json]");
const { input, output, shape, classes, channels, data, references } = JSON.parse(readFileSync(file, "utf8"));
const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });

const n = classes.length;
const x = new ort.Tensor("float32", Float32Array.from(data), [1, ...shape]);
const feeds = { [input]: x };
if (session.inputNames.includes(`reference.${input}`)) {
  const values = Float32Array.from(references); // any number of windows, one behind the other
  feeds[`reference.${input}`] = new ort.Tensor("float32", values, [values.length / data.length, ...shape]);
}
const run = (seed) => session.run({ ...feeds, seed: new ort.Tensor("float32", seed, [1, n]) });

// A seed of zeros explains nothing and gives the logits; the seed that explains depends on them.
const logits = (await run(new Float32Array(n)))[output].data;
const predicted = logits.indexOf(Math.max(...logits));
const seed = Float32Array.from(logits, (_, i) => (i === predicted ? 1 : -1 / (n - 1)));
const explained = await run(seed);
const relevance = explained[`relevance.${input}`].data;

const time = relevance.length / channels.length;
const electrode = channels.map((_, i) =>
  relevance.subarray(i * time, (i + 1) * time).reduce((sum, value) => sum + value, 0),
);
classes.forEach((name, i) => console.log(`${name}\t${logits[i].toFixed(3)}${i === predicted ? "\tpredicted" : ""}`));
channels.forEach((name, i) => console.log(`${name}\t${electrode[i].toFixed(5)}`));
if (explained.explained) console.log(`explained\t${explained.explained.data[0].toFixed(5)}`);
if (out) writeFileSync(out, JSON.stringify({ logits: [...logits], relevance: [...relevance] }));
