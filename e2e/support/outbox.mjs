// Mails, where no mail server is configured: read by the operator on the page of the outbox.

import { signIn } from "./browser.mjs";

/** The words of the newest mail to an address with this subject. `page` is a page of its own, in which the operator is or gets signed in. */
export async function readMail(page, stoa, operator, address, subject) {
  if (page.url() === "about:blank") await signIn(page, stoa, operator);
  await page.goto(`${stoa.url}/operator/outbox`);
  await page.getByRole("row").filter({ hasText: address }).getByRole("link", { name: subject }).first().click();
  await page.getByRole("heading", { name: subject }).waitFor();
  return page.locator("pre").innerText();
}

/** The link with a secret in the words of a mail. */
export function linkIn(text) {
  return text.match(/https?:\/\/\S+\?token=\S+/)[0];
}
