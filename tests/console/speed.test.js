// How long pages take, how much they send, how soon they change. Figures are printed, not judged: machines differ. What does
// not differ between machines is: bytes, numbers of shapes.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const { Server, browse, open, eventually, figure } = require("./world.js");
const { layered } = require("./workflows.js");

let server, browser;
test.before(async () => {
  server = await Server.start();
  browser = await browse();
});
test.after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens a page a few times; gives the median of its first paints, of its server's times, and what was sent the first time. */
async function measure(address, times = 5) {
  const paints = [];
  const answers = [];
  let sent = 0;
  for (let round = 0; round < times; round += 1) {
    const page = await open(browser, server);
    let bytes = 0;
    page.on("response", async (answer) => {
      const length = Number(answer.headers()["content-length"] ?? 0);
      bytes += length;
    });
    await page.goto(server.base + address, { waitUntil: "load" });
    const timing = await eventually("the first paint", () => page.evaluate(() => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
      const answer = performance.getEntriesByType("navigation")[0].responseEnd;
      return paint && { paint, answer };
    }));
    paints.push(timing.paint);
    answers.push(timing.answer);
    sent ||= bytes;
    assert.deepEqual(page.wrongs, []);
    await page.context().close();
  }
  const median = (values) => Math.round(values.sort((left, right) => left - right)[Math.floor(values.length / 2)]);
  return { paint: median(paints), answer: median(answers), sent };
}

test("first paint of a page with nothing on it, for comparison", async () => {
  const { paint, answer } = await measure("/ui/agents");
  figure(`a page of five rows: first paint ${paint} ms (answered after ${answer} ms)`);
});

for (const [tasks, layers, width] of [[100, 10, 10], [10_000, 10, 1_000]]) {
  test(`first paint of a run of ${tasks} tasks`, async () => {
    const id = await server.submit(layered(`size_${tasks}`, layers, width, { kinds: 40 }));
    await server.run(id, (run) => run.status === "SUCCESS");
    for (const view of ["", "/timeline", "/tasks", "/events"]) {
      const { paint, answer, sent } = await measure(`/ui/runs/${id}${view}`);
      figure(`${tasks} tasks, ${view.slice(1) || "graph"}: first paint ${paint} ms (answered after ${answer} ms), ${(sent / 1e3).toFixed(0)} KB sent with styles and scripts`);
      assert.ok(sent > 50_000 && sent < 2_000_000, `${view}: ${sent} bytes`);
    }
    const page = await open(browser, server);
    await page.goto(`${server.base}/ui/runs/${id}`);
    assert.ok((await page.locator(".graph .shape").count()) <= 150);
    await page.context().close();
  });
}

test("200 runs at a time: pages show what happens as it happens", async () => {
  const runs = [];
  const long = layered("busy", 30, 1, { agent: "sleep", params: { seconds: 0.7 } });
  for (let index = 0; index < 200; index += 1) runs.push(await server.submit(long));
  const list = await open(browser, server);
  await list.goto(`${server.base}/ui/runs`);
  const page = await open(browser, server);
  await page.goto(`${server.base}/ui/runs/${runs[0]}/tasks`);
  // From the moment the journal has the end of a step until the page shows it.
  const delays = [];
  const seen = new Set();
  await eventually("ten steps were seen", async () => {
    const shown = await page.evaluate(() => [...document.querySelectorAll("tbody tr")].filter((row) => row.querySelector(".s-success")).map((row) => row.id.slice(5)));
    const now = Date.now();
    for (const name of shown.filter((name) => !seen.has(name))) {
      seen.add(name);
      if (seen.size > 3) delays.push([name, now]);
    }
    return delays.length >= 8;
  }, 120_000);
  const ends = [];
  for (const [name, shownAt] of delays) {
    const task = await server.api("GET", `/runs/${runs[0]}/tasks/${name}`);
    ends.push(shownAt - Date.parse(task.finished_at));
  }
  ends.sort((left, right) => left - right);
  // A new run appears in the list.
  const started = Date.now();
  const last = await server.submit("{name: newcomer, tasks: [{id: a, agent: noop, action: x}]}");
  await list.locator(`#run-${last}`).waitFor({ timeout: 30_000 });
  figure(`200 runs at a time: a step's end is on the page after ${ends[Math.floor(ends.length / 2)]} ms (at most ${ends.at(-1)} ms), a new run in the list after ${Date.now() - started} ms`);
  const running = await server.api("GET", "/runs?status=RUNNING&limit=500");
  assert.ok(running.runs.length >= 190, `${running.runs.length} runs were going on`);
  assert.deepEqual([...page.wrongs, ...list.wrongs], []);
  await page.context().close();
  await list.context().close();
});
