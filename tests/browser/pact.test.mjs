/* Pact's demo pages in real Chromium. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test, before, after } from "node:test";
import { Browser } from "./kit/browser.mjs";
import { Kennel, NODES, until } from "./kit/kennel.mjs";

/* What is the page's own, or of one gateway, whatever else there is. */
const one = NODES > 1 ? () => {} : test;

let k, b;

before(async () => {
	/* Three in a room are on three shards. */
	k = await Kennel.startUncovered("--shards", "3", "--limit", "1");
	b = await Browser.start();
});

after(async () => {
	await b?.stop();
	await k.stop();
	assert.deepEqual(b.faults, []);
});

/* A window on one of the pages, connected. */
async function open(path, options = {}) {
	const page = await b.page(options);
	await page.goto(options.base ? options.base + path : k.url(path));
	await page.locator("#state.up").waitFor();
	return page;
}

async function close(...pages) {
	for (const page of pages)
		await page.close();
}

async function chat(room, name, options) {
	const page = await open(`/chat?room=${encodeURIComponent(room)}`, options);
	await page.getByLabel("Your name").fill(name);
	await page.getByRole("button", { name: "Join" }).click();
	await page.getByLabel("Message", { exact: true }).waitFor();
	return page;
}

async function say(page, text) {
	await page.getByLabel("Message", { exact: true }).fill(text);
	await page.keyboard.press("Enter");
}

/* Waits for a message line that is exactly this. */
async function line(page, text) {
	await until(async () => (await lines(page)).includes(text), text);
}

function lines(page) {
	return page.locator("#messages p").allTextContents();
}

/* Waits until the bars say so: counts of Green, Red, Purple, Orange. */
async function counts(page, ...want) {
	let got;
	await until(async () => {
		got = await page.locator(".choice output").allTextContents();
		return got.join() === want.join();
	}, `counts ${want}`).catch((e) => { throw new Error(`${e.message}, but ${got}`); });
	const widths = await page.locator(".bar").evaluateAll((bars) => bars.map((e) => parseFloat(e.style.width) || 0));
	const all = want.reduce((sum, n) => sum + n, 0);
	want.forEach((n, i) => assert.ok(Math.abs(widths[i] - (all && n * 100 / all)) < .1, `bars ${widths}`));
}

function vote(page, choice) {
	return page.locator(`[data-value=${choice}]`).click();
}

async function total(page, text) {
	await page.locator("#total", { hasText: text }).waitFor();
}

/* Nothing sticks out of a page at this width. */
async function fits(page, width = 360) {
	const wide = await page.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(wide <= width, `${page.url()}: ${wide} pixels wide`);
}

one("the index says what it is, links to the four, and counts", async () => {
	const page = await open("/pact?room=index%20%22%3C%2Fscript%3E"), other = await open("/pact?room=index%20%22%3C%2Fscript%3E");
	const links = await page.locator(".cards a").evaluateAll((as) => as.map((a) => a.getAttribute("href") && a.href));
	assert.deepEqual(links.map((href) => new URL(href).pathname), ["/chat", "/poll", "/ephemeral", "/livemap"]);
	for (const href of links) {
		assert.equal(new URL(href).searchParams.get("room"), 'index "</script>');
		assert.equal((await page.request.get(href)).status(), 200, href);
	}
	await page.getByRole("button", { name: "Like" }).click();
	await other.locator("#likes", { hasText: /^1$/ }).waitFor();
	await close(page, other);
});

test("the example of the index works as it stands", async () => {
	const index = await open("/pact?room=example");
	const example = await index.locator("#example").textContent();
	assert.ok(example.trim().split("\n").length <= 15);
	const own = await b.page();
	await own.setContent(example);
	await until(async () => {
		await own.locator("#like").click().catch(() => {});
		return Number(await own.locator("#likes").textContent()) > 0;
	}, "the example counts");
	await until(async () => Number(await index.locator("#likes").textContent()) > 0, "the index hears of it");
	await close(own, index);
});

test("chat: two people, names and suffixes, nothing twice", async () => {
	const ann = await chat("two", "Ann"), bob = await chat("two", "Bob");
	await line(ann, "You are Ann#1");
	await line(bob, "You are Bob#2");
	await say(ann, "hello");
	await line(bob, "Ann#1: hello");
	await line(ann, "Ann#1: hello");
	await say(bob, "hi");
	await line(ann, "Bob#2: hi");
	await say(ann, "   ");
	await say(ann, "once more");
	await line(bob, "Ann#1: once more");
	assert.deepEqual(await lines(bob), ["You are Bob#2", "Ann#1: hello", "Bob#2: hi", "Ann#1: once more"]);
	await close(ann, bob);
});

