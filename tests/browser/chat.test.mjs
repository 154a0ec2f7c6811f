/* The pages in real Chromium: two windows and more, each on a shard of its own. */
import assert from "node:assert/strict";
import { test, before, after } from "node:test";
import { Browser } from "./kit/browser.mjs";
import { Kennel, NODES, until } from "./kit/kennel.mjs";

/* What is the page's own, or of one gateway, whatever else there is. */
const one = NODES > 1 ? () => {} : test;

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

/* A window in the room, as this user. */
async function enter(room, name, options = {}) {
	const page = await b.page(options);
	page.on("dialog", (d) => { b.faults.push(d.message()); d.dismiss(); });
	await page.goto(k.url(`/lobby/${room}?u=${encodeURIComponent(name)}`));
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
	await line(a, "bob has");
	assert.equal(await a.locator(".self").count(), 1);
	assert.equal(await a.locator(".self").getAttribute("data-user"), "ann");

	/* The cluster at work: each sees who is served by which shard. */
	const shards = await Promise.all(["ann", "bob"].map((name) =>
		a.locator(`${figure(name)} small`).textContent()));
	for (const shard of shards)
		assert.match(shard, NODES > 1 ? /^shard \d+ of n[01]$/ : /^shard \d+$/);
	assert.notEqual(shards[0], shards[1]);

	/* Whoever has a name can type at once. */
	assert.equal(await a.evaluate(() => document.activeElement.id), "text");

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
	await say(a, "something between");
	await line(b, "something between");
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
});

/* A window of somebody who was never here. */
async function stranger(options) {
	const page = await b.page(options);
	await page.addInitScript(() => {
		if (sessionStorage.getItem("forgot") === null)
			localStorage.clear();
		sessionStorage.setItem("forgot", "yes");
	});
	page.on("dialog", (d) => { b.faults.push(d.message()); d.dismiss(); });
	return page;
}

one("a stranger is asked for a name in the page, and is remembered", async () => {
	const page = await stranger();
	await page.goto(k.url("/lobby/asked"));
	await page.locator("#name:focus").waitFor();
	assert.equal(await page.locator("#say").isVisible(), false);
	assert.equal(await page.locator("#people").isVisible(), false);
	const hint = () => page.locator("#messages").evaluate((e) => [getComputedStyle(e, "::before").display, e.dataset.hint]);
	assert.match((await hint()).join(), /^block,Everybody who .* Say below who you are/);
	assert.equal(k.status().places, 0);
	await page.locator("#name").fill("  carl  gauss ");
	await page.locator("#name").press("Enter");
	await page.locator("#state.up").waitFor();
	await online(page, "carl-gauss");
	await page.locator("#text:focus").waitFor();
	assert.match((await hint()).join(), /^block,Nothing has been said/);
	await page.locator("#text").fill("I am here");
	await page.locator("#text").press("Enter");
	await until(async () => !(await hint())[0].includes("block"), "what is said stands in the place of the hint");
	await page.reload();
	await online(page, "carl-gauss");
	await page.close();
	const other = await b.page();
	await other.goto(k.url("/lobby/elsewhere"));
	await online(other, "carl-gauss");
	/* The address counts more, and is not remembered. */
	await other.goto(k.url("/lobby/elsewhere?u=zoe"));
	await online(other, "zoe");
	await other.goto(k.url("/lobby/elsewhere?u="));
	await online(other, "carl-gauss");
	await other.close();
});

one("who gives no name is anon", async () => {
	const page = await stranger();
	await page.goto(k.url("/lobby/anonymous"));
	await page.locator("#who button").first().click();
	await online(page, "anon");
	await page.close();
});

test("a name is changed without loading the page again", async () => {
	const a = await enter("rename", "ann"), c = await enter("rename", "bob");
	await online(c, "ann");
	await a.locator("#rename").click();
	await a.locator("#keep").click();
	assert.equal(await a.locator("#say").isVisible(), true);
	await a.locator("#rename").click();
	assert.equal(await a.locator("#name").inputValue(), "ann");
	await a.locator("#name").fill("anna");
	await a.locator("#name").press("Enter");
	await online(c, "anna");
	await c.locator(`${figure("ann")}:not(.online)`).waitFor();
	await a.locator(`${figure("anna")}.online.self`).waitFor();
	assert.equal(await a.locator(".self").count(), 1);
	await say(a, "it is me");
	await line(c, "anna: it is me");
	await a.reload();			/* ?u=ann is gone from the address */
	await online(a, "anna");
	await a.close();
	await c.close();
});

