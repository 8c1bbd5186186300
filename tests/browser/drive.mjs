// node drive.mjs JOB.json, JOB: {url, chromium, out, model, window, wrong, given}
//
// Uses the page as a person would: looks at the demo, chooses a class and the other model, their own files, a
// wrong file, and a telephone's width. What it saw goes to OUT/seen.json, pictures beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, acceptDownloads: true });
const page = await context.newPage();
const seen = { requests: [], problems: [], maps: {}, errors: {}, wide: {} };
page.on("request", (request) => seen.requests.push(request.url()));
page.on("pageerror", (error) => seen.problems.push(String(error)));
page.on("console", (line) => line.type() === "error" && seen.problems.push(line.text()));

const settled = () => page.waitForSelector('main[aria-busy="false"]', { timeout: 60000 });
const picture = (name) => page.screenshot({ path: `${job.out}/${name}.png`, fullPage: true });
async function numbers(name) {
  await settled();
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  seen.maps[name] = JSON.parse(readFileSync(await download.path(), "utf8"));
}
async function width(name) {
  seen.wide[name] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
}

await page.goto(job.url);
await numbers("demo");
await picture("demo");
await width("demo");
seen.title = await page.textContent("#title");
seen.label = await page.getAttribute("#map", "aria-label");

await page.selectOption("#target", "1");
await numbers("second class");
await page.selectOption("#model", { index: 1 });
await page.selectOption("#target", "predicted");
await numbers("other model");
await picture("other");

await page.selectOption("#rules", "difference");
await numbers("difference");
seen.titles = [seen.title, await page.textContent("#title")];
seen.account = await page.textContent("#account");
await picture("difference");
await width("difference");

await page.click("summary >> nth=0");
await page.setInputFiles("#own-model", job.model);
await settled();
await page.setInputFiles("#own-window", job.window);
await numbers("own files");
await page.setInputFiles("#own-window", job.wrong);
await settled();
seen.errors.window = await page.textContent("#error");
await page.setInputFiles("#own-model", job.wrong);
await settled();
seen.errors.model = await page.textContent("#error");
await page.setInputFiles("#own-model", job.given);
await settled();
seen.errors.given = await page.textContent("#error");
await picture("error");

await page.setViewportSize({ width: 390, height: 844 });
await page.goto(job.url);
await settled();
await picture("narrow");
await width("narrow");
await page.selectOption("#rules", "difference");
await settled();
await picture("narrow-difference");
await width("narrow difference");
await page.emulateMedia({ colorScheme: "dark" });
await page.waitForTimeout(200);
await picture("dark");
await browser.close();
writeFileSync(`${job.out}/seen.json`, JSON.stringify(seen));
