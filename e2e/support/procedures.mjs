// What people do with organizations, their members, teams and applications, procedure by procedure: who may, how it is done
// with the mouse, how by keyboard alone, and which form does it when it is posted by hand.

import assert from "node:assert/strict";

const everybody = ["viewer", "reviewer", "editor", "maintainer"];
const editors = ["editor", "maintainer"];
const maintainers = ["maintainer"];

/** Waits until a page says something. */
const seen = (page, text) => page.getByText(text).first().waitFor();

/**
 * Each takes a `world` (see `worlds.mjs`): an organization of its own with a member in each role.
 *
 * - `path`: the page on which it is offered, and `offer`, what offers it there.
 * - `mouse` and `keyboard`: how it is done, up to the message that it is done.
 * - `forms`: what to post when it is not offered; each must be refused.
 * - `done`: fails unless it was done, by what the API says.
 */
export const procedures = [
  {
    title: "create an organization",
    may: everybody,
    path: () => "/organizations",
    offer: (page) => page.getByRole("link", { name: "New Org" }).first(),
    async mouse(page, world) {
      await this.offer(page).click();
      await page.getByLabel("Name", { exact: true }).fill(`New of ${world.name}`);
      await page.getByLabel("Contact e-mail address").fill("hello@grid.example");
      await page.getByRole("button", { name: "Create organization" }).click();
      await seen(page, `New of ${world.name} was created.`);
    },
    async keyboard(keys, page, world) {
      await keys.enter(this.offer(page));
      await keys.write(page.getByLabel("Name", { exact: true }), `New of ${world.name}`);
      await keys.write(page.getByLabel("Contact e-mail address"), "hello@grid.example");
      await keys.write(page.getByLabel("Billing e-mail address"), "bills@grid.example");
      await keys.write(page.getByLabel("Legal name"), "Grid GmbH");
      await keys.write(page.getByLabel("Postal address"), "Quay 1");
      await keys.choose(page.getByLabel("Country"), "Germany");
      await keys.enter(page.getByRole("button", { name: "Create organization" }));
      await seen(page, `New of ${world.name} was created.`);
    },
    async done(world, role) {
      const made = await world.as(role)("GET", `/api/v1/organizations/new-of-${world.handle}`);
      assert.deepEqual([made.role, made.contact_email], ["maintainer", "hello@grid.example"]);
    },
  },
  {
    title: "add several members at once",
    may: maintainers,
    path: (world) => `${world.page}/members`,
    offer: (page) => page.getByRole("link", { name: "Add members" }),
    async mouse(page, world) {
      await this.offer(page).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("E-mail address").nth(0).fill(world.people.frida.email);
      await dialog.getByLabel("Role").nth(0).selectOption("reviewer");
      await dialog.getByLabel("E-mail address").nth(1).fill(world.people.simon.email);
      await dialog.getByLabel("Role").nth(1).selectOption("editor");
      await dialog.getByRole("button", { name: "Add 2 members" }).click();
      await seen(page, "Frida First and Simon Second were added.");
    },
    async keyboard(keys, page, world) {
      await keys.enter(this.offer(page));
      const dialog = page.getByRole("dialog");
      await keys.write(dialog.getByLabel("E-mail address").nth(0), world.people.frida.email);
      await keys.choose(dialog.getByLabel("Role").nth(0), "Reviewer");
      await keys.write(dialog.getByLabel("E-mail address").nth(1), world.people.simon.email);
      await keys.choose(dialog.getByLabel("Role").nth(1), "Editor");
      await keys.enter(dialog.getByRole("button", { name: "Add 2 members" }));
      await seen(page, "Frida First and Simon Second were added.");
    },
    forms: (world) => [
      { path: `${world.page}/members`, form: [["email", world.people.frida.email], ["role", "reviewer"], ["email", world.people.simon.email], ["role", "editor"]] },
    ],
    async done(world) {
      const roles = await world.roles();
      assert.deepEqual([roles[world.people.frida.email], roles[world.people.simon.email]], ["reviewer", "editor"]);
    },
  },
  {
    title: "import members from a CSV file after a look at each line",
    may: maintainers,
    path: (world) => `${world.page}/members`,
    offer: (page) => page.getByRole("link", { name: "Paste or import" }),
    file: (world) => ({
      name: "people.csv",
      mimeType: "text/csv",
      buffer: Buffer.from(`\ufeffEmail;Name;Role\n${world.people.frida.email};;editor\nnew-${world.handle}@grid.example;Nora New;\n${world.people.viewer.email};;\nnobody;;\n`),
    }),
    async mouse(page, world) {
      await this.offer(page).click();
      await page.getByLabel(/Or choose a CSV file/).setInputFiles(this.file(world));
      await page.getByLabel("Role where the list says none").selectOption("reviewer");
      await page.getByRole("button", { name: "Look at what will happen" }).click();
      await seen(page, "1 will be added, 1 will be invited, 1 already in, 1 left out");
      assert.equal((await world.roles())[world.people.frida.email], undefined, "nothing is done before it was looked at");
      await page.getByRole("button", { name: "Do it" }).click();
      await seen(page, "1 person was added. 1 person was invited by mail.");
    },
    async keyboard(keys, page, world) {
      await keys.enter(this.offer(page));
      const [chooser] = await Promise.all([page.waitForEvent("filechooser"), keys.enter(page.getByLabel(/Or choose a CSV file/))]);
      await chooser.setFiles(this.file(world));
      await keys.choose(page.getByLabel("Role where the list says none"), "Reviewer");
      await keys.enter(page.getByRole("button", { name: "Look at what will happen" }));
      await seen(page, "1 will be added, 1 will be invited, 1 already in, 1 left out");
      await keys.enter(page.getByRole("button", { name: "Do it" }));
      await seen(page, "1 person was added. 1 person was invited by mail.");
    },
    forms: (world) => [
      { path: `${world.page}/members/import`, form: [["text", world.people.frida.email], ["role", "editor"]], multipart: true },
      { path: `${world.page}/members/import/done`, form: [["email", world.people.frida.email], ["name", ""], ["role", "editor"]] },
    ],
    async done(world) {
      assert.equal((await world.roles())[world.people.frida.email], "editor");
      const { items } = await world.as("founder")("GET", `${world.api}/invitations`);
      assert.deepEqual(items.map((one) => [one.email, one.name, one.role]), [[`new-${world.handle}@grid.example`, "Nora New", "reviewer"]]);
    },
  },
  {
    title: "change a role",
    may: maintainers,
    path: (world) => `${world.page}/members`,
    offer: (page) => page.getByLabel("Role of Vera Viewer"),
    async mouse(page) {
      await this.offer(page).selectOption("editor");
      await seen(page, "Vera Viewer is an editor now.");
    },
    async keyboard(keys, page) {
      await keys.reach(this.offer(page));
      await keys.press("ArrowDown");
      await seen(page, "Vera Viewer is a reviewer now.");
      await keys.reach(this.offer(page));
      await keys.press("ArrowDown");
      await seen(page, "Vera Viewer is an editor now.");
    },
    forms: (world) => [{ path: `${world.page}/members/${world.ids.viewer}/role`, form: [["role", "editor"]] }],
    async done(world) {
      assert.equal((await world.roles())[world.people.viewer.email], "editor");
    },
  },
  {
    title: "remove a member",
    may: maintainers,
    path: (world) => `${world.page}/members`,
    // Whoever may remove nobody may still leave.
    offer: (page) => page.getByRole("link", { name: "Remove Otto Other" }),
    async mouse(page) {
      await this.offer(page).click();
      const dialog = page.getByRole("dialog", { name: "Remove Otto Other" });
      await dialog.getByText("The role viewer in").waitFor();
      await dialog.getByRole("button", { name: "Remove" }).click();
      await seen(page, "Otto Other was removed.");
    },
    async keyboard(keys, page) {
      await keys.enter(this.offer(page));
      const dialog = page.getByRole("dialog", { name: "Remove Otto Other" });
      await dialog.getByText("The role viewer in").waitFor();
      await keys.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      await keys.enter(this.offer(page));
      await keys.enter(dialog.getByRole("button", { name: "Remove" }));
      await seen(page, "Otto Other was removed.");
    },
    forms: (world) => [{ path: `${world.page}/members/${world.ids.other}/remove`, form: [] }],
    async done(world) {
      assert.equal((await world.roles())[world.people.other.email], undefined);
    },
  },
  {
    title: "leave an organization",
    may: everybody,
    path: (world) => `${world.page}/members`,
    offer: (page) => page.getByRole("link", { name: "Leave", exact: true }),
    async mouse(page, world) {
      await this.offer(page).click();
      const dialog = page.getByRole("dialog", { name: `Leave ${world.name}` });
      await dialog.getByText("You lose at once").waitFor();
      await dialog.getByRole("button", { name: "Leave" }).click();
      await seen(page, "You left the organization.");
    },
    async keyboard(keys, page, world) {
      await keys.enter(this.offer(page));
      await keys.enter(page.getByRole("dialog", { name: `Leave ${world.name}` }).getByRole("button", { name: "Leave" }));
      await seen(page, "You left the organization.");
    },
    async done(world, role) {
      assert.equal((await world.roles())[world.people[role].email], undefined);
      await assert.rejects(world.as(role)("GET", world.api), /404/);
    },
  },
  {
    title: "delete an organization",
    may: maintainers,
    path: (world) => `/organizations?q=${world.handle}`,
    offer: (page, world) => page.getByRole("link", { name: `Delete ${world.name}`, exact: true }),
    async mouse(page, world) {
      await this.offer(page, world).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("6 members").waitFor();
      const button = dialog.getByRole("button", { name: "Delete organization" });
      assert.ok(await button.isDisabled(), "not without the name");
      await dialog.getByLabel(`Type ${world.name} to confirm`).fill(world.name);
      await button.click();
      await seen(page, `${world.name} was deleted.`);
    },
    async keyboard(keys, page, world) {
      await keys.enter(this.offer(page, world));
      const field = page.getByRole("dialog").getByLabel(`Type ${world.name} to confirm`);
      await keys.write(field, world.name);
      await keys.enter(page.getByRole("dialog").getByRole("button", { name: "Delete organization" }));
      await seen(page, `${world.name} was deleted.`);
    },
    forms: (world) => [{ path: `${world.page}/delete`, form: [["confirm", world.name]] }],
    async done(world) {
      await assert.rejects(world.as("founder")("GET", world.api), /404/);
    },
  },
  {
    title: "create a team",
    may: editors,
    path: (world) => `${world.page}/teams`,
    offer: (page) => page.getByRole("link", { name: "New team" }).first(),
    async mouse(page) {
      await this.offer(page).click();
      await page.getByRole("dialog").getByLabel("Name").fill("Wind");
      await page.getByRole("button", { name: "Create team" }).click();
      await seen(page, "Wind is created.");
      await page.getByRole("link", { name: "Add to team" }).click();
      await page.getByRole("dialog").getByRole("checkbox", { name: /Vera Viewer/ }).check();
      await page.getByRole("button", { name: "Add to team" }).click();
      await seen(page, "Vera Viewer is in the team now.");
    },
    async keyboard(keys, page) {
      await keys.enter(this.offer(page));
      await keys.write(page.getByRole("dialog").getByLabel("Name"), "Wind");
      await keys.press("Enter");
      await seen(page, "Wind is created.");
      await keys.enter(page.getByRole("link", { name: "Add to team" }));
      await keys.tick(page.getByRole("dialog").getByRole("checkbox", { name: /Vera Viewer/ }));
      await keys.enter(page.getByRole("button", { name: "Add to team" }));
      await seen(page, "Vera Viewer is in the team now.");
    },
    forms: (world) => [
      { path: `${world.page}/teams`, form: [["name", "Wind"]] },
      { path: `${world.page}/teams/${world.ids.team}/members`, form: [["emails", world.people.other.email]] },
      { path: `${world.page}/teams/${world.ids.team}/edit`, form: [["name", "Forced"]] },
      { path: `${world.page}/teams/${world.ids.team}/delete`, form: [["confirm", "Meters"]] },
    ],
    async done(world) {
      const teams = await world.as("founder")("GET", `${world.api}/teams`);
      assert.deepEqual(teams.items.map((team) => [team.name, team.members]), [["Meters", 2], ["Wind", 1]]);
    },
  },
  {
    title: "share an application with a team and then with the organization",
    may: editors,
    path: (world) => `${world.page}/applications/${world.ids.application}`,
    offer: (page) => page.getByRole("button", { name: "Share", exact: true }),
    async mouse(page, world) {
      await page.getByLabel("Share with").selectOption({ label: `${world.name}: team Meters` });
      await this.offer(page).click();
      await seen(page, "Engine is shared with the team.");
      assert.deepEqual(await world.viewers(), { viewer: 404, reviewer: 404, editor: 200, maintainer: 200 });
      await page.getByLabel("Share with").selectOption({ label: `${world.name}: all members` });
      await this.offer(page).click();
      await seen(page, "Engine is shared with the organization.");
      await page.getByRole("link", { name: "Team Meters" }).click();
      await page.getByRole("heading", { name: "Shared with this team" }).waitFor();
      await page.getByRole("link", { name: "Engine" }).waitFor();
    },
    async keyboard(keys, page, world) {
      await keys.choose(page.getByLabel("Share with"), `${world.name}: team Meters`);
      await keys.enter(this.offer(page));
      await seen(page, "Engine is shared with the team.");
      assert.deepEqual(await world.viewers(), { viewer: 404, reviewer: 404, editor: 200, maintainer: 200 });
      await keys.choose(page.getByLabel("Share with"), `${world.name}: all members`);
      await keys.enter(this.offer(page));
      await seen(page, "Engine is shared with the organization.");
    },
    forms: (world) => [
      { path: `/applications/${world.ids.application}/share`, form: [["with", `team:${world.ids.team}`]] },
      { path: `/applications/${world.ids.application}/share`, form: [["with", `organization:${world.handle}`]] },
    ],
    async done(world) {
      const { shares } = await world.as("founder")("GET", `/api/v1/applications/${world.ids.application}`);
      assert.deepEqual(shares.map((share) => share.kind).sort(), ["organization", "team"]);
      assert.deepEqual(await world.viewers(), { viewer: 200, reviewer: 200, editor: 200, maintainer: 200 });
    },
  },
];
