// What the browser tests share: Debian's Chromium, a page that fails on every fault that a browser sees, axe-core, and the world that
// tests/browser/run has made.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import https from "node:https";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export const world = JSON.parse(readFileSync(process.env.POSTERN_BROWSER_WORLD, "utf8"));
export const portal = world.portals[0];

let browser = null;

export async function openBrowser() {
  browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGUMENTS });
  return browser;
}

export async function closeBrowser() {
  if (browser) await browser.close();
  browser = null;
}

// A window of its own, without cookies. `options`: those of a Playwright context, and `expected`: console errors that a test provokes.
export async function openWindow(options = {}) {
  const { expected = [], ...rest } = options;
  const context = await (await openBrowser()).newContext({
    baseURL: portal, ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, timezoneId: "Europe/Berlin", locale: "en-GB", ...rest,
  });
  context.setDefaultTimeout(15000);
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const faults = [];
  const allowed = [...expected];
  const note = (text) => {
    if (!allowed.some((pattern) => pattern.test(text))) faults.push(text);
  };
  context.on("page", (page) => {
    page.on("console", (message) => {
      if (message.type() === "error") note(`${page.url()}: ${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => note(`${page.url()}: ${error}`));
  });
  const page = await context.newPage();
  return {
    page,
    context,
    // Does something that the browser complains about in this way, and in no other.
    async during(patterns, act) {
      allowed.push(...patterns);
      try {
        await act();
      } finally {
        allowed.splice(-patterns.length);
      }
    },
    // Ends it, and fails on what the browser has complained about.
    async close() {
      await context.close();
      assert.deepEqual(faults, [], "errors in the browser");
    },
  };
}

export async function signIn(page, person) {
  await page.goto("/login");
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/dashboard");
}

// Fails on what axe finds wrong with the page.
export async function checkAccessibility(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: { type: "tag", values: rules } }), RULES);
  const faults = found.violations.map((fault) => `${fault.id}: ${fault.help}\n` +
    fault.nodes.slice(0, 3).map((node) => `    ${node.target} ${node.failureSummary.replace(/\s+/g, " ")}`).join("\n"));
  assert.deepEqual(faults, [], `accessibility of ${name}`);
}

// Nothing sticks out to the right: the page needs no scrolling in two directions.
export async function checkReflow(page, name) {
  const wide = await page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= limit) return [];
    const found = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > limit + 1)
      .slice(0, 5).map((element) => `${element.tagName}.${element.className}`);
    return found.length > 0 ? found : [`a text, by ${document.documentElement.scrollWidth - limit} pixels`];
  });
  assert.deepEqual(wide, [], `${name} is wider than the window`);
}

// Sends a message to the edge as a client does.
export function send(client, body) {
  const { certificate, key } = world.clients[client];
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = https.request(`${world.edge}/api/v1/messages`, {
      method: "POST", cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(world.root_ca),
      headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) },
    }, (answer) => {
      let all = "";
      answer.on("data", (piece) => { all += piece; });
      answer.on("end", () => (answer.statusCode === 202 ? resolve(JSON.parse(all).id) : reject(new Error(`${answer.statusCode} ${all}`))));
    });
    request.on("error", reject);
    request.end(text);
  });
}

// Asks tests/browser/run to do something with the system, such as `stop/server-1`.
export async function control(what) {
  const answer = await fetch(`${world.control}/${what}`, { method: "POST" });
  assert.equal(answer.status, 200, `${what}: ${await answer.text()}`);
}

export async function eventually(check, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
  }
}
