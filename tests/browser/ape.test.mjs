/*
 * api-ape in real Chromium: the bundle that npm has (4.1.1), unchanged, and the
 * client that Kennel serves.  Numbers are those of tests/checklists/api-ape.txt.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { connect } from "node:net";
import { test as run, before, after, afterEach } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser } from "./kit/browser.mjs";
import { Kennel, NODES, limit, until } from "./kit/kennel.mjs";

const BUNDLE = readFileSync(fileURLToPath(
	new URL("node_modules/api-ape/dist/ape.js", import.meta.url)), "utf8");

const test = (name, body) => run(name, { timeout: limit(90000) }, body);
/* What is the page's own, or waits for long. */
const one = NODES > 1 ? () => {} : test;

let k, b;

before(async () => {
	k = await Kennel.start("--shards", "4", "--limit", "2");
	b = await Browser.start();
});

after(async () => {
	await b?.stop();
	await k.stop();
	assert.deepEqual(b.faults, []);
});

/*
 * A server before Kennel that has the page itself, for Chromium lets only pages that it
 * knows to be local speak to what is local.  Its connections can be cut, and it can refuse
 * upgrades.
 */
async function front(client, early = "") {
	const p = { sockets: new Set(), upgrades: true };
	const html = `<!doctype html><script src="/api/ape.js"></script><script>
		window.states = []; window.pushes = []; window.typed = [];
		api.onConnectionChange((s) => states.push(s));
		${client === "original" ? "api.message((data) => 0)" : `
		api.on((m) => pushes.push(m));
		api.on("message", (m) => typed.push(m));`}
		${early}
	</script>`;
	p.server = http.createServer((q, r) => {
		if (q.url === "/blank.html") {
			r.setHeader("Content-Type", "text/html");
			r.end(html);
		} else if (q.url === "/api/ape.js" && client === "original") {
			r.setHeader("Content-Type", "application/javascript");
			r.end(BUNDLE);
		} else {
			const up = http.request({ port: k.port, host: "127.0.0.1", path: q.url,
				method: q.method, headers: q.headers }, (a) => {
				r.writeHead(a.statusCode, a.headers);
				r.flushHeaders();
				a.pipe(r);
			});
			up.on("error", () => r.destroy());
			r.on("close", () => up.destroy());
			q.pipe(up);
		}
	});
	p.server.on("connection", (s) => {
		p.sockets.add(s);
		s.on("close", () => p.sockets.delete(s));
		s.on("error", () => {});
	});
	p.server.on("upgrade", (q, client, head) => {
		if (!p.upgrades)
			return client.destroy();
		const server = connect(k.port, "127.0.0.1", () => {
			const fields = q.rawHeaders.reduce((t, v, i) => t + v + (i % 2 ? "\r\n" : ": "), "");
			server.write(`GET ${q.url} HTTP/1.1\r\n${fields}\r\n`);
			server.write(head);
			server.pipe(client), client.pipe(server);
		});
		server.on("error", () => client.destroy());
		server.on("close", () => client.destroy());
		client.on("close", () => server.destroy());
	});
	await new Promise((r) => p.server.listen(0, "127.0.0.1", r));
	p.base = `http://127.0.0.1:${p.server.address().port}`;
	p.cut = () => p.sockets.forEach((s) => s.destroy());
	return p;
}

const opened = new Set();	/* pages and fronts of the test that runs */

afterEach(async () => {
	for (const x of opened)
		await x.close();
	opened.clear();
});

