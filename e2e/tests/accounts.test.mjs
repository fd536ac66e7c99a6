// Accounts, as people get, change and leave them. No mail server is configured, so the links of mails are read where the
// operator reads them: in the outbox.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { startStoa } from "../support/stoa.mjs";

const password = "a long enough password";
const another = "quite another password";
const operator = { email: "olga@operators.example", name: "Olga Operator", password, operator: true };

describe("accounts", { concurrency: false }, () => {
  let browser;
  let stoa;
  before(async () => {
    [browser, stoa] = await Promise.all([startBrowser(), startStoa()]);
    await stoa.createUser(operator);
  });
  after(async () => {
    await browser?.close();
    await stoa?.stop();
  });

  browserTest("signing up: from the form over the mail's link to a session", () => browser, async ({ page, open }) => {
    await page.goto(`${stoa.url}/sign-in`);
    await page.getByRole("link", { name: "Make one" }).click();
    await inspect(page, "sign up");
    await page.getByLabel("E-mail address").fill("ada@grid.example");
    await page.getByRole("button", { name: "Send the link" }).click();
    await page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
    await inspect(page, "look into your mailbox");

    await page.goto(await linkTo(await open(), "ada@grid.example", "Your account at Stoa", { look: true }));
    await page.getByLabel("Your name").fill("Ada Works");
    await page.getByLabel("Password").fill("short");
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByText("A password has at least 12 characters.").waitFor();
    page.errors.length = 0;
    await inspect(page, "choose name and password");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByRole("heading", { name: "Organizations" }).first().waitFor();
    await page.goto(`${stoa.url}/account`);
    await page.getByRole("heading", { name: "Ada Works" }).waitFor();
    await inspect(page, "account");
    await page.getByRole("link", { name: "Tokens" }).click();
    await inspect(page, "account tokens");
  });

  browserTest("a forgotten password is set anew", () => browser, async ({ page, open }) => {
    await stoa.createUser({ email: "ben@grid.example", name: "Ben Works", password });
    await page.goto(`${stoa.url}/sign-in`);
    await page.getByRole("link", { name: "Forgotten your password?" }).click();
    await inspect(page, "forgotten password");
    await page.getByLabel("E-mail address").fill("ben@grid.example");
    await page.getByRole("button", { name: "Send the link" }).click();
    await page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
    await page.goto(await linkTo(await open(), "ben@grid.example", "A new password for Stoa"));
    await inspect(page, "set a new password");
    await page.getByLabel("New password").fill(another);
    await page.getByRole("button", { name: "Set password" }).click();
    await page.getByRole("heading", { name: "Your password is set" }).waitFor();
    await inspect(page, "password is set");
    await signIn(page, stoa, { email: "ben@grid.example", password: another });
  });

  browserTest("another address is confirmed from the new one and taken back from the old one", () => browser, async ({ page, open }) => {
    const cleo = await stoa.createUser({ email: "cleo@grid.example", name: "Cleo Works", password });
    await signIn(page, stoa, cleo);
    await page.goto(`${stoa.url}/account`);
    await page.getByLabel("New address").fill("cleo@works.example");
    await page.getByRole("button", { name: "Change address" }).click();
    await page.getByText("A mail was sent to cleo@works.example.").waitFor();
    const mails = await open();
    await page.goto(await linkTo(mails, "cleo@works.example", "Confirm your new address"));
    await inspect(page, "confirm address");
    await page.getByRole("button", { name: "Confirm this address" }).click();
    await page.getByText("Your account has the address cleo@works.example now.").waitFor();
    await page.getByRole("link", { name: "To your account" }).click();
    await page.getByText("Now: cleo@works.example").waitFor();

    const owner = await open();
    await owner.goto(await linkTo(mails, "cleo@grid.example", "Your account has another address now"));
    await inspect(owner, "undo address");
    await owner.getByRole("button", { name: "Take it back" }).click();
    await owner.getByText("Your account has the address cleo@grid.example.").waitFor();
    await page.goto(`${stoa.url}/account`);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
  });

  browserTest("an account is deleted with its address", () => browser, async ({ page }) => {
    const dora = await stoa.createUser({ email: "dora@grid.example", name: "Dora Works", password });
    await signIn(page, stoa, dora);
    await page.goto(`${stoa.url}/organizations/new`);
    await page.getByLabel("Name", { exact: true }).fill("Doras Works");
    await page.getByRole("button", { name: "Create organization" }).click();
    await page.goto(`${stoa.url}/account`);
    await remove(page, dora);
    await page.getByText("You are the only maintainer of Doras Works").waitFor();
    page.errors.length = 0;
    await inspect(page, "account of a last maintainer");
    await page.goto(`${stoa.url}/organizations/doras-works/delete`);
    await page.locator("#delete-org-confirm").fill("Doras Works");
    await page.getByRole("button", { name: "Delete organization" }).click();
    await page.getByText("Doras Works was deleted.").waitFor();
    await page.goto(`${stoa.url}/account`);
    await remove(page, dora);
    await page.getByRole("heading", { name: "Your account is deleted" }).waitFor();
    await inspect(page, "account deleted");
    await page.goto(`${stoa.url}/sign-in`);
    await page.getByLabel("E-mail address").fill(dora.email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
  });

  async function remove(page, person) {
    const form = page.locator("#delete");
    await form.locator("input[name=confirm]").fill(person.email);
    await form.getByRole("button", { name: "Delete account" }).click();
  }

  /** The link of the newest mail to an address with this subject, as the operator reads it. */
  async function linkTo(page, address, subject, { look = false } = {}) {
    if (page.url() === "about:blank") await signIn(page, stoa, operator);
    await page.goto(`${stoa.url}/operator/outbox`);
    if (look) await inspect(page, "outbox");
    await page.getByRole("row").filter({ hasText: address }).getByRole("link", { name: subject }).first().click();
    await page.getByRole("heading", { name: subject }).waitFor();
    if (look) await inspect(page, "outbox mail");
    const text = await page.locator("pre").innerText();
    const link = text.match(/https?:\/\/\S+\?token=\S+/)?.[0];
    assert.ok(link, text);
    return link;
  }
});
