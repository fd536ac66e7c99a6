// What people do with requests: ask and answer them, wait because of a rule, decide by keyboard, and let somebody decide while
// away; each with somebody who may not.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const person = (name) => ({ email: `${name}@grid.example`, name, password });
const roles = { second: "maintainer", reviewer: "reviewer", editor: "editor", viewer: "viewer" };

for (const engine of engines) {
  describe(`requests on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let owner;
    let viewer;
    let application;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      for (const name of ["owner", ...Object.keys(roles)]) await stoa.createUser(person(name));
      owner = stoa.api(await stoa.token("owner@grid.example"));
      viewer = stoa.api(await stoa.token("viewer@grid.example"));
      await owner("POST", "/api/v1/organizations", { name: "Grid" });
      const members = Object.entries(roles).map(([name, role]) => ({ email: `${name}@grid.example`, role }));
      await owner("POST", "/api/v1/organizations/grid/members", { members });
      for (const name of ["North", "South"]) await owner("POST", "/api/v1/organizations/grid/projects", { name });
      application = (await owner("POST", "/api/v1/applications", { name: "Backend", organization: "grid" })).id;
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    async function service(name) {
      const contract = { level: "organization", permissions: ["resources:read"], plans: [{ name: "Basic", currency: "EUR", monthly: "40" }] };
      const body = { application, name, summary: "Reads", description: "Reads data", categories: ["energy"], visibility: "public", contract };
      const { id } = await owner("POST", "/api/v1/organizations/grid/services", body);
      await owner("POST", `/api/v1/services/${id}/publish`, {});
      return id;
    }

    async function asked(name) {
      const body = { service: await service(name), projects: { mode: "selected", projects: ["north"] }, accept_terms: true, note: `Why ${name}` };
      return (await viewer("POST", "/api/v1/organizations/grid/subscriptions", body)).request.id;
    }

    browserTest("asked about, answered with other wishes, and approved", () => browser, async ({ page: decider, open }) => {
      const id = await asked("Load Forecast");
      await signIn(decider, stoa, person("reviewer"));
      await decider.goto(`${stoa.url}/requests/${id}`);
      await inspect(decider, "request to decide");
      await decider.getByLabel(/^Reason/).fill("Which winter is it for?");
      await decider.getByRole("button", { name: "Ask", exact: true }).click();
      await decider.getByText("Asked. The request waits for the answer.").waitFor();

      const requester = await open();
      await signIn(requester, stoa, person("viewer"));
      await requester.goto(`${stoa.url}/requests`);
      await requester.getByText("Which winter is it for?").first().waitFor();
      await requester.getByRole("link", { name: "Answer" }).click();
      await requester.getByText("Ask for something else").click();
      await inspect(requester, "request to answer");
      await requester.getByLabel("Your answer").fill("The next one, for both plants.");
      await requester.getByRole("checkbox", { name: /South/ }).check();
      await requester.getByRole("button", { name: "Send answer" }).click();
      await requester.getByText("with South").waitFor();
      await requester.getByText("Nobody decides their own request").waitFor();
      assert.equal(await requester.getByRole("button", { name: "Approve" }).count(), 0, "the wrong role is not offered it");

      await decider.goto(`${stoa.url}/requests/${id}`);
      await decider.getByText("The next one, for both plants.").waitFor();
      await decider.getByRole("button", { name: "Approve" }).click();
      await decider.getByText("Approved.", { exact: true }).waitFor();
      await inspect(decider, "request decided");
    });

    browserTest("a rule makes a maintainer wait for another person", () => browser, async ({ page, open }) => {
      await service("Storage");
      await signIn(page, stoa, person("owner"));
      await page.goto(`${stoa.url}/organizations/grid/settings`);
      await page.getByRole("link", { name: "Approvals" }).click();
      await page.getByLabel("Name", { exact: true }).fill("Large purchases");
      await page.getByLabel(/^Fees a month/).fill("40 EUR");
      await page.getByRole("button", { name: "Add rule" }).click();
      await page.getByText("Anybody who subscribes, adds projects, changes a plan, accepts a contract, changes the level of a service or publishes, for fees of EUR 40.00 a month or more.").waitFor();
      await inspect(page, "approvals");

      await page.goto(`${stoa.url}/marketplace/storage`);
      await page.getByRole("link", { name: "Subscribe" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText(/Another person approves/).waitFor();
      await dialog.getByRole("radio", { name: /All projects/ }).first().check();
      await dialog.getByRole("checkbox", { name: /I accept/ }).check();
      await dialog.getByRole("button", { name: "Send request" }).click();
      await page.getByText(/It waits because of a rule. Large purchases/).first().waitFor();
      await page.goto(`${stoa.url}/requests?view=mine&state=open`);
      assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0, "it is the maintainer's own");
      await inspect(page, "requests made by me");

      const other = await open();
      await signIn(other, stoa, person("second"));
      await other.goto(`${stoa.url}/requests`);
      const card = other.getByRole("article").filter({ hasText: "Grid asks to subscribe Storage" });
      await card.getByRole("button", { name: "Approve" }).click();
      await other.getByText("Approved.", { exact: true }).waitFor();

      const editor = await open();
      await signIn(editor, stoa, person("editor"));
      await editor.goto(`${stoa.url}/organizations/grid/settings/approvals`);
      await editor.getByText("Only maintainers change the rules").waitFor();
      assert.equal(await editor.getByRole("button", { name: "Add rule" }).count(), 0);
      await inspect(editor, "approvals of an editor");
      await page.goto(`${stoa.url}/organizations/grid/settings/approvals`);
      await page.getByRole("button", { name: "Remove Large purchases" }).click();
      await page.getByText("No rules").waitFor();
    });

    browserTest("decided by keyboard", () => browser, async ({ page, open }) => {
      for (const name of ["Alpha", "Beta", "Gamma"]) await asked(name);
      await signIn(page, stoa, person("reviewer"));
      await page.goto(`${stoa.url}/requests`);
      const focused = () => page.evaluate(() => document.activeElement.closest("[data-request]")?.querySelector("[data-request-link]")?.textContent);
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Decide by keyboard" }).waitFor();
      await inspect(page, "keys");
      await page.keyboard.press("Escape");
      await page.keyboard.press("j");
      assert.equal(await focused(), "Grid asks to subscribe Gamma");
      await page.keyboard.press("j");
      await page.keyboard.press("ArrowDown");
      assert.equal(await focused(), "Grid asks to subscribe Alpha");
      await page.keyboard.press("k");
      assert.equal(await focused(), "Grid asks to subscribe Beta");
      // Typed into a field, letters are letters.
      const reason = page.getByRole("article").filter({ hasText: "subscribe Beta" }).getByLabel(/^Reason/);
      await reason.focus();
      await page.keyboard.type("jarq");
      assert.equal(await reason.inputValue(), "jarq");
      await reason.fill("");

      await page.getByRole("article").filter({ hasText: "subscribe Beta" }).focus();
      await page.keyboard.press("r");
      const reject = page.getByRole("dialog", { name: "Reject" });
      await reject.getByText("Grid asks to subscribe Beta").waitFor();
      await inspect(page, "reject by keyboard");
      await page.keyboard.type("Not this year.");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.getByText("Rejected. Whoever asked is told why.").waitFor();
      assert.equal(await focused(), "Grid asks to subscribe Alpha", "what stands at its place has the focus then");
      await page.keyboard.press("q");
      await page.getByRole("dialog", { name: "Ask" }).getByLabel("What do you want to know?").fill("For which plant?");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.getByText("Asked. The request waits for the answer.").waitFor();
      await page.keyboard.press("j");
      await page.keyboard.press("a");
      await page.getByText("Approved.", { exact: true }).waitFor();
      await page.getByText("Nothing here").waitFor();
      await page.goto(`${stoa.url}/requests?view=asked`);
      await page.keyboard.press("j");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/requests\/req_/);
      // Switched off, they do nothing.
      await page.goto(`${stoa.url}/requests?view=asked`);
      await page.keyboard.press("?");
      await page.getByRole("checkbox", { name: "Use these keys in this browser" }).uncheck();
      await page.keyboard.press("Escape");
      await page.keyboard.press("j");
      assert.equal(await focused(), undefined);

      // The wrong role: nothing waits, and the keys decide nothing on what is the person's own.
      const requester = await open();
      await signIn(requester, stoa, person("viewer"));
      await requester.goto(`${stoa.url}/requests?view=mine&state=needs_info`);
      await requester.keyboard.press("j");
      await requester.keyboard.press("a");
      await requester.keyboard.press("r");
      assert.equal(await requester.getByRole("dialog").count(), 0);
      await requester.getByRole("link", { name: "Answer" }).waitFor();
    });

    browserTest("decided by somebody else while away", () => browser, async ({ page: away, open }) => {
      const id = await asked("Weather");
      const editor = await open();
      await signIn(editor, stoa, person("editor"));
      await editor.goto(`${stoa.url}/organizations/grid/delegations`);
      await editor.getByText("Reviewers and maintainers decide requests").waitFor();
      await editor.goto(`${stoa.url}/requests/${id}`);
      assert.equal(await editor.getByRole("button", { name: "Approve" }).count(), 0);

      await signIn(away, stoa, person("reviewer"));
      await away.goto(`${stoa.url}/organizations/grid/requests`);
      await away.getByRole("link", { name: "Away?" }).click();
      await away.getByLabel("Who decides for me").selectOption({ label: "editor (editor)" });
      const day = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10);
      await away.getByLabel("Last day").fill(day);
      await away.getByRole("button", { name: "Name them" }).click();
      await away.getByText("editor decides in your stead until").waitFor();
      await inspect(away, "while away");

      await editor.goto(`${stoa.url}/requests/${id}`);
      await editor.getByRole("button", { name: "Approve" }).click();
      await editor.getByText("in the stead of reviewer").waitFor();
      await away.goto(`${stoa.url}/organizations/grid/delegations`);
      await away.getByRole("button", { name: /^End/ }).click();
      await away.getByText("Nobody stands in for anybody").waitFor();
    });
  });
}
