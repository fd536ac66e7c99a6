// Chromium, one context a person, and tests that leave a picture behind when they fail.

import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long an element may take to appear, a page to load. */
const PATIENCE = 15_000;

/** Starts Chromium; the caller closes it, usually with `after(() => browser.close())`. */
export function startBrowser() {
  return chromium.launch({ executablePath: process.env.STOA_CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, headless: true });
}

/** A page of its own browser session: another person, or the same one on another machine. Options are those of a Playwright context. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: "light",
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") page.errors.push(message.text());
  });
  return page;
}

/**
 * A test in the browser: `browserTest("title", () => browser, async ({ page, open }) => …)`. `page` is the first session,
 * `open(options)` opens further ones. All are closed at the end; of a failed test each page is photographed and the folder named.
 */
export function browserTest(title, browser, body, options = {}) {
  test(title, async (t) => {
    const pages = [];
    const open = async (more = {}) => {
      const page = await openPage(browser(), { ...options, ...more });
      pages.push(page);
      return page;
    };
    try {
      await body({ page: await open(), open, t });
    } catch (error) {
      t.diagnostic(await photograph(title, pages));
      throw error;
    } finally {
      await Promise.all(pages.map((page) => page.context().close()));
    }
  });
}

/** Signs in through the page and returns when the person is in. */
export async function signIn(page, stoa, { email, password }) {
  await page.goto(stoa.url);
  const address = page.getByLabel(/e-?mail/i);
  const link = page.getByRole("link", { name: /^sign in$/i });
  await address.or(link).first().waitFor();
  if (!(await address.isVisible())) await link.first().click();
  await address.fill(email);
  await page.getByLabel(/^password/i).fill(password);
  await page.getByRole("button", { name: /^sign in$/i }).click();
  await page.getByLabel(/^password/i).waitFor({ state: "detached" });
}

/** Saves a picture under `STOA_SCREENSHOTS`, where that is set. */
export async function picture(page, name) {
  const folder = process.env.STOA_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${fileName(name)}.png`), fullPage: true });
}

async function photograph(title, pages) {
  const folder = await mkdtemp(join(tmpdir(), "stoa-e2e-failed-"));
  const seen = [];
  for (const [index, page] of pages.entries()) {
    const path = join(folder, `${fileName(title)}-${index + 1}.png`);
    const taken = await page.screenshot({ path, fullPage: true }).then(() => path, (error) => `no picture: ${error.message}`);
    seen.push(`${page.url()} (${taken})${page.errors.map((error) => `\n  console: ${error}`).join("")}`);
  }
  return `failed on ${seen.join("\n") || "no page"}`;
}

function fileName(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}
