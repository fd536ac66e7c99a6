// Each procedure with organizations, members, teams and shared applications: by mouse as every role that may, by keyboard
// alone, and as every role that may not: then it is not offered, and refused when its form is posted by hand.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { browserTest, openPage, startBrowser } from "../support/browser.mjs";
import { assertAccessible, assertNoSidewaysScroll } from "../support/checks.mjs";
import { force } from "../support/force.mjs";
import { keyboardOf } from "../support/keyboard.mjs";
import { procedures } from "../support/procedures.mjs";
import { engines, startStoa } from "../support/stoa.mjs";
import { people, settle } from "../support/worlds.mjs";

const roles = ["viewer", "reviewer", "editor", "maintainer"];

for (const engine of engines) {
  describe(`procedures on ${engine}`, { concurrency: false }, () => {
    let browser;
    let stoa;
    let installation;
    before(async () => {
      [browser, stoa] = await Promise.all([startBrowser(), startStoa(engine)]);
      installation = await settle(stoa, () => openPage(browser));
    });
    after(async () => {
      await browser?.close();
      await stoa?.stop();
    });

    /** The page on which a procedure is offered, in the session of somebody in a role. */
    async function begin(open, procedure, role) {
      const world = await installation.world();
      const page = await open({ storageState: installation.sessions[role] });
      const go = async () => assert.equal((await page.goto(stoa.url + procedure.path(world))).status(), 200);
      return { world, page, go };
    }

    for (const procedure of procedures) {
      for (const role of procedure.may) {
        browserTest(`${procedure.title}, by mouse as ${role}`, () => browser, async ({ open }) => {
          const { world, page, go } = await begin(open, procedure, role);
          await go();
          await procedure.mouse(page, world);
          await procedure.done(world, role);
          assert.deepEqual(page.errors, [], "errors in the console");
        });
      }
    }
    if (engine !== engines[0]) return;

    for (const procedure of procedures) {
      const role = procedure.may.at(-1);
      browserTest(`${procedure.title}, by keyboard only`, () => browser, async ({ open }) => {
        const { world, page, go } = await begin(open, procedure, role);
        const keys = await keyboardOf(page);
        await go();
        await procedure.keyboard(keys, page, world);
        await procedure.done(world, role);
        keys.finish();
        assert.deepEqual(page.errors, [], "errors in the console");
      });

      for (const role of roles.filter((one) => !procedure.may.includes(one))) {
        browserTest(`${procedure.title}: not offered to ${role === "editor" ? "an" : "a"} ${role}, and refused when forced`, () => browser, async ({ open }) => {
          const { world, page, go } = await begin(open, procedure, role);
          await go();
          await page.getByText(world.name).first().waitFor();
          assert.equal(await procedure.offer(page, world).count(), 0);
          for (const forced of procedure.forms(world)) {
            const refused = await force(page, forced);
            assert.equal(refused.status, 403, `${forced.path} answered ${refused.status}`);
            assert.match(refused.says, new RegExp(`These could do this for you: .*${people.founder.name}`), forced.path);
          }
          await assert.rejects(procedure.done(world, role), "nothing was done");
        });
      }
    }

    browserTest("the page of a refusal is as good as any other", () => browser, async ({ open }) => {
      const { world, page, go } = await begin(open, procedures.find((one) => one.title === "create a team"), "viewer");
      await go();
      await page.evaluate((action) => {
        const form = Object.assign(document.createElement("form"), { method: "post", action });
        document.body.append(form);
        form.submit();
      }, `${world.page}/teams`);
      await page.getByRole("heading", { name: "Your role does not allow this" }).waitFor();
      await page.getByText(`You are a viewer of ${world.name} and may not`).waitFor();
      await assertAccessible(page, "refusal");
      await page.setViewportSize({ width: 380, height: 800 });
      await assertNoSidewaysScroll(page, "refusal");
    });
  });
}
