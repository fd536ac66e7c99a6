// What people do on the marketplace, procedure by procedure: who may, who may only ask, who may not, how it is done with the mouse,
// how by keyboard alone, and which form does it when it is posted by hand.

import assert from "node:assert/strict";
import { provider, subscriber } from "./market.mjs";

/** Waits until a page says something. */
const seen = (page, text) => page.getByText(text).first().waitFor();

/** A maintainer of the other side is as much a stranger as anybody. */
const notOfForecasts = [...subscriber("maintainer"), "stranger"];
const notOfHarbour = [...provider("maintainer"), "stranger"];

/** A button or link by what it says. */
const button = (page, name) => page.getByRole("button", { name });
const link = (page, name) => page.getByRole("link", { name });

/** The form of a decision about a request. */
const decision = (trade, word) => ({ path: `/requests/${trade.request}/${word}`, form: [["reason", "Forced"]] });

/** A plan to go on with in another version of a contract, for more money. */
const plans = [{ name: "Basic", currency: "EUR", monthly: "99" }];

/** A subscription of Harbour of a service of its own. */
const subscribed = async (market) => market.subscribed(await market.service());

/** It is done when the subscription has this state. */
const becomes = (state) => async (market, { service }) => assert.equal((await market.subscription(service)).state, state);

/** How a service is drafted at a level. */
function drafting(level, other) {
  const word = level.toLowerCase();
  return {
    title: `create a service at ${word} level`,
    does: provider("editor", "maintainer"),
    refused: provider("viewer", "reviewer"),
    unseen: notOfForecasts,
    prepare: async (market) => ({ name: market.name() }),
    path: () => "/organizations/forecasts/services",
    offer: (page) => link(page, "New service").first(),
    async mouse(page, { name }) {
      await this.offer(page).click();
      await page.getByLabel("Name", { exact: true }).first().fill(name);
      await page.getByLabel("Summary").fill("Forecasts the load");
      await page.getByLabel("Description").fill("Reads the meters.");
      await page.getByRole("radio", { name: new RegExp(`^${level}`) }).check();
      await page.getByLabel("Name of the plan").fill("Standard");
      await page.getByLabel("Per month").first().fill("49");
      await button(page, "Save draft").click();
      await seen(page, `${name} is drafted.`);
    },
    async keyboard(keys, page, { name }) {
      await keys.enter(this.offer(page));
      await keys.write(page.getByLabel("Name", { exact: true }).first(), name);
      await keys.write(page.getByLabel("Summary"), "Forecasts the load");
      await keys.write(page.getByLabel("Description"), "Reads the meters.");
      await keys.reach(page.getByRole("radio", { name: /^Organization/ }));
      if (other) await keys.press("ArrowDown");
      assert.ok(await page.getByRole("radio", { name: new RegExp(`^${level}`) }).isChecked());
      await keys.write(page.getByLabel("Name of the plan"), "Standard");
      await keys.write(page.getByLabel("Per month").first(), "49");
      await keys.enter(button(page, "Save draft"));
      await seen(page, `${name} is drafted.`);
    },
    forms: ({ name }, market) => [
      {
        path: "/organizations/forecasts/services/new",
        form: [
          ["name", name], ["application", market.application], ["summary", "Forced"], ["description", "Forced"], ["visibility", "public"],
          ["level", word], ["permission", "resources:read"], ["plan_name", "Standard"], ["currency", "EUR"], ["monthly", "49"],
        ],
      },
    ],
    async done(market, { name }) {
      const { items } = await market.as("forecasts viewer")("GET", `${market.forecasts}/services?limit=200`);
      const made = items.find((one) => one.name === name);
      assert.deepEqual([made?.state, made?.contract.level], ["draft", word]);
    },
  };
}

/**
 * Each is tried on what `prepare` makes, on two organizations (see `market.mjs`).
 *
 * - `does`: who does it at once; `asks`: whose attempt becomes a request, after which `asked` holds.
 * - `refused`: who sees the page without the offer, and is refused (403) when a form is forced; `says` is what the refusal then tells
 *   them, where it is not who could do it for them. `unseen`: whoever finds no such page, and gets 404 when a form is forced, or what
 *   `unseenForced` says: status and words, for all of them or by who it is.
 * - `path`: the page on which it is offered, `offer`: what offers it there. `told`: what the page says to the refused, where what
 *   offers it serves for more.
 * - `mouse` and `keyboard`: how it is done, or asked for where `asks` is true, up to the message that it is. Without them, other files
 *   do it by mouse, and here it is forced only.
 * - `forms`: what to post when it is not offered; the first one does it for those who may. `done`: fails unless it was done, by what
 *   the API says.
 */
