// Every screen for both roles, in both themes, at three widths: accessible, within its window, without an error in the browser.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkAccessibility, checkReflow, closeBrowser, openWindow, signIn, world } from "./harness.mjs";

const WIDTHS = [1280, 768, 320];
const SHOTS = process.env.POSTERN_SCREENSHOTS;
// Screens of the manuals, by file name.
const FOR_MANUALS = new Set(["dashboard", "messages", "message", "profile", "users", "user", "clients", "certificates",
  "certificate_new", "queue", "statistics", "audit", "database", "system", "login"]);

const { message, dead, client, user, serial } = world.examples;
const PUBLIC = { landing: "/", login: "/login" };
const EVERYONE = {
  dashboard: "/dashboard", messages: "/messages", messages_filtered: "/messages?state=dead&state=retrying&range=24h&client=acme",
  messages_none: "/messages?ref=nothing-has-this", messages_faulty: "/messages?number=12", message: `/messages/${message}`,
  message_dead: `/messages/${dead}`, profile: "/profile", help: "/help", error_404: "/nothing",
};
const ADMIN = {
  queue: "/queue", redrive: "/queue/redrive", statistics: "/statistics?range=1h", clients: "/clients", client: `/clients/${client}`,
  client_new: "/new-client", limits: `/clients/${client}/limits`, suspend: `/clients/${client}/suspend`, certificates: "/certificates", certificate: `/certificates/${serial}`,
  certificate_new: "/certificates/new?client=acme", revoke: `/certificates/${serial}/revoke`, users: "/users", user: `/users/${user}`,
  user_new: "/users/new", confirm: `/users/${user}/confirm?act=disable`, audit: "/audit", database: "/database",
  purge: "/database/purge", system: "/system",
};

after(closeBrowser);

// All that is wrong with one screen.
async function faultsOf(page, name, path) {
  const faults = [];
  const check = async (act) => {
    try {
      await act();
    } catch (error) {
      faults.push(error.message);
    }
  };
  await page.setViewportSize({ width: WIDTHS[0], height: 900 });
  await page.goto(path);
  await page.waitForLoadState("load");
  await check(async () => assert.match(await page.title(), / · Postern$/, `${path} has a title`));
  await check(async () => assert.equal(await page.locator("h1").count(), 1, `${path} has one heading`));
  await check(() => checkAccessibility(page, name));
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    await check(() => checkReflow(page, `${name} at ${width}`));
  }
  await check(() => checkAccessibility(page, `${name} at 320`));
  return faults;
}

async function walk(role, screens, theme) {
  const window = await openWindow({ colorScheme: theme, expected: [/status of (404|403|422)/] });
  const { page } = window;
  if (role !== "public") await signIn(page, world.people[role]);
  const faults = [];
  for (const [name, path] of Object.entries(screens)) {
    faults.push(...await faultsOf(page, `${name} (${role}, ${theme})`, path));
    if (SHOTS) await shoot(page, name, role, theme);
  }
  try {
    await window.close();
  } catch (error) {
    faults.push(error.message);
  }
  assert.deepEqual(faults, []);
}

async function shoot(page, name, role, theme) {
  mkdirSync(SHOTS, { recursive: true });
  const wanted = role === "public" || (role === "user") === (name in EVERYONE);
  if (!FOR_MANUALS.has(name) || !wanted || theme !== "light") return;
  await page.setViewportSize({ width: 1280, height: 800 });
  // Charts take their new width with the next frame.
  await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  if (name === "messages") {
    await page.setViewportSize({ width: 390, height: 800 });
    await page.screenshot({ path: join(SHOTS, "messages_narrow.png") });
  }
}

for (const theme of ["light", "dark"]) {
  test(`everybody, ${theme}`, () => walk("public", PUBLIC, theme));
  test(`user, ${theme}`, () => walk("user", { ...EVERYONE, error_403: "/users" }, theme));
  test(`administrator, ${theme}`, () => walk("admin", { ...EVERYONE, ...ADMIN }, theme));
}

test("a chosen theme wins over the system's", async () => {
  const window = await openWindow({ colorScheme: "light" });
  const { page } = window;
  await signIn(page, world.people.user);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.locator(".side > .foot").getByRole("button", { name: "Dark" }).click();
  await page.waitForLoadState("load");
  assert.notEqual(await background(), light);
  await page.emulateMedia({ colorScheme: "light" });
  assert.notEqual(await background(), light);
  await page.locator(".side > .foot").getByRole("button", { name: "System" }).click();
  await page.waitForLoadState("load");
  assert.equal(await background(), light);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await background(), light);
  await window.close();
});
