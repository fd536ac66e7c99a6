// People with a session each, and organizations of their own for each test, so that no test depends on another.

import { signIn } from "./browser.mjs";

const password = "a long enough password";
const person = (key, name) => [key, { email: `${key}@grid.example`, name, password }];

/** Everybody by what they are: a founder, a member in each role, somebody to remove, and two to add. */
export const people = Object.fromEntries([
  person("founder", "Fina Founder"),
  person("viewer", "Vera Viewer"),
  person("reviewer", "Rolf Reviewer"),
  person("editor", "Edda Editor"),
  person("maintainer", "Mira Maintainer"),
  person("other", "Otto Other"),
  person("frida", "Frida First"),
  person("simon", "Simon Second"),
]);

const roles = ["viewer", "reviewer", "editor", "maintainer"];

/** An installation with these people; `open` opens pages. */
export async function settle(stoa, open) {
  for (const one of Object.values(people)) await stoa.createUser(one);
  const apis = await apisOf(stoa, people, ["founder", ...roles]);
  const sessions = await sessionsOf(stoa, people, roles, open);
  let made = 0;
  return { sessions, world: () => World.make(apis, (made += 1)) };
}

/** The API as some of the people, each with a token of their own. */
export async function apisOf(stoa, people, keys) {
  const apis = {};
  for (const key of keys) apis[key] = stoa.api(await stoa.token(people[key].email));
  return apis;
}

/** The signed-in sessions of some of the people, for pages to begin with. */
export async function sessionsOf(stoa, people, keys, open) {
  const sessions = {};
  for (const key of keys) {
    const page = await open();
    await signIn(page, stoa, people[key]);
    sessions[key] = await page.context().storageState();
    await page.context().close();
  }
  return sessions;
}

/** An organization with a member in each role, a team with its editor and maintainer, and an application. */
class World {
  people = people;
  ids = {};
  #apis;

  constructor(apis, number) {
    this.#apis = apis;
    this.name = `Grid ${number}`;
    this.handle = `grid-${number}`;
    this.page = `/organizations/${this.handle}`;
    this.api = `/api/v1/organizations/${this.handle}`;
  }

  static async make(apis, number) {
    const world = new World(apis, number);
    const founder = world.as("founder");
    await founder("POST", "/api/v1/organizations", { name: world.name, handle: world.handle });
    const members = [...roles.map((role) => ({ email: people[role].email, role })), { email: people.other.email, role: "viewer" }];
    const added = await founder("POST", `${world.api}/members`, { members });
    [...roles, "other"].forEach((key, index) => (world.ids[key] = added.results[index].member.user.id));
    world.ids.team = (await founder("POST", `${world.api}/teams`, { name: "Meters" })).id;
    for (const role of ["editor", "maintainer"]) await founder("PUT", `${world.api}/teams/${world.ids.team}/members/${world.ids[role]}`);
    world.ids.application = (await founder("POST", "/api/v1/applications", { name: "Engine", organization: world.handle })).id;
    return world;
  }

  /** The API as one of the people. */
  as(key) {
    return this.#apis[key];
  }

  /** The role of each member by address. */
  async roles() {
    const { items } = await this.as("founder")("GET", `${this.api}/members?limit=200`);
    return Object.fromEntries(items.map((member) => [member.user.email, member.role]));
  }

  /** What the application answers to each role. */
  async viewers() {
    const status = (role) => this.as(role)("GET", `/api/v1/applications/${this.ids.application}`).then(() => 200, (error) => Number(error.message.match(/: (\d{3}) /)[1]));
    return Object.fromEntries(await Promise.all(roles.map(async (role) => [role, await status(role)])));
  }
}
