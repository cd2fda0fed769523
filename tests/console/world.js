// A server with real runs, and a real browser to look at it.
"use strict";
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const ROOT = path.join(__dirname, "..", "..");
const PROGRAM = process.env.ORCHESTRATOR_TEST_BINARY ?? path.join(ROOT, "target/debug/orchestrator");
const PATIENCE_MS = 60_000;

/** Looks until there is something to see. */
async function eventually(what, look, patience = PATIENCE_MS) {
  const start = Date.now();
  while (Date.now() - start < patience) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`waited in vain: ${what}`);
}

/** Prints a figure; `cargo xtask console` gathers them. */
function figure(text) {
  console.log(`figure: ${text}`);
}

class Server {
  /** Starts a server on a data directory of its own; `flags` are more flags of `serve`. */
  static async start(flags = [], config = path.join(__dirname, "orchestrator.yaml")) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "orchestrator-console-"));
    const data = path.join(folder, "data");
    const log = fs.openSync(path.join(folder, "log"), "w");
    const serve = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--config", config, ...flags];
    const child = spawn(PROGRAM, serve, { cwd: __dirname, stdio: ["ignore", log, log] });
    const server = new Server(folder, child);
    const owner = path.join(data, "owner.json");
    const { endpoint, token } = await eventually("the server answers", () => {
      assert.equal(child.exitCode, null, fs.readFileSync(path.join(folder, "log"), "utf8"));
      return fs.existsSync(owner) && JSON.parse(fs.readFileSync(owner, "utf8"));
    });
    server.base = endpoint.replace(/\/$/, "");
    server.token = token;
    return server;
  }

  constructor(folder, child) {
    this.folder = folder;
    this.child = child;
  }

  async stop() {
    this.child.kill("SIGTERM");
    await new Promise((done) => (this.child.exitCode === null ? this.child.once("exit", done) : done()));
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  async api(method, address, body, token = this.token) {
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(this.base + address, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${address}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  /** Starts a run; gives its id. */
  async submit(dsl, more = {}, token = this.token) {
    return (await this.api("POST", "/workflows", { dsl, ...more }, token)).id;
  }

  /** Waits until the run looks like this; gives it. */
  run(id, is) {
    return eventually(`run ${id}`, async () => {
      const run = await this.api("GET", `/runs/${id}`);
      return is(run) && run;
    });
  }

  task(id, name, status) {
    return eventually(`${name} is ${status}`, async () => {
      const task = await this.api("GET", `/runs/${id}/tasks/${name}`);
      return task.status === status && task;
    });
  }
}

/** The program of a browser: the machine's own, or the one of the npm package, which is unpacked on first use. */
async function program() {
  const named = process.env.ORCHESTRATOR_TEST_BROWSER;
  if (named) return { executablePath: named, args: [] };
  const known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = known.find((file) => fs.existsSync(file));
  if (found) return { executablePath: found, args: [] };
  const unpacker = path.join(process.env.NODE_PATH, "@sparticuz/chromium/build/index.js");
  const { default: packed } = await import(pathToFileURL(unpacker));
  // Not the flags of the package: they are for places where a browser has one process and no security.
  const args = ["--headless=shell", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader"];
  return { executablePath: await packed.executablePath(), args };
}

/** Starts a browser that speaks to nobody but the server. */
async function browse() {
  const { executablePath, args } = await program();
  const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"];
  const launch = () => chromium.launch({ executablePath, args: [...args, ...quiet], headless: true });
  // A browser that has just been unpacked may die at its first start.
  return launch().catch(launch);
}

/** A page that notes everything that should not happen: errors, violations of the policy, dialogs, requests elsewhere. */
async function open(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.wrongs = [];
  const note = (text) => page.wrongs.push(text);
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") note(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("dialog", (dialog) => {
    note(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.base)) note(`request: ${request.url()}`);
  });
  return page;
}

module.exports = { ROOT, Server, browse, open, eventually, figure, program };
