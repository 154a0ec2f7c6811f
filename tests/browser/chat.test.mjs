/* The pages in real Chromium: two windows and more, each on a shard of its own. */
import assert from "node:assert/strict";
import { test, before, after } from "node:test";
import { Browser } from "./kit/browser.mjs";
import { Kennel, until } from "./kit/kennel.mjs";

let k, b;

before(async () => {
	k = await Kennel.start("--shards", "3", "--limit", "1");
	b = await Browser.start();
});

after(async () => {
	await b?.stop();
	await k.stop();
	assert.deepEqual(b.faults, []);
});

/* A window in the room, as this user. */
async function enter(room, name, options = {}) {
	const page = await b.page(options);
	page.on("dialog", (d) => d.type() === "prompt" ? d.accept(name) : b.faults.push(d.message()));
	await page.goto(k.url(`/lobby/${room}`));
	if (options.wait !== false)
		await page.locator("#state.up").waitFor();
	return page;
}

const figure = (name) => `figure[data-user=${JSON.stringify(name)}]`;

async function say(page, text) {
	await page.locator("#say input").fill(text);
	await page.locator("#say input").press("Enter");
}

/* Waits until a message line contains this text. */
function line(page, text) {
	return page.locator("#messages p", { hasText: text }).first().waitFor();
}

async function online(page, name) {
	await page.locator(`${figure(name)}.online`).waitFor();
}

async function count(page, text) {
	return page.locator("#messages p", { hasText: text }).count();
}

test("48: two windows join, list, show and send, on two shards", async () => {
	const a = await enter("two", "ann"), b = await enter("two", "bob");
	for (const page of [a, b])
		for (const name of ["ann", "bob"])
			await online(page, name);
	await line(a, "bob has joined");
	await line(a, "bob has connected");
	assert.equal(await a.locator(".self").count(), 1);
	assert.equal(await a.locator(".self").getAttribute("data-user"), "ann");

	/* The cluster at work: each sees who is served by which shard. */
	const shards = await Promise.all(["ann", "bob"].map((name) =>
		a.locator(`${figure(name)} small`).textContent()));
	assert.match(shards[0], /^shard \d+$/);
	assert.match(shards[1], /^shard \d+$/);
	assert.notEqual(shards[0], shards[1]);

	await say(a, "hello bob");
	await line(a, "hello bob");
	await line(b, "hello bob");
	await say(b, "/w ann psst");
	await line(a, "bob ↦ ann");
	await line(b, "bob ↦ ann");
	await say(a, "/g only me");
	await line(a, "only me");
	await say(a, "after that");
	await line(b, "after that");
	assert.equal(await count(b, "only me"), 0);
	assert.equal(await a.locator("#messages b", { hasText: "ann" }).count() > 0, true);
	assert.notEqual(
		await a.locator("#messages p.whisper").first().evaluate((e) => getComputedStyle(e).color),
		await a.locator("#messages p:not([class])," +
			"#messages p[class='']").first().evaluate((e) => getComputedStyle(e).color));
	await a.close();
	await b.close();
});

test("49: the page shows who left", async () => {
	const a = await enter("left", "ann"), b = await enter("left", "bob");
	await online(a, "bob");
	await b.close();
	await line(a, "bob has left");
	await a.locator(`${figure("bob")}:not(.online)`).waitFor();
	const c = await enter("left", "bob");
	await online(a, "bob");
	await c.close();
	await a.close();
});

test("50: markup in names and texts is shown, not run", async () => {
	const evil = "<img/src=x/onerror=alert(1)>";
	const a = await enter("markup", evil), b = await enter("markup", "bob");
	await online(b, evil);
	await say(a, "<script>alert(2)</script><b>bold</b>");
	await line(b, "<script>alert(2)</script><b>bold</b>");
	await say(a, "/w bob <i>x</i>");
	await line(b, "<i>x</i>");
	assert.equal(await b.locator("img, script:not([src]), #messages b b, i").count(), 0);
	await b.close();
	await a.close();
});

test("48: names with &, #, %, spaces and more arrive whole", async () => {
	for (const name of ["a&b#c%d", "100%", "名前🐕", "a+b=c?"]) {
		const a = await enter("names", name), b = await enter("names", "bob");
		await online(b, name);
		await online(a, name);
		await say(b, `/w ${name} hi`);
		await line(a, `bob ↦ ${name}`);
		await a.close();
		await b.close();
	}
	const c = await enter("names", "two  words");
	await online(c, "two-words");
	await c.close();
	const d = await enter("names", "");
	await online(d, "anon");
	await d.close();
});

test("white space alone is not sent, and the field is emptied", async () => {
	const a = await enter("field", "ann");
	await say(a, "   ");
	await say(a, "real");
	await line(a, "real");
	assert.equal(await a.locator("#say input").inputValue(), "");
	assert.equal(await count(a, "ann:"), 1);
	await a.close();
});

test("a killed shard: its window comes back by itself, the other goes on", async () => {
	const a = await enter("crash", "ann"), b = await enter("crash", "bob");
	await online(a, "bob");
	await online(b, "ann");
	const slot = Number(/\d+/.exec(await a.locator(`${figure("ann")} small`).textContent())[0]);
	k.killShard(k.shards().find((s) => s.slot === slot).pid);
	/* On loss everybody is shown as left; then it is back. */
	await a.locator("#state.down").waitFor();
	await say(b, "still here");
	await line(b, "still here");
	await a.locator("#state.up").waitFor();
	await online(a, "bob");
	await online(b, "ann");
	await say(a, "I am back");
	await line(b, "I am back");
	await a.close();
	await b.close();
});

test("a phone: nothing sticks out, and it works", async () => {
	const a = await enter("phone", "ann", { size: { width: 360, height: 640 } });
	await say(a, "x".repeat(500));
	await line(a, "xxx");
	const wide = await a.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(wide <= 360, `${wide} pixels wide`);
	assert.ok(await a.locator("#say input").isVisible());
	const size = await a.locator("#say input").evaluate((e) => parseFloat(getComputedStyle(e).fontSize));
	assert.ok(size >= 16, "no zooming in when the field is tapped");
	await a.close();
});

test("the front page says what is running and links to everything", async () => {
	const page = await b.page();
	await page.goto(k.url("/"));
	await page.locator("#links a").first().waitFor();
	const links = await page.locator("#links a").evaluateAll((as) => as.map((a) => a.getAttribute("href")));
	assert.ok(links.includes("/lobby/kennel") && links.includes("/echo"));
	for (const link of links)
		assert.equal((await page.request.get(k.url(link))).status(), 200, link);
	await page.locator("#facts", { hasText: /shard/i }).waitFor();
	await page.close();
});

test("the cluster is empty again", async () => {
	await until(() => k.status().places === 0, "no places");
});
