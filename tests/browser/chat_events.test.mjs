/* The chat room in Chromium without WebSocket: EventSource and POST. */
import assert from "node:assert/strict";
import { test, before, after } from "node:test";
import { Browser } from "./kit/browser.mjs";
import { Kennel, until } from "./kit/kennel.mjs";

let k, b;

before(async () => {
	k = await Kennel.startUncovered("--shards", "3", "--limit", "1");
	b = await Browser.start();
});

after(async () => {
	await b?.stop();
	await k.stop();
	assert.deepEqual(b.faults, []);
});

/* A window in the room; without: "none", there is no WebSocket; "shut", none opens. */
async function enter(room, name, without = "", options = {}) {
	const page = await b.page(options);
	page.sockets = 0;
	page.on("websocket", () => page.sockets++);
	if (without === "none")
		await page.addInitScript(() => { delete window.WebSocket; });
	if (without === "shut")
		await page.addInitScript(() => {
			window.WebSocket = class {
				constructor() {
					setTimeout(() => this.onclose?.(), 10);
				}
				close() {}
			};
		});
	await page.goto(k.url(`/lobby/${room}?u=${name}`));
	await page.locator("#state.up").waitFor();
	return page;
}

const figure = (name) => `figure[data-user=${JSON.stringify(name)}]`;
const online = (page, name) => page.locator(`${figure(name)}.online`).waitFor();
const line = (page, text) => page.locator("#messages p", { hasText: text }).first().waitFor();

async function say(page, text) {
	await page.locator("#say input").fill(text);
	await page.locator("#say input").press("Enter");
}

async function texts(page) {
	return page.locator("#messages p:not(.note)").allTextContents();
}

test("three windows, one with WebSocket, hear and see each other", async () => {
	const ann = await enter("mixed", "ann", "none"), bob = await enter("mixed", "bob"),
		eve = await enter("mixed", "eve", "none");
	for (const page of [ann, bob, eve])
		for (const name of ["ann", "bob", "eve"])
			await online(page, name);
	assert.deepEqual([ann.sockets, bob.sockets, eve.sockets], [0, 1, 0]);
	const shards = await Promise.all(["ann", "bob", "eve"].map((name) =>
		bob.locator(`${figure(name)} small`).textContent()));
	assert.equal(new Set(shards).size, 3, "each on a shard of its own");

	for (let i = 0; i < 5; i++) {
		await say(ann, `ann says ${i}`);
		for (const page of [ann, bob, eve])
			await line(page, `ann says ${i}`);
	}
	await say(bob, "several\u2028lines, \"quotes\" and 🐕");
	for (const page of [ann, eve])
		await line(page, "\"quotes\" and 🐕");
	await say(eve, "/w ann psst");
	await line(ann, "eve ↦ ann");
	await line(eve, "eve ↦ ann");
	await say(ann, "/g only here");
	await line(ann, "only here");
	await say(ann, "the end");
	for (const page of [ann, bob, eve])
		await line(page, "the end");
	assert.equal((await texts(bob)).some((t) => t.includes("psst")), false);
	assert.equal((await texts(ann)).filter((t) => t.includes("the end")).length, 1);

	await eve.close();
	for (const page of [ann, bob])
		await line(page, "eve has left");
	await bob.close();
	await line(ann, "have left");
	await ann.close();
});

test("a page whose WebSockets do not open takes the other way", async () => {
	const ann = await enter("shut", "ann", "shut"), bob = await enter("shut", "bob");
	await online(bob, "ann");
	await say(ann, "around it");
	await line(bob, "around it");
	await ann.close();
	await bob.close();
});

test("it comes back when its shard has died", async () => {
	const ann = await enter("back", "ann", "none", { console: false }), bob = await enter("back", "bob", "", { console: false });
	await online(ann, "bob");
	const shard = await bob.locator(`${figure("ann")} small`).getAttribute("title");
	const { pid } = k.shards().find((s) => s.address === shard);
	const down = ann.locator("#state:not(.up)").waitFor();	/* for a moment only */
	await ann.evaluate(() => 0);
	k.killShard(pid);
	await down;
	await ann.locator("#state.up").waitFor();
	await online(bob, "ann");
	await say(ann, "here again");
	await line(bob, "here again");
	await ann.close();
	await bob.close();
});

test("the cluster is empty again", async () => {
	await until(() => k.status().places === 0, "no places");
});
