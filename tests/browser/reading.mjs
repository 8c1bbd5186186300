// node reading.mjs PAGE JOB.json OUT.json, JOB: {names, matched, layouts, recordings}
//
// What the page's own files make of names, contracts and recordings, without a browser.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [, , folder, job, out] = process.argv;
const load = (name) => import(pathToFileURL(`${folder}/${name}`).href);
const [{ parse, matched }, { layout, settled, undone }, { Recording }] = await Promise.all(["names.js", "contract.js", "recording.js"].map(load));
const asked = JSON.parse(readFileSync(job, "utf8"));
const orSaid = async (make) => {
  try {
    return await make();
  } catch (problem) {
    if (problem.constructor.name !== "Refused") throw problem;
    return { refused: problem.message };
  }
};

async function read({ file, contract, shape, at, first }) {
  const recording = await Recording.open(new File([readFileSync(file)], basename(file)), { contract, shape });
  const signal = await recording.signal(first);
  return { signal: [...signal], input: [...recording.input(signal)], annotations: recording.annotations, said: recording.said,
    starts: recording.starts(at).map((s) => [s.first, s.label, recording.fits(s.first)]), lost: recording.lost(first, signal) };
}

const found = {
  names: asked.names.map(parse),
  matched: await Promise.all(asked.matched.map(([wanted, names]) => orSaid(() => matched(wanted, names)))),
  layouts: await Promise.all(asked.layouts.map(({ contract, shape }) => orSaid(() => [...layout(settled(contract, shape))]))),
  undone: asked.layouts.map(({ contract }) => undone({ reference: "as recorded", ...contract })),
  recordings: await Promise.all(asked.recordings.map((one) => orSaid(() => read(one)))),
};
writeFileSync(out, JSON.stringify(found));
