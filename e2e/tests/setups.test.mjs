// Subscriptions that their provider sets up first: what the subscriber reads meanwhile, and what the provider says, by mouse and by keyboard;
// each with the wrong role too.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { keyboardOf } from "../support/keyboard.mjs";
import { engines, startStoa } from "../support/stoa.mjs";
import { people, settleTrade } from "../support/trade.mjs";

for (const engine of engines) {
  describe(`setting subscriptions up on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let owner;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      const contract = { level: "organization", permissions: ["resources:read"], plans: [{ name: "Basic", currency: "EUR", monthly: "10" }] };
      ({ owner } = await settleTrade(stoa, ["Load", "Wind"], contract));
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    const service = (name) => `${stoa.url}/organizations/forecasts/services/${name}`;

    async function subscribe(page, name) {
      await page.goto(`${stoa.url}/marketplace/${name}/subscribe`);
      await page.getByText("sets each subscription of this service up, within 14 days").first().waitFor();
      await page.getByRole("radio", { name: /^All projects(?! except)/ }).check();
      await page.getByRole("checkbox", { name: /I accept/ }).check();
      await page.getByRole("button", { name: "Subscribe", exact: true }).click();
      await page.getByText("It is in force once that is done.").first().waitFor();
    }

    browserTest("a provider sets a subscription up, and only then the service has access", () => browser, async ({ page: provider, open }) => {
      await signIn(provider, stoa, people.provider);
      await provider.goto(service("load"));
      await provider.getByRole("button", { name: "Set each up first" }).click();
      await provider.getByText("It is saved.").first().waitFor();
      await provider.getByRole("button", { name: "Let them start at once" }).waitFor();

      const page = await open();
      await signIn(page, stoa, people.owner);
      await subscribe(page, "load");
      await page.getByText("Forecasts sets it up until").first().waitFor();
      await inspect(page, "a subscription that is set up");
      assert.deepEqual((await owner("GET", "/api/v1/organizations/grid/grants")).items, []);
      const viewer = await open();
      await signIn(viewer, stoa, people.viewer);
      await viewer.goto(page.url());
      await viewer.getByText("Forecasts sets it up until").first().waitFor();
      assert.equal(await viewer.getByRole("button", { name: "Withdraw" }).count(), 0, "a viewer takes nothing back");

      const reader = await open();
      await signIn(reader, stoa, people.reader);
      await reader.goto(service("load"));
      await reader.getByText("to be set up until").first().waitFor();
      assert.equal(await reader.getByRole("button", { name: /^Ready/ }).count(), 0, "a provider's viewer says nothing of it");
      await provider.goto(service("load"));
      await provider.getByText("to be set up until").first().waitFor();
      await inspect(provider, "a subscriber that waits to be set up");
      await provider.getByRole("button", { name: /^Ready/ }).click();
      await provider.getByText("The subscription is in force").first().waitFor();
      assert.equal((await owner("GET", "/api/v1/organizations/grid/grants")).items.length, 2);
      await page.reload();
      await page.getByText("Active").first().waitFor();
      assert.equal(await page.getByText("sets it up until").count(), 0);
    });

    browserTest("by keyboard alone: what can't be set up is closed with a reason", () => browser, async ({ page: provider, open }) => {
      await signIn(provider, stoa, people.provider);
      const keyboard = await keyboardOf(provider);
      await provider.goto(service("wind"));
      await keyboard.enter(provider.getByRole("button", { name: "Set each up first" }));
      await provider.getByText("It is saved.").first().waitFor();
      const page = await open();
      await signIn(page, stoa, people.owner);
      await subscribe(page, "wind");
      await provider.goto(service("wind"));
      await keyboard.enter(provider.getByRole("link", { name: /can’t be set up/ }));
      const reason = provider.getByLabel("Reason");
      await reason.waitFor();
      await inspect(provider, "why a subscription can't be set up");
      await keyboard.enter(provider.getByRole("button", { name: "Close it" }));
      assert.equal(await reason.evaluate((field) => field.validity.valueMissing), true, "nothing is sent without a reason");
      await keyboard.reach(reason);
      await provider.keyboard.type("no licence is left");
      await keyboard.enter(provider.getByRole("button", { name: "Close it" }));
      await provider.getByText("The subscription is closed.").first().waitFor();
      keyboard.finish();
      await page.reload();
      await page.getByText("It could not be set up: no licence is left").first().waitFor();
      await inspect(page, "a subscription that could not be set up");
      await page.getByText("Failed", { exact: true }).first().waitFor();
    });
  });
}
