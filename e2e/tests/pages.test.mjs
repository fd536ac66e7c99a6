// Every page of the demonstration, as each of its people sees it: accessible, in both themes, on a narrow screen.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { startDemo } from "../support/stoa.mjs";

const tabs = ["", "/members", "/teams", "/projects", "/applications", "/services", "/subscriptions", "/requests", "/costs", "/activity", "/settings", "/settings/domains"];

describe("the pages of the demonstration", { concurrency: false }, () => {
  let browser;
  let demo;
  before(async () => {
    [browser, demo] = await Promise.all([startBrowser(), startDemo()]);
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  browserTest("the sign-in page", () => browser, async ({ page }) => {
    await page.goto(demo.url);
    await inspect(page, "sign in");
    await page.getByLabel("E-mail address").fill("nobody@grid.example");
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    page.errors.length = 0;
    await inspect(page, "sign in refused");
    for (const path of ["/sign-up", "/forgot-password", "/account-deleted"]) {
      await page.goto(demo.url + path);
      await inspect(page, path);
    }
  });

  browserTest("everything a maintainer sees", () => browser, async ({ page }) => {
    await signIn(page, demo, demo.signIns.maintainer);
    await visit(page, ["/organizations", "/organizations/new", "/account", "/account/security", "/account/tokens", "/requests", "/marketplace", "/marketplace?q=map", "/marketplace/load-forecast", "/marketplace/load-forecast/subscribe"], "maintainer");
    await visit(page, tabs.map((tab) => `/organizations/grid${tab}`), "maintainer");
    await visit(page, ["/organizations/grid/projects/north", "/organizations/grid/access", "/organizations/grid/members/import", "/applications"], "maintainer");
    await page.goto(`${demo.url}/organizations/grid/subscriptions`);
    const first = await page.getByRole("link", { name: "Load Forecast" }).first().getAttribute("href");
    for (const tab of ["usage", "projects", "permissions"]) await visit(page, [`${first.replace(/\/(usage|projects|permissions)$/, "")}/${tab}`], "maintainer");
  });

  browserTest("everything a provider sees", () => browser, async ({ page }) => {
    await signIn(page, demo, demo.signIns.provider);
    await visit(page, ["/organizations", "/requests", "/organizations/forecasts/services", "/organizations/forecasts/services/new", "/organizations/forecasts/applications", "/organizations/forecasts/requests", "/organizations/geodata/costs"], "provider");
    await visit(page, ["/organizations/forecasts/services/load-forecast", "/organizations/geodata/services/asset-register"], "provider");
    await page.goto(`${demo.url}/organizations/forecasts/applications`);
    const application = await page.getByRole("link", { name: /backend/ }).first().getAttribute("href");
    await visit(page, [application], "provider");
  });

  browserTest("what a viewer may not do is not offered, and refused when forced", () => browser, async ({ page }) => {
    await signIn(page, demo, demo.signIns.viewer);
    await visit(page, tabs.map((tab) => `/organizations/grid${tab}`), "viewer");
    await page.goto(`${demo.url}/organizations/grid/members`);
    assert.equal(await page.getByRole("link", { name: "Add members" }).count(), 0);
    await page.goto(`${demo.url}/organizations/grid/projects`);
    assert.equal(await page.getByRole("link", { name: "New project" }).count(), 0);
    const forced = await page.context().request.post(`${demo.url}/organizations/grid/projects`, { form: { name: "Forced" }, headers: { origin: demo.url } });
    assert.equal(forced.status(), 403);
    assert.match(await forced.text(), /maintainer/i);
  });

  browserTest("an address that does not exist says what to do", () => browser, async ({ page }) => {
    await signIn(page, demo, demo.signIns.viewer);
    await page.goto(`${demo.url}/organizations/nothing-here`);
    page.errors.length = 0;
    await inspect(page, "not found");
  });

  browserTest("the pages work without scripts", () => browser, async ({ open }) => {
    const page = await open({ javaScriptEnabled: false });
    await signIn(page, demo, demo.signIns.editor);
    await page.goto(`${demo.url}/organizations/grid/projects?open=new`);
    await page.getByLabel("Name").first().fill("Made without scripts");
    await page.getByRole("button", { name: "Create project" }).click();
    await page.goto(`${demo.url}/organizations/grid/projects`);
    await page.getByText("Made without scripts").first().waitFor();
  });

  async function visit(page, paths, who) {
    for (const path of paths) {
      const answer = await page.goto(demo.url + path);
      assert.equal(answer.status(), 200, `${path} answered ${answer.status()}`);
      await inspect(page, `${who} ${path}`);
    }
  }
});