/* A page with the client, which remembers its states and pushes. */
async function open(client, { early = "", upgrades = true } = {}) {
	const p = await front(client, early);
	p.upgrades = upgrades;
	const page = await b.page({ console: false });
	opened.add({ close: async () => {
		p.cut();
		await new Promise((r) => p.server.close(r));
	} });
	page.front = p;
	if (client === "original")
		/* Its api.on is broken in every browser: the proxy denies what was defined. */
		await page.addInitScript(() => {
			const define = Object.defineProperty;
			Object.defineProperty = (o, k, d) => {
				if (k === "on" && typeof o === "function" && d.value)
					window.on = d.value;
				return define(o, k, d);
			};
		});
	await page.goto(p.base + "/blank.html");
	if (client === "original")
		await page.evaluate(() => {
			on((m) => { if (m.type !== "__connected__") pushes.push(m); });
			on("message", (m) => typed.push(m));
		});
	await page.waitForFunction(() => states.at(-1) === "connected");
	return page;
}

const call = (page, f, arg) => page.evaluate(f, arg);

for (const client of ["original", "ours"]) {
	test(`${client}: connects, and says so in order`, async () => {
		/* 2, 46 */
		const page = await open(client);
		const states = await call(page, () => states);
		assert.deepEqual(states.filter((s, i) => s !== states[i - 1]).slice(-2),
			["connecting", "connected"]);
		assert.ok(["offline", "disconnected", "connecting"].includes(states[0]), states);
		assert.equal(await call(page, () => api.transport), "websocket");
	});

	test(`${client}: calls, before and after it is connected`, async () => {
		/* 47 */
		const page = await open(client, { early: "api.echo('early').then((v) => { window.early = v; })" });
		await page.waitForFunction(() => window.early === "early");
		assert.equal(await call(page, () => api.echo("é漢🦍\ud83e\udd8d")), "é漢🦍🦍");
		assert.deepEqual(await call(page, () => api.echo({ a: [1, { b: null }] })), { a: [1, { b: null }] });
		assert.ok(Array.isArray(await call(page, () => api.users.list())));
		assert.ok(Array.isArray(await call(page, () => api.users("/list", 1))));
		assert.equal(await call(page, () => api.fail("ouch").catch((e) => e)), "ouch");
		assert.match(await call(page, () => api.nope.there(1).catch((e) => e)), /"nope\/there" was not found/);
		const many = await call(page, () => Promise.all(Array.from({ length: 50 }, (_, i) => api.echo(i))));
		assert.deepEqual(many, Array.from({ length: 50 }, (_, i) => i));
	});

	test(`${client}: hears pushes by type and all of them, with dates`, async () => {
		/* 48 */
		/* The bundle of 4.1.1 makes {} of a date in a call, and reads those in pushes. */
		const a = await open("ours"), c = await open(client);
		const id = await call(c, async () => (await api.whoami()).clientId);
		const told = { n: 1, list: [0] };
		await call(a, ([to, data]) => api.sendto({ to, type: "message", data: { ...data, at: new Date(1700000000000) } }), [id, told]);
		await until(() => call(c, () => typed.length === 1 && pushes.length === 1));
		assert.deepEqual(await call(c, () => [typed[0].data.at instanceof Date, +typed[0].data.at, typed[0].data.n, typed[0].data.list]),
			[true, 1700000000000, 1, [0]]);
		await call(a, () => api.message([new Date(5), 2]));
		await until(() => call(c, () => typed.length === 2 && typed[1].type === "message"));
		assert.deepEqual(await call(c, () => [typed[1].data[0] instanceof Date, +typed[1].data[0], typed[1].data[1]]), [true, 5, 2]);
		await call(c, () => api.message({ n: 3 }));
		await until(() => call(a, () => typed.length === 1 && typed[0].data.n === 3));
		assert.equal(await call(c, () => typed.length), 2);
	});

	test(`${client}: all connections cut, it comes back and goes on`, async () => {
		/* 50 */
		const page = await open(client), p = page.front;
		const other = await open("ours");
		await call(page, () => { states.length = 0; });
		p.cut();
		await until(() => call(page, () => states.includes("disconnected")));
		/* The bundle of 4.1.1 sends what was queued once only: never again. */
		const meanwhile = client === "ours" && call(page, () => api.echo("meanwhile"));
		await until(() => call(page, () => states.at(-1) === "connected"));
		if (meanwhile)
			assert.equal(await meanwhile, "meanwhile");
		assert.deepEqual(await call(page, () => states.filter((s, i) => s !== states[i - 1])),
			["disconnected", "connecting", "connected"]);
		await call(other, () => api.message("after"));
		await until(() => call(page, () => typed.some((m) => m.data === "after")));
	});

	one(`${client}: without WebSocket there is the stream`, async () => {
		/* 51 */
		const page = await open(client, { early: "api.echo('queued').then((v) => { window.early = v; })", upgrades: false });
		const other = await open("ours");
		assert.equal(await call(page, () => api.transport), "polling");
		await page.waitForFunction(() => window.early === "queued");
		await call(other, () => api.message({ t: 'a "{" in a string' }));
		await until(() => call(page, () => typed[0]?.data.t === 'a "{" in a string'));
		await page.waitForTimeout(26000);
		await call(other, () => api.message("late"));
		await until(() => call(page, () => typed.at(-1).data === "late"));
		page.front.upgrades = true;
		await until(() => call(page, () => api.transport === "websocket"), "WebSocket again", 60000);
		assert.equal(await call(page, () => api.echo("back")), "back");
	});
}

