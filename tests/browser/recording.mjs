// node recording.mjs JOB.json, JOB: {url, chromium, out, model, bare, recording, window, mistakes: {NAME: FILE},
// electrode, time, said}
//
// Opens a model and a recording in the browser page as a person would, and uses the viewer. What it saw goes to
// OUT/seen.json, pictures beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, acceptDownloads: true });
const page = await context.newPage();
const seen = { requests: [], problems: [], mistakes: {}, wide: {}, out: {}, axe: {} };
page.on("request", (request) => seen.requests.push(request.url()));
page.on("pageerror", (error) => seen.problems.push(String(error)));
page.on("console", (line) => line.type() === "error" && seen.problems.push(line.text()));

const settled = () => page.waitForSelector('main[aria-busy="false"]', { timeout: 280000 });
const shown = () => page.waitForFunction(() => document.querySelector("#viewer .ox-said")?.textContent);
const picture = (name) => page.screenshot({ path: `${job.out}/${name}.png`, fullPage: true });
async function width(name) {
  seen.wide[name] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  seen.out[name] = await page.evaluate(() => [...document.querySelectorAll("main *")]
    .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".u-over"))
    .map((e) => `${e.tagName}.${e.className}`));
  await page.evaluate(AXE);
  seen.axe[name] = await page.evaluate(async () =>
    (await axe.run()).violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html.slice(0, 150))]));
}
async function numbers() {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-recording")]);
  return JSON.parse(readFileSync(await download.path(), "utf8"));
}
// What the viewer says, and the numbers that it has of the window.
const told = () => page.evaluate(() => {
  const root = document.getElementById("viewer"), { viewer } = root, said = root.querySelector(".ox-said");
  const rows = [...root.querySelectorAll(".ox-most tbody tr")].map((r) => [...r.cells].map((c) => c.innerText));
  return { said: said.innerText, electrode: said.dataset.electrode, at: Number(said.dataset.bin), number: viewer.own.number,
    head: root.querySelector(".ox-head").innerText, onset: viewer.own.onset, bin: viewer.own.bin, most: rows,
    steps: viewer.own.steps, relevance: [...viewer.numbers.relevance], signal: [...viewer.numbers.signal],
    groups: [...viewer.group.options].map((o) => o.value), listed: [...viewer.list.options].map((o) => o.text),
    order: viewer.page.order.map((r) => viewer.page.channels[r].name), sentences: root.parentElement.innerText };
});

await page.goto(job.url);
await settled();
await page.click("summary >> nth=0");
await page.setInputFiles("#own-model", job.model);
await settled();
await page.setInputFiles("#own-recording", job.recording);
await settled();
await shown();
seen.status = await page.textContent("#status");
seen.first = await told();
seen.saved = await numbers();
seen.head = await page.evaluate(() => {
  const { inside, rows, weights } = document.getElementById("viewer").viewer.page.head;
  return { inside, rows, weights: [...weights] };
});

await page.selectOption("[aria-label='Which windows']", `said ${job.said}`);
await page.waitForTimeout(300);
await page.click("[aria-label='Next window']");
await page.waitForTimeout(300);
const [x, y] = await page.evaluate(([t, name]) => {
  const { plot, page } = document.getElementById("viewer").viewer;
  plot.over.scrollIntoView({ block: "center", behavior: "instant" });
  const box = plot.over.getBoundingClientRect();
  return [box.left + plot.valToPos(t, "x"), box.top + plot.valToPos(page.order.findIndex((r) => page.channels[r].name === name), "y")];
}, [job.time, job.electrode]);
await page.mouse.move(x, y);
seen.picked = await told();
await picture("recording");
await width("wide");

for (const [name, file] of Object.entries(job.mistakes)) {
  await page.setInputFiles("#own-recording", file);
  await settled();
  seen.mistakes[name] = await page.textContent("#error");
  seen.kept = await page.textContent("#of");
}
await picture("mistake");

await page.selectOption("#cut", "classes");
await settled();
seen.cut = { groups: (await told()).groups, numbers: await numbers() };
await page.setViewportSize({ width: 390, height: 844 });
await page.waitForTimeout(300);
await picture("recording-narrow");
await width("narrow");

await page.selectOption("#cut", "one after another");
await page.click("#stop");
await settled();
seen.stopped = { status: await page.textContent("#status"), count: (await numbers()).windows.length };
await page.emulateMedia({ colorScheme: "dark" });
await picture("recording-dark");
await width("dark");

await page.selectOption("#model", "shortcut");
await page.selectOption("#rules", "difference");
await settled();
seen.difference = { title: await page.textContent("#of"), numbers: await numbers() };
await page.setInputFiles("#own-model", job.bare);
await settled();
const open = () => page.evaluate(() => ["result", "recording", "cut-label"].map((id) => !document.getElementById(id).hidden));
seen.bare = { status: await page.textContent("#status"), open: await open() };
await page.setInputFiles("#own-recording", job.recording);
await settled();
seen.refused = { error: await page.textContent("#error"), open: await open() };
await page.selectOption("#model", "honest");
await settled();
await page.click("#demo-recording");
await settled();
seen.demo = { title: await page.textContent("#of"), open: await open() };
await page.setInputFiles("#own-window", job.window);
await settled();
seen.demo.window = await open();

const whole = JSON.parse(JSON.stringify(seen)); // what follows is a request that the page itself never makes
whole.blocked = await page.evaluate(() => new Promise((done) => {
  document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
  fetch("http://127.0.0.2:9/").catch(() => setTimeout(() => done("went out"), 5000));
}));
await browser.close();
writeFileSync(`${job.out}/seen.json`, JSON.stringify(whole));
