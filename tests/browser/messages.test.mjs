// Finding messages: filters, chips, addresses, pages, details, live.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { closeBrowser, eventually, openWindow, send, signIn, world } from "./harness.mjs";

after(closeBrowser);

const rows = (page) => page.locator("#results tbody tr");

test("filters are in the address, can be taken away one by one, and Back works", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto("/messages");
  await page.locator("summary", { hasText: "Filter" }).click();
  await page.getByLabel("Sender’s number").fill("+1 415 555 0007");
  await page.getByLabel("Delivered").check();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL((url) => url.searchParams.get("state") === "delivered");
  assert.ok(new URL(page.url()).searchParams.get("number").includes("415"));
  assert.equal(await rows(page).count(), world.examples.with_number);
  assert.doesNotMatch(await page.locator("#results").innerText(), /5550007/, "numbers are masked in the list");
  const shared = page.url();
  await page.getByRole("link", { name: /Number .*remove/ }).click();
  await page.waitForURL((url) => !url.searchParams.has("number"));
  assert.ok(await rows(page).count() > world.examples.with_number);
  await page.goBack();
  assert.equal(page.url(), shared);
  assert.equal(await rows(page).count(), world.examples.with_number);
  await page.getByRole("link", { name: "Clear all" }).click();
  await page.waitForURL("**/messages");
  await window.close();
});

test("pages go forth and back and keep the filter", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto("/messages?state=delivered&size=10");
  const first = await page.locator("#results tbody a").first().getAttribute("href");
  assert.equal(await rows(page).count(), 10);
  await page.getByRole("link", { name: "Next" }).click();
  await page.waitForURL((url) => url.searchParams.has("page"));
  assert.equal(new URL(page.url()).searchParams.get("state"), "delivered");
  assert.notEqual(await page.locator("#results tbody a").first().getAttribute("href"), first);
  await page.getByRole("link", { name: "Previous" }).click();
  assert.equal((await page.locator("#results tbody a").first().getAttribute("href")).split("?")[0], first.split("?")[0]);
  await window.close();
});

test("a message shows its text, its way and its neighbours", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto(`/messages/${world.examples.hostile}?state=delivered`);
  assert.equal(await page.locator(".body-text").innerText(), world.examples.hostile_text);
  assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
  const way = await page.locator(".timeline").innerText();
  for (const step of ["Accepted", "On disk", "Delivered"]) assert.ok(way.includes(step), step);
  await page.getByRole("link", { name: "Older" }).click();
  await page.waitForURL((url) => !url.pathname.endsWith(world.examples.hostile));
  await page.getByRole("link", { name: "Newer" }).click();
  await page.waitForURL((url) => url.pathname.endsWith(world.examples.hostile));
  await page.getByRole("link", { name: "Messages", exact: true }).first().click();
  await window.close();
});

test("a user never sees another client's message", async () => {
  const window = await openWindow({ expected: [/status of 404/] });
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto(`/messages/${world.examples.foreign}`);
  assert.match(await page.locator("main").innerText(), /Error 404/);
  await page.goto("/messages?client=globex");
  assert.match(await page.locator("#results").innerText(), /No message fits/);
  await window.close();
});

test("the list and the dashboard follow what happens, and can be paused", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto("/dashboard");
  await page.getByText("Live", { exact: true }).waitFor();
  const accepted = async () => Number((await page.locator("#figures .figure-value").first().innerText()).replaceAll(",", ""));
  const before = await accepted();
  await send("acme", { sender_number: "+14155550001", message_body: "live" });
  await eventually(async () => assert.ok(await accepted() > before), 20);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused", { exact: true }).waitFor();
  await page.goto("/messages");
  await page.getByText("Paused", { exact: true }).waitFor();
  const paused = await page.locator("#results tbody a").first().getAttribute("href");
  const next = await send("acme", { sender_number: "+14155550001", message_body: "live again" });
  await page.getByRole("button", { name: "Resume" }).click();
  await eventually(async () => {
    assert.ok((await page.locator("#results tbody a").first().getAttribute("href")).includes(next));
  }, 20);
  assert.ok(!paused.includes(next));
  await window.close();
});

test("charts are drawn from their table", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto("/dashboard?range=1h");
  await page.locator(".chart canvas").waitFor();
  const sum = await page.evaluate(() => [...document.querySelectorAll("#chart-table tbody tr")]
    .reduce((total, row) => total + Number(row.children[1].dataset.value), 0));
  assert.ok(sum > 0);
  await window.close();
});
