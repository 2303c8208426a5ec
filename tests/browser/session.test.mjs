// Signing in and out, and what a session survives.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { closeBrowser, control, openWindow, signIn, world } from "./harness.mjs";

after(closeBrowser);

test("a one-time password has to be changed before anything else", async () => {
  const window = await openWindow({ expected: [/status of 422/] });
  const { page } = window;
  const { email, password } = world.people.newcomer;
  await page.goto("/messages");
  await page.waitForURL("**/login?next=%2Fmessages");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/password");
  await page.goto("/dashboard");
  await page.waitForURL("**/password");
  await page.getByLabel("Current password").fill(password);
  await page.getByLabel("New password", { exact: true }).fill("too short");
  await page.getByLabel("New password, again").fill("too short");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.locator("#new_password-fault").waitFor();
  await page.getByLabel("Current password").fill(password);
  await page.getByLabel("New password", { exact: true }).fill("a much better sentence");
  await page.getByLabel("New password, again").fill("a much better sentence");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.waitForURL("**/dashboard");
  await page.goto("/profile");
  assert.match(await page.locator("main").innerText(), /127\.0\.0\.1/, "the last login is listed");
  await window.close();
});

test("a wrong password is refused and the e-mail kept", async () => {
  const window = await openWindow({ expected: [/status of 401/] });
  const { page } = window;
  await page.goto("/login");
  await page.getByLabel("E-mail").fill(world.people.user.email);
  await page.getByLabel("Password").fill("not this one at all");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("E-mail or password is not right.").waitFor();
  assert.equal(await page.getByLabel("E-mail").inputValue(), world.people.user.email);
  assert.equal(await page.getByLabel("Password").inputValue(), "");
  await window.close();
});

test("a session goes on after the portal was restarted, and at another portal", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  // The page that is open looks for the portal meanwhile, for its events and perhaps for its chart.
  const looking = [/Failed to load resource: net::ERR_\w+ \S+\/(events|dashboard\/\S+)$/, /dashboard: htmx:(afterRequest|sendError), /];
  await window.during(looking, async () => {
    await control("restart/portal-1");
    await page.goto("/messages");
  });
  assert.equal(await page.locator("h1").innerText(), "Messages");
  // Cookies do not look at ports.
  await page.goto(`${world.portals[1]}/profile`);
  assert.equal(await page.locator("h1").innerText(), "Profile");
  await window.close();
});

test("signing out ends it for good", async () => {
  const window = await openWindow();
  const { page, context } = window;
  await signIn(page, world.people.user);
  const cookies = await context.cookies();
  for (const cookie of cookies) {
    assert.ok(cookie.secure, `${cookie.name} is only for TLS`);
    assert.equal(cookie.sameSite, "Lax");
    assert.ok(cookie.name.startsWith("__Host-"), cookie.name);
    if (cookie.name !== "__Host-zone") assert.ok(cookie.httpOnly, `${cookie.name} is not for scripts`);
  }
  await page.locator(".side > .foot").getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await context.addCookies(cookies);
  await page.goto("/messages");
  await page.waitForURL("**/login?next=%2Fmessages");
  await window.close();
});

test("a main server that is away is said so, and the page comes back by itself", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.user);
  // The page that it leaves may still ask for its figures.
  const away = [/status of 503 \(Service Unavailable\) \S+$/, /Response Status Error Code 503 from \/dashboard\//];
  await window.during(away, async () => {
    await control("stop/server-1");
    try {
      await page.goto("/messages");
      assert.match(await page.locator("h1").innerText(), /cannot be reached/);
      assert.ok(await page.getByRole("link", { name: "Try again" }).isVisible());
      assert.match(await page.locator("main").innerText(), /[0-9a-f]{8}-[0-9a-f]{4}-7/, "the request's id");
    } finally {
      await control("start/server-1");
    }
    await page.getByRole("heading", { name: "Messages", exact: true }).waitFor({ timeout: 30000 });
  });
  await window.close();
});
