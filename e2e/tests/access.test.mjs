// Who gets into an organization by an invitation or a verified mail domain, and the page that says why somebody can or cannot.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, openPage, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { keyboardOf } from "../support/keyboard.mjs";
import { linkIn, readMail } from "../support/outbox.mjs";
import { startStoa, until } from "../support/stoa.mjs";
import { people, settle } from "../support/worlds.mjs";

const operator = { email: "olga@operators.example", name: "Olga Operator", password: "a long enough password", operator: true };

describe("who gets in, and why", { concurrency: false }, () => {
  let browser;
  let stoa;
  let installation;
  before(async () => {
    [browser, stoa] = await Promise.all([startBrowser(), startStoa()]);
    await stoa.createUser(operator);
    installation = await settle(stoa, () => openPage(browser));
  });
  after(async () => {
    await browser?.close();
    await stoa?.stop();
  });

  const as = (open, role) => open({ storageState: installation.sessions[role] });

  browserTest("an invitation is taken up by signing up, accepted or declined by who it is for, and by nobody else", () => browser, async ({ open }) => {
    const world = await installation.world();
    const page = await as(open, "maintainer");
    await page.goto(`${stoa.url}${world.page}/members?open=add`);
    const dialog = page.getByRole("dialog");
    const names = ["nora", "nils", "nele"];
    for (const [row, name] of names.entries()) await dialog.getByLabel("E-mail address").nth(row).fill(`${name}@new.example`);
    await dialog.getByRole("button", { name: "Add 3 members" }).click();
    await page.getByText("3 people were invited by mail.").waitFor();
    const mails = await open();
    const links = {};
    for (const name of names) {
      const address = `${name}@new.example`;
      await until(`the invitation of ${name} is written`, async () => (await outbox(mails)).includes(address));
      links[name] = linkIn(await readMail(mails, stoa, operator, address, `You are invited to ${world.name}`));
    }

    const nora = await open();
    await nora.goto(links.nora);
    await nora.getByRole("heading", { name: `Join ${world.name}` }).waitFor();
    await nora.getByText("Mira Maintainer invites nora@new.example to be a viewer.").waitFor();
    await inspect(nora, "an invitation to somebody without an account");
    await nora.getByRole("link", { name: "Sign up" }).click();
    assert.equal(await nora.getByLabel("E-mail address").inputValue(), "nora@new.example");
    await signUp(nora, mails, "nora@new.example", "Nora New");
    await nora.getByRole("link", { name: world.name, exact: true }).waitFor();

    const wrong = await as(open, "viewer");
    await wrong.goto(links.nils);
    await wrong.getByText("but the invitation is for nils@new.example").waitFor();
    await inspect(wrong, "an invitation to somebody else");
    assert.equal(await wrong.getByRole("button", { name: /Accept|Decline/ }).count(), 0);

    for (const [name, answer, said] of [["nils", "Accept", `Welcome to ${world.name}. Your role is viewer.`], ["nele", "Decline", `You turned down the invitation of ${world.name}.`]]) {
      await stoa.createUser({ email: `${name}@new.example`, name, password: operator.password });
      const theirs = await open();
      await theirs.goto(links[name]);
      await theirs.getByRole("link", { name: "Sign in" }).last().click();
      await theirs.getByLabel("E-mail address").fill(`${name}@new.example`);
      await theirs.getByLabel("Password").fill(operator.password);
      await theirs.getByRole("button", { name: "Sign in", exact: true }).click();
      await theirs.getByRole("heading", { name: `Join ${world.name}` }).waitFor();
      if (name === "nils") await inspect(theirs, "an invitation to answer");
      await theirs.getByRole("button", { name: answer }).click();
      await theirs.getByText(said).waitFor();
      assert.equal((await theirs.goto(links[name])).status(), 404, "it counts once");
    }
    const roles = await world.roles();
    assert.deepEqual(names.map((name) => roles[`${name}@new.example`]), ["viewer", "viewer", undefined]);
  });

  browserTest("a domain is claimed, verified by the mailed code, and lets its people in", () => browser, async ({ open }) => {
    const world = await installation.world();
    const page = await as(open, "maintainer");
    const mails = await open();
    await page.goto(`${stoa.url}${world.page}/settings`);
    await page.getByRole("main").getByRole("link", { name: "Domains" }).click();
    await page.getByText("No domains").waitFor();
    await inspect(page, "no domains");

    await page.getByLabel("Domain", { exact: true }).fill("gmail.com");
    await page.getByRole("button", { name: "Send code" }).click();
    await page.getByText(/open to everybody/i).first().waitFor();
    page.errors.length = 0;
    await inspect(page, "a domain refused");

    await page.getByLabel("Domain", { exact: true }).fill("works.example");
    await page.getByLabel("Send the code to").selectOption("hostmaster@");
    await page.locator("#domain-role").selectOption("reviewer");
    await page.getByRole("button", { name: "Send code" }).click();
    await page.getByText("A code was sent to hostmaster@works.example. Type it here").waitFor();
    await page.getByText("Not verified").waitFor();
    await inspect(page, "a domain that waits for its code");
    await page.getByLabel("Code from the mail").fill("AAAA-AAAA");
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("That is not the code.").waitFor();
    page.errors.length = 0;
    await inspect(page, "a wrong code");

    const code = (await readMail(mails, stoa, operator, "hostmaster@works.example", /works\.example/)).match(/this code: (\S+)/)[1];
    await page.getByLabel("Code from the mail").fill(code);
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("works.example is verified.").waitFor();
    await inspect(page, "a verified domain");

    await signUp(await open(), mails, "ada@works.example", "Ada Works");
    await signUp(await open(), mails, "eve@not-works.example", "Eve Elsewhere");
    const roles = await world.roles();
    assert.deepEqual([roles["ada@works.example"], roles["eve@not-works.example"]], ["reviewer", undefined]);

    await page.getByLabel("Role of those who join from works.example").selectOption("viewer");
    await page.getByText("People of works.example become viewers from now on.").waitFor();
    await page.getByRole("button", { name: "Remove works.example" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("works.example was removed.").waitFor();
    await signUp(await open(), mails, "ben@works.example", "Ben Works");
    assert.equal((await world.roles())["ben@works.example"], undefined);
    assert.equal((await world.roles())["ada@works.example"], "reviewer", "who joined stays");
  });

  browserTest("a domain is claimed, verified and given up by keyboard only", () => browser, async ({ open }) => {
    const world = await installation.world();
    const page = await as(open, "maintainer");
    const keys = await keyboardOf(page);
    await page.goto(`${stoa.url}${world.page}/settings/domains`);
    await keys.write(page.getByLabel("Domain", { exact: true }), "keys.example");
    await keys.choose(page.getByLabel("Send the code to"), "admin@");
    await keys.choose(page.locator("#domain-role"), "Editor");
    await keys.enter(page.getByRole("button", { name: "Send code" }));
    await page.getByText("A code was sent to admin@keys.example. Type it here").waitFor();
    const code = (await readMail(await open(), stoa, operator, "admin@keys.example", /keys\.example/)).match(/this code: (\S+)/)[1];
    await keys.write(page.getByLabel("Code from the mail"), code);
    await keys.press("Enter");
    await page.getByText("keys.example is verified.").waitFor();
    await keys.enter(page.getByRole("button", { name: "Remove keys.example" }));
    await keys.enter(page.getByRole("dialog").getByRole("button", { name: "Remove" }));
    await page.getByText("keys.example was removed.").waitFor();
    keys.finish();
    assert.deepEqual(page.errors, []);
  });

  for (const role of ["viewer", "reviewer", "editor"]) {
    browserTest(`domains: nothing is offered to ${role === "editor" ? "an" : "a"} ${role}, and all is refused when forced`, () => browser, async ({ open }) => {
      const world = await installation.world();
      const page = await as(open, role);
      await page.goto(`${stoa.url}${world.page}/settings/domains`);
      await page.getByText("A maintainer of this organization can add one.").waitFor();
      assert.equal(await page.getByRole("button", { name: /Send code|Verify|Remove/ }).count(), 0);
      const forced = await page.evaluate(async (address) => {
        const post = async (path, form) => (await fetch(address + path, { method: "POST", body: new URLSearchParams(form), redirect: "manual" })).status;
        return [
          await post("", { domain: `forced.example`, role: "viewer", contact: "admin" }),
          await post("/forced.example/verify", { code: "AAAA-AAAA" }),
          await post("/forced.example/role", { role: "maintainer" }),
          await post("/forced.example/remove", {}),
        ];
      }, `${world.page}/settings/domains`);
      assert.deepEqual(forced, [403, 403, 403, 403]);
    });
  }

  browserTest("why somebody can or cannot: the rule and the way are named, and it is what happens", () => browser, async ({ open }) => {
    const world = await installation.world();
    await world.as("founder")("PUT", `/api/v1/applications/${world.ids.application}/shares/teams/${world.ids.team}`);
    await world.as("founder")("POST", `${world.api}/projects`, { name: "North" });
    const page = await as(open, "maintainer");
    await page.goto(`${stoa.url}${world.page}/members`);
    await page.getByRole("link", { name: "Access of Vera Viewer" }).click();
    await page.getByRole("heading", { name: `Vera Viewer can see ${world.name}` }).waitFor();
    await page.getByRole("row", { name: /Add members/ }).getByText("No", { exact: true }).waitFor();
    await inspect(page, "what a viewer may");

    const ask = async (subject, permission) => {
      await page.getByLabel("With what").selectOption(subject);
      await page.getByLabel("To do what").selectOption({ label: permission });
      await page.getByRole("button", { name: "Explain" }).click();
    };
    const view = await page.getByLabel("To do what").locator("option").first().innerText();
    await ask("Application Engine", view);
    await page.getByRole("heading", { name: "Vera Viewer cannot see the application Engine" }).waitFor();
    await page.locator("#answer").getByText(/Meters/).first().waitFor();
    assert.equal((await world.viewers()).viewer, 404, "and so it is");
    await inspect(page, "why somebody cannot");

    await page.getByLabel("Who", { exact: true }).fill(people.editor.email);
    await ask("Application Engine", view);
    await page.getByRole("heading", { name: "Edda Editor can see the application Engine" }).waitFor();
    await page.locator("#answer").getByText("the application is shared with the team Meters, in which they are").waitFor();
    await page.locator("#answer").getByRole("link", { name: "Meters" }).waitFor();
    assert.equal((await world.viewers()).editor, 200);
    await inspect(page, "why somebody can");

    await page.getByLabel("Who", { exact: true }).fill("sten@elsewhere.example");
    await ask("Project North", view);
    await page.locator("#answer").getByText(`is not a member of ${world.name}`).waitFor();
    await page.getByLabel("Who", { exact: true }).fill("nobody");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText(/e-mail address/).first().waitFor();
    page.errors.length = 0;
    await inspect(page, "a question about nobody");
  });

  browserTest("why somebody can or cannot, by keyboard only and asked by a viewer", () => browser, async ({ open }) => {
    const world = await installation.world();
    const page = await as(open, "viewer");
    const keys = await keyboardOf(page);
    await page.goto(`${stoa.url}${world.page}/access`);
    await keys.write(page.getByLabel("Who", { exact: true }), people.reviewer.email);
    await keys.choose(page.getByLabel("With what"), "Application Engine");
    await keys.enter(page.getByRole("button", { name: "Explain" }));
    await page.getByRole("heading", { name: "Rolf Reviewer can see the application Engine" }).waitFor();
    await page.locator("#answer").getByText("the application belongs to the organization").waitFor();
    keys.finish();
    const stranger = await open();
    await stranger.goto(`${stoa.url}${world.page}/access`);
    assert.equal(new URL(stranger.url()).searchParams.get("next"), `${world.page}/access`);
  });

  /** What the operator's list of mails says now. */
  async function outbox(page) {
    if (page.url() === "about:blank") await signIn(page, stoa, operator);
    await page.goto(`${stoa.url}/operator/outbox`);
    return page.getByRole("main").innerText();
  }

  async function signUp(page, mails, email, name) {
    await page.goto(`${stoa.url}/sign-up`);
    await page.getByLabel("E-mail address").fill(email);
    await page.getByRole("button", { name: "Send the link" }).click();
    await page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
    const text = await readMail(mails, stoa, operator, email, "Your account at Stoa");
    await page.goto(linkIn(text));
    await page.getByLabel("Your name").fill(name);
    await page.getByLabel("Password").fill(operator.password);
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByRole("heading", { name: "Organizations" }).first().waitFor();
  }
});