test("chat: a reload keeps name, number and session; another window is somebody else", async () => {
	const ann = await chat("reload", "Ann"), bob = await chat("reload", "Bob");
	const session = await ann.evaluate(() => sessionStorage.getItem("pact:session:reload"));
	await ann.reload();
	await line(ann, "You are Ann#1");
	assert.equal(await ann.evaluate(() => pact.profile.id), session);
	assert.notEqual(await bob.evaluate(() => pact.profile.id), session);
	await say(bob, "still you?");
	await line(ann, "Bob#2: still you?");
	await close(ann, bob);
});

one("chat: a new name", async () => {
	const ann = await chat("rename", "Ann"), bob = await chat("rename", "Bob");
	await ann.locator("#rename").click();
	await ann.getByLabel("Your name").fill("Anna");
	await ann.keyboard.press("Enter");
	await line(ann, "You are now Anna#1");
	await say(ann, "better");
	await line(bob, "Anna#1: better");
	await close(ann, bob);
});

one("chat: markup is shown, not run; a name or message of any JSON is shown", async () => {
	const evil = "<img src=x onerror=alert(1)>";
	const ann = await chat("<b>markup</b>", evil), bob = await chat("<b>markup</b>", "Bob");
	await say(ann, "<script>alert(2)</script><i>x</i>");
	await line(bob, `${evil}#1: <script>alert(2)</script><i>x</i>`);
	assert.equal(await bob.locator("img, i, #messages b b, h1 b").count(), 0);
	await ann.evaluate(() => { pact.send("login", { name: ["A", 1] }); pact.send("chat", { a: [1, null] }); pact.send("chat"); });
	await line(bob, '["A",1]#1: {"a":[1,null]}');
	await line(bob, '["A",1]#1: ');
	await close(ann, bob);
});

test("poll: bars and counts move in both windows, a vote can be changed and stays", async () => {
	const a = await open("/poll?room=bars"), c = await open("/poll?room=bars");
	await vote(a, "Green");
	for (const page of [a, c])
		await counts(page, 1, 0, 0, 0);
	await vote(c, "Purple");
	for (const page of [a, c])
		await counts(page, 1, 0, 1, 0);
	await vote(a, "Purple");
	for (const page of [a, c])
		await counts(page, 0, 0, 2, 0);
	await total(c, "2 votes");
	assert.equal(await a.locator("[aria-pressed=true]").getAttribute("data-value"), "Purple");
	await c.locator("#said", { hasText: "Green 0, Red 0, Purple 2, Orange 0" }).waitFor({ state: "attached" });
	await c.close();
	await a.reload();
	await counts(a, 0, 0, 2, 0);
	assert.equal(await a.locator("[aria-pressed=true]").getAttribute("data-value"), "Purple");
	await vote(a, "Orange");
	await counts(a, 0, 0, 1, 1);
	await a.close();
});

test("poll: what others vote beside the four is counted, too", async () => {
	const a = await open("/poll?room=beside"), c = await open("/poll?room=beside");
	await c.evaluate(() => pact.send("poll", { id: "fav_color", answer: "__proto__" }));
	await total(a, "1 vote, 1 for something else");
	await counts(a, 0, 0, 0, 0);
	await close(a, c);
});

one("what the server refuses is said", async () => {
	const a = await open("/poll?room=refused");
	await a.evaluate(() => pact.send("poll", { id: "x".repeat(1000), answer: "A" }));
	await a.locator("#state.down", { hasText: /too|long|most/ }).waitFor();
	await vote(a, "Green");
	await counts(a, 1, 0, 0, 0);
	await a.close();
});

one("poll: by keyboard alone", async () => {
	const a = await open("/poll?room=keys");
	await a.locator("[data-value=Green]").focus();
	await a.keyboard.press("Tab");
	await a.keyboard.press("Enter");
	await counts(a, 0, 1, 0, 0);
	await a.close();
});

test("ephemeral: who closes the window takes the vote along", async () => {
	const a = await open("/ephemeral?room=gone"), c = await open("/ephemeral?room=gone");
	await vote(a, "Red");
	await vote(c, "Orange");
	for (const page of [a, c])
		await counts(page, 0, 1, 0, 1);
	await c.close();
	await counts(a, 0, 1, 0, 0);
	/* The poll that stays has nothing to do with it. */
	const poll = await open("/poll?room=gone");
	await counts(poll, 0, 0, 0, 0);
	await a.close();
	const late = await open("/ephemeral?room=gone");
	await counts(late, 0, 0, 0, 0);
	await close(poll, late);
});

