// Every page, on runs in which everything happens: it shows what it should, nothing goes wrong, everybody can use it.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const axe = require("axe-core");
const { Server, browse, open } = require("./world.js");
const { CHURN, HOSTILE, hostile } = require("./workflows.js");

const SHOTS = process.env.ORCHESTRATOR_CONSOLE_SHOTS;

let server, browser, churn, loud;
test.before(async () => {
  server = await Server.start();
  browser = await browse();
  churn = await server.submit(CHURN);
  loud = await server.submit(hostile());
  await server.task(churn, "publish", "HELD");
  await server.task(churn, "train_bert", "RUNNING");
  await server.submit(CHURN.replace("name: churn", "name: churn_weekly"));
  await server.run(churn, (run) => run.violations?.length > 0);
  await server.run(loud, (run) => run.status === "FAILED");
});
test.after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Every page with a text that is on it. */
const pages = () => [
  ["runs", "/ui/runs", "churn_weekly"],
  ["run-graph", `/ui/runs/${churn}`, "train_bert"],
  ["run-timeline", `/ui/runs/${churn}/timeline`, "Critical path"],
  ["run-tasks", `/ui/runs/${churn}/tasks`, "ml_agent.train_model"],
  ["run-items", `/ui/runs/${churn}/tasks?items=yes&q=clean`, "clean[3]"],
  ["run-events", `/ui/runs/${churn}/events`, "task held"],
  ["task", `/ui/runs/${churn}/tasks/train_logistic`, "What shaped it, in order"],
  ["task-waits", `/ui/runs/${churn}/tasks/report`, "Why it waits"],
  ["task-failed", `/ui/runs/${churn}/tasks/check_drift`, "exit code 1"],
  ["task-held", `/ui/runs/${churn}/tasks/publish`, "publishing needs a person's yes"],
  ["log", `/ui/runs/${churn}/tasks/train_logistic/logs`, "nothing unusual"],
  ["rollback", `/ui/runs/${churn}/rollback?to_task=train_logistic`, "Undone first"],
  ["pools", "/ui/pools", "Waiting, first in line first"],
  ["deadlines", "/ui/sla", "Late now"],
  ["policy", "/ui/policy", "approval-for-publishing"],
  ["new-run", "/ui/new", "The document is valid"],
  ["sentence", "/ui/ask?text=train", "What is to be done?"],
  ["agents", "/ui/agents", "report_agent"],
  ["numbers", "/ui/stats", "attempts handed out"],
  ["nothing", "/ui/nonsense", "the console has no page"],
  ["hostile-run", () => `/ui/runs/${loud}`, "hostile"],
  ["hostile-tasks", () => `/ui/runs/${loud}/tasks`, "<script>alert(1)</script>"],
  ["hostile-events", () => `/ui/runs/${loud}/events`, "<script>alert(1)</script>"],
  ["hostile-task", () => `/ui/runs/${loud}/tasks/loud`, "<img src=x onerror=alert(2)>"],
  ["hostile-log", () => `/ui/runs/${loud}/tasks/loud/logs?bytes=4194304`, "<script>alert(1)</script>"],
  ["hostile-search", () => `/ui/runs?q=${encodeURIComponent(HOSTILE)}`, "No run is like this"],
  ["hostile-address", () => `/ui/runs/${encodeURIComponent(HOSTILE)}`, "there is no run"],
].map(([name, address, text]) => [name, typeof address === "function" ? address() : address, text]);

/** What a page must not do, whatever it shows. */
function clean(page, name) {
  // A page that is not there says so with its status, and the browser says so in its console.
  const wrongs = page.wrongs.filter((wrong) => !/status of 404/.test(wrong));
  assert.deepEqual(wrongs, [], name);
  page.wrongs.length = 0;
}

async function violations(page) {
  // The policy of the page lets no script in but its own: the checker comes in through the protocol of the browser.
  const result = await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ["violations"] })`);
  const serious = result.violations.filter((found) => ["serious", "critical"].includes(found.impact));
  return serious.map((found) => `${found.id}: ${found.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`).join(" | ")}`);
}

for (const [theme, width] of [["light", 1280], ["dark", 1280], ["light", 400]]) {
  test(`every page, ${theme}, ${width} pixels wide`, async () => {
    const page = await open(browser, server, { colorScheme: theme, viewport: { width, height: 900 } });
    const barriers = [];
    // What is hostile is so whatever it looks like: once is enough.
    const wanted = pages().filter(([name]) => !name.startsWith("hostile") || (theme === "light" && width > 400));
    for (const [name, address, text] of wanted) {
      await page.goto(server.base + address, { waitUntil: "load" });
      const shown = await page.textContent("main");
      assert.ok(shown.toLowerCase().includes(text.toLowerCase()), `${name} (${address}) does not show '${text}': ${shown.slice(0, 2000)}`);
      for (const found of await violations(page)) barriers.push(`${name}: ${found}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) barriers.push(`${name} is ${overflow} pixels too wide`);
      clean(page, name);
      if (SHOTS && !name.startsWith("hostile")) {
        await page.evaluate(() => window.scrollTo(0, 0));
        await page.screenshot({ path: path.join(SHOTS, `${name}-${theme}-${width}.png`), fullPage: true });
      }
    }
    assert.deepEqual(barriers, []);
    await page.context().close();
  });
}

test("pages can be read without a script", async () => {
  const page = await open(browser, server, { javaScriptEnabled: false });
  for (const [name, address, text] of pages()) {
    await page.goto(server.base + address);
    const shown = await page.textContent("main");
    assert.ok(shown.toLowerCase().includes(text.toLowerCase()), name);
  }
  assert.match(await page.goto(`${server.base}/ui/runs`).then(() => page.textContent("time")), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  await page.context().close();
});

test("a megabyte of log is shown and can be saved as it came", async () => {
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/runs/${loud}/tasks/loud/logs`);
  await page.getByText("Show more").click();
  await page.waitForFunction(() => document.querySelector(".log").textContent.includes("line 015999"));
  await page.goto(`${server.base}/ui/runs/${loud}/tasks/loud/logs?bytes=4194304`);
  const text = await page.textContent(".log");
  assert.ok(text.length > 1_000_000, String(text.length));
  assert.ok(text.includes("line 000000") && text.includes("line 015999") && text.includes(HOSTILE.slice(0, 60)));
  assert.equal(await page.locator(".log script, .log img, .log a").count(), 0);
  assert.equal(await page.locator(".log .c3").count(), 16000);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByText("As a file").click()]);
  assert.ok(fs.readFileSync(await download.path(), "utf8").includes("\u001b[33mINFO\u001b[0m line 015999"));
  clean(page, "log");
  await page.context().close();
});
