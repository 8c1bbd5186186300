// node pages.mjs JOB.json, JOB: {kind: "report" | "review", chromium, file, out, expert, answers}
//
// Opens a page that onnxplain wrote, as a file, on a desk and on a telephone; fills a review in. What it saw goes
// to OUT/seen.json, pictures and the saved answers beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

// Checks a page against what WCAG and good practice say; see https://github.com/dequelabs/axe-core.
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { wide: { width: 1280, height: 1000 }, narrow: { width: 390, height: 844 } };
const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const seen = {
  requests: [], problems: [], wide: {}, images: {}, said: {}, out: {}, broken: {}, pictures: {}, cells: {}, links: [], axe: {},
  downloads: [],
};
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});

async function open(name) {
  const page = await browser.newPage({ viewport: SIZES[name], acceptDownloads: true });
  page.on("request", (request) => seen.requests.push(request.url().slice(0, 200)));
  page.on("pageerror", (error) => seen.problems.push(String(error)));
  page.on("console", (line) => line.type() === "error" && seen.problems.push(line.text()));
  page.on("download", (download) => seen.downloads.push(download.suggestedFilename()));
  await page.goto(pathToFileURL(job.file).href, { waitUntil: "load", timeout: 60000 });
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${job.out}/${name}.png` });
  await page.screenshot({ path: `${job.out}/${name}-whole.png`, fullPage: true });
  seen.wide[name] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  seen.images[name] = await page.evaluate(() =>
    [...document.images].filter((i) => i.checkVisibility()).map((i) => [i.alt, i.naturalWidth]),
  );
  return page;
}

// Where the first heading and the first sentence of the answer end, and what they are.
function first() {
  const answer = document.querySelector(".answer");
  const headings = [...document.querySelectorAll("h1, h2, h3, .accordion-button")];
  const heading = headings.find((h) => h.getClientRects().length && h.textContent.trim());
  const text = answer.textContent, end = text.search(/\.(\s|$)/) + 1;
  const walk = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT), range = document.createRange();
  range.setStart(answer, 0);
  for (let left = end, node; left > 0 && (node = walk.nextNode()); left -= node.length)
    range.setEnd(node, Math.min(left, node.length));
  return [
    [heading.textContent.trim(), heading.getBoundingClientRect().bottom],
    [range.toString().trim(), range.getBoundingClientRect().bottom],
  ];
}

// Words of tables, no longer than a name, that go over more than one line (not at a hyphen of theirs).
function broken() {
  const found = [];
  for (const cell of document.querySelectorAll("td, th")) {
    if (!cell.checkVisibility()) continue;
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node; (node = walk.nextNode()); )
      for (const word of node.data.matchAll(/[^\s-]{2,16}(?![^\s-])/g)) {
        if (word.index && /[^\s-]/.test(node.data[word.index - 1])) continue;
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) found.push(word[0]);
      }
  }
  return found;
}

async function report() {
  for (const name of Object.keys(SIZES)) {
    const page = await open(name);
    seen.said[name] = await page.evaluate(first);
    seen.broken[name] = await page.evaluate(broken);
    await page.evaluate(`${AXE}; 0`);
    seen.axe[name] = await page.evaluate(async () =>
      (await axe.run()).violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html.slice(0, 150))]),
    );
    // What sticks out at the right of the screen and is in no box that scrolls.
    seen.out[name] = await page.evaluate(() =>
      [...document.body.querySelectorAll("*")]
        .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
        .filter((e) => {
          for (let p = e.parentElement; p; p = p.parentElement)
            if (["auto", "scroll"].includes(getComputedStyle(p).overflowX)) return false;
          return true;
        })
        .map((e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`),
    );
    seen.pictures[name] = await page.evaluate(() =>
      [...document.querySelectorAll(".beside img")].map((i) => {
        const box = i.getBoundingClientRect();
        return { alt: i.alt, top: box.top, bottom: box.bottom, left: box.left, right: box.right };
      }),
    );
    seen.cells[name] = await page.evaluate(() =>
      [...document.querySelectorAll(".checks td")].map((cell) => {
        const box = cell.getBoundingClientRect(), range = document.createRange();
        range.selectNodeContents(cell);
        const text = cell.textContent.trim(), lines = range.getClientRects().length;
        return { text, left: box.left, right: box.right, lines };
      }),
    );
    seen.links = await page.evaluate(() =>
      [...document.querySelectorAll(".onnxplain a[href]")].map((a) => [a.getAttribute("href"), a.href]),
    );
    await page.close();
  }
}

async function review() {
  const narrow = await open("narrow"); // what a finger has to hit
  seen.out.narrow = await narrow.evaluate(() =>
    [...document.querySelectorAll("label:has(input[type=radio]), button")]
      .map((e) => e.getBoundingClientRect())
      .filter((r) => r.height < 24 || r.left < 0 || r.right > innerWidth).length,
  );
  await narrow.close();
  const page = await open("wide");
  await page.evaluate(`${AXE}; 0`);
  seen.axe.wide = await page.evaluate(async () =>
    (await axe.run()).violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html.slice(0, 150))]),
  );
  const press = async (name) => {
    await page.click("button[type=submit]");
    await page.waitForTimeout(300);
    seen.said[name] = await page.textContent("#said");
    seen.said[`${name}: framed`] = await page.locator("fieldset.missing").count();
  };
  await press("no name");
  await page.fill("#expert", job.expert);
  await press("nothing answered");
  const ids = Object.keys(job.answers), half = ids.slice(0, ids.length / 2);
  const answer = async (id) => {
    const [judgement, confidence] = job.answers[id], box = page.locator(`fieldset[data-id="${id}"]`);
    await box.locator(`input[value="${judgement}"]`).check();
    await box.locator(`input[value="${confidence}"]`).check();
  };
  for (const id of half) await answer(id);
  await press("half answered");
  seen.early = [...seen.downloads];
  for (const id of ids.slice(half.length)) await answer(id);
  const [download] = await Promise.all([page.waitForEvent("download"), press("all answered")]);
  await download.saveAs(`${job.out}/answers.json`);
  await page.screenshot({ path: `${job.out}/answered.png` });
}

await { report, review }[job.kind]();
await browser.close();
writeFileSync(`${job.out}/seen.json`, JSON.stringify(seen));
