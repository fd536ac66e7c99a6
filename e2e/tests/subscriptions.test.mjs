// What a subscription may do, for how long and where: pausing, ends, purposes, locks, and the map, each also as somebody who may not.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const person = (key, name) => ({ email: `${key}@grid.example`, name, password });
const people = {
  maintainer: person("maintainer", "Mira Maintainer"),
  editor: person("editor", "Edda Editor"),
  viewer: person("viewer", "Vera Viewer"),
  provider: person("provider", "Paul Provider"),
};

describe("subscriptions and the map", { concurrency: false }, () => {
  let browser;
  let stoa;
  let api;
  const ids = {};
  before(async () => {
    [browser, stoa] = await Promise.all([startBrowser(), startStoa()]);
    for (const one of Object.values(people)) await stoa.createUser(one);
    api = stoa.api(await stoa.token(people.maintainer.email));
    const provider = stoa.api(await stoa.token(people.provider.email));
    await api("POST", "/api/v1/organizations", { name: "Grid" });
    const members = ["editor", "viewer"].map((role) => ({ email: people[role].email, role }));
    await api("POST", "/api/v1/organizations/grid/members", { members });
    for (const name of ["North", "South", "East"]) await api("POST", "/api/v1/organizations/grid/projects", { name });
    await provider("POST", "/api/v1/organizations", { name: "Borealis" });
    const application = (await provider("POST", "/api/v1/applications", { name: "Engine", organization: "borealis" })).id;
    for (const name of ["Load forecast", "Geo tiles"]) {
      const plans = [{ name: "Standard", currency: "EUR", monthly: "10", monthly_per_project: "3.1" }];
      const service = await provider("POST", "/api/v1/organizations/borealis/services", {
        application,
        name,
        summary: "Reads",
        description: "Reads data",
        categories: ["energy"],
        visibility: "public",
        contract: { level: "organization", permissions: ["resources:read"], plans },
      });
      await provider("POST", `/api/v1/services/${service.id}/publish`, {});
      const projects = name === "Geo tiles" ? { mode: "selected", projects: ["north"] } : { mode: "all", include_future: "yes" };
      const made = await api("POST", "/api/v1/organizations/grid/subscriptions", { service: service.id, projects, accept_terms: true });
      ids[name] = made.id;
    }
  });
  after(async () => {
    await browser?.close();
    await stoa?.stop();
  });

  const grid = (page, path) => page.goto(`${stoa.url}/organizations/grid${path}`);
  const subscription = (page, tab = "permissions") => grid(page, `/subscriptions/${ids["Load forecast"]}/${tab}`);

  browserTest("a subscription is paused and resumed, and a viewer can do neither", () => browser, async ({ page, open }) => {
    await signIn(page, stoa, people.editor);
    await subscription(page);
    await page.getByRole("link", { name: "Pause", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Pause Load forecast" });
    await dialog.getByLabel(/^Reason/).fill("holidays");
    await inspect(page, "pause a subscription");
    await dialog.getByRole("button", { name: "Pause" }).click();
    await page.getByText("The subscription is paused.").waitFor();
    await page.getByText(/Paused by Grid since .*“holidays”/).waitFor();
    await inspect(page, "a paused subscription");

    const viewer = await open();
    await signIn(viewer, stoa, people.viewer);
    await subscription(viewer);
    await viewer.getByText(/Paused by Grid/).waitFor();
    assert.equal(await viewer.getByRole("button", { name: "Resume" }).count(), 0);
    assert.equal(await viewer.getByRole("link", { name: "Pause", exact: true }).count(), 0);
    const forced = await viewer.request.post(`${stoa.url}/organizations/grid/subscriptions/${ids["Load forecast"]}/resume`);
    assert.equal(forced.status(), 403);

    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("The subscription is resumed.").waitFor();
  });

  browserTest("the provider pauses with a reason, and only the provider resumes", () => browser, async ({ page, open }) => {
    await signIn(page, stoa, people.provider);
    await page.goto(`${stoa.url}/organizations/borealis/services/load-forecast`);
    await page.getByRole("link", { name: "Pause the subscription of Grid" }).click();
    const dialog = page.getByRole("dialog", { name: "Pause the subscription of Grid" });
    await dialog.getByLabel("Reason").fill("too many requests");
    await dialog.getByRole("button", { name: "Pause" }).click();
    await page.getByText("The subscription is paused.").waitFor();
    await inspect(page, "a service with a paused subscriber");
    const consumer = await open();
    await signIn(consumer, stoa, people.maintainer);
    await subscription(consumer);
    await consumer.getByText(/Paused by Borealis since .*“too many requests”.*Only the provider can resume it/).waitFor();
    assert.equal(await consumer.getByRole("button", { name: "Resume" }).count(), 0);
    await page.getByRole("button", { name: "Resume the subscription of Grid" }).click();
    await page.getByText("The subscription is resumed.").waitFor();
  });

  browserTest("it is cancelled with the month and kept after all; an editor can only ask", () => browser, async ({ page, open }) => {
    await signIn(page, stoa, people.maintainer);
    await subscription(page);
    await page.getByRole("link", { name: "Cancel subscription" }).click();
    const dialog = page.getByRole("dialog", { name: "Cancel Load forecast" });
    await dialog.getByText("East, North, South").waitFor();
    await dialog.getByLabel(/^With the month/).check();
    await inspect(page, "cancel a subscription");
    await dialog.getByRole("button", { name: "Cancel subscription" }).click();
    await page.getByText("The subscription ends with this month.").waitFor();
    await page.getByText(/It ends at the end of/).waitFor();
    await inspect(page, "a subscription that ends");
    const editor = await open();
    await signIn(editor, stoa, people.editor);
    await subscription(editor);
    assert.equal(await editor.getByRole("button", { name: "Keep it after all" }).count(), 0);
    await editor.getByRole("link", { name: "Ask to cancel" }).click();
    await editor.getByRole("dialog").getByText("a reviewer or maintainer decides").waitFor();
    await page.getByRole("button", { name: "Keep it after all" }).click();
    await page.getByText("The subscription goes on.").waitFor();
  });

  browserTest("a project gets a purpose and an end", () => browser, async ({ page, open }) => {
    await signIn(page, stoa, people.maintainer);
    await subscription(page, "projects");
    await page.getByRole("link", { name: "Purpose and end of North" }).click();
    const dialog = page.getByRole("dialog", { name: "Load forecast in North" });
    await dialog.getByLabel(/^Purpose/).fill("winter forecast");
    await dialog.getByLabel(/^Last day/).fill("2000-01-01");
    await inspect(page, "purpose and end");
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("This is over already; take the project out instead.").waitFor();
    page.errors.length = 0;
    await page.getByLabel(/^Last day/).fill("2099-12-31");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Purpose and end are saved.").waitFor();
    await page.getByText("for winter forecast").waitFor();
    await page.getByText("31 December 2099").waitFor();
    await inspect(page, "projects with purpose and end");
    const viewer = await open();
    await signIn(viewer, stoa, people.viewer);
    await subscription(viewer, "projects/north");
    await viewer.getByLabel(/^Last day/).fill("2098-12-31");
    await viewer.getByRole("button", { name: "Save" }).click();
    await viewer.getByText("You are a viewer of Grid").waitFor();
  });

  browserTest("a project is locked, which the subscription says, and unlocked", () => browser, async ({ page, open }) => {
    await signIn(page, stoa, people.editor);
    await grid(page, "/projects/east");
    await page.getByLabel("Keep out").selectOption("Load forecast");
    await page.getByLabel(/^Reason/).fill("audit");
    await page.getByRole("button", { name: "Lock" }).click();
    await page.getByText("East is locked for Load forecast.").waitFor();
    await inspect(page, "a locked project");
    assert.equal(await page.getByRole("button", { name: /^Lift/ }).count(), 0, "an editor lifts no lock");
    await subscription(page, "projects");
    await page.getByText(/Kept out by a lock/).waitFor();
    await inspect(page, "a subscription kept out by a lock");
    const maintainer = await open();
    await signIn(maintainer, stoa, people.maintainer);
    await grid(maintainer, "/projects/east");
    await maintainer.getByRole("button", { name: "Lift the lock for Load forecast" }).click();
    await maintainer.getByText("The lock is lifted.").waitFor();
    await subscription(maintainer, "projects");
    await maintainer.getByRole("link", { name: "Purpose and end of East" }).waitFor();
  });

  browserTest("the map is a matrix and a list, of now and of a past day, for a viewer too", () => browser, async ({ page }) => {
    await signIn(page, stoa, people.viewer);
    await grid(page, "");
    await page.getByRole("navigation", { name: "Organization" }).getByRole("link", { name: "Map" }).click();
    await page.getByRole("columnheader", { name: /Geo tiles/ }).waitFor();
    assert.equal(await page.getByRole("row").count(), 4, "a head and three projects");
    assert.equal(await page.getByRole("link", { name: "reads" }).count(), 4, "three projects of one service and one of the other");
    await inspect(page, "map as a matrix");
    await page.getByRole("link", { name: "List" }).click();
    await page.getByText("for winter forecast").waitFor();
    await inspect(page, "map as a list");
    await page.getByLabel("Service", { exact: true }).selectOption("Geo tiles");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("cell", { name: /North/ }).waitFor();
    assert.equal(await page.getByRole("row").count(), 2);
    const file = page.waitForEvent("download");
    await page.getByRole("link", { name: "CSV" }).click();
    assert.match((await file).suggestedFilename(), /^map-grid-.*\.csv$/);
    await page.getByRole("link", { name: "Show all, now" }).click();
    await page.getByLabel("On the day").fill("2020-01-01");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("heading", { name: "Nothing runs" }).waitFor();
    await inspect(page, "map of a past day");
  });
});
