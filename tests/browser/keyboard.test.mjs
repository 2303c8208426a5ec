// With the keyboard alone, and without JavaScript.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { closeBrowser, openWindow, signIn, world } from "./harness.mjs";

after(closeBrowser);

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());

async function tabTo(page, what, most = 60) {
  for (let i = 0; i < most; i += 1) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === what) return;
  }
  assert.fail(`the Tab key does not lead to ${what}`);
}

test("signing in, finding and opening a message, with the keyboard alone", async () => {
  const window = await openWindow();
  const { page } = window;
  await page.goto("/login");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  await tabTo(page, "email");
  await page.keyboard.type(world.people.user.email);
  await tabTo(page, "password");
  await page.keyboard.type(world.people.user.password);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/dashboard");
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await page.waitForURL("**/messages");
  await page.keyboard.press("/");
  assert.equal(await focused(page), "client");
  await page.keyboard.type("acme");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.searchParams.get("client") === "acme");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  const first = await page.locator("#results tbody a").first().getAttribute("href");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), first);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => first.startsWith(url.pathname));
  await window.close();
});

test("what has the focus is seen", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/certificates");
  for (let i = 0; i < 40; i += 1) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return "";
      const box = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      if (style.outlineStyle === "none" && style.boxShadow === "none") return `no outline: ${element.outerHTML.slice(0, 120)}`;
      const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      const hidden = top !== null && !element.contains(top) && !top.contains(element);
      return hidden ? `covered: ${element.outerHTML.slice(0, 120)}` : "";
    });
    assert.equal(seen, "");
  }
  await window.close();
});

test("single keys can be switched off", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  await page.keyboard.press("?");
  await page.getByLabel("Single keys do something").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  assert.equal(await page.locator("#keys").isVisible(), false);
  await page.getByRole("button", { name: "Keyboard" }).click();
  await page.getByLabel("Single keys do something").check();
  await window.close();
});

test("everything can be read and every form sent without JavaScript", async () => {
  const window = await openWindow({ javaScriptEnabled: false, viewport: { width: 390, height: 800 }, expected: [/status of 422/] });
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.locator(".menu > summary").click();
  await page.locator(".menu").getByRole("link", { name: "Messages" }).click();
  assert.equal(await page.locator("h1").innerText(), "Messages");
  await page.locator("summary", { hasText: "Filter" }).click();
  await page.getByLabel("Dead").check();
  await page.getByRole("button", { name: "Apply" }).click();
  assert.match(page.url(), /state=dead/);
  await page.locator("#results tbody a").first().click();
  assert.match(await page.locator("main").innerText(), /Given up/);
  await page.goto("/dashboard");
  await page.locator("summary", { hasText: "Show the figures as a table" }).click();
  assert.ok(await page.locator("#chart-table").isVisible());
  await page.goto("/users/new");
  await page.getByLabel("Name").fill("No Script");
  await page.getByLabel("E-mail").fill("noscript@example.org");
  await page.getByRole("button", { name: "Make user" }).click();
  assert.ok((await page.locator("#otp").innerText()).length > 8);
  await page.goto("/profile");
  await page.getByLabel("Time zone").selectOption("Asia/Tokyo");
  await page.getByRole("button", { name: "Use this zone" }).click();
  assert.match(await page.locator("footer").innerText(), /Asia\/Tokyo \(UTC\+09:00\)/);
  await window.close();
});

test("times are in the browser's zone", async () => {
  const window = await openWindow({ timezoneId: "America/New_York" });
  const { page } = window;
  await signIn(page, world.people.user);
  await page.goto("/messages");
  assert.match(await page.locator("footer").innerText(), /America\/New_York/);
  await window.close();
});