one("ours: every kind of value goes there and comes back", async () => {
	const page = await open("ours");
	const same = await call(page, async () => {
		const shared = { x: [1, 2] };
		const sent = {
			date: new Date(1700000000000), re: /a\/b+/gi, set: new Set([1, "x"]),
			map: new Map([["k", 1]]), error: new TypeError("no"), list: [new Date(5), undefined, "x"],
			a: shared, b: shared, nan: null,
		};
		sent.ring = { up: sent };
		const got = await api.echo(sent);
		return [
			got.date instanceof Date && got.date.getTime() === 1700000000000,
			got.re instanceof RegExp && String(got.re) === "/a\\/b+/gi",
			got.set instanceof Set && got.set.has("x") && got.set.size === 2,
			got.map instanceof Map && got.map.get("k") === 1,
			got.error instanceof Error && got.error.name === "TypeError" && got.error.message === "no",
			got.list[0] instanceof Date && got.list.length === 3 && got.list[1] === undefined,
			got.a === got.b && got.a.x[1] === 2,
			got.ring.up.ring.up.a.x[0] === 1,
		];
	});
	assert.deepEqual(same, Array(8).fill(true));
	assert.equal(await call(page, async () => (await api.silent(1)) === undefined), true);
	for (const v of [0, "", false, null])
		assert.equal(await call(page, (x) => api.echo(x), v), v);
});

one("ours: as a module, with types, under 12 KB", async () => {
	const page = await open("ours");
	await call(page, () => new Promise((done) => {
		const s = document.createElement("script");
		s.type = "module";
		s.textContent = `import api, { api as named } from "/api/ape.mjs";
			window.answer = await api.echo(named === api && window.api === api);`;
		document.head.append(s);
		s.onload = done;
		setTimeout(done, 1000);
	}));
	await page.waitForFunction(() => window.answer === true);
	const script = await (await fetch(k.url("/api/ape.js"))).text();
	assert.ok(Buffer.byteLength(script) < 12 << 10);
	const types = await (await fetch(k.url("/api/ape.d.ts"))).text();
	for (const name of ["on", "onConnectionChange", "transport", "ConnectionState"])
		assert.match(types, new RegExp(`\\b${name}\\b`));
});

