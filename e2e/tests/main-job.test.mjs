// The main job, as people do it: an organization with members and projects subscribes a service, the provider approves,
// the service works on the chosen projects, the owner sees usage and costs and takes a project out.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const people = {
  owner: { email: "owner@grid.example", name: "Grid Owner", password },
  colleague: { email: "colleague@grid.example", name: "Grid Colleague", password },
  provider: { email: "provider@forecasts.example", name: "Forecast Provider", password },
};

for (const engine of engines) {
  describe(`the main job on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      for (const person of Object.values(people)) await stoa.createUser(person);
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    browserTest("from an empty installation to a project taken out", () => browser, async ({ page: owner, open }) => {
      const provider = await open();
      await signIn(provider, stoa, people.provider);
      await offerAService(provider);

      await signIn(owner, stoa, people.owner);
      await createOrganization(owner);
      await addAMember(owner);
      await createProject(owner, "North");
      await createProject(owner, "Harbour");
      await createProject(owner, "Private");
      await subscribe(owner);

      await approve(provider);
      await theServiceWorks();
      await seeUsageAndCosts(owner);
      await takeAProjectOut(owner);
    });

    async function offerAService(page) {
      await page.goto(`${stoa.url}/organizations/new`);
      await page.getByLabel("Name", { exact: true }).fill("Forecasts");
      await page.getByRole("button", { name: "Create organization" }).click();
      await page.getByRole("link", { name: /^Applications/ }).click();
      await page.getByRole("link", { name: "New application" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name", { exact: true }).fill("Forecast backend");
      await dialog.getByRole("button", { name: "Create application" }).click();
      await page.getByRole("link", { name: /^Services/ }).first().click();
      await page.getByRole("link", { name: "New service" }).first().click();
      await inspect(page, "new service");
      await page.getByLabel("Name", { exact: true }).first().fill("Load Forecast");
      await page.getByLabel("Summary").fill("Forecasts the load of the next days");
      await page.getByLabel("Description").fill("Reads *measurements* and forecasts the load.");
      await page.getByLabel("Categories").fill("energy, forecasting");
      await page.getByRole("radio", { name: /after your approval/ }).check();
      await page.getByRole("radio", { name: /^Organization/ }).check();
      await page.getByRole("checkbox", { name: /read/i }).check();
      await page.getByLabel("Name of the plan").fill("Standard");
      await page.getByLabel("Currency").fill("EUR");
      await page.getByLabel(/^Per month/).fill("31");
      await page.getByLabel("Name", { exact: true }).nth(1).fill("forecasts");
      await page.getByLabel("Unit", { exact: true }).first().fill("forecast");
      await page.getByLabel("Price a unit").first().fill("0.05");
      await page.getByRole("button", { name: "Save draft" }).click();
      await page.getByRole("heading", { name: /Load Forecast/ }).first().waitFor();
      await inspect(page, "draft service");
      await page.getByRole("link", { name: "Publish" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
      await page.getByText("published", { exact: false }).first().waitFor();
    }

    async function createOrganization(page) {
      await page.getByRole("link", { name: "New Org" }).first().click();
      await page.getByRole("button", { name: "Create organization" }).click();
      assert.match(page.url(), /\/organizations\/new$/, "a required name is asked for before anything is sent");
      await page.getByLabel("Name", { exact: true }).fill("Grid");
      await page.getByLabel("Billing e-mail").fill("bills@grid.example");
      await page.getByRole("button", { name: "Create organization" }).click();
      await page.getByRole("heading", { name: "Grid", exact: true }).waitFor();
    }

    async function addAMember(page) {
      await page.getByRole("link", { name: /^Members/ }).first().click();
      // By keyboard alone: open the dialog, fill the rows, send.
      await page.getByRole("link", { name: "Add members" }).focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      await page.keyboard.type("colleague@grid.example");
      await page.keyboard.press("Tab");
      await page.keyboard.type("Editor");
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      await page.getByRole("link", { name: "Add members" }).click();
      await dialog.getByLabel("E-mail address").first().fill("colleague@grid.example");
      await dialog.getByLabel("Role").first().selectOption("editor");
      await dialog.getByRole("button", { name: /^Add/ }).last().click();
      await page.getByText("Grid Colleague").first().waitFor();
      await page.goto(`${stoa.url}/organizations/grid/members`);
      await inspect(page, "members");
    }

    async function createProject(page, name) {
      await page.goto(`${stoa.url}/organizations/grid/projects`);
      await page.getByRole("link", { name: "New project" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill(name);
      await dialog.getByRole("button", { name: "Create project" }).click();
      await page.getByRole("heading", { name }).or(page.getByRole("link", { name })).first().waitFor();
    }

    async function subscribe(page) {
      await page.goto(`${stoa.url}/marketplace?q=forecast`);
      await inspect(page, "marketplace search");
      await page.getByRole("link", { name: "Load Forecast" }).first().click();
      await inspect(page, "marketplace service");
      await page.getByRole("link", { name: "Subscribe" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("radio", { name: /Selected projects/ }).check();
      await dialog.getByRole("checkbox", { name: /North/ }).check();
      await dialog.getByRole("checkbox", { name: /Harbour/ }).check();
      await dialog.getByLabel(/Note/).fill("Forecasts for the north and the harbour.");
      await dialog.getByRole("checkbox", { name: /I accept/ }).check();
      await dialog.getByRole("button", { name: /subscribe|ask|request/i }).last().click();
      await page.getByText(/requested/i).first().waitFor();
      await page.getByRole("link", { name: "Permissions", exact: true }).click();
      await inspect(page, "subscription waiting");
    }

    async function approve(page) {
      await page.goto(`${stoa.url}/requests`);
      await page.getByText("Forecasts for the north and the harbour.").first().waitFor();
      await inspect(page, "inbox of the provider");
      await page.getByLabel(/Reason/).first().fill("Welcome.");
      await page.getByRole("button", { name: "Approve" }).first().click();
      await page.getByRole("button", { name: "Approve" }).waitFor({ state: "detached" });
    }

    /** What the service itself does, over the API with its own token. */
    async function theServiceWorks() {
      const provider = stoa.api(await stoa.token(people.provider.email));
      const owner = stoa.api(await stoa.token(people.owner.email));
      const { items } = await owner("GET", "/api/v1/organizations/grid/subscriptions");
      assert.equal(items[0].state, "active");
      const applications = await provider("GET", "/api/v1/applications");
      const application = applications.items[0].id;
      const { secret } = await provider("POST", `/api/v1/applications/${application}/secrets`, {});
      const answer = await fetch(`${stoa.url}/oauth2/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${application}:${secret}`)}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource: items[0].resource }),
      });
      const { access_token: token } = await answer.json();
      const service = stoa.api(token);
      const time = new Date().toISOString();
      const event = (project, quantity) => ({
        specversion: "1.0", id: `${project}-1`, source: "/forecasts", type: "stoa.usage.v1", time, subject: items[0].id,
        data: { project, meter: "forecasts", quantity },
      });
      const batch = [event("north", "120"), event("harbour", "30.5")];
      const reported = await service("POST", "/api/v1/usage", batch, { "content-type": "application/cloudevents-batch+json" });
      assert.deepEqual({ accepted: reported.accepted, duplicates: reported.duplicates }, { accepted: 2, duplicates: 0 });
      await service("GET", "/api/v1/organizations/grid/projects/north/resources");
      await assert.rejects(service("GET", "/api/v1/organizations/grid/projects/private/resources"), /404/);
    }

    async function seeUsageAndCosts(page) {
      await page.goto(`${stoa.url}/organizations/grid/subscriptions`);
      await inspect(page, "subscriptions");
      await page.getByRole("link", { name: "Load Forecast" }).first().click();
      await page.getByRole("link", { name: "Usage", exact: true }).click();
      await page.getByText("120 forecast").first().waitFor();
      await page.getByText("EUR 6.00", { exact: true }).first().waitFor();
      await inspect(page, "subscription usage");
      await page.getByRole("link", { name: "Permissions", exact: true }).click();
      await page.getByText("Welcome.").first().waitFor();
      await inspect(page, "subscription permissions");
      await page.getByRole("link", { name: /^Costs/ }).first().click();
      await page.getByRole("table").getByText("Load Forecast").first().waitFor();
      await inspect(page, "costs");
    }

    async function takeAProjectOut(page) {
      await page.goto(`${stoa.url}/organizations/grid/subscriptions`);
      await page.getByRole("link", { name: "Load Forecast" }).first().click();
      await page.getByRole("link", { name: /^Projects/ }).last().click();
      await inspect(page, "subscription projects");
      await page.getByRole("checkbox", { name: /Harbour/ }).uncheck();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { name: "Projects with access" }).waitFor();
      const owner = stoa.api(await stoa.token(people.owner.email));
      const { items } = await owner("GET", "/api/v1/organizations/grid/grants");
      assert.deepEqual(items.filter((grant) => grant.state === "active" || grant.state === undefined).map((grant) => grant.project.name ?? grant.project), ["North"]);
    }
  });
}
