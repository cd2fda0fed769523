// What people do in the console: it happens, it is asked about first where it cannot be undone, and nobody else can do it.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { ROOT, Server, browse, open, eventually } = require("./world.js");
const { CHURN } = require("./workflows.js");

let server, browser;
test.before(async () => {
  server = await Server.start();
  browser = await browse();
});
test.after(async () => {
  await browser?.close();
  await server?.stop();
});

const ONE = (seconds) => `{name: one, tasks: [{id: a, agent: sleep, action: wait, params: {seconds: ${seconds}}}, {id: b, agent: noop, action: end, depends_on: [a]}]}`;

test("a run is paused, resumed, made urgent, cancelled with a reason and retried", async () => {
  const id = await server.submit(ONE(60));
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/runs/${id}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("The run is paused").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("The run goes on").waitFor();
  await page.getByText("Priority…").click();
  await page.getByLabel("Priority, 10 is most urgent").fill("9");
  await page.getByRole("button", { name: "Set priority" }).click();
  await page.getByText("9 of 10").waitFor();
  await page.getByText("Cancel…").click();
  await page.getByLabel("Why? (kept with the run)").fill("wrong <b>data</b>");
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.getByText("wrong <b>data</b>").first().waitFor();
  const run = await server.api("GET", `/runs/${id}`);
  assert.deepEqual([run.status, run.priority, run.cancelled.reason], ["CANCELLED", 9, "wrong <b>data</b>"]);
  await page.getByRole("button", { name: "Retry what failed" }).click();
  await server.run(id, (run) => run.status === "RUNNING");
  await server.api("POST", `/runs/${id}/cancel`, {});
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
});

test("a run is taken back exactly as previewed, or not at all", async () => {
  const id = await server.submit(CHURN.replace("seconds: 900", "seconds: 0.5"));
  await server.task(id, "publish", "HELD");
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/runs/${id}/tasks/train_logistic`);
  await page.getByText("Roll back to here…").click();
  await page.getByText("Undone first, one after the other").waitFor();
  const tree = await page.locator(".tree li strong").allTextContents();
  assert.deepEqual(tree.slice(0, 3), ["train_logistic", "compare", "publish"]);
  // Somebody else approves meanwhile: the plan is another one now.
  await server.api("POST", `/runs/${id}/tasks/publish/approve`);
  await server.task(id, "publish", "SUCCESS");
  await page.getByLabel("Why? (required, kept with the run)").fill("the data were wrong");
  await page.getByRole("button", { name: /^Roll back \d+ tasks$/ }).click();
  await page.getByText("Nothing was changed. Below is what it would do now.").waitFor();
  assert.equal((await server.api("GET", `/runs/${id}/rollbacks`)).rollbacks.length, 0);
  await page.getByLabel("Why? (required, kept with the run)").fill("the data were wrong");
  await page.getByRole("button", { name: /^Roll back \d+ tasks$/ }).click();
  await page.getByText("The run was taken back as it was previewed.").waitFor();
  const { rollbacks } = await server.api("GET", `/runs/${id}/rollbacks`);
  assert.deepEqual([rollbacks.length, rollbacks[0].reason], [1, "the data were wrong"]);
  await page.goto(`${server.base}/ui/runs/${id}/rollback`);
  await page.getByText("Taken back before").waitFor();
  assert.deepEqual(page.wrongs.filter((wrong) => !/status of 409/.test(wrong)), []);
  await page.context().close();
});

test("a held task is approved and rejected by keyboard alone", async () => {
  const held = (name) => `{name: ${name}, tasks: [{id: out, agent: noop, action: publish}]}`;
  const [first, second] = [await server.submit(held("first")), await server.submit(held("second"))];
  const page = await open(browser, server);
  const press = async (name) => {
    for (let step = 0; step < 80; step += 1) {
      await page.keyboard.press("Tab");
      const text = await page.evaluate(() => document.activeElement.textContent.trim());
      if (text === name) return page.keyboard.press("Enter");
    }
    return assert.fail(`'${name}' cannot be reached with Tab`);
  };
  await server.task(first, "out", "HELD");
  await page.goto(`${server.base}/ui/runs/${first}/tasks/out`);
  await press("Approve");
  await page.waitForURL(/did=approve/);
  await server.task(first, "out", "SUCCESS");
  await server.task(second, "out", "HELD");
  await page.goto(`${server.base}/ui/runs/${second}/tasks/out`);
  await press("Reject…");
  await page.keyboard.press("Tab");
  await page.keyboard.type("not this week");
  await page.keyboard.press("Enter");
  const task = await server.task(second, "out", "FAILED");
  assert.match(task.error.message, /not this week/);
  await page.context().close();
});

test("the editor shows problems where they are, and starts what is valid", async () => {
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/new`);
  await page.locator("#dsl").fill("name: mine\ntasks:\n  - id: a\n    agnt: noop\n    agent: noop\n    action: x\n");
  await page.getByText("Unknown key 'agnt'").waitFor();
  assert.equal(await page.locator(".gutter .bad").textContent(), "4");
  await page.locator(".place").first().click();
  const selected = await page.evaluate(() => { const text = document.getElementById("dsl"); return text.value.slice(text.selectionStart, text.selectionEnd); });
  assert.equal(selected, "agnt: noop");
  await page.locator("#dsl").fill("name: mine\ntasks:\n  - {id: a, agent: noop, action: x}\n  - {id: b, agent: noop, action: y, depends_on: [a]}\n");
  await page.getByText("The document is valid: 2 tasks in 2 stages").waitFor();
  assert.equal(await page.locator("#result .graph .shape.f-planned").count(), 2);
  await page.getByRole("button", { name: "Start the run" }).click();
  await page.getByText("The run was started.").waitFor();
  const id = page.url().match(/runs\/(\w+)/)[1];
  await server.run(id, (run) => run.status === "SUCCESS" && run.workflow === "mine");
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
});