one("a mistyped command is not sent to everybody", async () => {
	const a = await enter("typo", "ann"), c = await enter("typo", "bob");
	await online(a, "bob");
	const hints = a.locator("#messages p.hint");
	let n = 0;
	for (const [text, want] of [["/whisper bob secret", "no /whisper"], ["/W bob secret", "no /W"],
		["/", "/w NAME text"], ["/w bob", "/w NAME text"], ["/msg", "/msg NAME text"],
		["/g", "/g needs a text"], ["  /all ", "/all needs a text"], ["/gnome secret", "no /gnome"],
		["/constructor secret", "no /constructor"], ["/w nobody secret", "nobody here is called nobody"]]) {
		await say(a, text);
		await hints.nth(n++).waitFor();
		assert.match(await hints.last().textContent(), new RegExp(want.replace(/\//g, "\\/")), text);
		assert.equal(await a.locator("#say input").inputValue(), text, "is there to be mended");
	}
	await say(a, "/help");
	await hints.nth(n++).waitFor();
	assert.equal(await a.locator("#say input").inputValue(), "");
	/* What is a command works, with white space of any kind, and to oneself. */
	await say(a, "/w  bob   psst");
	await line(c, "ann ↦ bob: psst");
	await say(a, "/msg ann note");
	await line(a, "ann ↦ ann: note");
	await say(a, "/a /etc/hosts is a file");
	await line(c, "/etc/hosts is a file");
	await say(a, "and/or");
	await line(c, "and/or");
	assert.equal(await count(c, "secret"), 0);
	assert.equal(await count(c, "/"), 2);
	await c.close();
	await a.locator(`${figure("bob")}:not(.online)`).waitFor();
	await say(a, "/w bob too late");
	await line(a, "nobody here is called bob");
	await a.close();
});

one("addresses are links, and nothing else is", async () => {
	const a = await enter("links", "ann"), c = await enter("links", "bob");
	await online(a, "bob");
	await say(a, 'see https://example.org/a_(b)?c=d&e#f, (http://example.com/x). Or HTTPS://EXAMPLE.NET! ' +
		'not javascript:alert(1) data:text/html,x ftp://example.org xhttp://example.org http:// ' +
		'https://<b>x</b> http://"onmouseover=alert(1) https://u:p@[bad');
	await line(c, "see https");
	const links = await c.locator("#messages a").evaluateAll((as) => as.map((x) =>
		[x.textContent, x.getAttribute("href"), x.rel, x.target, x.getAttributeNames().length]));
	assert.deepEqual(links, [
		["https://example.org/a_(b)?c=d&e#f", "https://example.org/a_(b)?c=d&e#f"],
		["http://example.com/x", "http://example.com/x"],
		["HTTPS://EXAMPLE.NET", "https://example.net/"],
	].map((l) => [...l, "noopener noreferrer", "_blank", 3]));
	assert.match(await c.locator("#messages p", { hasText: "see https" }).textContent(),
		/\(http:\/\/example\.com\/x\)\. Or HTTPS:\/\/EXAMPLE\.NET! not javascript:alert\(1\) .* https:\/\/<b>x<\/b> /);
	assert.equal(await c.locator("#messages p b b").count(), 0);
	await a.close();
	await c.close();
});

one("lines have the time of day; joins and leaves are gathered", async () => {
	const a = await enter("gather", "ann");
	await say(a, "alone");
	await line(a, "alone");
	const others = [];
	for (const name of ["bob", "carl", "dora"]) {
		others.push(await enter("gather", name));
		await online(a, name);
	}
	await line(a, "bob, carl and dora have joined");
	assert.equal(await a.locator("#messages p.note", { hasText: "bob" }).count(), 1);
	await others[1].close();
	await line(a, "bob and dora have joined; carl came and went");
	const again = await enter("gather", "bob");	/* another window: no news */
	await say(again, "hello");
	await line(a, "bob: hello");
	await again.close();
	await others[0].close();
	await line(a, "bob has left");
	assert.equal(await count(a, "bob has joined"), 0);
	const times = await a.locator("#messages p").evaluateAll((ps) => ps.map((p) =>
		[p.querySelectorAll("time").length, p.querySelector("time")?.textContent]));
	for (const [n, text] of times) {
		assert.equal(n, 1);
		assert.match(text, /\d{1,2}.\d\d/);
	}
	await a.close();
	await others[2].close();
});

test("what a client passes on is not taken for the server's word", async () => {
	const a = await enter("forged", "ann"), c = await enter("forged", "bob");
	await online(a, "bob");
	await c.evaluate(() => {
		for (const m of [{ type: "user:exit", from: "ann" }, { type: "user:msg", from: "ann", text: "forged" },
			{ type: "user:join", from: "ghost" }, { type: "user:list", list: ["ghost"] },
			{ type: "user:msg", from: "ann", text: "forged", uid: "ann" }])
			socket.send(JSON.stringify(m));
	});
	await say(c, "after that");
	await line(a, "after that");
	assert.equal(await count(a, "forged"), 0);
	assert.equal(await a.locator(figure("ghost")).count(), 0);
	await online(a, "ann");
	await a.close();
	await c.close();
});

one("there is a way back to the front page", async () => {
	const a = await enter("back", "ann");
	await a.locator("header a").click();
	await a.waitForURL(k.url("/"));
	await a.locator("#links a").first().waitFor();
	await a.close();
});

one("white space alone is not sent, and the field is emptied", async () => {
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
	const shard = await a.locator(`${figure("ann")} small`).getAttribute("title");
	await say(a, "before");
	await line(b, "before");
	const { pid } = k.shards().find((s) => s.address === shard);
	/* On loss everybody is shown as left; then it is back, soon: it is looked for before. */
	const down = a.locator("#state.down").waitFor();
	await a.evaluate(() => 0);
	k.killShard(pid);
	await down;
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

one("a shard dies while there is no gateway: its users do not stay in the list", async () => {
	const own = await Kennel.startUncovered("--shards", "2", "--limit", "1");
	try {
		const window = async (name) => {
			const page = await b.page({ console: false });
			await page.goto(own.url(`/lobby/both?u=${name}`));
			await page.locator("#state.up").waitFor();
			return page;
		};
		const a = await window("ann"), c = await window("bob");
		await online(c, "ann");
		const slot = Number(/\d+/.exec(await c.locator(`${figure("ann")} small`).textContent())[0]);
		const { pid } = own.shards().find((s) => s.slot === slot);
		own.process.kill("SIGKILL");
		await own.ended;
		own.killShard(pid);
		await a.close();
		await online(c, "ann");			/* nobody has said otherwise */
		await own.launch();
		await c.locator(`${figure("ann")}:not(.online)`).waitFor();
		assert.equal(await c.locator("#state.up").count(), 1);
		await c.close();
	} finally {
		await own.stop();
	}
});

one("a phone: nothing sticks out, and it works", async () => {
	const a = await enter("phone", "ann", { size: { width: 360, height: 640 } });
	await say(a, "x".repeat(500));
	await line(a, "xxx");
	const wide = await a.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(wide <= 360, `${wide} pixels wide`);
	assert.ok(await a.locator("#say input").isVisible());
	const field = await a.locator("#say").boundingBox(), log = await a.locator("#messages").boundingBox();
	assert.ok(Math.abs(field.y + field.height - 640) < 2 && log.height > 400, "the log fills the screen");
	/* The list is there when it is asked for, with names that can be read. */
	const long = await enter("phone", "somebody-with-a-name-that-is-longer-than-a-phone-is-wide-and-on");
	assert.equal(await a.locator("#users").isVisible(), false);
	await a.locator("#people", { hasText: "2 here" }).click();
	for (const name of ["ann", "somebody-with-a-name-that-is-longer-than-a-phone-is-wide-and-on"]) {
		const caption = a.locator(`${figure(name)}.online figcaption`);
		assert.ok(await caption.isVisible());
		assert.ok(await caption.evaluate((e) => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight + 1), name);
	}
	assert.ok(await a.evaluate(() => document.documentElement.scrollWidth) <= 360);
	assert.ok(await a.locator("#say input").isVisible());
	await a.locator("#people").click();
	assert.equal(await a.locator("#users").isVisible(), false);
	await long.close();
	const size = await a.locator("#say input").evaluate((e) => parseFloat(getComputedStyle(e).fontSize));
	assert.ok(size >= 16, "no zooming in when the field is tapped");
	await a.close();
});

one("the front page says what is running and links to everything", async () => {
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

one("what is not there is a page with a way to the front page", async () => {
	const page = await b.page({ size: { width: 360, height: 640 }, console: false });
	const r = await page.goto(k.url("/lobbby/<b>x</b>"));
	assert.equal(r.status(), 404);
	assert.equal(await page.locator("code").textContent(), new URL(page.url()).pathname);
	assert.equal(await page.locator("b").count(), 0);
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360);
	await page.locator("a").click();
	await page.locator("#links a").first().waitFor();
	await page.close();
});

test("the cluster is empty again", async () => {
	await until(() => k.status().places === 0, "no places");
});
