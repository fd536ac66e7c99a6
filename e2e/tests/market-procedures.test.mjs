// Each procedure of the marketplace between two organizations: by mouse as every role that may or may ask, by keyboard alone, and as
// everybody who may not, of either side and of none: then it is not offered, and refused when its form is posted by hand.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, openPage, startBrowser } from "../support/browser.mjs";
import { force } from "../support/force.mjs";
import { keyboardOf } from "../support/keyboard.mjs";
import { procedures } from "../support/market-procedures.mjs";
import { openMarket, provider, subscriber } from "../support/market.mjs";
import { engines, startStoa } from "../support/stoa.mjs";

for (const engine of engines) {
  describe(`procedures of the marketplace on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let market;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      market = await openMarket(stoa, () => openPage(browser));
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    /** The page goes on in the session of one of the people: one page for many of them, which takes far less time. */
    async function become(page, who) {
      await page.context().clearCookies();
      await page.context().addCookies(market.sessions[who].cookies);
    }

    /** Goes to a page of Stoa that there is for whoever goes. */
    async function go(page, path) {
      assert.equal((await page.goto(stoa.url + path)).status(), 200, path);
    }

    for (const procedure of procedures) {
      for (const who of procedure.mouse ? [...procedure.does, ...(procedure.asks ?? [])] : []) {
        const asks = procedure.asks?.includes(who) ?? false;
        browserTest(`${procedure.title}, ${asks ? "asked for " : ""}by mouse as ${who}`, () => browser, async ({ page }) => {
          const trade = await procedure.prepare(market);
          await become(page, who);
          await go(page, procedure.path(trade));
          await procedure.mouse(page, trade, asks);
          await procedure[asks ? "asked" : "done"](market, trade);
          if (asks) await assert.rejects(procedure.done(market, trade), assert.AssertionError, "asked for is not done");
          assert.deepEqual(page.errors, [], "errors in the console");
        });
      }
    }
    if (engine !== engines[0]) return;

    for (const procedure of procedures.filter((one) => one.keyboard)) {
      browserTest(`${procedure.title}, by keyboard only`, () => browser, async ({ page }) => {
        const trade = await procedure.prepare(market);
        await become(page, procedure.does.at(-1));
        const keys = await keyboardOf(page);
        await go(page, procedure.path(trade));
        await procedure.keyboard(keys, page, trade);
        await procedure.done(market, trade);
        keys.finish();
        assert.deepEqual(page.errors, [], "errors in the console");
      });
    }

    for (const procedure of procedures.filter((one) => one.refused || one.unseen)) {
      browserTest(`${procedure.title}: not offered to those who may not, and refused when forced`, () => browser, async ({ page }) => {
        const trade = await procedure.prepare(market);
        await market.news();
        for (const who of procedure.refused ?? []) {
          await become(page, who);
          await go(page, procedure.path(trade));
          if (procedure.told) await page.getByText(procedure.told).first().waitFor();
          if (procedure.offer) assert.equal(await procedure.offer(page, trade).count(), 0, `not offered to ${who}`);
          await refused(page, who, procedure.forms(trade, market), 403, procedure.says?.(who));
        }
        for (const who of procedure.unseen ?? []) {
          await become(page, who);
          assert.equal((await page.goto(stoa.url + procedure.path(trade))).status(), 404, who);
          const forced = procedure.unseenForced;
          const [status, says] = (Array.isArray(forced) ? forced : forced?.[who]) ?? [404, /There is nothing here/];
          await refused(page, who, procedure.forms(trade, market), status, says);
        }
        assert.deepEqual(await market.news(), [], "nothing stands in either log");
        await assert.rejects(procedure.done(market, trade), assert.AssertionError, "nothing was done");

        // The same form does it for somebody who may: it was the role that was refused, not the form.
        await become(page, procedure.does.at(-1));
        await go(page, procedure.path(trade));
        if (procedure.offer) assert.notEqual(await procedure.offer(page, trade).count(), 0, "offered to who may");
        const answer = await force(page, procedure.forms(trade, market)[0]);
        assert.equal(answer.status, 0, answer.says);
        await procedure.done(market, trade);
      });
    }

    /** Each form is refused with the status and with words that help on: by default, what the role may not and who could. */
    async function refused(page, who, forms, status, says) {
      const [side, role] = who.split(" ");
      const title = `${side[0].toUpperCase()}${side.slice(1)}`;
      const usual = new RegExp(`You are an? ${role} of ${title} and may not .*These could do this for you: .*${title} Maintainer`);
      for (const forced of forms) {
        const answer = await force(page, forced);
        assert.equal(answer.status, status, `${who}: ${forced.path} says ${answer.says}`);
        assert.match(answer.says, says ?? usual, `${who}: ${forced.path}`);
      }
    }

    browserTest("a service is subscribed for one's own organizations only", () => browser, async ({ page }) => {
      const service = await market.service();
      const { contract } = await market.as("stranger")("GET", `/api/v1/services/${service.id}`);
      const choice = [["mode", "all"], ["include_future", "no"]];
      const form = [["organization", "harbour"], ["plan", contract.plans[0].id], ...choice, ["accept_terms", "true"]];
      await market.news();
      for (const who of [...provider("viewer", "maintainer"), "stranger"]) {
        await become(page, who);
        await go(page, `/marketplace/${service.handle}/subscribe`);
        await page.getByRole("option", { name: who === "stranger" ? "Elsewhere" : "Forecasts" }).waitFor({ state: "attached" });
        assert.equal(await page.getByRole("option", { name: "Harbour" }).count(), 0, who);
        await refused(page, who, [{ path: `/marketplace/${service.handle}/subscribe`, form }], 404, /There is nothing here/);
      }
      assert.deepEqual(await market.news(), []);
      assert.deepEqual(await market.subscriptions(service), []);
    });

    browserTest("usage and permissions are seen by every member of the subscriber, and by nobody else", () => browser, async ({ page }) => {
      const trade = await market.subscribed(await market.service({ visibility: "on_request" }), ["north", "east"]);
      await market.as("forecasts reviewer")("POST", `/api/v1/requests/${trade.request}/approve`, { comment: "Welcome aboard." });
      await market.report(trade, "north", "120");
      for (const who of subscriber("viewer", "reviewer", "editor", "maintainer")) {
        await become(page, who);
        await go(page, `${trade.page}/projects`);
        await page.getByRole("row").filter({ hasText: "North" }).filter({ hasText: "Forecasts Reviewer" }).waitFor();
        await page.getByRole("link", { name: "Usage", exact: true }).click();
        const used = page.getByRole("row").filter({ hasText: "North" }).filter({ hasText: "120 forecast" });
        await used.getByText("EUR 6.00", { exact: true }).waitFor();
        await page.getByRole("link", { name: "Permissions", exact: true }).click();
        await page.getByText("Welcome aboard.").waitFor();
        await page.getByText("approved the subscription for Forecasts").waitFor();
        await page.getByRole("heading", { name: "What it may do" }).waitFor();
        await page.getByText("resources:read").first().waitFor();
        await go(page, "/organizations/harbour/projects/north");
        const using = page.getByRole("listitem").filter({ hasText: trade.service.name });
        await using.getByText("approved by Forecasts Reviewer").waitFor();
        assert.deepEqual(page.errors, [], "errors in the console");
      }
      const paths = [`${trade.page}/usage`, `${trade.page}/permissions`, `${trade.page}/projects`, "/organizations/harbour/projects/north"];
      for (const who of [...provider("viewer", "maintainer"), "stranger"]) {
        await become(page, who);
        for (const path of paths) {
          assert.equal((await page.goto(stoa.url + path)).status(), 404, `${who}: ${path}`);
          await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
        }
      }
    });

    browserTest("several subscriptions of one service, each with a name; a viewer asks for one more", () => browser, async ({ page }) => {
      const service = await market.service();
      await market.as("forecasts maintainer")("PUT", `/api/v1/services/${service.id}/several`, { several: true });
      const subscribe = async (who, label, project, button) => {
        await become(page, who);
        await go(page, `/marketplace/${service.handle}`);
        await page.getByRole("link", { name: "Subscribe" }).first().click();
        const dialog = page.getByRole("dialog");
        await dialog.getByRole("checkbox", { name: project }).check();
        await dialog.getByLabel("Name of this subscription").fill(label);
        await dialog.getByRole("checkbox", { name: /I accept/ }).check();
        await dialog.getByRole("button", { name: button }).click();
      };
      for (const [label, project] of [["Winter", "North"], ["Summer", "South"]]) {
        await subscribe("harbour maintainer", label, project, "Subscribe");
        await page.getByText("is active for Harbour.").waitFor();
      }
      await subscribe("harbour viewer", "Spring", "East", "Send request");
      await page.getByText("is on its way.").waitFor();
      const all = (await market.subscriptions(service)).map((one) => `${one.label} ${one.state}`);
      assert.deepEqual(all.sort(), ["Spring requested", "Summer active", "Winter active"]);
      assert.deepEqual(await market.open(service), ["north", "south"]);
    });

    browserTest("a second subscription is refused where there may be one only, whoever asks", () => browser, async ({ page }) => {
      const { service } = await market.subscribed(await market.service());
      await market.news();
      for (const who of subscriber("viewer", "maintainer")) {
        await become(page, who);
        await go(page, `/marketplace/${service.handle}/subscribe`);
        await page.getByRole("checkbox", { name: "South" }).check();
        await page.getByRole("checkbox", { name: /I accept/ }).check();
        await page.getByRole("button", { name: /^(Subscribe|Send request)$/ }).click();
        await page.getByText(/already/i).first().waitFor();
      }
      assert.deepEqual(await market.news(), []);
    });

    browserTest("what has ended is subscribed again as a new subscription, which knows the one before", () => browser, async ({ page }) => {
      const trade = await market.subscribed(await market.service());
      await market.as("harbour maintainer")("POST", `${market.harbour}/subscriptions/${trade.id}/cancel`, {});
      await become(page, "harbour maintainer");
      await go(page, trade.page);
      await page.getByText("Ended", { exact: true }).first().waitFor();
      for (const path of ["resume", "keep", "projects"]) {
        const { status, says } = await force(page, { path: `${trade.page}/${path}`, form: [["mode", "selected"], ["project", "north"]] });
        assert.equal(status, 409, `nothing revives it: ${path} says ${says}`);
      }
      await page.getByRole("link", { name: "Service page" }).click();
      await page.getByRole("link", { name: "Subscribe" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("checkbox", { name: "South" }).check();
      await dialog.getByRole("checkbox", { name: /I accept/ }).check();
      await dialog.getByRole("button", { name: "Subscribe" }).click();
      await page.getByText("is active for Harbour.").waitFor();
      const [again, first] = await market.subscriptions(trade.service);
      assert.deepEqual([again.previous, again.state, first.id, first.state], [trade.id, "active", trade.id, "ended"]);
      assert.deepEqual(await market.open(trade.service), ["south"]);
    });
  });
}
