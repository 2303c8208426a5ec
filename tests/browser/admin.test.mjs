// What administrators do: users, clients, certificates, dead letters.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { closeBrowser, openWindow, send, signIn, world } from "./harness.mjs";

after(closeBrowser);

test("a user is made, signs in, is disabled, and is out at once", async () => {
  const window = await openWindow({ expected: [/status of (401|422)/] });
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/users/new");
  await page.getByLabel("Name").fill("Grace <b>Hopper</b>");
  await page.getByLabel("E-mail").fill("grace@example.org");
  await page.getByRole("textbox", { name: "Clients" }).fill("nobody-knows-it");
  await page.getByRole("button", { name: "Make user" }).click();
  await page.locator("#client_ids-fault").waitFor();
  assert.equal(await page.getByLabel("E-mail").inputValue(), "grace@example.org");
  await page.getByRole("textbox", { name: "Clients" }).fill("acme");
  await page.getByRole("button", { name: "Make user" }).click();
  const password = await page.locator("#otp").innerText();

  const other = await openWindow({ expected: [/status of 401/] });
  await other.page.goto("/login");
  await other.page.getByLabel("E-mail").fill("Grace@Example.org");
  await other.page.getByLabel("Password").fill(password);
  await other.page.getByRole("button", { name: "Sign in" }).click();
  await other.page.waitForURL("**/password");
  await other.page.getByLabel("Current password").fill(password);
  await other.page.getByLabel("New password", { exact: true }).fill("nanoseconds of wire");
  await other.page.getByLabel("New password, again").fill("nanoseconds of wire");
  await other.page.getByRole("button", { name: "Set password" }).click();
  await other.page.waitForURL("**/dashboard");

  await page.getByRole("link", { name: "Go to the user" }).click();
  assert.equal(await page.locator("h1").innerText(), "Grace <b>Hopper</b>");
  await page.getByRole("link", { name: "Disable" }).click();
  await page.getByLabel("Reason").fill("left the company");
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByText("The user may not sign in any more.").waitFor();
  await other.page.goto("/messages");
  await other.page.waitForURL("**/login?next=%2Fmessages");
  await other.close();
  await page.goto("/audit?target=user%2Fgrace%40example.org");
  assert.match(await page.locator("main").innerText(), /user\.disable/);
  await window.close();
});

test("a certificate is issued with a new key, and revoked with its name typed", async () => {
  const window = await openWindow({ expected: [/status of 422/] });
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/certificates/new?client=globex");
  await page.getByLabel("New key, as PEM texts, shown once").check();
  await page.getByRole("button", { name: "Issue" }).click();
  assert.match(await page.locator("#key").innerText(), /BEGIN PRIVATE KEY/);
  const serial = await page.locator("#serial").innerText();
  await page.goto(`/certificates/${serial}`);
  await page.getByRole("link", { name: "Revoke" }).click();
  await page.getByLabel("Reason").selectOption("key-compromise");
  await page.getByLabel(/Type the name/).fill("something else");
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.locator("#confirm-fault").waitFor();
  assert.equal(await page.getByLabel("Reason").inputValue(), "key-compromise", "the rest is kept");
  await page.getByLabel(/Type the name/).fill("globex");
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("The certificate is revoked.").waitFor();
  assert.match(await page.locator("main").innerText(), /Revoked/);
  await page.goto("/certificates?state=revoked");
  assert.match(await page.locator("main").innerText(), new RegExp(serial));
  await window.close();
});

test("a PKCS#12 file is downloaded", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/certificates/new?client=globex");
  await page.getByLabel("New key, as a PKCS#12 file with a password").check();
  await page.getByLabel("Password of the PKCS#12 file").fill("only for this test");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Issue" }).click();
  assert.equal((await download).suggestedFilename(), "globex.p12");
  await window.close();
});

test("a client is registered, suspended and resumed", async () => {
  const window = await openWindow({ expected: [/status of 422/] });
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/new-client");
  await page.getByLabel("Client id").fill("Not Valid!");
  await page.getByLabel("Domain").fill("localhost");
  await page.getByRole("button", { name: "Register" }).click();
  await page.locator(".fault").first().waitFor();
  assert.equal(await page.getByLabel("Domain").inputValue(), "localhost");
  await page.getByLabel("Client id").fill("initech");
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByText("The client is registered.").waitFor();
  await page.getByRole("link", { name: "Suspend" }).click();
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByText("The client may not send any more.").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("The client may send again.").waitFor();
  await window.close();
});

test("a client's limits are set and given back to the edges", async () => {
  const window = await openWindow({ expected: [/status of 422/] });
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/clients/globex");
  await page.getByRole("link", { name: "Change the limits" }).click();
  await page.getByLabel("Its own, as below").check();
  await page.getByLabel("Messages a second").fill("many");
  await page.getByLabel("Messages a day").fill("250000");
  await page.getByRole("button", { name: "Set limits" }).click();
  await page.locator("#messages_per_second-fault").waitFor();
  assert.equal(await page.getByLabel("Messages a day").inputValue(), "250000", "the rest is kept");
  await page.getByLabel("Messages a second").fill("500");
  await page.getByRole("button", { name: "Set limits" }).click();
  await page.getByText("The limits are changed.").waitFor();
  assert.match(await page.locator("main").innerText(), /500 messages a second, 250,000 messages a day/);
  await page.getByRole("link", { name: "Change the limits" }).click();
  assert.equal(await page.getByLabel("Messages a second").inputValue(), "500");
  await page.getByLabel("As each edge is set").check();
  await page.getByRole("button", { name: "Set limits" }).click();
  assert.match(await page.locator("main").innerText(), /as each edge is set/);
  await window.close();
});

test("dead letters are brought back after a look at how many they are", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.admin);
  await page.goto("/queue");
  await page.getByRole("link", { name: `Bring back ${world.examples.redrivable}` }).click();
  assert.match(await page.locator("main").innerText(), /with the reason/);
  await page.getByRole("button", { name: "Bring back" }).click();
  assert.match(await page.locator("main").innerText(), /are queued again/);
  await window.close();
});

test("an administrator reads every client's messages", async () => {
  const window = await openWindow();
  const { page } = window;
  await signIn(page, world.people.admin);
  const id = await send("globex", { sender_number: "+14155550009", message_body: "for admins, too" });
  await page.goto("/messages?client=globex");
  await page.locator(`a[href^="/messages/${id}"]`).waitFor();
  await page.goto(`/messages/${id}`);
  assert.equal(await page.locator(".body-text").innerText(), "for admins, too");
  await window.close();
});
