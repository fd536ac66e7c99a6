// The change of level of a live service: a dry run, an offer with a day, the consent by mouse and by keyboard, the switch, and the way back;
// each with the wrong role too.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { keyboardOf } from "../support/keyboard.mjs";
import { engines, startStoa } from "../support/stoa.mjs";
import { people, settleTrade } from "../support/trade.mjs";

for (const engine of engines) {
  describe(`changes of level on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let owner;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      await prepare();
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    /** Two services at project level, each subscribed for two projects. */
    async function prepare() {
      const contract = { level: "project", permissions: ["resources:read"], plans: [{ name: "Basic", currency: "EUR", monthly: "10" }] };
      const trade = await settleTrade(stoa, ["Load", "Wind"], contract);
      owner = trade.owner;
      for (const service of trade.services) {
        for (const project of ["north", "south"]) {
          await owner("POST", "/api/v1/organizations/grid/subscriptions", { service: service.id, project, accept_terms: true });
        }
      }
    }

    async function subscriptions(service) {
      const { items } = await owner("GET", "/api/v1/organizations/grid/subscriptions");
      return items.filter((item) => item.service.name === service);
    }

    async function holding(service) {
      const { items } = await owner("GET", `/api/v1/organizations/grid/grants?service=${service}`);
      return new Set(items.map((line) => line.subscription));
    }

    /** Offers the service at organization level through the form of a new version, after a dry run. */
    async function offer(page, service) {
      await page.goto(`${stoa.url}/organizations/forecasts/services/${service}/contracts/new`);
      await page.getByRole("radio", { name: /organization/i }).first().check();
      await page.getByLabel("Per month").first().fill("15");
      await page.getByLabel(/keep theirs until/).fill(new Date(Date.now() + 60 * 86_400_000).toISOString().slice(0, 10));
      await page.getByRole("button", { name: "Dry run for the other level" }).click();
      await page.getByText("2 subscriptions become 1").first().waitFor();
      await page.getByText("EUR 15.00", { exact: true }).first().waitFor();
    }

    browserTest("a provider tries and offers it, the subscriber accepts and switches, and the provider takes it back", () => browser, async ({ page: provider, open }) => {
      await signIn(provider, stoa, people.provider);
      await offer(provider, "load");
      await inspect(provider, "dry run of a change of level");
      await provider.getByRole("button", { name: /^Offer version/ }).click();
      await provider.getByText("It waits for the consent of 2 subscriptions.").first().waitFor();
      await provider.getByText("Changes the level").first().waitFor();
      await provider.getByRole("link", { name: "Changes of level" }).click();
      await provider.getByRole("heading", { name: "Grid" }).waitFor();
      await inspect(provider, "subscribers at the other level");

      const viewer = await open();
      await signIn(viewer, stoa, people.viewer);
      const [first] = await subscriptions("Load");
      await viewer.goto(`${stoa.url}/organizations/grid/subscriptions/${first.id}/contract`);
      await viewer.getByRole("link", { name: "See what it would come to" }).click();
      await viewer.getByRole("button", { name: "Ask to accept it" }).waitFor();
      assert.equal(await viewer.getByRole("button", { name: "Accept the change of level" }).count(), 0, "a viewer only asks");

      const page = await open();
      await signIn(page, stoa, people.owner);
      await page.goto(`${stoa.url}/organizations/grid/level-changes/load`);
      await page.getByText("EUR 20.00", { exact: true }).first().waitFor();
      await inspect(page, "a change of level that waits");
      await page.getByRole("button", { name: "Accept the change of level" }).click();
      await page.getByText("The change of level is accepted.").first().waitFor();
      await inspect(page, "a change of level that was accepted");
      const old = new Set([...(await holding("load"))]);
      assert.equal(old.size, 2, "the old ones hold the projects");
      await page.getByRole("button", { name: "Switch now" }).click();
      await page.getByText("Switched. The subscriptions of before answer as aliases.").first().waitFor();
      await inspect(page, "a change of level that was switched");
      const held = await holding("load");
      assert.equal(held.size, 1);
      assert.ok(![...held].some((id) => old.has(id)));
      await page.goto(`${stoa.url}/organizations/grid/subscriptions/${first.id}`);
      await page.getByText("this one answers as its alias").first().waitFor();
      await inspect(page, "a subscription that is an alias");

      await viewer.goto(`${stoa.url}/organizations/grid/level-changes/load`);
      await viewer.getByText("Switched").first().waitFor();
      assert.equal(await viewer.getByRole("button", { name: "Undo" }).count(), 0, "a viewer undoes nothing");
      const reader = await open();
      await signIn(reader, stoa, people.reader);
      await reader.goto(`${stoa.url}/organizations/forecasts/services/load/level-changes`);
      await reader.getByText("Switched").first().waitFor();
      assert.equal(await reader.getByRole("button", { name: "Undo" }).count(), 0, "a provider's viewer undoes nothing");

      await provider.goto(`${stoa.url}/organizations/forecasts/services/load/level-changes`);
      await inspect(provider, "changes of level as the provider sees them");
      await provider.getByRole("button", { name: "Undo" }).click();
      await provider.getByText("Undone. The subscriptions of before go on.").first().waitFor();
      assert.deepEqual(await holding("load"), old);
    });

    browserTest("by keyboard alone for one of two projects, and what was not chosen stays as it is", () => browser, async ({ page: provider, open }) => {
      await signIn(provider, stoa, people.provider);
      await offer(provider, "wind");
      await provider.getByRole("button", { name: /^Offer version/ }).click();
      await provider.getByText("It waits for the consent of 2 subscriptions.").first().waitFor();
      const page = await open();
      await signIn(page, stoa, people.owner);
      const keyboard = await keyboardOf(page);
      await page.goto(`${stoa.url}/organizations/grid/level-changes/wind`);
      const south = page.getByRole("checkbox", { name: /South/ });
      await keyboard.reach(south);
      await keyboard.press("Space");
      assert.equal(await south.isChecked(), false);
      await keyboard.enter(page.getByRole("button", { name: "Accept the change of level" }));
      await page.getByText("The change of level is accepted.").first().waitFor();
      await keyboard.enter(page.getByRole("button", { name: "Switch now" }));
      await page.getByText("Switched.").first().waitFor();
      keyboard.finish();
      assert.equal((await holding("wind")).size, 2, "the new one for North, the old one for South");
      const states = (await subscriptions("Wind")).map((one) => one.state).sort();
      assert.deepEqual(states, ["active", "active", "suspended"]);
    });
  });
}