const pins = (page) => page.locator(".pin").evaluateAll((all) =>
	all.map((e) => `${e.dataset.answer}: ${e.dataset.count}`).sort());

async function pinned(page, ...want) {
	let got;
	await until(async () => {
		got = await pins(page);
		return got.join(" ") === want.sort().join(" ");
	}, `pins ${want}`).catch((e) => { throw new Error(`${e.message}, but ${got}`); });
}

test("live map: a click is a pin in all windows, and goes with its window", async () => {
	const a = await open("/livemap?room=map"), c = await open("/livemap?room=map");
	const box = await a.locator("#map").boundingBox();
	/* Paris. */
	await a.mouse.click(box.x + box.width * (180 + 2.3) / 360, box.y + box.height * (90 - 48.9) / 180);
	await total(c, "1 person in 1 place");
	const [first] = await pins(a);
	const [latitude, longitude] = first.split(/[,:]/).map(Number);
	assert.ok(Math.abs(latitude - 48.9) < .5 && Math.abs(longitude - 2.3) < .5, first);
	/* The pin is where the click was. */
	const pin = await a.locator(".pin.self").boundingBox();
	assert.ok(Math.abs(pin.x + pin.width / 2 - box.x - box.width * 182.3 / 360) < 3);
	assert.ok(Math.abs(pin.y + pin.height / 2 - box.y - box.height * 41.1 / 180) < 3);

	await c.getByLabel("Latitude").fill("-33.9");
	await c.getByLabel("Longitude").fill("151.2");
	await c.getByRole("button", { name: "I am here" }).click();
	await total(a, "2 people in 2 places");
	await pinned(a, first, "-33.9,151.2: 1");
	await a.close();
	await pinned(c, "-33.9,151.2: 1");
	await total(c, "1 person in 1 place");
	/* A reload knows the place. */
	await c.reload();
	await pinned(c, "-33.9,151.2: 1");
	await c.close();
});

test("live map: a pin grows with its people; what is no place is none", async () => {
	const a = await open("/livemap?room=grow&poll=other"), more = [];
	const radius = () => a.locator(".pin circle").nth(1).evaluate((e) => Number(e.getAttribute("r")));
	const here = (page) => page.evaluate(() => say(10, 20));
	await here(a);
	await pinned(a, "10,20: 1");
	const one = await radius();
	for (let i = 0; i < 3; i++) {
		more.push(await open("/livemap?room=grow&poll=other"));
		await here(more[i]);
	}
	await pinned(a, "10,20: 4");
	await total(a, "4 people in 1 place");
	assert.ok(Math.abs(await radius() - 2 * one) < .01);
	await more[0].evaluate(() => pact.send("ephemeralPoll", { id: "other", answer: "91,0" }));
	await total(a, "3 people in 1 place");
	await more[1].evaluate(() => pact.send("ephemeralPoll", { id: "other", answer: "<b>,1" }));
	await total(a, "2 people in 1 place");
	await close(a, ...more);
});

/* A proxy on a port of its own that says where each client is. */
function geographer(fields) {
	const sockets = new Set(), server = createServer((client) => {
		const up = connect(k2.port, "127.0.0.1");
		for (const s of [client, up]) {
			sockets.add(s);
			s.on("error", () => {}).on("close", () => { client.destroy(); up.destroy(); sockets.delete(s); });
		}
		client.once("data", (head) => {
			up.write(head.toString("latin1").replace("\r\n", `\r\n${fields.join("\r\n")}\r\n`), "latin1");
			client.pipe(up);
		});
		up.pipe(client);
	});
	return new Promise((done) => server.listen(0, "127.0.0.1", () => done({
		url: `http://127.0.0.1:${server.address().port}`,
		stop: () => { for (const s of sockets) s.destroy(); return new Promise((r) => server.close(r)); },
	})));
}
let k2;

one("live map: where the proxy says one is", async () => {
	k2 = await Kennel.each(() => "[worker]\ntrusted_proxies = 127.0.0.0/8\n");
	const berlin = await geographer(["CF-IPLatitude: 52.52", "CF-IPLongitude: 13.405", "CF-IPCity: Berlin"]);
	const quito = await geographer(["CF-IPLatitude: -0.22", "CF-IPLongitude: -78.5"]);
	try {
		const a = await open("/livemap", { base: berlin.url }), c = await open("/livemap", { base: quito.url });
		for (const page of [a, c]) {
			await pinned(page, "52.52,13.405: 1", "-0.22,-78.5: 1");
			await total(page, "2 people in 2 places");
			assert.ok(await page.locator("#where").isHidden());
		}
		await close(a, c);
	} finally {
		await berlin.stop();
		await quito.stop();
		await k2.stop();
	}
});

