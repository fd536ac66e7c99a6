// Finding services: a catalogue taken over by the command, a mistyped search, facets, sorting, and suggestions by keyboard.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { engines, startStoa, until } from "../support/stoa.mjs";

const catalogue = fileURLToPath(new URL("../../crates/server/tests/api/data/catalogue.jsonl", import.meta.url));
const person = (name) => ({ email: `${name}@grid.example`, name, password: "a long enough password" });

for (const engine of engines) {
  describe(`finding on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      for (const name of ["keeper", "seeker"]) await stoa.createUser(person(name));
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    browserTest("a catalogue is taken over, and looked at before", () => browser, async ({ page }) => {
      const run = (...more) => stoa.command(["import", "catalogue", catalogue, "--maintainer", "keeper@grid.example", ...more]);
      assert.match(await run("--dry-run"), /7 providers would be new, 0 refused; 25 services new, 0 changed, 0 unchanged/);
      assert.match(await run(), /7 providers are new, 0 refused; 25 services new/);
      assert.match(await run(), /nothing to change: all 25 services are as in the file/);
      await assert.rejects(stoa.command(["import", "catalogue", catalogue, "--maintainer", "nobody@grid.example"]), /stoa users create nobody@grid.example/);
      await signIn(page, stoa, person("seeker"));
      await page.goto(`${stoa.url}/marketplace/borealis-example-load`);
      await page.getByRole("heading", { name: "Load Forecast API" }).first().waitFor();
      await page.getByText("borealis.example").first().waitFor();
      await inspect(page, "imported service");
    });

    browserTest("mistyped words are forgiven, and the page says so", () => browser, async ({ page }) => {
      await signIn(page, stoa, person("seeker"));
      await page.goto(`${stoa.url}/marketplace`);
      const field = page.getByLabel("Search the marketplace");
      await field.pressSequentially("harbuor crnae");
      await page.getByText("Nothing has “harbuor crnae”").waitFor();
      await page.getByRole("link", { name: "Harbour Crane Telemetry" }).waitFor();
      await page.getByRole("listbox").waitFor();
      await page.keyboard.press("Escape");
      await inspect(page, "mistyped search");
      await page.getByRole("link", { name: "harbour crane", exact: true }).click();
      await page.getByText("1 service", { exact: true }).waitFor();
      assert.match(page.url(), /q=harbour\+crane/);
      assert.equal(await page.getByText("Nothing has").count(), 0);
    });

    browserTest("facets count and narrow, and the order is chosen", () => browser, async ({ page }) => {
      await signIn(page, stoa, person("seeker"));
      await page.goto(`${stoa.url}/marketplace?q=api`);
      const filters = page.getByRole("complementary", { name: "Filters" });
      await filters.getByRole("link", { name: /^documents\s*2$/ }).click();
      await page.getByText("2 services", { exact: true }).waitFor();
      await filters.getByRole("link", { name: /^paperwork\.example\s*2$/ }).waitFor();
      await page.getByLabel("Sort by").selectOption("name");
      await page.waitForURL(/sort=name/);
      const names = page.getByRole("region", { name: "Services" }).getByRole("heading", { level: 2 });
      await until("the services stand by name", async () => (await names.allTextContents()).join() === "Document OCR API,Invoice Extraction API");
      await inspect(page, "facets");
    });

    browserTest("suggestions are chosen with the keyboard", () => browser, async ({ page }) => {
      await signIn(page, stoa, person("seeker"));
      await page.goto(`${stoa.url}/marketplace`);
      const field = page.getByLabel("Search the marketplace");
      await field.pressSequentially("harb");
      const list = page.getByRole("listbox", { name: "Suggestions" });
      await list.getByRole("option").first().waitFor();
      assert.equal(await field.getAttribute("aria-expanded"), "true");
      await inspect(page, "suggestions");
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("ArrowDown");
      assert.equal(await field.getAttribute("aria-activedescendant"), null, "past the end is the field again");
      await page.keyboard.press("ArrowDown");
      const chosen = list.locator("[aria-selected=true]");
      assert.equal(await chosen.getAttribute("id"), await field.getAttribute("aria-activedescendant"));
      await inspect(page, "suggestion chosen");
      await page.keyboard.press("Escape");
      assert.equal(await list.count(), 0);
      assert.equal(await field.inputValue(), "harb", "what was typed stays");
      await page.keyboard.press("ArrowDown");
      await list.getByRole("option").first().waitFor();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/marketplace\/quayside-example-/);
      await page.goto(`${stoa.url}/organizations`);
      await page.keyboard.press("/");
      await page.keyboard.type("quays");
      await list.getByRole("option", { name: /quayside\.example\s*Provider/ }).click();
      await page.waitForURL(/provider=quayside-example/);
      await page.getByText("4 services", { exact: true }).waitFor();
    });

    browserTest("typing and Enter searches, with and without scripts", () => browser, async ({ page, open }) => {
      await signIn(page, stoa, person("seeker"));
      await page.goto(`${stoa.url}/organizations`);
      await page.keyboard.press("/");
      await page.keyboard.type("geo tiles");
      await page.getByRole("listbox").waitFor();
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/marketplace\?q=geo/);
      await page.getByRole("link", { name: "Geo Tiles" }).waitFor();
      const plain = await open({ javaScriptEnabled: false });
      await signIn(plain, stoa, person("seeker"));
      await plain.goto(`${stoa.url}/marketplace`);
      await plain.getByLabel("Search the marketplace").fill("geo tlies");
      await plain.getByRole("button", { name: "Search", exact: true }).click();
      await plain.getByText("Nothing has “geo tlies”").waitFor();
      await plain.getByRole("link", { name: "Geo Tiles" }).first().waitFor();
    });
  });
}
