// node viewer.mjs JOB.json, JOB: {chromium, file, out, electrode, mark}
//
// Drives the viewer of a report as a reader would: by mouse, keys and fingers. What it saw goes to OUT/seen.json.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const seen = { requests: [], problems: [] };
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});

async function open(options) {
  const page = await (await browser.newContext(options)).newPage();
  page.on("request", (request) => seen.requests.push(request.url().slice(0, 200)));
  page.on("pageerror", (error) => seen.problems.push(String(error)));
  page.on("console", (line) => line.type() === "error" && seen.problems.push(line.text()));
  const costs = await page.context().newCDPSession(page);
  await costs.send("Performance.enable");
  await page.goto(pathToFileURL(job.file).href, { waitUntil: "load", timeout: 120000 });
  await page.waitForFunction(() => document.querySelector("#ox-view .ox-said")?.textContent);
  const { metrics } = await costs.send("Performance.getMetrics");
  // From the start of loading to a window that is drawn and read: on the clock, and of the processor, which does
  // not count what else the machine has to do.
  seen.opened ??= await page.evaluate(() => performance.now() / 1000);
  seen.worked ??= metrics.find((each) => each.name === "ProcessTime").value;
  return page;
}

// What the viewer says, and where it is.
const told = (page) =>
  page.evaluate(() => {
    const root = document.getElementById("ox-view"), text = (at) => root.querySelector(at)?.innerText ?? "";
    const rows = (at) => [...root.querySelectorAll(`${at} tbody tr`)].map((r) => [...r.cells].map((c) => c.innerText));
    const { zoom, mark, own } = root.viewer, said = root.querySelector(".ox-said").dataset;
    return { head: text(".ox-head"), said: text(".ox-said"), electrode: said.electrode, at: Number(said.bin), zoom: [...zoom],
      mark, number: own.number, bin: own.bin, samples: own.samples, steps: own.steps, most: rows(".ox-most"), bands: rows(".ox-bands"),
      caption: text(".ox-bands caption"), listed: [...root.viewer.list.options].map((o) => o.text), scroll: !root.viewer.scroll.hidden };
  });
const shown = (page, number) => page.waitForFunction((n) => document.getElementById("ox-view").viewer.own.number === n, number);

// The place on the screen of a time and an electrode.
const place = (page, time, electrode) =>
  page.evaluate(([t, name]) => {
    const { viewer } = document.getElementById("ox-view"), { plot, page } = viewer;
    plot.over.scrollIntoView({ block: "center", behavior: "instant" });
    const box = plot.over.getBoundingClientRect();
    const row = page.order.findIndex((r) => page.channels[r].name === name);
    return [box.left + plot.valToPos(t, "x"), box.top + plot.valToPos(row, "y")];
  }, [time, electrode]);

const page = await open({ viewport: { width: 1280, height: 1000 } });
seen.first = await told(page);

await page.selectOption("[aria-label='Which windows']", "wrong");
await page.waitForTimeout(300);
seen.wrong = await told(page);
const numbers = seen.wrong.listed.map((text) => parseInt(text, 10));
await page.click("[aria-label='Next window']");
await shown(page, numbers[1]);
seen.next = await told(page);

const [from, to] = job.mark;
await page.mouse.move(...(await place(page, (from + to) / 2, job.electrode)));
seen.hovered = await told(page);
await page.mouse.move(...(await place(page, from, job.electrode)));
await page.mouse.down();
await page.mouse.move(...(await place(page, to, job.electrode)), { steps: 5 });
await page.mouse.up();
seen.marked = await told(page);
await page.screenshot({ path: `${job.out}/marked.png` });
await page.click("[title='Zoom to the marked segment']");
seen.toMark = await told(page);
await page.screenshot({ path: `${job.out}/zoomed.png` });
await page.click("[title='All of the window']");

await page.focus("#ox-view .ox-signals");
await page.keyboard.press("Escape");
seen.keys = {};
for (const key of ["ArrowRight", "ArrowDown", "Shift+ArrowRight", "+", "PageUp"]) {
  await page.keyboard.press(key);
  if (key === "PageUp") await shown(page, numbers[0]);
  seen.keys[key] = await told(page);
}
await page.click("[title='All of the window']");
const [x, y] = await place(page, (from + to) / 2, job.electrode);
await page.mouse.move(x, y);
await page.keyboard.down("Control");
await page.mouse.wheel(0, -200);
await page.keyboard.up("Control");
await page.waitForTimeout(200);
seen.wheel = await told(page);
await page.click("[title='All of the window']");
for (const which of ["without", "parts", "all"]) {
  const button = page.locator(`#ox-view input[value='${which}']`);
  if (!(await button.count()) || (await button.isDisabled())) continue;
  await button.check();
  await page.mouse.move(...(await place(page, (from + to) / 2, job.electrode)));
  await page.mouse.move(...(await place(page, (from + to) / 2, job.electrode)));
  seen[which] = await told(page);
  await page.locator("#ox-view").screenshot({ path: `${job.out}/${which}.png` });
}
await page.close();

const phone = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
const touch = await phone.context().newCDPSession(phone);
const fingers = (type, ...points) =>
  touch.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
const a = await place(phone, from, job.electrode), b = await place(phone, to, job.electrode);
await phone.touchscreen.tap(...b);
await phone.waitForTimeout(200);
seen.tapped = await told(phone);
await fingers("touchStart", a);
for (let i = 1; i <= 5; i++) await fingers("touchMove", [a[0] + ((b[0] - a[0]) * i) / 5, a[1]]);
await fingers("touchEnd");
seen.swiped = await told(phone);
const middle = (a[0] + b[0]) / 2, apart = (d) => [[middle - d, a[1]], [middle + d, a[1]]];
await fingers("touchStart", ...apart(20));
for (let d = 25; d <= 60; d += 5) await fingers("touchMove", ...apart(d));
await fingers("touchEnd");
seen.pinched = await told(phone);
await phone.locator("#ox-view").screenshot({ path: `${job.out}/phone.png` });
seen.wide = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
await browser.close();
writeFileSync(`${job.out}/seen.json`, JSON.stringify(seen));
