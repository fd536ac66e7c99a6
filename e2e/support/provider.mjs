// A small OpenID provider on loopback: discovery, keys, authorization with PKCE, id tokens signed with RS256. It signs in one person.

import assert from "node:assert/strict";
import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";

const base64url = (text) => Buffer.from(text).toString("base64url");

/** Starts a provider that signs in `person` ({subject, email, name}). The caller stops it. */
export async function startProvider(person) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const codes = new Map();
  let issuer;

  const idToken = (nonce) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, sub: person.subject, aud: "stoa", nonce, iat: now, exp: now + 60, email: person.email, email_verified: true, name: person.name };
    const signed = `${base64url(JSON.stringify({ alg: "RS256", kid: "key" }))}.${base64url(JSON.stringify(claims))}`;
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url")}`;
  };
  const answers = {
    "/.well-known/openid-configuration": () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    }),
    "/keys": () => ({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "key", use: "sig", alg: "RS256" }] }),
    "/token": (form) => {
      const asked = codes.get(form.get("code"));
      assert.ok(codes.delete(form.get("code")), "a code counts once");
      assert.equal(createHash("sha256").update(form.get("code_verifier")).digest("base64url"), asked.get("code_challenge"));
      return { access_token: "opens nothing", token_type: "Bearer", expires_in: 60, id_token: idToken(asked.get("nonce")) };
    },
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, issuer);
    const body = [];
    for await (const chunk of request) body.push(chunk);
    if (url.pathname === "/authorize") {
      // The page where people sign in at the provider.
      const code = randomBytes(16).toString("hex");
      codes.set(code, url.searchParams);
      const back = new URL(url.searchParams.get("redirect_uri"));
      back.search = new URLSearchParams({ code, state: url.searchParams.get("state") });
      response.setHeader("content-type", "text/html");
      return response.end(`<!doctype html><title>Provider</title><h1>Provider</h1><a href="${back.href.replaceAll("&", "&amp;")}">I am ${person.name}</a>`);
    }
    const answer = answers[url.pathname];
    response.statusCode = answer ? 200 : 404;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answer ? answer(new URLSearchParams(Buffer.concat(body).toString())) : {}));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  issuer = `http://127.0.0.1:${server.address().port}`;
  return { issuer, stop: () => new Promise((done) => server.close(done)) };
}
