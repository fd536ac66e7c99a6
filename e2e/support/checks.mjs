// What every page must pass: no finding of axe in either theme, no sideways scroll on a narrow screen, no error in the console.

import assert from "node:assert/strict";
import axe from "axe-core";
import { picture } from "./browser.mjs";

/** The narrowest screen Stoa is made for. */
const NARROW = 380;

/** axe's rules that a theme can break; the others judge what is the same in both. */
const COLOURS = ["color-contrast", "link-in-text-block"];

/** Looks the page over as it stands: axe in light and dark, wide and narrow, and a picture of each where wanted. */
export async function inspect(page, name) {
  const size = page.viewportSize();
  for (const [scheme, rules] of [["light"], ["dark", COLOURS]]) {
    await show(page, scheme);
    await picture(page, `${name}-${scheme}`);
    await assertAccessible(page, `${name}, ${scheme}`, rules);
    await page.setViewportSize({ width: NARROW, height: 800 });
    await settled(page);
    await picture(page, `${name}-${scheme}-narrow`);
    await assertAccessible(page, `${name}, ${scheme}, ${NARROW} px`, rules);
    await assertNoSidewaysScroll(page, name);
    await page.setViewportSize(size);
  }
  await show(page, "light");
  assert.deepEqual(page.errors ?? [], [], `${name}: errors in the console`);
}

/** axe finds nothing on the page as it is shown now; `only` limits it to these rules. */
export async function assertAccessible(page, name, only) {
  // Through the debugger, so that the page's content security policy stays as it is for users. Half a megabyte is sent and read
  // once for each page that was loaded; that takes longer than all the rules.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(`(() => { ${axe.source} })()`);
  const options = { resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: only } }) };
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), options);
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `    ${node.target.join(" ")}: ${node.failureSummary}`).join("\n")}`);
  assert.equal(found.length, 0, `${name}: axe finds\n  ${found.join("\n  ")}`);
}

/** The page as a whole does not scroll sideways; says which elements stand out. */
export async function assertNoSidewaysScroll(page, name) {
  const { over, wide } = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const over = document.scrollingElement.scrollWidth - width;
    const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > width + 1);
    const shown = (element) => element.tagName.toLowerCase() + (element.id && `#${element.id}`) + [...element.classList].map((c) => `.${c}`).join("");
    return { over, wide: wide.slice(0, 8).map(shown) };
  });
  assert.ok(over <= 0, `${name}: ${over} px too wide at ${page.viewportSize().width} px: ${wide.join(", ")}`);
}

async function show(page, scheme) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await settled(page);
}

/** Waits until running transitions are over, so that nothing is judged half-way between two colours. */
async function settled(page) {
  await page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const finite = document.getAnimations().filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(finite.map((animation) => animation.finished));
  });
}