test("all shards killed: the pages come back, and are who they were", async () => {
	const options = { console: false };
	const ann = await chat("crash", "Ann", options), bob = await chat("crash", "Bob", options);
	const one = await open("/ephemeral?room=crash", options), two = await open("/poll?room=crash", options);
	await vote(one, "Red");
	await vote(two, "Green");
	await counts(one, 0, 1, 0, 0);
	await counts(two, 1, 0, 0, 0);
	const pids = k.shards().map((s) => s.pid);
	for (const pid of pids)
		k.killShard(pid);
	const back = (page) => until(() => page.evaluate(() => pact.state === "up"), "connected again", 30000);
	await until(() => k.shards().length === pids.length && k.shards().every((s) => !pids.includes(s.pid)), "new shards", 30000);
	for (const page of [ann, bob, one, two])
		await back(page);
	await until(async () => {
		await say(ann, "back again");
		return (await lines(bob)).includes("Ann#1: back again");
	}, "chat goes on");
	/* The vote that had gone is given again; the other one was kept. */
	await counts(one, 0, 1, 0, 0);
	await counts(two, 1, 0, 0, 0);
	await vote(two, "Red");
	await counts(two, 0, 1, 0, 0);
	await close(ann, bob, one, two);
});

one("a phone: nothing sticks out, fields are large enough, all of it works", async () => {
	const size = { width: 360, height: 640 };
	const index = await open("/pact?room=phone", { size });
	await fits(index);
	const ann = await chat("phone", "A".repeat(60), { size });
	await say(ann, "x".repeat(500));
	await ann.locator("#messages p", { hasText: "xxx" }).waitFor();
	await fits(ann);
	const font = await ann.locator("#text").evaluate((e) => parseFloat(getComputedStyle(e).fontSize));
	assert.ok(font >= 16, "no zooming in when the field is tapped");
	assert.ok(await ann.getByRole("button", { name: "Send" }).isVisible());
	for (const path of ["/poll", "/ephemeral"]) {
		const page = await open(`${path}?room=phone`, { size });
		await vote(page, "Purple");
		await counts(page, 0, 0, 1, 0);
		await fits(page);
		await page.close();
	}
	const map = await open("/livemap?room=phone", { size });
	await map.locator("#map").click({ position: { x: 100, y: 100 } });
	await total(map, "1 person in 1 place");
	await fits(map);
	await close(index, ann, map);
});

one("by any name of the host, and from no other", async () => {
	const local = k.url("").replace("127.0.0.1", "localhost").replace(/\/$/, "");
	b.hosts.clear();
	const ann = await chat("host", "Ann"), bob = await chat("host", "Bob", { base: local });
	assert.deepEqual([...b.hosts].sort(), [`127.0.0.1:${k.port}`, `localhost:${k.port}`]);
	await say(ann, "who are you?");
	await line(bob, "Ann#1: who are you?");
	await say(bob, "localhost");
	await line(ann, "Bob#2: localhost");
	await close(ann, bob);
	b.hosts.clear();
	for (const path of ["/pact", "/chat", "/poll", "/ephemeral", "/livemap"])
		await close(await open(`${path}?room=host`, { base: local }));
	assert.deepEqual([...b.hosts], [`localhost:${k.port}`]);
});

one("exact paths, a slash too many leads there, and nothing but reading", async () => {
	for (const path of ["/pact", "/chat", "/poll", "/ephemeral", "/livemap"]) {
		const answer = await fetch(k.url(path));
		assert.equal(answer.status, 200, path);
		assert.match(answer.headers.get("content-type"), /^text\/html; ?charset=utf-8$/);
		assert.equal((await fetch(k.url(path), { method: "HEAD" })).status, 200);
		assert.equal((await fetch(k.url(path), { method: "POST", body: "x" })).status, 405);
		const slash = await fetch(k.url(`${path}/`), { redirect: "manual" });
		assert.equal(slash.status, 308);
		assert.equal(new URL(slash.headers.get("location"), k.url(`${path}/`)).pathname, path);
		assert.equal((await fetch(k.url(`${path}/x`))).status, 404);
	}
});

test("the cluster is empty again", async () => {
	await until(() => k.status().places === 0, "no places");
});
