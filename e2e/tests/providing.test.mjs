// What providers do: draft a service at each level, show it with pictures, look at it as subscribers will, publish, pause,
// announce its end, retire it, offer one to named organizations only; and what operators do: review and stop services.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { pngFile } from "../support/pictures.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const person = (name) => ({ email: `${name}@grid.example`, name, password });
const roles = ["viewer", "reviewer", "editor"];

for (const engine of engines) {
  describe(`providing on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let provider;
    let consumer;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      for (const name of ["provider", "consumer", "worker", ...roles]) await stoa.createUser(person(name));
      provider = stoa.api(await stoa.token("provider@grid.example"));
      consumer = stoa.api(await stoa.token("consumer@grid.example"));
      await provider("POST", "/api/v1/organizations", { name: "Forecasts" });
      const members = roles.map((role) => ({ email: `${role}@grid.example`, role }));
      await provider("POST", "/api/v1/organizations/forecasts/members", { members });
      await consumer("POST", "/api/v1/organizations", { name: "Harbour" });
      await consumer("POST", "/api/v1/organizations/harbour/members", { members: [{ email: "worker@grid.example", role: "editor" }] });
      for (const name of ["Quay", "Crane"]) await consumer("POST", "/api/v1/organizations/harbour/projects", { name });
      await provider("POST", "/api/v1/applications", { name: "Engine", organization: "forecasts" });
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    /** A service made through the API; answers its handle. */
    async function service(name, { visibility = "public", publish = true } = {}) {
      const { items } = await provider("GET", "/api/v1/applications");
      const made = await provider("POST", "/api/v1/organizations/forecasts/services", {
        application: items[0].id,
        name,
        summary: `${name} in one line`,
        description: "Reads the meters of each project.",
        categories: ["energy"],
        visibility,
        contract: { level: "organization", permissions: ["resources:read"], plans: [{ name: "Basic", currency: "EUR", monthly: "10" }] },
      });
      if (publish) await provider("POST", `/api/v1/services/${made.handle}/publish`, {});
      return made.handle;
    }

    async function fill(page, name, level) {
      await page.goto(`${stoa.url}/organizations/forecasts/services/new`);
      await page.getByLabel("Name", { exact: true }).first().fill(name);
      await page.getByLabel("Summary").fill("Forecasts the load of the next two days");
      await page.getByLabel("Description").fill("# What it does\n\nIt reads the meters and writes a **forecast**.");
      await page.getByLabel("Categories").fill("energy, forecasting");
      await page.getByLabel("Support").fill("help@grid.example");
      await page.getByLabel("Name of link 1").fill("Documentation");
      await page.getByLabel("Address of link 1").fill("https://docs.grid.example");
      await page.getByText(level, { exact: true }).click();
      await page.getByLabel("Name of the plan").fill("Standard");
      await page.getByLabel("Per month", { exact: false }).first().fill("49");
      await page.getByRole("button", { name: "Save draft" }).click();
      await page.getByText(`${name} is drafted.`).waitFor();
    }

    browserTest("a service is drafted, shown with pictures, looked at as subscribers will, and published", () => browser, async ({ page, open }) => {
      await signIn(page, stoa, person("provider"));
      await fill(page, "Load forecast", "Organization");
      await page.getByRole("heading", { name: "Checklist" }).waitFor();
      await page.getByText("Add an icon, by which people recognise it.").waitFor();
      await inspect(page, "draft with checklist");

      await page.getByRole("link", { name: "Icon and screenshots" }).click();
      await page.getByText("No screenshots yet").waitFor();
      await page.getByLabel("Icon file").setInputFiles(pngFile(256, 256));
      await page.getByRole("button", { name: "Add icon" }).click();
      await page.getByText("The icon of Load forecast is there.").waitFor();
      for (const [alt, colour] of [["The forecast as a chart", [20, 110, 90]], ["The settings", [140, 70, 30]]]) {
        await page.getByLabel("What it shows").fill(alt);
        await page.getByLabel("File", { exact: true }).setInputFiles(pngFile(960, 600, colour));
        await page.getByRole("button", { name: "Add screenshot" }).click();
        await page.getByText("The screenshot of Load forecast is there.").waitFor();
      }
      await page.getByRole("button", { name: "Move screenshot 2 forward" }).click();
      await page.getByText("Load forecast is saved.").waitFor();
      assert.equal(await page.getByLabel("What screenshot 1 shows").inputValue(), "The settings");
      await inspect(page, "pictures");
      await page.getByLabel("Icon file").setInputFiles({ name: "icon.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg/>") });
      await page.getByRole("button", { name: "Replace icon" }).click();
      await page.getByText("Send a picture as PNG, JPEG or WebP").first().waitFor();
      page.errors.length = 0;

      await page.goto(`${stoa.url}/organizations/forecasts/services/load-forecast/preview`);
      await page.getByText("only members of Forecasts see this page").waitFor();
      await page.getByRole("img", { name: "The forecast as a chart" }).waitFor();
      assert.ok(await page.getByRole("img", { name: "The settings" }).evaluate((image) => image.complete && image.naturalWidth === 960));
      await inspect(page, "preview");
      const stranger = await open();
      await signIn(stranger, stoa, person("consumer"));
      assert.equal((await stranger.goto(`${stoa.url}/marketplace/load-forecast`)).status(), 404);

      await page.getByRole("link", { name: "Back to the service" }).click();
      await page.getByRole("link", { name: "Publish", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("Load forecast is on the marketplace and takes subscriptions.").waitFor();
      await inspect(page, "publish dialog");
      await dialog.getByRole("button", { name: "Publish" }).click();
      await page.getByText("Load forecast is published.").waitFor();
      await stranger.goto(`${stoa.url}/marketplace`);
      stranger.errors.length = 0;
      await inspect(stranger, "marketplace with icons");
      await stranger.getByRole("link", { name: "Load forecast" }).click();
      await stranger.getByRole("link", { name: "Documentation" }).waitFor();
      await stranger.getByRole("link", { name: "help@grid.example" }).waitFor();
      await inspect(stranger, "service with pictures");
    });

    browserTest("a project-level service is drafted, published, and subscribed for one project by an editor", () => browser, async ({ page, open }) => {
      await signIn(page, stoa, person("provider"));
      await fill(page, "Meter check", "Project");
      await page.getByRole("link", { name: "Publish", exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
      await page.getByText("Meter check is published.").waitFor();

      const worker = await open();
      await signIn(worker, stoa, person("worker"));
      await worker.goto(`${stoa.url}/marketplace/meter-check`);
      await worker.getByText("Project level").first().waitFor();
      await worker.getByRole("link", { name: "Subscribe" }).click();
      const dialog = worker.getByRole("dialog");
      await dialog.getByLabel("Project", { exact: true }).selectOption({ label: "Crane" });
      await inspect(worker, "subscribe for a project");
      await dialog.getByLabel("I accept").check();
      await dialog.getByRole("button", { name: "Subscribe" }).click();
      await worker.getByText("Meter check is active for Harbour.").waitFor();
      await worker.getByRole("link", { name: "Crane" }).waitFor();
      await inspect(worker, "project-level subscription");
    });

    browserTest("paused and published again, each after what it brings about", () => browser, async ({ page }) => {
      const handle = await service("Tide table");
      const subscribe = { service: handle, projects: { mode: "all", include_future: "yes" }, accept_terms: true };
      await consumer("POST", "/api/v1/organizations/harbour/subscriptions", subscribe);
      await signIn(page, stoa, person("provider"));
      await page.goto(`${stoa.url}/organizations/forecasts/services/${handle}`);
      await page.getByRole("link", { name: "Pause", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("1 subscription in force goes on as it is now.").waitFor();
      await inspect(page, "pause dialog");
      await page.keyboard.press("Escape");
      await page.getByRole("link", { name: "Pause", exact: true }).click();
      await dialog.getByRole("button", { name: "Pause" }).click();
      await page.getByText("Tide table is paused").waitFor();
      await page.getByRole("link", { name: "Publish", exact: true }).click();
      await dialog.getByRole("button", { name: "Publish" }).click();
      await page.getByText("Tide table is published.").waitFor();
    });

    browserTest("its end is announced, told to subscribers, refused while somebody subscribes, and reached", () => browser, async ({ page, open }) => {
      const [handle, successor] = [await service("Old forecast"), await service("New forecast")];
      const subscribe = { service: handle, projects: { mode: "all", include_future: "yes" }, accept_terms: true };
      const { id } = await consumer("POST", "/api/v1/organizations/harbour/subscriptions", subscribe);
      await signIn(page, stoa, person("provider"));
      const url = `${stoa.url}/organizations/forecasts/services/${handle}`;
      await page.goto(url);
      await page.getByRole("link", { name: "Deprecate" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("1 organization is told").waitFor();
      await inspect(page, "deprecate dialog");
      await dialog.getByLabel("Recommended instead").fill(successor);
      await dialog.getByRole("button", { name: "Deprecate" }).click();
      await page.getByText("Old forecast is deprecated").waitFor();
      await inspect(page, "deprecated service");

      const theirs = await open();
      await signIn(theirs, stoa, person("consumer"));
      await theirs.goto(`${stoa.url}/organizations/harbour/subscriptions/${id}`);
      await theirs.getByText("will be retired on").waitFor();
      await inspect(theirs, "subscription of a deprecated service");
      await theirs.getByRole("link", { name: "New forecast" }).click();
      await theirs.getByRole("heading", { name: "New forecast" }).waitFor();
      await theirs.goto(`${stoa.url}/marketplace/${handle}`);
      await theirs.getByText("takes no new subscriptions").first().waitFor();
      assert.equal(await theirs.getByRole("link", { name: "Subscribe" }).count(), 0);
      await inspect(theirs, "deprecated on the marketplace");
      await theirs.goto(`${stoa.url}/organizations/harbour/activity`);
      await theirs.getByText("announced the end of the service Old forecast").waitFor();

      await page.getByRole("link", { name: "Retire" }).click();
      await dialog.getByText("1 subscription is in force").waitFor();
      assert.equal(await dialog.getByRole("button", { name: "Retire" }).count(), 0);
      await inspect(page, "retire refused");
      await consumer("POST", `/api/v1/organizations/harbour/subscriptions/${id}/cancel`, {});
      await page.goto(url);
      await page.getByRole("link", { name: "Retire" }).click();
      await dialog.getByText("Old forecast is over.").waitFor();
      await dialog.getByRole("button", { name: "Retire" }).click();
      await page.getByText("Old forecast is retired.").first().waitFor();
      assert.equal((await theirs.goto(`${stoa.url}/marketplace/${handle}`)).status(), 404);
    });

    browserTest("a private service is offered to a named organization, and to nobody else", () => browser, async ({ page, open }) => {
      const handle = await service("Berth plan", { visibility: "private" });
      const theirs = await open();
      await signIn(theirs, stoa, person("consumer"));
      assert.equal((await theirs.goto(`${stoa.url}/marketplace/${handle}`)).status(), 404);
      await signIn(page, stoa, person("provider"));
      await page.goto(`${stoa.url}/organizations/forecasts/services/${handle}`);
      await page.getByRole("link", { name: "Whom it is for" }).click();
      await page.getByLabel("Name an organization").fill("nobody-at-all");
      await page.getByRole("button", { name: "Add to the list" }).click();
      await page.getByText("There is no such organization").first().waitFor();
      page.errors.length = 0;
      await page.getByLabel("Name an organization").fill("harbour");
      await page.getByRole("button", { name: "Add to the list" }).click();
      await page.getByText("Harbour is on the list.").waitFor();
      await inspect(page, "audience");
      await theirs.goto(`${stoa.url}/marketplace?q=berth`);
      await theirs.getByRole("link", { name: "Berth plan" }).click();
      await theirs.getByRole("link", { name: "Subscribe" }).click();
      const dialog = theirs.getByRole("dialog");
      await dialog.getByText("All projects", { exact: true }).click();
      await dialog.getByLabel("I accept").check();
      await dialog.getByRole("button", { name: "Subscribe" }).click();
      await theirs.getByText("Berth plan is active for Harbour.").waitFor();
      await page.getByRole("button", { name: "Take off Harbour" }).click();
      await page.getByText("A live subscription of it goes on.").waitFor();
      await theirs.goto(`${stoa.url}/marketplace?q=berth`);
      await theirs.getByText("Nothing fits").waitFor();
    });

    browserTest("what a role may not do is not offered, and refused when forced", () => browser, async ({ open }) => {
      const handle = await service("Kept service", { publish: false });
      for (const role of roles) {
        const page = await open();
        await signIn(page, stoa, person(role));
        const url = `${stoa.url}/organizations/forecasts/services/${handle}`;
        await page.goto(url);
        await page.getByRole("link", { name: "Preview" }).waitFor();
        assert.equal(await page.getByRole("link", { name: /^(Publish|Pause|Deprecate|Retire)$/ }).count(), 0, role);
        assert.equal(await page.getByRole("link", { name: "Ask to publish" }).count(), role === "editor" ? 1 : 0, role);
        const forced = page.context().request;
        const headers = { origin: stoa.url };
        for (const act of ["pause", "deprecate", "retire"]) {
          assert.equal((await forced.post(`${url}/${act}`, { form: { date: "" }, headers })).status(), 403, `${role} ${act}`);
        }
        const may = role === "editor";
        const multipart = { file: pngFile(128, 128) };
        const uploaded = await forced.post(`${url}/icon`, { multipart, headers, maxRedirects: 0 });
        assert.equal(uploaded.status(), may ? 303 : 403, role);
        const named = await forced.post(`${url}/audience`, { form: { organization: "harbour" }, headers, maxRedirects: 0 });
        assert.equal(named.status(), may ? 303 : 403, role);
      }
    });
  });

  describe(`reviewed services on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine, { variables: { STOA_REVIEW_SERVICES: "yes" } })]);
      await stoa.createUser(person("provider"));
      await stoa.createUser({ ...person("operator"), operator: true });
      const provider = stoa.api(await stoa.token("provider@grid.example"));
      await provider("POST", "/api/v1/organizations", { name: "Forecasts" });
      const application = await provider("POST", "/api/v1/applications", { name: "Engine", organization: "forecasts" });
      await provider("POST", "/api/v1/organizations/forecasts/services", {
        application: application.id,
        name: "Load forecast",
        summary: "Forecasts the load",
        description: "Reads the meters.",
        categories: ["energy"],
        visibility: "public",
        contract: { level: "organization", permissions: ["resources:read"], plans: [{ name: "Basic", currency: "EUR", monthly: "10" }] },
      });
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    browserTest("an operator sends one back, approves it then, and stops it later", () => browser, async ({ page, open }) => {
      const url = `${stoa.url}/organizations/forecasts/services/load-forecast`;
      const publish = async () => {
        await page.goto(url);
        await page.getByRole("link", { name: "Publish", exact: true }).click();
        await page.getByRole("dialog").getByText("An operator reviews Load forecast").waitFor();
        await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
        await page.getByText("Load forecast is in review").waitFor();
      };
      await signIn(page, stoa, person("provider"));
      await publish();
      await inspect(page, "in review");
      assert.equal((await page.goto(`${stoa.url}/operator/services`)).status(), 404);
      page.errors.length = 0;

      const operator = await open();
      await signIn(operator, stoa, person("operator"));
      await operator.goto(`${stoa.url}/operator`);
      await operator.getByRole("link", { name: "Services", exact: true }).click();
      await inspect(operator, "operator services");
      await operator.getByRole("link", { name: "Load forecast" }).click();
      await inspect(operator, "operator service in review");
      await operator.getByLabel("Why not? Its provider reads this.").fill("say which meters it reads");
      await operator.getByRole("button", { name: "Do not approve" }).click();
      await operator.getByText("Load forecast is a draft again.").waitFor();

      await page.goto(url);
      await page.getByText("Say which meters it reads.").waitFor();
      await inspect(page, "sent back by the review");
      await publish();
      await operator.goto(`${stoa.url}/operator/services?state=in_review`);
      await operator.getByRole("link", { name: "Load forecast" }).click();
      await operator.getByRole("button", { name: "Approve and publish" }).click();
      await operator.getByText("Load forecast is published.").waitFor();
      await operator.getByLabel("Why? Its provider and its subscribers read this.").fill("reads more than it says");
      await operator.getByRole("button", { name: "Suspend service" }).click();
      await operator.getByText("Load forecast is suspended.").waitFor();
      await inspect(operator, "operator service suspended");
      assert.equal((await page.goto(`${stoa.url}/marketplace/load-forecast`)).status(), 404);
      page.errors.length = 0;
      await operator.getByRole("button", { name: "Lift suspension" }).click();
      await operator.getByText("Load forecast goes on.").waitFor();
      assert.equal((await page.goto(`${stoa.url}/marketplace/load-forecast`)).status(), 200);
    });
  });
}
