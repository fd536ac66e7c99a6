// Handing a service over: offered by mouse, accepted by keyboard, declined, taken back; what subscribers see; what wrong roles see.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const person = (name) => ({ email: `${name}@grid.example`, name, password });
const roles = ["viewer", "reviewer", "editor"];

for (const engine of engines) {
  describe(`handing a service over on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let giver;
    let taker;
    let consumer;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      for (const name of ["giver", "taker", "consumer", ...roles]) await stoa.createUser(person(name));
      [giver, taker, consumer] = await Promise.all(["giver", "taker", "consumer"].map(async (name) => stoa.api(await stoa.token(`${name}@grid.example`))));
      await giver("POST", "/api/v1/organizations", { name: "Forecasts" });
      await taker("POST", "/api/v1/organizations", { name: "Cirrus" });
      await consumer("POST", "/api/v1/organizations", { name: "Harbour" });
      await consumer("POST", "/api/v1/organizations/harbour/projects", { name: "Quay" });
      const members = roles.map((role) => ({ email: `${role}@grid.example`, role }));
      await giver("POST", "/api/v1/organizations/forecasts/members", { members });
      await taker("POST", "/api/v1/organizations/cirrus/members", { members });
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    /** A published service of Forecasts with an application of its own; answers its handle. */
    async function service(name, application) {
      const own = application ?? (await giver("POST", "/api/v1/applications", { name: `Engine of ${name}`, organization: "forecasts" })).id;
      const made = await giver("POST", "/api/v1/organizations/forecasts/services", {
        application: own,
        name,
        summary: `${name} in one line`,
        description: "Reads the meters of each project.",
        categories: ["energy"],
        visibility: "public",
        contract: { level: "organization", permissions: ["resources:read"], plans: [{ name: "Basic", currency: "EUR", monthly: "10" }] },
      });
      await giver("POST", `/api/v1/services/${made.handle}/publish`, {});
      return made.handle;
    }

    const offer = (handle) => giver("POST", `/api/v1/services/${handle}/handovers`, { organization: "cirrus", note: "You run the meters anyway." });

    browserTest("offered by mouse, accepted by keyboard, and told to whoever subscribes", () => browser, async ({ page, open }) => {
      const handle = await service("Load forecast");
      const subscribe = { service: handle, projects: { mode: "all", include_future: "yes" }, accept_terms: true };
      const { id } = await consumer("POST", "/api/v1/organizations/harbour/subscriptions", subscribe);
      const url = `${stoa.url}/organizations/forecasts/services/${handle}`;
      await signIn(page, stoa, person("giver"));
      await page.goto(url);
      await page.getByRole("link", { name: "Hand over" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("1 organization with 1 subscription in force goes along.").waitFor();
      await inspect(page, "hand-over dialog");
      await dialog.getByLabel("To which organization").fill("nobody-at-all");
      await dialog.getByRole("button", { name: "Go on" }).click();
      await dialog.getByText("There is no organization with this handle or id.").first().waitFor();
      page.errors.length = 0;
      await inspect(page, "hand-over to nobody");
      await dialog.getByLabel("To which organization").fill("cirrus");
      await dialog.getByLabel("Note to its members").fill("You run the meters anyway.");
      await dialog.getByRole("button", { name: "Go on" }).click();
      await dialog.getByRole("heading", { name: "Hand over Load forecast to Cirrus?" }).waitFor();
      await dialog.getByText("The application Engine of Load forecast with its secrets").waitFor();
      await inspect(page, "hand-over to confirm");
      await dialog.getByRole("button", { name: "Offer it to Cirrus" }).click();
      await page.getByText("Load forecast is offered to Cirrus.").waitFor();
      await page.getByText("Offered to Cirrus by giver.").waitFor();
      assert.equal(await page.getByRole("link", { name: "Hand over", exact: true }).count(), 0, "it is offered once");
      await inspect(page, "service that is offered");

      const theirs = await open();
      await signIn(theirs, stoa, person("taker"));
      await theirs.goto(`${stoa.url}/requests`);
      await theirs.getByText("Forecasts offers Load forecast to Cirrus").first().waitFor();
      await inspect(theirs, "inbox with an offer");
      await theirs.goto(`${stoa.url}/organizations/cirrus/requests`);
      await theirs.getByText("Forecasts offers Load forecast to Cirrus").first().waitFor();
      await theirs.goto(`${stoa.url}/organizations/cirrus/services`);
      await inspect(theirs, "services with an offer");
      await theirs.getByRole("link", { name: "See what comes with it" }).focus();
      await theirs.keyboard.press("Enter");
      await theirs.getByRole("heading", { name: "Load forecast for Cirrus" }).waitFor();
      await theirs.getByText("You run the meters anyway.").waitFor();
      await theirs.getByText("make new ones afterwards").waitFor();
      await inspect(theirs, "offer to be accepted");
      await theirs.getByRole("button", { name: "Decline" }).focus();
      await theirs.keyboard.press("Tab");
      await theirs.keyboard.press("Enter");
      await theirs.getByText("Cirrus provides Load forecast now.").waitFor();
      assert.equal(new URL(theirs.url()).pathname, `/organizations/cirrus/services/${handle}`);
      await theirs.getByText("Harbour").first().waitFor();
      await inspect(theirs, "service of the new provider");

      assert.equal((await page.goto(url)).status(), 404, "its former provider sees it no more");
      page.errors.length = 0;
      await page.goto(`${stoa.url}/organizations/forecasts/activity`);
      await page.getByText("accepted the service Load forecast: Cirrus provides it now, instead of Forecasts").waitFor();
      await inspect(page, "activity with a hand-over");
      const subscriber = await open();
      await signIn(subscriber, stoa, person("consumer"));
      await subscriber.goto(`${stoa.url}/organizations/harbour/subscriptions/${id}`);
      await subscriber.getByText("Cirrus").first().waitFor();
      await subscriber.goto(`${stoa.url}/organizations/harbour/activity`);
      await subscriber.getByText("Cirrus provides it now, instead of Forecasts").waitFor();
    });

    browserTest("declined, taken back, and refused to whoever comes too late", () => browser, async ({ page, open }) => {
      const handle = await service("Tide table");
      const url = `${stoa.url}/organizations/forecasts/services/${handle}`;
      const first = await offer(handle);
      const theirs = await open();
      await signIn(theirs, stoa, person("taker"));
      await theirs.goto(`${stoa.url}/organizations/cirrus/handovers/${first.id}`);
      await theirs.getByRole("button", { name: "Decline" }).click();
      await theirs.getByText("Tide table stays with Forecasts.").waitFor();

      const second = await offer(handle);
      const offered = `${stoa.url}/organizations/cirrus/handovers/${second.id}`;
      await theirs.goto(offered);
      await signIn(page, stoa, person("giver"));
      await page.goto(url);
      await page.getByRole("button", { name: "Take back" }).focus();
      await page.keyboard.press("Enter");
      await page.getByText("Tide table is no longer offered to Cirrus.").waitFor();
      await theirs.getByRole("button", { name: "Accept" }).click();
      await theirs.getByText("This hand-over is already taken back, by giver").waitFor();
      theirs.errors.length = 0;
      await inspect(theirs, "offer that was taken back");
      await page.goto(`${stoa.url}/organizations/forecasts/handovers/${second.id}`);
      await page.getByText("giver took the offer back: Forecasts went on providing Tide table.").waitFor();
      await page.getByRole("link", { name: "Services" }).first().click();
      assert.equal(await page.getByText("offers Tide table").count(), 0);
    });

    browserTest("a service whose application others need says so instead of a form", () => browser, async ({ page }) => {
      const application = (await giver("POST", "/api/v1/applications", { name: "Shared engine", organization: "forecasts" })).id;
      const handle = await service("Berth plan", application);
      await service("Berth map", application);
      await signIn(page, stoa, person("giver"));
      await page.goto(`${stoa.url}/organizations/forecasts/services/${handle}/hand-over`);
      const dialog = page.getByRole("dialog");
      await dialog.getByText("Berth map signs in with the same application, Shared engine").waitFor();
      assert.equal(await dialog.getByRole("button", { name: "Go on" }).count(), 0);
      await inspect(page, "hand-over refused");
    });

    browserTest("without JavaScript it is forms and pages", () => browser, async ({ open }) => {
      const handle = await service("Ice chart");
      const page = await open({ javaScriptEnabled: false });
      await signIn(page, stoa, person("giver"));
      await page.goto(`${stoa.url}/organizations/forecasts/services/${handle}`);
      await page.getByRole("link", { name: "Hand over" }).click();
      await page.getByLabel("To which organization").fill("cirrus");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByRole("button", { name: "Offer it to Cirrus" }).click();
      await page.getByText("Ice chart is offered to Cirrus.").waitFor();
      await page.getByRole("button", { name: "Take back" }).click();
      await page.getByText("Ice chart is no longer offered to Cirrus.").waitFor();
    });

    browserTest("what a role may not do is not offered, and refused when forced", () => browser, async ({ open }) => {
      const handle = await service("Kept service");
      const { id } = await offer(handle);
      for (const role of roles) {
        const page = await open();
        await signIn(page, stoa, person(role));
        const url = `${stoa.url}/organizations/forecasts/services/${handle}`;
        await page.goto(url);
        await page.getByText("A maintainer of this organization can take it back.").waitFor();
        assert.equal(await page.getByRole("button", { name: "Take back" }).count(), 0, role);
        await page.goto(`${stoa.url}/organizations/cirrus/handovers/${id}`);
        await page.getByText("A maintainer of Cirrus accepts or declines it.").waitFor();
        assert.equal(await page.getByRole("button", { name: /^(Accept|Decline|Take back)$/ }).count(), 0, role);
        const forced = page.context().request;
        const headers = { origin: stoa.url };
        for (const [organization, verb] of [["cirrus", "accept"], ["cirrus", "decline"], ["forecasts", "withdraw"]]) {
          const answer = await forced.post(`${stoa.url}/organizations/${organization}/handovers/${id}/${verb}`, { headers });
          assert.equal(answer.status(), 403, `${role} ${verb}`);
          assert.match(await answer.text(), /These could do this for you: (giver|taker)/, `${role} ${verb}: it says who could`);
        }
        const form = { organization: "cirrus", confirmed: "yes" };
        assert.equal((await forced.post(`${url}/hand-over`, { form, headers })).status(), 403, role);
        assert.equal((await forced.get(`${url}/hand-over`)).status(), 403, role);
      }
      const stranger = await open();
      await signIn(stranger, stoa, person("consumer"));
      assert.equal((await stranger.goto(`${stoa.url}/organizations/cirrus/handovers/${id}`)).status(), 404);
    });
  });
}
