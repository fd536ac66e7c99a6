// Two organizations that trade, each with a member in each role, and a stranger: Harbour subscribes what Forecasts provides.
// Each test makes a service of its own there, so that no test depends on another.

import { apisOf, sessionsOf } from "./worlds.mjs";

const password = "a long enough password";
const roles = ["viewer", "reviewer", "editor", "maintainer"];
const title = (key) => key.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
const person = (key) => [key, { email: `${key.replace(" ", "-")}@market.example`, name: title(key), password }];

/** The members of Harbour in these roles, as keys of `people`: `harbour viewer`. */
export const subscriber = (...which) => which.map((role) => `harbour ${role}`);

/** The members of Forecasts in these roles. */
export const provider = (...which) => which.map((role) => `forecasts ${role}`);

/** Everybody by what they are; the stranger has an organization too. */
export const people = Object.fromEntries([...subscriber(...roles), ...provider(...roles), "stranger"].map(person));

/** A plan with all kinds of fees. */
const plans = [
  { name: "Basic", currency: "EUR", monthly: "31", meters: [{ name: "forecasts", unit: "forecast", unit_price: "0.05" }] },
  { name: "Plus", currency: "EUR", monthly: "62", meters: [{ name: "forecasts", unit: "forecast", unit_price: "0.02" }] },
];

/** An installation with both organizations; `open` opens pages. */
export async function openMarket(stoa, open) {
  for (const one of Object.values(people)) await stoa.createUser(one);
  const keys = Object.keys(people);
  const market = new Market(stoa, await apisOf(stoa, people, keys));
  for (const handle of ["harbour", "forecasts"]) {
    const founder = market.as(`${handle} maintainer`);
    await founder("POST", "/api/v1/organizations", { name: title(handle), handle });
    const members = roles.slice(0, -1).map((role) => ({ email: people[`${handle} ${role}`].email, role }));
    await founder("POST", `/api/v1/organizations/${handle}/members`, { members });
  }
  await market.as("stranger")("POST", "/api/v1/organizations", { name: "Elsewhere" });
  for (const name of ["North", "South", "East"]) await market.as("harbour maintainer")("POST", `${market.harbour}/projects`, { name });
  const engine = await market.as("forecasts maintainer")("POST", "/api/v1/applications", { name: "Engine", organization: "forecasts" });
  market.application = engine.id;
  market.sessions = await sessionsOf(stoa, people, keys, open);
  return market;
}

class Market {
  harbour = "/api/v1/organizations/harbour";
  forecasts = "/api/v1/organizations/forecasts";
  #stoa;
  #apis;
  #made = 0;
  #read = { harbour: 0, forecasts: 0 };

  constructor(stoa, apis) {
    this.#stoa = stoa;
    this.#apis = apis;
  }

  /** The API as one of the people. */
  as(key) {
    return this.#apis[key];
  }

  /** A name that nothing else has. */
  name() {
    this.#made += 1;
    return `Service ${this.#made}`;
  }

  /** A service of Forecasts, published unless it is said otherwise: its `id`, `handle` and `name`, and `page`, its address. */
  async service({ level = "organization", visibility = "public", publish = true } = {}) {
    const api = this.as("forecasts maintainer");
    const made = await api("POST", `${this.forecasts}/services`, {
      application: this.application,
      name: this.name(),
      summary: "Forecasts the load",
      description: "Reads the meters.",
      categories: ["energy"],
      visibility,
      contract: { level, permissions: ["resources:read"], plans },
    });
    if (publish) await api("POST", `/api/v1/services/${made.id}/publish`, {});
    return { id: made.id, handle: made.handle, name: made.name, page: `/organizations/forecasts/services/${made.handle}` };
  }

  /** A subscription of a service for projects of Harbour, as somebody asks for it, the `request` for it, and `page`, its address. */
  async subscribed(service, projects = ["north"], who = "harbour maintainer") {
    const body = { service: service.id, plan: "Basic", projects: { mode: "selected", projects }, accept_terms: true };
    const { id, resource, request } = await this.as(who)("POST", `${this.harbour}/subscriptions`, body);
    return { service, id, resource, request: request?.id, page: `/organizations/harbour/subscriptions/${id}` };
  }

  /** The subscriptions of a service, the newest first, as Harbour sees them. */
  async subscriptions(service) {
    const { items } = await this.as("harbour maintainer")("GET", `${this.harbour}/subscriptions?limit=200`);
    return items.filter((one) => one.service.name === service.name);
  }

  /** Its only one. */
  async subscription(service) {
    return (await this.subscriptions(service))[0];
  }

  /** The handles of the projects that a service may use now. */
  async open(service) {
    const { items } = await this.as("harbour maintainer")("GET", `${this.harbour}/grants?service=${service.handle}`);
    return items.map((line) => line.project.handle).sort();
  }

  /** The requests about a service, the newest first, as their kind, state and whom they wait for. */
  async requests(service, organization = "harbour") {
    const { items } = await this.as(`${organization} maintainer`)("GET", `/api/v1/organizations/${organization}/requests?limit=200`);
    return items.filter((one) => one.service.name === service.name).map((one) => `${one.kind} ${one.state} ${one.step}`);
  }

  /** What a service reports with its own token. */
  async report(trade, project, quantity) {
    const { secret } = await this.as("forecasts maintainer")("POST", `/api/v1/applications/${this.application}/secrets`, {});
    const answer = await fetch(`${this.#stoa.url}/oauth2/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${this.application}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource: trade.resource }),
    });
    const service = this.#stoa.api((await answer.json()).access_token);
    const event = {
      specversion: "1.0",
      id: `${trade.id}-${project}`,
      source: "/forecasts",
      type: "stoa.usage.v1",
      time: new Date().toISOString(),
      subject: trade.id,
      data: { project, meter: "forecasts", quantity },
    };
    await service("POST", "/api/v1/usage", event, { "content-type": "application/cloudevents+json" });
  }

  /** What both logs say since this was asked before: nothing changed where they say nothing. */
  async news() {
    const types = [];
    for (const handle of Object.keys(this.#read)) {
      const api = this.as(`${handle} maintainer`);
      for (;;) {
        const { items } = await api("GET", `/api/v1/organizations/${handle}/events?limit=200&after=${this.#read[handle]}`);
        if (items.length === 0) break;
        this.#read[handle] = items.at(-1).sequence;
        types.push(...items.map((event) => event.type));
      }
    }
    return types;
  }
}
