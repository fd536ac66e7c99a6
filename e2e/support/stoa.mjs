// The real program under test: started on a free port with its own data, driven through its command line, ended by its process id.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const program = resolve(process.env.STOA_BIN ?? "../target/debug/stoa");
const postgres = process.env.STOA_TEST_POSTGRES;

/** How long the program may take until it answers, and until it has stopped. */
const PATIENCE = 30_000;

/** The engines this run tests: SQLite always, PostgreSQL where `STOA_TEST_POSTGRES` names a server. */
export const engines = postgres ? ["sqlite", "postgres"] : ["sqlite"];

/**
 * Starts a fresh installation. The caller stops it, usually with `after(() => stoa.stop())`. `host` is by which name of this machine
 * browsers reach it, `variables` are settings.
 */
export async function startStoa(engine = "sqlite", { host, variables } = {}) {
  const data = await mkdtemp(join(tmpdir(), "stoa-e2e-"));
  const database = engine === "postgres" ? await createDatabase() : undefined;
  const stoa = new Stoa(data, database, await freePort(), host, variables);
  try {
    await stoa.start();
  } catch (error) {
    await stoa.stop();
    throw error;
  }
  return stoa;
}

/** Starts `stoa demo`: a fresh temporary installation with sample data. `signIns` has its people by what they are, with the password. */
export async function startDemo() {
  const demo = new Stoa(await mkdtemp(join(tmpdir(), "stoa-e2e-")), undefined, await freePort());
  try {
    await demo.start(["demo", "--listen", demo.listen]);
    await until("the demonstration introduces itself", () => demo.log.includes("Ctrl-C"));
  } catch (error) {
    await demo.stop();
    throw error;
  }
  const password = demo.log.match(/the password: (.+)/)[1].trim();
  demo.signIns = Object.fromEntries([...demo.log.matchAll(/^ {2}(\w+)\s+(\S+@\S+)$/gm)].map(([, what, email]) => [what, { email, password }]));
  return demo;
}

class Stoa {
  #data;
  #database;
  #process;
  #said = "";

  #variables;

  constructor(data, database, port, host = "127.0.0.1", variables = {}) {
    this.#data = data;
    this.#database = database;
    this.#variables = variables;
    this.url = `http://${host}:${port}`;
    this.listen = `127.0.0.1:${port}`;
  }

  /** What the program has written so far, for messages of failed tests. */
  get log() {
    return this.#said;
  }

  async start(words = ["serve", "--listen", this.listen, "--public-url", this.url, ...this.#place()]) {
    const child = spawn(program, words, {
      env: { ...environment(), ...this.#variables },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const heard = (chunk) => {
      this.#said += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", heard);
    child.stderr.setEncoding("utf8").on("data", heard);
    let ended;
    child.once("error", (error) => (ended = error.message));
    child.once("exit", (code, signal) => (ended = `it ended with ${signal ?? code}`));
    await until(`${this.url}/health/ready answers`, async () => {
      assert.equal(ended, undefined, `${program} did not come up: ${ended}\n${this.#said}`);
      return (await fetch(`${this.url}/health/ready`).catch(() => undefined))?.ok;
    });
  }

  /** Ends the program as an operator would and removes its data. A program that does not end in time has failed the test. */
  async stop() {
    try {
      await this.#end();
    } finally {
      await rm(this.#data, { recursive: true, force: true });
    }
  }

  async #end() {
    const child = this.#process;
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    let timer;
    const late = new Promise((done) => (timer = setTimeout(done, PATIENCE, "late")));
    const outcome = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (outcome === "late") {
      child.kill("SIGKILL");
      assert.fail(`the program did not stop within ${PATIENCE} ms of SIGTERM\n${this.#said}`);
    }
  }

  /** `stoa users create`: a person who can sign in with this password. */
  async createUser({ email, name, password, operator = false }) {
    const options = ["--name", name, "--password-stdin", ...(operator ? ["--operator"] : [])];
    await this.command(["users", "create", email, ...options], `${password}\n`);
    return { email, name, password };
  }

  /** `stoa users token`: a new personal token of this person. */
  async token(email, name = "browser tests") {
    return (await this.command(["users", "token", email, "--name", name])).trim();
  }

  /** Runs a command of the program on this installation and gives what it printed. */
  command(words, input = "") {
    return run(program, [...words, ...this.#place()], { input, env: environment() });
  }

  /** A client of the HTTP API with this token: `await api("POST", "/api/v1/organizations", {name})`. */
  api(token) {
    return async (method, path, body, headers = {}) => {
      const json = body === undefined ? {} : { "content-type": "application/json" };
      const answer = await fetch(this.url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, ...json, ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      const type = answer.headers.get("content-type") ?? "";
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return type.includes("json") ? JSON.parse(text) : text;
    };
  }

  #place() {
    return ["--data", this.#data, ...(this.#database ? ["--database", this.#database] : [])];
  }
}

/** Waits until the condition holds; asks again at once when the last answer was no, with a breath in between. */
export async function until(what, condition, patience = PATIENCE) {
  const end = performance.now() + patience;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `waited ${patience} ms in vain until ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function createDatabase() {
  const name = `e2e_${randomBytes(8).toString("hex")}`;
  await run(process.env.STOA_PSQL ?? "psql", ["--quiet", "--no-psqlrc", "--dbname", postgres, "--command", `create database ${name}`]);
  const url = new URL(postgres);
  url.pathname = `/${name}`;
  return url.href;
}

/** The environment without settings of whoever runs the tests. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("STOA_")));
}

function run(command, words, { input = "", env = process.env } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(command, words, { env, stdio: ["pipe", "pipe", "pipe"] });
    let out = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (errors += chunk));
    child.once("error", failed);
    child.once("close", (code) => {
      if (code === 0) done(out);
      else failed(new Error(`${command} ${words.slice(0, 2).join(" ")} ended with ${code}: ${errors || out}`));
    });
    // A command that refuses its arguments ends before it reads: that is told by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
