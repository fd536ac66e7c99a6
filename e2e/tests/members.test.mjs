// The pages of members, teams and shared applications as people see them on their way, and what each role is offered there. Every
// procedure by mouse, by keyboard and refused stands in procedures.test.mjs.

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
  reviewer: person("reviewer", "Rolf Reviewer"),
  viewer: person("viewer", "Vera Viewer"),
  first: person("first", "Frida First"),
};

describe("members, teams and sharing", { concurrency: false }, () => {
  let browser;
  let stoa;
  let api;
  const ids = {};
  before(async () => {
    [browser, stoa] = await Promise.all([startBrowser(), startStoa()]);
    for (const one of Object.values(people)) await stoa.createUser(one);
    api = stoa.api(await stoa.token(people.maintainer.email));
    await api("POST", "/api/v1/organizations", { name: "Grid" });
    const members = ["editor", "reviewer", "viewer"].map((role) => ({ email: people[role].email, role }));
    const added = await api("POST", "/api/v1/organizations/grid/members", { members });
    for (const one of added.results) ids[one.member.role] = one.member.user.id;
    ids.application = (await api("POST", "/api/v1/applications", { name: "Engine", organization: "grid" })).id;
    ids.team = (await api("POST", "/api/v1/organizations/grid/teams", { name: "Fixed" })).id;
  });
  after(async () => {
    await browser?.close();
    await stoa?.stop();
  });

  const tab = (page, path) => page.goto(`${stoa.url}/organizations/grid${path}`);
  browserTest("several people are added at once, and who has no account is invited", () => browser, async ({ page }) => {
    await signIn(page, stoa, people.maintainer);
    await tab(page, "/members");
    await page.getByRole("link", { name: "Add members" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("E-mail address").nth(0).fill(people.first.email);
    await dialog.getByLabel("Role").nth(0).selectOption("reviewer");
    await dialog.getByLabel("E-mail address").nth(1).fill("nobody-yet@grid.example");
    await inspect(page, "add members");
    await dialog.getByRole("button", { name: "Add 2 members" }).click();
    await page.getByText("1 person was added. 1 person was invited by mail.").waitFor();
    await page.locator("b", { hasText: people.first.name }).waitFor();
    await page.getByRole("heading", { name: "Invitations" }).waitFor();
    await inspect(page, "members with an invitation");
    await page.getByRole("button", { name: /^Send again/ }).click();
    await page.getByText("The invitation is sent to nobody-yet@grid.example again.").waitFor();
    await page.getByRole("button", { name: /^Take back/ }).click();
    await page.getByText("The invitation of nobody-yet@grid.example is taken back.").waitFor();
  });

  browserTest("a list is pasted, looked over and carried out", () => browser, async ({ page }) => {
    await signIn(page, stoa, people.maintainer);
    await tab(page, "/members");
    await page.getByRole("link", { name: "Paste or import" }).click();
    await page.getByLabel(/^Paste addresses/).fill("Ben Lo <ben@grid.example>; viewer@grid.example\nnot an address");
    await page.getByRole("button", { name: "Look at what will happen" }).click();
    await page.getByRole("heading", { name: "What will happen" }).waitFor();
    await page.getByText("1 will be invited, 1 already in, 1 left out").waitFor();
    await inspect(page, "import preview");
    await page.getByRole("button", { name: "Do it" }).click();
    await page.getByText("1 person was invited by mail.").waitFor();
  });

  browserTest("a removal says what is lost", () => browser, async ({ page }) => {
    await signIn(page, stoa, people.maintainer);
    await tab(page, "/members");
    await page.getByRole("link", { name: "Remove Frida First" }).click();
    const dialog = page.getByRole("dialog", { name: "Remove Frida First" });
    await dialog.getByText(/The role reviewer in Grid/).waitFor();
    await inspect(page, "remove a member");
    await dialog.getByRole("link", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "hidden" });
    await page.getByRole("link", { name: "Remove Frida First" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await page.getByText("Frida First was removed.").waitFor();
  });

  browserTest("a team is created and gets members", () => browser, async ({ page }) => {
    await signIn(page, stoa, people.editor);
    await tab(page, "/teams");
    await page.getByRole("link", { name: "New team" }).first().click();
    await page.getByRole("dialog").getByLabel("Name").fill("Meters");
    await page.getByRole("button", { name: "Create team" }).click();
    await page.getByRole("heading", { name: "Meters" }).waitFor();
    await page.getByRole("link", { name: "Add to team" }).click();
    await page.getByRole("dialog").getByRole("checkbox", { name: /Vera Viewer/ }).check();
    await inspect(page, "add to team");
    await page.getByRole("button", { name: "Add to team" }).click();
    await page.getByText("Vera Viewer is in the team now.").waitFor();
    await inspect(page, "team");
    await tab(page, "/teams");
    await inspect(page, "teams");
  });

  browserTest("an application is shared with a team and then with the organization", () => browser, async ({ page, open }) => {
    await signIn(page, stoa, people.editor);
    await page.goto(`${stoa.url}/applications`);
    await page.getByRole("link", { name: "New application" }).first().click();
    await page.getByRole("dialog").getByLabel("Name").fill("Reader");
    await page.getByRole("button", { name: "Create application" }).click();
    await page.getByRole("heading", { name: "Reader", exact: true }).waitFor();
    const address = page.url();
    await inspect(page, "my application");
    const viewer = await open();
    await signIn(viewer, stoa, people.viewer);
    const reviewer = await open();
    await signIn(reviewer, stoa, people.reviewer);
    const status = async (who) => (await who.goto(address)).status();
    assert.deepEqual([await status(viewer), await status(reviewer)], [404, 404]);
    viewer.errors.length = 0;

    await page.getByLabel("Share with").selectOption({ label: "Grid: team Meters" });
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.getByText("Reader is shared with the team.").waitFor();
    assert.deepEqual([await status(viewer), await status(reviewer)], [200, 404]);
    await inspect(viewer, "an application shared with a team");
    assert.equal(await viewer.getByRole("button", { name: /New secret|Share|Stop sharing|Delete/ }).count(), 0);

    await page.getByLabel("Share with").selectOption({ label: "Grid: all members" });
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.getByText("Reader is shared with the organization.").waitFor();
    assert.deepEqual([await status(viewer), await status(reviewer)], [200, 200]);
    await inspect(page, "my application, shared");
    await page.getByRole("link", { name: /Why can or can’t somebody/ }).click();
    await page.getByLabel("Who").fill(people.viewer.email);
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText(/the application is shared with the organization/).waitFor();
    await inspect(page, "access explained");
    await page.goto(address);
    await page.getByRole("button", { name: "Stop sharing with All members of Grid" }).click();
    await page.getByText("Reader is not shared there any more.").waitFor();
    assert.equal(await status(reviewer), 404);
  });

  const may = { viewer: [], reviewer: [], editor: ["teams", "sharing"], maintainer: ["teams", "sharing", "members"] };
  for (const role of Object.keys(may)) {
    browserTest(`as ${role}: what one may not do is not offered, and refused when forced`, () => browser, async ({ page }) => {
      await signIn(page, stoa, people[role]);
      const force = async (path, form) =>
        (await page.context().request.post(stoa.url + path, { form, headers: { origin: stoa.url }, maxRedirects: 0 })).status();
      await tab(page, "/members");
      const members = may[role].includes("members");
      assert.equal(await page.getByRole("link", { name: "Add members" }).count(), members ? 1 : 0);
      assert.equal(await page.getByRole("link", { name: "Paste or import" }).count(), members ? 1 : 0);
      assert.equal(await page.getByLabel("Role of Vera Viewer").count(), members ? 1 : 0);
      assert.equal(await page.getByRole("link", { name: /^Remove/ }).count() > 0, members);
      await tab(page, "/teams");
      const teams = may[role].includes("teams");
      assert.equal(await page.getByRole("link", { name: "New team" }).count() > 0, teams);
      await tab(page, `/teams/${ids.team}`);
      assert.equal(await page.getByRole("button", { name: "Delete team" }).count(), teams ? 1 : 0);
      assert.equal(await page.getByRole("link", { name: "Add to team" }).count(), teams ? 1 : 0);
      await tab(page, `/applications/${ids.application}`);
      assert.equal(await page.getByRole("button", { name: "Share", exact: true }).count(), may[role].includes("sharing") ? 1 : 0);
      const forced = {
        members: await force("/organizations/grid/members", { email: "forced@grid.example", role: "viewer" }),
        role: await force(`/organizations/grid/members/${ids.viewer}/role`, { role: "viewer" }),
        teams: await force("/organizations/grid/teams", { name: `Forced by ${role}` }),
        sharing: await force(`/applications/${ids.application}/share`, { with: "organization:grid" }),
      };
      const expected = (right) => (may[role].includes(right) ? 303 : 403);
      assert.deepEqual(forced, { members: expected("members"), role: expected("members"), teams: expected("teams"), sharing: expected("sharing") });
    });
  }
});