export const procedures = [
  drafting("Organization", false),
  drafting("Project", true),
  {
    title: "publish a service",
    does: provider("maintainer"),
    asks: provider("editor"),
    refused: provider("viewer", "reviewer"),
    unseen: notOfForecasts,
    prepare: (market) => market.service({ publish: false }),
    path: (service) => service.page,
    offer: (page) => link(page, /^(Publish|Ask to publish)$/),
    async mouse(page, service, asks) {
      await this.offer(page).click();
      await button(page.getByRole("dialog"), asks ? "Ask to publish" : "Publish").click();
      await seen(page, asks ? "A reviewer or maintainer of your organization decides" : `${service.name} is published.`);
    },
    async keyboard(keys, page, service) {
      await keys.enter(this.offer(page));
      await keys.enter(button(page.getByRole("dialog"), "Publish"));
      await seen(page, `${service.name} is published.`);
    },
    forms: (service) => [{ path: `${service.page}/publish`, form: [["note", "Forced"]] }],
    async asked(market, service) {
      assert.deepEqual(await market.requests(service, "forecasts"), ["publish open internal"]);
    },
    async done(market, service) {
      assert.equal((await market.as("forecasts viewer")("GET", `/api/v1/services/${service.id}`)).state, "published");
    },
  },
  {
    title: "subscribe a service for an organization with chosen projects",
    does: subscriber("maintainer"),
    asks: subscriber("viewer", "reviewer", "editor"),
    prepare: (market) => market.service(),
    path: (service) => `/marketplace/${service.handle}`,
    offer: (page) => link(page, "Subscribe").first(),
    async mouse(page, service, asks) {
      await this.offer(page).click();
      const dialog = page.getByRole("dialog");
      if (asks) await seen(dialog, "a reviewer or maintainer decides your request.");
      await dialog.getByRole("radio", { name: /^Selected projects/ }).check();
      await dialog.getByRole("checkbox", { name: "North" }).check();
      await dialog.getByRole("checkbox", { name: "East" }).check();
      await dialog.getByRole("checkbox", { name: /I accept/ }).check();
      await button(dialog, asks ? "Send request" : "Subscribe").click();
      await seen(page, asks ? `Your request for ${service.name} is on its way.` : `${service.name} is active for Harbour.`);
    },
    async keyboard(keys, page, service) {
      await keys.enter(this.offer(page));
      const dialog = page.getByRole("dialog");
      await keys.tick(dialog.getByRole("checkbox", { name: "North" }));
      await keys.tick(dialog.getByRole("checkbox", { name: "East" }));
      await keys.tick(dialog.getByRole("checkbox", { name: /I accept/ }));
      await keys.enter(button(dialog, "Subscribe"));
      await seen(page, `${service.name} is active for Harbour.`);
    },
    async asked(market, service) {
      assert.equal((await market.subscription(service)).state, "requested");
      assert.deepEqual(await market.requests(service), ["subscribe open internal"]);
      assert.deepEqual(await market.open(service), []);
    },
    async done(market, service) {
      assert.equal((await market.subscription(service)).state, "active");
      assert.deepEqual(await market.open(service), ["east", "north"]);
    },
  },
  {
    title: "subscribe a service for one project",
    does: subscriber("editor", "maintainer"),
    asks: subscriber("viewer", "reviewer"),
    prepare: (market) => market.service({ level: "project" }),
    path: (service) => `/marketplace/${service.handle}`,
    offer: (page) => link(page, "Subscribe").first(),
    async mouse(page, service, asks) {
      await this.offer(page).click();
      const dialog = page.getByRole("dialog");
      if (asks) await seen(dialog, "a reviewer or maintainer decides your request.");
      await dialog.getByLabel("Project", { exact: true }).selectOption({ label: "South" });
      await dialog.getByRole("checkbox", { name: /I accept/ }).check();
      await button(dialog, asks ? "Send request" : "Subscribe").click();
      await seen(page, asks ? `Your request for ${service.name} is on its way.` : `${service.name} is active for Harbour.`);
    },
    async keyboard(keys, page, service) {
      await keys.enter(this.offer(page));
      const dialog = page.getByRole("dialog");
      await keys.choose(dialog.getByLabel("Project", { exact: true }), "South");
      await keys.tick(dialog.getByRole("checkbox", { name: /I accept/ }));
      await keys.enter(button(dialog, "Subscribe"));
      await seen(page, `${service.name} is active for Harbour.`);
    },
    async asked(market, service) {
      assert.equal((await market.subscription(service)).state, "requested");
      assert.deepEqual(await market.open(service), []);
    },
    async done(market, service) {
      assert.equal((await market.subscription(service)).state, "active");
      assert.deepEqual(await market.open(service), ["south"]);
    },
  },
  {
    title: "add a project to a subscription",
    does: subscriber("maintainer"),
    asks: subscriber("viewer", "reviewer", "editor"),
    unseen: [...provider("viewer", "maintainer"), "stranger"],
    prepare: subscribed,
    path: (trade) => `${trade.page}/projects`,
    offer: (page) => button(page, "Save"),
    async mouse(page, trade, asks) {
      await page.getByRole("checkbox", { name: "South" }).check();
      await this.offer(page).click();
      await seen(page, asks ? "What was added waits for the decision of a reviewer or maintainer." : "The projects are saved.");
    },
    async keyboard(keys, page) {
      await keys.tick(page.getByRole("checkbox", { name: "South" }));
      await keys.enter(this.offer(page));
      await seen(page, "The projects are saved.");
    },
    forms: (trade) => [{ path: `${trade.page}/projects`, form: [["mode", "selected"], ["project", "north"], ["project", "south"]] }],
    async asked(market, { service }) {
      assert.deepEqual(await market.open(service), ["north"]);
      assert.deepEqual(await market.requests(service), ["add_projects open internal"]);
    },
    async done(market, { service }) {
      assert.deepEqual(await market.open(service), ["north", "south"]);
    },
  },
  {
    title: "take a project out of a subscription",
    does: subscriber("reviewer", "editor", "maintainer"),
    refused: subscriber("viewer"),
    unseen: notOfHarbour,
    prepare: async (market) => market.subscribed(await market.service(), ["north", "south"]),
    path: (trade) => `${trade.page}/projects`,
    told: "A reviewer, editor or maintainer can take projects out.",
    async mouse(page) {
      await page.getByRole("checkbox", { name: "South" }).uncheck();
      await button(page, "Save").click();
      await seen(page, "The projects are saved.");
    },
    forms: (trade) => [
      { path: `${trade.page}/projects`, form: [["mode", "selected"], ["project", "north"]] },
      // What is added is not asked for either, where something is taken out with it.
      { path: `${trade.page}/projects`, form: [["mode", "selected"], ["project", "north"], ["project", "east"]] },
    ],
    async done(market, { service }) {
      assert.deepEqual(await market.open(service), ["north"]);
    },
  },
  {
    title: "approve a subscription as its provider",
    does: provider("reviewer", "maintainer"),
    refused: [...provider("viewer", "editor"), ...subscriber("viewer", "reviewer", "editor", "maintainer")],
    unseen: ["stranger"],
    prepare: async (market) => market.subscribed(await market.service({ visibility: "on_request" })),
    path: (trade) => `/requests/${trade.request}`,
    offer: (page) => button(page, "Approve"),
    told: "A reviewer or maintainer of Forecasts decides this.",
    says: (who) => (who.startsWith("harbour") ? /This waits for a decision of the provider, not of Harbour/ : undefined),
    async mouse(page) {
      await this.offer(page).click();
      await page.getByText("Approved.", { exact: true }).waitFor();
    },
    async keyboard(keys, page) {
      await keys.write(page.getByLabel(/^Reason/), "Welcome.");
      await keys.enter(this.offer(page));
      await page.getByText("Approved.", { exact: true }).waitFor();
    },
    forms: (trade) => ["approve", "reject", "ask"].map((word) => decision(trade, word)),
    async done(market, { service }) {
      assert.equal((await market.subscription(service)).state, "active");
      assert.deepEqual(await market.open(service), ["north"]);
    },
  },
  {
    title: "approve what a member of the own organization asks for",
    does: subscriber("reviewer", "maintainer"),
    refused: [...subscriber("viewer", "editor"), ...provider("reviewer", "maintainer")],
    unseen: ["stranger"],
    prepare: async (market) => market.subscribed(await market.service({ visibility: "on_request" }), ["north"], "harbour viewer"),
    path: (trade) => `/requests/${trade.request}`,
    offer: (page) => button(page, "Approve"),
    told: "A reviewer or maintainer of Harbour decides this.",
    says: (who) => (who.startsWith("forecasts") ? /This waits for a decision of the organization that asks, not of Forecasts/ : undefined),
    async mouse(page) {
      await this.offer(page).click();
      await seen(page, "Approved. Now Forecasts decides.");
    },
    forms: (trade) => ["approve", "reject", "ask"].map((word) => decision(trade, word)),
    async done(market, { service }) {
      assert.deepEqual(await market.requests(service), ["subscribe open provider"]);
    },
  },
  {
    title: "approve the publication of a service that an editor asks for",
    does: provider("reviewer", "maintainer"),
    refused: provider("viewer", "editor"),
    unseen: notOfForecasts,
    async prepare(market) {
      const service = await market.service({ publish: false });
      const { request } = await market.as("forecasts editor")("POST", `/api/v1/services/${service.id}/publish`, {});
      return { service, request: request.id };
    },
    path: (trade) => `/requests/${trade.request}`,
    offer: (page) => button(page, "Approve"),
    told: "A reviewer or maintainer of Forecasts decides this.",
    forms: (trade) => [decision(trade, "approve")],
    async done(market, { service }) {
      assert.equal((await market.as("forecasts viewer")("GET", `/api/v1/services/${service.id}`)).state, "published");
    },
  },
  {
    title: "delete a project after a look at what ends with it",
    does: subscriber("editor", "maintainer"),
    refused: subscriber("viewer", "reviewer"),
    unseen: notOfHarbour,
    async prepare(market) {
      const site = { name: `Site of ${market.name()}` };
      const { name, handle } = await market.as("harbour maintainer")("POST", `${market.harbour}/projects`, site);
      const trade = await market.subscribed(await market.service(), [handle]);
      return { ...trade, name, handle, project: `/organizations/harbour/projects/${handle}` };
    },
    path: (trade) => trade.project,
    offer: (page) => button(page, "Delete project"),
    async mouse(page, trade) {
      const form = page.locator("form").filter({ has: this.offer(page) });
      await seen(form, trade.service.name);
      assert.ok(await this.offer(page).isDisabled(), "not without the name");
      await form.getByLabel(`Type ${trade.name} to confirm`).fill(trade.name);
      await this.offer(page).click();
      await seen(page, `${trade.name} is deleted.`);
    },
    forms: (trade) => [{ path: `${trade.project}/delete`, form: [["confirm", trade.name]] }],
    async done(market, trade) {
      await assert.rejects(market.as("harbour maintainer")("GET", `${market.harbour}/projects/${trade.handle}`), /404/);
    },
  },
  {
    title: "keep a service out of a project",
    does: subscriber("reviewer", "editor", "maintainer"),
    refused: subscriber("viewer"),
    unseen: notOfHarbour,
    prepare: async (market) => market.subscribed(await market.service(), ["north", "south"]),
    path: () => "/organizations/harbour/projects/north",
    offer: (page) => page.getByRole("button", { name: "Lock", exact: true }),
    async mouse(page, { service }) {
      await page.getByLabel("Keep out").selectOption({ label: service.name });
      await this.offer(page).click();
      await seen(page, `North is locked for ${service.name}.`);
    },
    forms: ({ service }) => [
      { path: "/organizations/harbour/projects/north/locks", form: [["service", service.handle]] },
      { path: "/organizations/harbour/projects/north/locks", form: [["service", ""], ["reason", "Forced"]] },
    ],
    async done(market, { service }) {
      assert.deepEqual(await market.open(service), ["south"]);
    },
  },
  {
    title: "lift a lock",
    does: subscriber("maintainer"),
    refused: subscriber("viewer", "reviewer", "editor"),
    unseen: notOfHarbour,
    async prepare(market) {
      const trade = await market.subscribed(await market.service());
      const lock = await market.as("harbour reviewer")("POST", `${market.harbour}/projects/north/locks`, { service: trade.service.id });
      return { ...trade, lock: lock.id };
    },
    path: () => "/organizations/harbour/projects/north",
    offer: (page, { service }) => button(page, `Lift the lock for ${service.name}`),
    async mouse(page, trade) {
      await this.offer(page, trade).click();
      await seen(page, "The lock is lifted.");
    },
    forms: (trade) => [{ path: `/organizations/harbour/projects/north/locks/${trade.lock}/lift`, form: [] }],
    async done(market, trade) {
      const { items } = await market.as("harbour viewer")("GET", `${market.harbour}/projects/north/locks`);
      assert.ok(items.every((lock) => lock.id !== trade.lock));
    },
  },
  {
    title: "let one organization have several subscriptions, or set each up first",
    does: provider("editor", "maintainer"),
    refused: provider("viewer", "reviewer"),
    unseen: notOfForecasts,
    prepare: (market) => market.service(),
    path: (service) => service.page,
    offer: (page) => button(page, /^(Allow several|Set each up first)$/),
    async mouse(page) {
      await button(page, "Allow several").click();
      await button(page, "Allow one only").waitFor();
    },
    forms: (service) => [
      { path: `${service.page}/manner`, form: [["several", "true"]] },
      { path: `${service.page}/manner`, form: [["setup", "true"]] },
    ],
    async done(market, service) {
      assert.equal((await market.as("forecasts viewer")("GET", `/api/v1/services/${service.id}/several`)).several, true);
    },
  },
  {
    title: "cancel a subscription",
    does: subscriber("maintainer"),
    asks: subscriber("viewer", "reviewer", "editor"),
    unseen: notOfHarbour,
    prepare: subscribed,
    path: (trade) => trade.page,
    offer: (page) => link(page, /^(Cancel subscription|Ask to cancel)$/),
    async mouse(page, trade, asks) {
      await this.offer(page).click();
      await button(page.getByRole("dialog"), asks ? "Ask to cancel" : "Cancel subscription").click();
      await seen(page, asks ? "Your wish to cancel waits for the decision" : "The subscription is over.");
    },
    forms: (trade) => [{ path: `${trade.page}/cancel`, form: [["when", "now"]] }],
    async asked(market, { service }) {
      assert.deepEqual(await market.open(service), ["north"]);
      assert.deepEqual(await market.requests(service), ["cancel open internal"]);
    },
    done: becomes("ended"),
  },
  {
    title: "keep a subscription that was cancelled with the month",
    does: subscriber("maintainer"),
    refused: subscriber("viewer", "reviewer", "editor"),
    unseen: notOfHarbour,
    async prepare(market) {
      const trade = await market.subscribed(await market.service());
      await market.as("harbour maintainer")("POST", `${market.harbour}/subscriptions/${trade.id}/cancel`, { when: "period_end" });
      return trade;
    },
    path: (trade) => trade.page,
    offer: (page) => button(page, "Keep it after all"),
    forms: (trade) => [{ path: `${trade.page}/keep`, form: [] }],
    async done(market, { service }) {
      assert.equal((await market.subscription(service)).ends_at ?? null, null);
    },
  },
  {
    title: "take a request for a subscription back",
    does: subscriber("editor", "maintainer"),
    refused: subscriber("viewer", "reviewer"),
    unseen: notOfHarbour,
    prepare: async (market) => market.subscribed(await market.service(), ["north"], "harbour editor"),
    path: (trade) => trade.page,
    offer: (page) => button(page, "Withdraw"),
    forms: (trade) => [{ path: `${trade.page}/cancel`, form: [["when", "now"]] }],
    done: becomes("withdrawn"),
  },
  {
    title: "pause a subscription or give it a budget",
    does: subscriber("reviewer", "editor", "maintainer"),
    refused: subscriber("viewer"),
    unseen: notOfHarbour,
    prepare: subscribed,
    path: (trade) => `${trade.page}/usage`,
    offer: (page) => page.getByRole("link", { name: "Pause", exact: true }).or(button(page, "Set the budget")),
    forms: (trade) => [
      { path: `${trade.page}/pause`, form: [["reason", "Forced"]] },
      { path: `${trade.page}/budget`, form: [["amount", "1"]] },
    ],
    done: becomes("suspended"),
  },
  {
    title: "pause a subscription as its provider",
    does: provider("reviewer", "maintainer"),
    refused: provider("viewer", "editor"),
    unseen: notOfForecasts,
    prepare: subscribed,
    path: ({ service }) => service.page,
    offer: (page) => link(page, "Pause the subscription of Harbour"),
    forms: ({ service, id }) => [{ path: `${service.page}/subscriptions/${id}/pause`, form: [["reason", "Forced"]] }],
    done: becomes("suspended"),
  },
  {
    title: "say that a subscription is set up, or can't be",
    does: provider("reviewer", "maintainer"),
    refused: provider("viewer", "editor"),
    unseen: notOfForecasts,
    async prepare(market) {
      const service = await market.service();
      await market.as("forecasts maintainer")("PUT", `/api/v1/services/${service.id}/setup`, { setup: true });
      return market.subscribed(service);
    },
    path: ({ service }) => service.page,
    offer: (page) => button(page, /^Ready/).or(link(page, /can’t be set up/)),
    forms: ({ service, id }) => [
      { path: `${service.page}/subscriptions/${id}/ready`, form: [] },
      { path: `${service.page}/subscriptions/${id}/fail`, form: [["reason", "Forced"]] },
    ],
    async done(market, { service }) {
      assert.notEqual((await market.subscription(service)).state, "provisioning");
    },
  },
  {
    title: "offer another version of a contract",
    does: provider("editor", "maintainer"),
    refused: provider("viewer", "reviewer"),
    unseen: notOfForecasts,
    // The service itself is on the marketplace, so it is no secret that it has a contract.
    unseenForced: [403, /You are not a member of Forecasts; ask one of its maintainers/],
    prepare: (market) => market.service(),
    path: (service) => `${service.page}/contracts`,
    offer: (page) => link(page, "New version"),
    forms: (service) => [
      {
        path: `${service.page}/contracts/new`,
        form: [
          ["level", "organization"], ["permission", "resources:read"], ["plan_name", "Basic"], ["currency", "EUR"], ["one_time", ""],
          ["monthly", "99"], ["monthly_per_project", ""],
        ],
      },
    ],
    async done(market, service) {
      const { items } = await market.as("forecasts viewer")("GET", `/api/v1/services/${service.id}/contracts`);
      assert.equal(items.length, 2);
    },
  },
  {
    title: "refuse another version of a contract",
    does: subscriber("maintainer"),
    refused: subscriber("viewer", "reviewer", "editor"),
    unseen: notOfHarbour,
    async prepare(market) {
      const trade = await market.subscribed(await market.service());
      const contract = await market.as("forecasts maintainer")("POST", `/api/v1/services/${trade.service.id}/contracts`, {
        level: "organization", permissions: ["resources:read", "resources:write"], plans,
      });
      return { ...trade, contract: contract.id };
    },
    path: (trade) => `${trade.page}/contract`,
    offer: (page) => button(page, "Refuse"),
    forms: (trade) => [{ path: `${trade.page}/contract/${trade.contract}/refuse`, form: [] }],
    async done(market, trade) {
      const { offer } = await market.as("harbour viewer")("GET", `${market.harbour}/subscriptions/${trade.id}/contract`);
      assert.equal(offer.state, "refused");
    },
  },
  {
    title: "switch a change of level, or undo it",
    does: [...provider("maintainer"), ...subscriber("maintainer")],
    refused: subscriber("viewer", "reviewer", "editor"),
    unseen: ["stranger", ...provider("viewer", "editor")],
    // A change concerns the provider too: its members are told that their role is not enough.
    unseenForced: { stranger: [404, /There is nothing here/], "forecasts viewer": [403, undefined], "forecasts editor": [403, undefined] },
    async prepare(market) {
      const service = await market.service({ level: "project" });
      const body = { service: service.id, project: "north", plan: "Basic", accept_terms: true };
      await market.as("harbour maintainer")("POST", `${market.harbour}/subscriptions`, body);
      const day = new Date(Date.now() + 60 * 86_400_000).toISOString();
      const offered = await market.as("forecasts maintainer")("POST", `/api/v1/services/${service.id}/contracts`, {
        level: "organization", permissions: ["resources:read"], plans, notice_until: day,
      });
      const consent = { service: service.id, contract: offered.id };
      const { change } = await market.as("harbour maintainer")("POST", `${market.harbour}/level-changes`, consent);
      return { service, change: change.id };
    },
    path: ({ service }) => `/organizations/harbour/level-changes/${service.handle}`,
    offer: (page) => button(page, /^(Switch now|Undo)$/),
    forms: ({ service, change }) => ["switch", "undo"].flatMap((word) => [
      { path: `/organizations/harbour/level-changes/${service.handle}/${change}/${word}`, form: [] },
      { path: `${service.page}/level-changes/${change}/${word}`, form: [] },
    ]),
    async done(market, { change }) {
      assert.notEqual((await market.as("harbour viewer")("GET", `/api/v1/level-changes/${change}`)).state, "accepted");
    },
  },
];
