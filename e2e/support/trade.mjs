// An organization that consumes and one that provides, each with a maintainer and a viewer: what tests of trade begin with.

const password = "a long enough password";

/** Who takes part; the owner and the viewer belong to Grid, the provider and the reader to Forecasts. */
export const people = {
  owner: { email: "owner@grid.example", name: "Grid Owner", password },
  viewer: { email: "viewer@grid.example", name: "Grid Viewer", password },
  provider: { email: "provider@forecasts.example", name: "Forecast Provider", password },
  reader: { email: "reader@forecasts.example", name: "Forecast Reader", password },
};

/**
 * Both organizations, the projects North and South of Grid, and a published service of Forecasts for each name, under the
 * contract. Answers the owner's API and the services.
 */
export async function settleTrade(stoa, names, contract) {
  for (const person of Object.values(people)) await stoa.createUser(person);
  const [owner, provider] = [stoa.api(await stoa.token(people.owner.email)), stoa.api(await stoa.token(people.provider.email))];
  await provider("POST", "/api/v1/organizations", { name: "Forecasts" });
  await provider("POST", "/api/v1/organizations/forecasts/members", { members: [{ email: people.reader.email, role: "viewer" }] });
  const application = await provider("POST", "/api/v1/applications", { name: "Backend", organization: "forecasts" });
  await owner("POST", "/api/v1/organizations", { name: "Grid" });
  await owner("POST", "/api/v1/organizations/grid/members", { members: [{ email: people.viewer.email, role: "viewer" }] });
  for (const name of ["North", "South"]) await owner("POST", "/api/v1/organizations/grid/projects", { name });
  const services = [];
  for (const name of names) {
    const service = await provider("POST", "/api/v1/organizations/forecasts/services", {
      application: application.id, name, summary: "Forecasts", description: "Forecasts", categories: ["energy"], visibility: "public", contract,
    });
    await provider("POST", `/api/v1/services/${service.id}/publish`, {});
    services.push(service);
  }
  return { owner, services };
}
