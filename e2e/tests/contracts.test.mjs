// Contracts, as people change them: a version that asks for less applies at once, one that asks for more waits for consent, which is
// given for all projects, for some, or refused; and another plan is chosen. Each with the wrong role too.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { engines, startStoa } from "../support/stoa.mjs";
import { people, settleTrade } from "../support/trade.mjs";

for (const engine of engines) {
  describe(`contracts on ${engine}`, { concurrency: false }, () => {
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

    /** Two services, each subscribed for two projects. */
    async function prepare() {
      const plans = [
        { name: "Basic", currency: "EUR", monthly: "10", meters: [{ name: "calls", unit: "call", unit_price: "0.02" }] },
        { name: "Plus", currency: "EUR", monthly: "40" },
      ];
      const trade = await settleTrade(stoa, ["Load", "Wind"], { level: "organization", permissions: ["resources:read", "resources:write"], plans });
      owner = trade.owner;
      for (const service of trade.services) {
        const projects = { mode: "selected", projects: ["north", "south"] };
        await owner("POST", "/api/v1/organizations/grid/subscriptions", { service: service.id, plan: "Basic", projects, accept_terms: true });
      }
    }

    async function subscription(service) {
      const { items } = await owner("GET", "/api/v1/organizations/grid/subscriptions");
      return items.find((item) => item.service.name === service);
    }

    /** Offers another version of a service's contract through its page. */
    async function offer(page, service, { writes, monthly, until }) {
      await page.goto(`${stoa.url}/organizations/forecasts/services/${service}/contracts`);
      await page.getByRole("link", { name: "New version" }).click();
      await page.getByRole("checkbox", { name: /write/i }).setChecked(writes);
      await page.getByLabel("Per month").first().fill(monthly);
      if (until) await page.getByLabel(/keep theirs until/).fill(until);
      await page.getByRole("button", { name: /^Offer version/ }).click();
      await page.getByText("is offered. New subscriptions get it.").first().waitFor();
    }

    browserTest("a version that asks for less applies at once, and one that asks for more waits until it is accepted for some projects", () => browser, async ({ page: provider, open }) => {
      await signIn(provider, stoa, people.provider);
      await provider.goto(`${stoa.url}/organizations/forecasts/services/load`);
      await provider.getByRole("link", { name: "Versions" }).click();
      await provider.getByRole("link", { name: "New version" }).click();
      await inspect(provider, "new version of a contract");
      await offer(provider, "load", { writes: false, monthly: "9" });
      await provider.getByText("It applies to 1 subscription at once.").first().waitFor();
      await inspect(provider, "versions of a contract");
      assert.deepEqual((await subscription("Load")).permissions, ["resources:read"]);

      await offer(provider, "load", { writes: true, monthly: "12" });
      await provider.getByText("It waits for the consent of 1 subscription.").first().waitFor();
      const reader = await open();
      await signIn(reader, stoa, people.reader);
      await reader.goto(`${stoa.url}/organizations/forecasts/services/load/contracts`);
      await reader.getByText("Needs consent").first().waitFor();
      assert.equal(await reader.getByRole("link", { name: "New version" }).count(), 0, "a viewer offers nothing");

      const viewer = await open();
      await signIn(viewer, stoa, people.viewer);
      const id = (await subscription("Load")).id;
      await viewer.goto(`${stoa.url}/organizations/grid/subscriptions/${id}/contract`);
      await viewer.getByRole("button", { name: "Ask to accept version 3" }).waitFor();
      assert.equal(await viewer.getByRole("button", { name: "Refuse" }).count(), 0, "a viewer refuses nothing");

      const page = await open();
      await signIn(page, stoa, people.owner);
      await page.goto(`${stoa.url}/organizations/grid/subscriptions/${id}`);
      await page.getByRole("link", { name: "See what changes" }).click();
      await page.getByText("The service may also write").first().waitFor();
      await inspect(page, "a contract that waits for consent");
      await page.getByRole("radio", { name: /Only the projects marked/ }).check();
      await page.getByRole("checkbox", { name: "South" }).uncheck();
      await page.getByRole("button", { name: "Accept version 3" }).click();
      await page.getByText("The new contract is accepted").first().waitFor();
      await page.getByText("Accepted version 3").first().waitFor();
      await inspect(page, "consents of a subscription");
      const after = await subscription("Load");
      assert.deepEqual(after.grants.filter((grant) => !grant.until).map((grant) => grant.project.handle), ["north"]);
      assert.equal(after.contract.version, 3);
    });

    browserTest("a contract is refused, asked for by a viewer, approved; and the plan is changed", () => browser, async ({ page: provider, open }) => {
      await signIn(provider, stoa, people.provider);
      const until = new Date(Date.now() + 60 * 86_400_000).toISOString().slice(0, 10);
      await offer(provider, "wind", { writes: true, monthly: "20", until });
      const id = (await subscription("Wind")).id;
      const page = await open();
      await signIn(page, stoa, people.owner);
      await page.goto(`${stoa.url}/organizations/grid/subscriptions/${id}/contract`);
      await page.getByRole("button", { name: "Refuse" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText(/ends on that day/).first().waitFor();
      await inspect(page, "refusing a contract");
      await dialog.getByRole("button", { name: "Refuse" }).click();
      await page.getByText("The new contract is refused.").first().waitFor();
      assert.equal((await subscription("Wind")).contract.version, 1);

      const viewer = await open();
      await signIn(viewer, stoa, people.viewer);
      await viewer.goto(`${stoa.url}/organizations/grid/subscriptions/${id}/contract`);
      await viewer.getByRole("button", { name: "Ask to accept version 2" }).click();
      await viewer.getByText("Your consent waits").first().waitFor();
      await page.goto(`${stoa.url}/requests`);
      await page.getByText("Grid asks to accept the new contract of Wind").first().waitFor();
      await inspect(page, "request to accept a contract");
      await page.getByRole("button", { name: "Approve" }).first().click();
      await page.getByRole("button", { name: "Approve" }).waitFor({ state: "detached" });
      assert.equal((await subscription("Wind")).contract.version, 2);

      await page.goto(`${stoa.url}/organizations/grid/subscriptions/${id}/contract`);
      await page.getByRole("radio", { name: /^Plus/ }).check();
      await page.getByRole("button", { name: "Change plan" }).click();
      await page.getByText("The plan is changed.").first().waitFor();
      await page.getByText("Another plan, version 2").first().waitFor();
      assert.equal((await subscription("Wind")).plan.name, "Plus");
      await viewer.goto(`${stoa.url}/organizations/grid/subscriptions/${id}/contract`);
      await viewer.getByRole("button", { name: "Ask for this plan" }).waitFor();
    });
  });
}
