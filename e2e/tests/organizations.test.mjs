// What people do with organizations: create one with all its details, find it, give it another handle, delete it with the
// bin, and have it restored by an operator.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const person = (name) => ({ email: `${name}@grid.example`, name, password });
const roles = ["viewer", "reviewer", "editor"];

for (const engine of engines) {
  describe(`organizations on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let owner;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      for (const name of ["owner", ...roles]) await stoa.createUser(person(name));
      await stoa.createUser({ ...person("operator"), operator: true });
      owner = stoa.api(await stoa.token("owner@grid.example"));
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    async function organization(name, handle) {
      await owner("POST", "/api/v1/organizations", { name, handle });
      const members = roles.map((role) => ({ email: `${role}@grid.example`, role }));
      await owner("POST", `/api/v1/organizations/${handle}/members`, { members });
    }

    browserTest("created with all its details, each checked", () => browser, async ({ page }) => {
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations/new`);
      await inspect(page, "new organization");
      await page.getByLabel("Name", { exact: true }).fill("Grid Works");
      await page.getByLabel("Handle").pressSequentially("grid works");
      await page.getByText("A handle has 2 to 63").waitFor();
      await page.getByLabel("Handle").fill("");
      await page.getByLabel("Handle").pressSequentially("grid-works");
      await page.getByText("grid-works is free.").waitFor();
      await page.getByLabel("Legal name").fill("Grid Works GmbH");
      await page.getByLabel("Telephone").fill("040 1234567");
      await page.getByRole("button", { name: "Create organization" }).click();
      await page.getByText("Write the number with its country").first().waitFor();
      page.errors.length = 0;
      await inspect(page, "new organization refused");
      await page.getByLabel("Telephone").fill("+49 40 1234567");
      await page.getByLabel("Website").fill("https://grid.example");
      await page.getByRole("button", { name: "Create organization" }).click();
      await page.getByText("Bills need legal name, address, country").first().waitFor();
      await page.getByLabel("Postal address").fill("Quay 1\n20457 Hamburg");
      await page.getByLabel("Country").selectOption("DE");
      await page.getByLabel("Billing e-mail").fill("bills@grid.example");
      await page.getByRole("button", { name: "Create organization" }).click();
      await page.getByText("Grid Works was created.").waitFor();
      page.errors.length = 0;
      await page.goto(`${stoa.url}/organizations/grid-works/settings`);
      assert.equal(await page.getByLabel("Telephone").inputValue(), "+49 40 1234567");
      assert.equal(await page.getByLabel("Country").inputValue(), "DE");
      await inspect(page, "settings");
    });

    browserTest("found by a part of its name, with and without scripts", () => browser, async ({ page, open }) => {
      await organization("Harbour Cranes", "cranes");
      await organization("River Locks", "locks");
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations`);
      await page.getByRole("link", { name: "River Locks", exact: true }).waitFor();
      await page.getByPlaceholder("Name or handle").pressSequentially("CRANE");
      await page.getByRole("link", { name: "River Locks", exact: true }).waitFor({ state: "detached" });
      await page.getByRole("link", { name: "Harbour Cranes", exact: true }).waitFor();
      assert.match(page.url(), /q=CRANE/);
      await inspect(page, "organizations searched");
      await page.goto(`${stoa.url}/organizations?q=nothing-like-it`);
      await page.getByText("No organization of yours is called like that").waitFor();

      const plain = await open({ javaScriptEnabled: false });
      await signIn(plain, stoa, person("owner"));
      await plain.goto(`${stoa.url}/organizations`);
      await plain.getByPlaceholder("Name or handle").fill("lock");
      await plain.getByRole("button", { name: "Search", exact: true }).click();
      await plain.getByRole("link", { name: "River Locks", exact: true }).first().waitFor();
      assert.equal(await plain.getByRole("link", { name: "Harbour Cranes" }).count(), 0);
    });

    browserTest("given another handle, and the old address leads on", () => browser, async ({ page }) => {
      await organization("Solar Park", "solar");
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations/solar/settings`);
      await page.getByLabel("Handle").fill("");
      await page.getByLabel("Handle").pressSequentially("solar-park");
      await page.getByText("solar-park is free.").waitFor();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      assert.match(page.url(), /\/organizations\/solar-park\/settings$/);
      await page.getByText("leads here until").waitFor();
      await inspect(page, "settings with an old handle");
      await page.goto(`${stoa.url}/organizations/solar/members?open=add`);
      assert.equal(page.url(), `${stoa.url}/organizations/solar-park/members?open=add`);
    });

    browserTest("deleted with the bin in its row, by mouse", () => browser, async ({ page }) => {
      await organization("Old Mill", "mill");
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations`);
      await page.getByRole("link", { name: "Delete Old Mill" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("4 members").waitFor();
      await dialog.getByText("0 teams").waitFor();
      await inspect(page, "delete dialog");
      const button = dialog.getByRole("button", { name: "Delete organization" });
      assert.equal(await button.isDisabled(), true);
      await dialog.getByLabel("Type Old Mill to confirm").fill("old mill");
      assert.equal(await button.isDisabled(), true);
      await dialog.getByLabel("Type Old Mill to confirm").fill("Old Mill");
      await button.click();
      await page.getByText("Old Mill was deleted. An operator can restore it for 14 days.").waitFor();
      assert.equal(await page.getByRole("link", { name: "Old Mill", exact: true }).count(), 0);
      assert.equal((await page.goto(`${stoa.url}/organizations/mill`)).status(), 404);
      page.errors.length = 0;
    });

    browserTest("deleted by keyboard only", () => browser, async ({ page }) => {
      await organization("Old Barn", "barn");
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations`);
      const bin = page.getByRole("link", { name: "Delete Old Barn" });
      for (let presses = 0; !(await bin.evaluate((link) => link === document.activeElement)); presses += 1) {
        assert.ok(presses < 100, "the bin is reached by Tab");
        await page.keyboard.press("Tab");
      }
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      assert.ok(await bin.evaluate((link) => link === document.activeElement), "the focus is back where it was");
      await page.keyboard.press("Enter");
      await dialog.getByLabel("Type Old Barn to confirm").waitFor();
      await page.keyboard.type("Old Barn");
      await page.keyboard.press("Enter");
      await page.getByText("Old Barn was deleted.").waitFor();
    });

    browserTest("deleted without scripts", () => browser, async ({ open }) => {
      await organization("Old Dam", "dam");
      const page = await open({ javaScriptEnabled: false });
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations`);
      await page.getByRole("link", { name: "Delete Old Dam" }).click();
      await page.getByLabel("Type Old Dam to confirm").fill("Old dam");
      await page.getByRole("button", { name: "Delete organization" }).click();
      await page.getByText("confirm with its exact name: Old Dam").waitFor();
      await page.getByLabel("Type Old Dam to confirm").fill("Old Dam");
      await page.getByRole("button", { name: "Delete organization" }).click();
      await page.getByText("Old Dam was deleted.").waitFor();
    });

    for (const role of roles) {
      browserTest(`not offered to ${role === "editor" ? "an" : "a"} ${role}, and refused when forced`, () => browser, async ({ page }) => {
        await owner("POST", "/api/v1/organizations", { name: `Kept from ${role}`, handle: `kept-${role}` });
        await owner("POST", `/api/v1/organizations/kept-${role}/members`, { members: [{ email: `${role}@grid.example`, role }] });
        await signIn(page, stoa, person(role));
        for (const path of ["/organizations", `/organizations/kept-${role}`, `/organizations/kept-${role}/settings`]) {
          await page.goto(stoa.url + path);
          assert.equal(await page.getByRole("link", { name: new RegExp(`Delete (organization|Kept from ${role})`) }).count(), 0, path);
        }
        const forced = page.context().request;
        const path = `${stoa.url}/organizations/kept-${role}/delete`;
        assert.equal((await forced.get(path)).status(), 403);
        const answer = await forced.post(path, { form: { confirm: `Kept from ${role}` }, headers: { origin: stoa.url } });
        assert.equal(answer.status(), 403);
        assert.match(await answer.text(), /owner/);
        await owner("GET", `/api/v1/organizations/kept-${role}`);
      });
    }

    browserTest("restored by an operator, who says why", () => browser, async ({ page, open }) => {
      await organization("Lost Valley", "valley");
      await owner("DELETE", "/api/v1/organizations/valley?confirm=Lost%20Valley");
      await signIn(page, stoa, person("operator"));
      await page.goto(`${stoa.url}/operator`);
      await inspect(page, "operator users");
      await page.getByRole("link", { name: "Organizations", exact: true }).last().click();
      await page.getByPlaceholder("Name or handle").fill("valley");
      await page.getByRole("button", { name: "Search", exact: true }).click();
      await inspect(page, "operator organizations");
      await page.getByText("Can be restored until").waitFor();
      await page.getByRole("link", { name: "Lost Valley" }).click();
      await inspect(page, "operator organization deleted");
      await page.getByLabel("Why? Its members read this.").fill("deleted by mistake");
      await page.getByRole("button", { name: "Restore organization" }).click();
      await page.getByText("Lost Valley is there again.").waitFor();

      await page.getByLabel("What", { exact: true }).selectOption("members");
      await page.getByLabel("Why do you look?").fill("asked to check the roles");
      await page.getByRole("button", { name: "Look" }).click();
      await page.getByText("viewer <viewer@grid.example>", { exact: true }).waitFor();
      await inspect(page, "operator organization seen");
      await page.getByLabel("Why? Its members read this.").fill("unpaid");
      await page.getByRole("button", { name: "Suspend organization" }).click();
      await page.getByText("Lost Valley is suspended.").waitFor();

      const theirs = await open();
      await signIn(theirs, stoa, person("owner"));
      await theirs.goto(`${stoa.url}/organizations/valley/activity`);
      await theirs.getByText("asked to check the roles").waitFor();
      await theirs.getByText("deleted by mistake").waitFor();
      await theirs.getByText("Suspended by the operator.").waitFor();
      await inspect(theirs, "suspended organization");
      await theirs.goto(`${stoa.url}/organizations/valley/projects`);
      assert.equal(await theirs.getByRole("link", { name: "New project" }).count(), 0);

      await page.getByRole("button", { name: "Lift suspension" }).click();
      await page.getByText("Lost Valley is no longer suspended.").waitFor();
      await theirs.reload();
      await theirs.getByRole("link", { name: "New project" }).first().waitFor();
    });

    browserTest("restored with a person who becomes its maintainer, where none is left", () => browser, async ({ page, open }) => {
      await stoa.createUser(person("founder"));
      await stoa.createUser(person("successor"));
      const founder = stoa.api(await stoa.token("founder@grid.example"));
      await founder("POST", "/api/v1/organizations", { name: "Orphaned Mill", handle: "orphaned" });
      await founder("DELETE", "/api/v1/organizations/orphaned?confirm=Orphaned%20Mill");
      await founder("DELETE", "/api/v1/me?confirm=founder@grid.example");
      await signIn(page, stoa, person("operator"));
      await page.goto(`${stoa.url}/operator/organizations?q=orphaned`);
      await page.getByRole("link", { name: "Orphaned Mill" }).click();
      await page.getByText("Nobody who maintained it has an account any more.").waitFor();
      await inspect(page, "operator organization without maintainer");
      await page.getByLabel("Who becomes its maintainer?").fill("nobody@grid.example");
      await page.getByLabel("Why? Its members read this.").fill("asked by the board");
      await page.getByRole("button", { name: "Restore organization" }).click();
      await page.getByText("Nobody has the account nobody@grid.example").waitFor();
      page.errors.length = 0;
      assert.equal(await page.getByLabel("Why? Its members read this.").inputValue(), "asked by the board");
      await page.getByLabel("Who becomes its maintainer?").fill("successor@grid.example");
      await page.getByRole("button", { name: "Restore organization" }).click();
      await page.getByText("Orphaned Mill is there again.").waitFor();
      const theirs = await open();
      await signIn(theirs, stoa, person("successor"));
      await theirs.goto(`${stoa.url}/organizations/orphaned/settings`);
      await theirs.getByRole("button", { name: "Save" }).waitFor();
    });

    browserTest("an operator suspends an account, which is refused at the sign-in", () => browser, async ({ page, open }) => {
      await stoa.createUser(person("leaver"));
      await signIn(page, stoa, person("operator"));
      await page.goto(`${stoa.url}/operator/users?q=leaver`);
      await page.getByRole("button", { name: "Suspend leaver" }).click();
      await page.getByText("leaver@grid.example is suspended.").waitFor();
      const theirs = await open();
      await theirs.goto(`${stoa.url}/sign-in`);
      await theirs.getByLabel("E-mail address").fill("leaver@grid.example");
      await theirs.getByLabel("Password").fill(password);
      await theirs.getByRole("button", { name: "Sign in" }).click();
      await theirs.getByText("This account is suspended").waitFor();
      theirs.errors.length = 0;
    });
  });
}
