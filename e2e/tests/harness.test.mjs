// The harness tests itself: what it promises to find, it finds.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { browserTest, startBrowser } from "../support/browser.mjs";
import { assertAccessible, assertNoSidewaysScroll, inspect } from "../support/checks.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

const page = (body, style = "") =>
  `data:text/html;charset=utf-8,${encodeURIComponent(
    `<!doctype html><html lang="en"><head><title>A page</title><meta name="viewport" content="width=device-width">` +
      `<style>:root { color-scheme: light dark } ${style}</style></head><body><main><h1>A page</h1>${body}</main></body></html>`,
  )}`;

browserTest("a sound page passes in both themes and on a narrow screen", () => browser, async ({ page: tab }) => {
  await tab.goto(page("<p>Some words.</p>"));
  await inspect(tab, "sound page");
});

browserTest("a picture without words is found", () => browser, async ({ page: tab }) => {
  await tab.goto(page('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'));
  await assert.rejects(assertAccessible(tab, "page"), /image-alt/);
});

browserTest("poor contrast in the dark theme alone is found", () => browser, async ({ page: tab }) => {
  await tab.goto(page("<p>Some words.</p>", "p { color: light-dark(#111, #222); background: light-dark(#fff, #111) }"));
  await assertAccessible(tab, "light");
  await assert.rejects(inspect(tab, "page"), /dark: axe finds[^]*color-contrast/);
});

browserTest("a page that scrolls sideways is found and the element named", () => browser, async ({ page: tab }) => {
  await tab.goto(page('<div id="wide" style="width: 900px">Words</div>'));
  await assertNoSidewaysScroll(tab, "page");
  await tab.setViewportSize({ width: 380, height: 800 });
  await assert.rejects(assertNoSidewaysScroll(tab, "page"), /div#wide/);
});

browserTest("an error in the console is found", () => browser, async ({ page: tab }) => {
  await tab.goto(page("<p>Some words.</p><script>console.error('lost')</script>"));
  await assert.rejects(inspect(tab, "page"), /lost/);
});
