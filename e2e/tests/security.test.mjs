// How people prove who they are: an authenticator app, recovery codes, passkeys, another provider's account, sessions.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe } from "node:test";
import { browserTest, signIn, startBrowser } from "../support/browser.mjs";
import { inspect } from "../support/checks.mjs";
import { startProvider } from "../support/provider.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

const password = "a long enough password";

/** What an authenticator app with this secret (base32) shows now, or some steps from now. */
function code(secret, steps = 0) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replaceAll(" ", "")].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", key).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

for (const engine of engines) describe(`how people prove who they are, on ${engine}`, { concurrency: false }, () => {
  let browser;
  let provider;
  let stoa;
  before(async () => {
    provider = await startProvider({ subject: "nina-there", email: "nina@grid.example", name: "Nina There" });
    const variables = { STOA_OIDC_1_NAME: "Example ID", STOA_OIDC_1_ISSUER: provider.issuer, STOA_OIDC_1_CLIENT_ID: "stoa" };
    // Browsers make passkeys for names only.
    [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine, { host: "localhost", variables })]);
  });
  after(async () => {
    await browser?.close();
    await stoa?.stop();
    await provider?.stop();
  });

  async function person(name) {
    return stoa.createUser({ email: `${name}@grid.example`, name, password });
  }

  async function signOut(page) {
    await page.context().clearCookies();
    await page.goto(`${stoa.url}/sign-in`);
  }

  async function firstStep(page, { email }) {
    await page.getByLabel("E-mail address").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
  }

  async function recoveryCodes(page) {
    const codes = (await page.locator("#recovery-codes").textContent()).trim().split("\n");
    assert.equal(codes.length, 10);
    return codes;
  }

  browserTest("an authenticator app, and a recovery code when the phone is lost", () => browser, async ({ page }) => {
    const ada = await person("ada");
    await signIn(page, stoa, ada);
    await page.goto(`${stoa.url}/account/security`);
    await inspect(page, "security without second factors");
    await page.getByRole("button", { name: "Set up an authenticator app" }).click();
    await inspect(page, "authenticator app");
    const secret = await page.locator("#totp-secret").textContent();
    await page.getByLabel(/six digits/).fill("000000");
    await page.getByRole("button", { name: "Turn on" }).click();
    await page.getByText("That is not the code it shows now").waitFor();
    assert.equal(await page.locator("#totp-secret").textContent(), secret);
    await page.getByLabel(/six digits/).fill(code(secret));
    await page.getByRole("button", { name: "Turn on" }).click();
    const codes = await recoveryCodes(page);
    page.errors.length = 0;
    await inspect(page, "recovery codes");

    await signOut(page);
    await firstStep(page, ada);
    await page.getByRole("heading", { name: "Second step" }).waitFor();
    await inspect(page, "second step");
    await page.getByLabel(/authenticator app/).fill(code(secret, 1));
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL(`${stoa.url}/organizations`);

    await signOut(page);
    await firstStep(page, ada);
    await page.getByLabel(/recovery code/).fill(codes[0]);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL(`${stoa.url}/organizations`);
    await page.goto(`${stoa.url}/account/security`);
    await page.getByText("9 left").waitFor();
  });

  browserTest("an operator resets the second factors of somebody who lost them", () => browser, async ({ page, open }) => {
    const lotte = await person("lotte");
    await signIn(page, stoa, lotte);
    await page.goto(`${stoa.url}/account/security`);
    await page.getByRole("button", { name: "Set up an authenticator app" }).click();
    await page.getByLabel(/six digits/).fill(code(await page.locator("#totp-secret").textContent()));
    await page.getByRole("button", { name: "Turn on" }).click();
    await recoveryCodes(page);

    const operator = await stoa.createUser({ email: "olga@grid.example", name: "olga", password, operator: true });
    const theirs = await open();
    await signIn(theirs, stoa, operator);
    await theirs.goto(`${stoa.url}/operator/users?q=lotte`);
    await theirs.getByRole("link", { name: "Reset second factors of lotte" }).click();
    const dialog = theirs.getByRole("dialog");
    await dialog.getByText("10 recovery codes").waitFor();
    await inspect(theirs, "operator resets second factors");
    await dialog.getByLabel("Why?").fill("lost the telephone, came to the desk");
    await dialog.getByRole("button", { name: "Reset second factors" }).click();
    await theirs.getByText("lotte@grid.example has no second factors any more.").waitFor();
    await inspect(theirs, "operator users after the reset");
    await theirs.goto(`${stoa.url}/operator/outbox`);
    await theirs.getByText("Your second factors were reset").first().waitFor();

    await page.goto(`${stoa.url}/account`);
    await page.waitForURL(/sign-in/);
    await firstStep(page, lotte);
    await page.waitForURL(`${stoa.url}/account`);
  });

  browserTest("a passkey signs in without a password, and is a second step", () => browser, async ({ page }) => {
    const ben = await person("ben");
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
    const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });

    await signIn(page, stoa, ben);
    await page.goto(`${stoa.url}/account/security`);
    await page.getByLabel("Name of a new passkey").fill("Work laptop");
    await page.getByRole("button", { name: "Add passkey" }).click();
    await page.getByRole("heading", { name: /Work laptop/ }).waitFor();
    await inspect(page, "new passkey");
    await page.getByRole("button", { name: "Create passkey" }).click();
    await recoveryCodes(page);
    await page.getByText("Work laptop").first().waitFor();
    const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
    assert.equal(credentials.length, 1);
    assert.ok(credentials[0].isResidentCredential, "it signs in without an address being typed");

    await signOut(page);
    await inspect(page, "sign in with passkeys and providers");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL(`${stoa.url}/organizations`);

    await signOut(page);
    await firstStep(page, ben);
    await page.getByRole("button", { name: "Use a passkey instead" }).click();
    await page.waitForURL(`${stoa.url}/organizations`);

    await signOut(page);
    await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("That did not work, or it was cancelled").waitFor();
    await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL(`${stoa.url}/organizations`);

    await page.goto(`${stoa.url}/account/security`);
    await page.getByRole("button", { name: "Remove Work laptop" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("The passkey was removed").waitFor();
    await signOut(page);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("not known here any more").waitFor();
    page.errors.length = 0;
    await firstStep(page, ben);
    await page.waitForURL(`${stoa.url}/organizations`);
  });

  browserTest("an account of another provider opens an account, and can be linked", () => browser, async ({ page, open }) => {
    await page.goto(`${stoa.url}/requests`);
    await page.getByRole("link", { name: "Sign in with Example ID" }).click();
    await page.getByRole("link", { name: "I am Nina There" }).click();
    await page.waitForURL(`${stoa.url}/requests`);
    await page.goto(`${stoa.url}/account`);
    await page.locator("main").getByText("nina@grid.example").first().waitFor();

    const cleo = await open();
    await signIn(cleo, stoa, await person("cleo"));
    await cleo.goto(`${stoa.url}/account/security`);
    await cleo.getByRole("button", { name: "Link Example ID" }).click();
    await cleo.getByRole("link", { name: "I am Nina There" }).click();
    await cleo.getByText("is linked to another account here").waitFor();
    await inspect(cleo, "security with a provider");
  });

  browserTest("sessions are listed and ended", () => browser, async ({ page, open }) => {
    const dora = await person("dora");
    await signIn(page, stoa, dora);
    const other = await open();
    await signIn(other, stoa, dora);
    await page.goto(`${stoa.url}/account/security`);
    await page.getByText("This one", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out everywhere else" }).click();
    await page.getByText("1 other session has ended.").waitFor();
    await other.goto(`${stoa.url}/account`);
    await other.waitForURL(/\/sign-in/);
  });

  browserTest("a token is limited to one organization", () => browser, async ({ page }) => {
    await signIn(page, stoa, await person("eva"));
    for (const name of ["Grid", "Water"]) {
      await page.goto(`${stoa.url}/organizations/new`);
      await page.getByLabel("Name", { exact: true }).fill(name);
      await page.getByRole("button", { name: "Create organization" }).click();
    }
    await page.goto(`${stoa.url}/account/tokens`);
    await page.getByLabel("What is it for?").fill("Grid only");
    await page.getByLabel("Ends after").selectOption("30 days");
    await page.getByRole("radio", { name: /Only some/ }).check();
    await page.getByRole("checkbox", { name: "Grid" }).check();
    await page.getByRole("button", { name: "Make token" }).click();
    const token = (await page.locator("#new-token").textContent()).trim();
    page.errors.length = 0;
    await inspect(page, "tokens");
    const api = stoa.api(token);
    assert.deepEqual((await api("GET", "/api/v1/organizations")).items.map((one) => one.name), ["Grid"]);
    await assert.rejects(api("GET", "/api/v1/organizations/water"), /404/);
  });
});
