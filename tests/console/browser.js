// Says which browser there is; fails, with the reason in the last line, when none starts.
"use strict";
const { browse } = require("./world.js");

browse()
  .then(async (browser) => {
    const page = await browser.newPage();
    await page.setContent("<h1>here</h1>");
    console.log(`Chromium ${browser.version()}`);
    await browser.close();
  })
  .catch((error) => {
    console.error(String(error.message).split("\n").filter((line) => line.trim()).slice(0, 1).join(" "));
    process.exitCode = 1;
  });