test("a sentence becomes a plan, and the plan a run", async () => {
  const penguins = await Server.start([], path.join(ROOT, "examples/penguins/orchestrator.yaml"));
  try {
    const page = await open(browser, penguins);
    await page.goto(`${penguins.base}/ui/new`);
    await page.getByText("Say it in a sentence").click();
    await page.getByLabel("What is to be done?").fill("sing me a song about <b>whales</b>");
    await page.getByRole("button", { name: "Show the plan" }).click();
    await page.getByText("This could be asked for").waitFor();
    await page.getByLabel("What is to be done?").fill("Train a knn and a bayes model on data/penguins.csv, compare them and write a report");
    await page.getByRole("button", { name: "Show the plan" }).click();
    await page.getByText("What it comes to").waitFor();
    assert.ok((await page.locator(".graph .shape").count()) >= 4);
    assert.equal((await penguins.api("GET", "/runs")).runs.length, 0);
    await page.getByRole("button", { name: "Start exactly this" }).click();
    await page.getByText("The run was started.").waitFor();
    assert.equal((await penguins.api("GET", "/runs")).runs.length, 1);
    assert.deepEqual(page.wrongs, []);
    await page.context().close();
  } finally {
    await penguins.stop();
  }
});

test("the policy is asked about a task, and says why", async () => {
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/policy`);
  await page.getByLabel("Task or workflow, as YAML").fill("id: fit\nagent: data_agent\naction: x\nparams: {model: bert}\n");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator("#answer").getByText("12 GB").first().waitFor();
  const steps = await page.locator("#answer .steps").textContent();
  assert.ok(steps.includes("rule:large models") && steps.includes("memory_gb"), steps);
  await page.getByLabel("Task or workflow, as YAML").fill("id: fit\nagent: nobody\n");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator("#answer .problem").waitFor();
  await page.context().close();
});

test("runs are found by state, by name and by the end of their id", async () => {
  const id = await server.submit(ONE(0));
  await server.run(id, (run) => run.status === "SUCCESS");
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/runs`);
  await page.keyboard.press("/");
  await page.keyboard.type(id.slice(-6));
  await page.waitForURL(/q=/);
  await eventually("one run is left", async () => (await page.locator("tbody tr").count()) === 1);
  await page.getByLabel("State").selectOption("FAILED");
  await page.getByText("No run is like this").waitFor();
  await page.goBack();
  await page.goto(`${server.base}/ui/runs?q=${id}`);
  assert.ok(page.url().endsWith(`/ui/runs/${id}`));
  await page.context().close();
});

test("another site can make nobody do anything", async () => {
  const id = await server.submit(ONE(60));
  const post = (headers) => fetch(`${server.base}/ui/runs/${id}/cancel`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded", ...headers }, body: "reason=x", redirect: "manual" });
  for (const headers of [{ origin: "https://evil.example", "sec-fetch-site": "cross-site" }, { origin: "null" }, {}]) {
    assert.equal((await post(headers)).status, 403, JSON.stringify(headers));
  }
  assert.equal((await server.api("GET", `/runs/${id}`)).status, "RUNNING");
  assert.equal((await post({ origin: server.base, host: server.base.slice(7) })).status, 303);
  const framed = await fetch(`${server.base}/ui/runs`);
  assert.match(framed.headers.get("content-security-policy"), /frame-ancestors 'none'/);
});

test("on a server with tokens people sign in, see their own runs only, and sign out", async () => {
  const clients = path.join(os.tmpdir(), `orchestrator-clients-${process.pid}.yaml`);
  fs.writeFileSync(clients, "clients:\n  team-a: {token: aaaaaaaaaaaaaaaaaaaaaaaa}\n  ops: {token: oooooooooooooooooooooooo, operator: true}\n");
  const closed = await Server.start(["--clients", clients]);
  try {
    const own = await closed.submit(ONE(0), {}, "a".repeat(24));
    const other = await closed.submit(ONE(0).replace("one", "secret"), {}, "o".repeat(24));
    const page = await open(browser, closed);
    await page.goto(`${closed.base}/ui/runs/${own}`);
    assert.match(page.url(), /sign-in\?to=/);
    await page.getByLabel("Token").fill("wrongwrongwrongwrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("This token is not known here").waitFor();
    await page.getByLabel("Token").fill("a".repeat(24));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "one" }).waitFor();
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.value.includes("aaaa")], [true, "Strict", false]);
    await page.goto(`${closed.base}/ui/runs`);
    assert.equal((await page.textContent("main")).includes("secret"), false);
    assert.equal((await page.goto(`${closed.base}/ui/runs/${other}`)).status(), 404);
    assert.equal((await page.goto(`${closed.base}/ui/live?run=${other}`)).status(), 404);
    assert.equal((await page.goto(`${closed.base}/ui/live`)).status(), 403);
    await page.goto(`${closed.base}/ui/runs`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.goto(`${closed.base}/ui/runs`);
    assert.match(page.url(), /sign-in/);
    await page.context().close();
  } finally {
    await closed.stop();
    fs.rmSync(clients);
  }
});