test("the board: lines, who is here, pictures, and what a newcomer gets", async () => {
	const look = async () => {
		const page = await b.page({ size: { width: 1180, height: 760 } });
		opened.add(page);
		await page.goto(k.url("/ape"));
		await page.locator("#state.up").waitFor();
		return page;
	};
	const lines = (page) => page.locator("#list textarea").evaluateAll((all) => all.map((i) => i.value));
	const one = await look();
	await one.locator("#alone a").waitFor();
	const two = await look();
	await until(async () => (await one.locator("#here li").count()) === 2, "both are here");
	assert.equal(await one.locator("#alone").isVisible(), false);
	await one.locator("#new").pressSequentially("Bread");
	await until(async () => (await lines(two)).join() === "Bread");
	await one.keyboard.press("Enter");
	await two.locator("#list textarea").first().fill("Dark bread");
	await until(async () => (await lines(one)).join() === "Dark bread");
	await until(async () => (await one.locator("#list li[data-busy]:not([data-busy=''])").count()) === 1, "who writes");
	await two.locator("#list input[type=checkbox]").first().check();
	await one.locator("#list li.done").waitFor();
	/* A long line is read whole, where it is written and where it is heard. */
	const high = (page) => page.locator("#list textarea").first().evaluate((t) => [t.clientHeight, t.scrollHeight]);
	const [before] = await high(one);
	await two.locator("#list textarea").first().fill("Dark bread " + "x ".repeat(90));
	await until(async () => (await high(one))[0] > before, "it grows");
	for (const page of [one, two])
		assert.equal((await high(page))[0], (await high(page))[1]);
	await two.locator("#list textarea").first().fill("Dark bread");
	await until(async () => (await lines(one)).join() === "Dark bread" && (await high(one))[0] === before);
	const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
	await one.setInputFiles("#file", { name: "dot.png", mimeType: "image/png", buffer: png });
	const seen = (page) => page.locator("#wall img").evaluateAll((all) => all.length === 1 && all[0].complete && all[0].naturalWidth > 0);
	await until(() => seen(two), "the picture");
	const late = await look();
	await until(async () => (await lines(late)).join() === "Dark bread" && await seen(late), "the whole board");
	await late.locator("#wall figure button").click();
	await until(async () => (await one.locator("#wall figure").count()) === 0);
	await two.close();
	await until(async () => (await one.locator("#here li").count()) === 2, "two has gone");
});

for (const client of ["original", "ours"]) {
	test(`${client}: binary goes up, and comes down as an ArrayBuffer`, async () => {
		/* 49 */
		const page = await open(client);
		const sent = await call(page, async () => {
			const bytes = new Uint8Array(5000).map((_, i) => i % 251);
			const hash = await crypto.subtle.digest("SHA-1", bytes);
			const sha1 = [...new Uint8Array(hash)].map((x) => x.toString(16).padStart(2, "0")).join("");
			const a = await api.upload({ file: bytes.buffer, name: "a" });
			const c = await api.upload({ file: new Blob([bytes]), name: "b" });
			return [a.sha1 === sha1, a.size, c.sha1 === sha1, c.name];
		});
		assert.deepEqual(sent, [true, 5000, true, "b"]);
		const got = await call(page, async () => {
			const { bytes, size } = await api.download({ size: 1000 });
			return [bytes instanceof ArrayBuffer, bytes.byteLength, size,
				new Uint8Array(bytes).every((x, i) => x === (7 * i + 3) % 256)];
		});
		assert.deepEqual(got, [true, 1000, 1000, true]);
	});

	test(`${client}: a shared file is an ArrayBuffer on the other page`, async () => {
		/* 49 */
		const one = await open("ours"), two = await open(client);
		await call(one, async () => {
			/* Its answer has the file, too, and comes when that is there. */
			const back = api.message({ "pic<!F>": "shared-file" + location.port });
			await fetch("/api/ape/data/_share/shared-file" + location.port, {
				method: "PUT", body: new Uint8Array([1, 2, 3]), credentials: "include",
			});
			await back;
		});
		await until(() => call(two, () => typed.length === 1 && typed[0].data.pic instanceof ArrayBuffer &&
			new Uint8Array(typed[0].data.pic).join() === "1,2,3"));
	});
}
