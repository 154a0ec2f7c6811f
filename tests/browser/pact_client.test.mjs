/*
 * Pact's own client, unmodified.  It is in no registry; PACT_CLIENT names its
 * dist/client.js, as its build leaves it, and without that there is nothing to test.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test as run, before, after } from "node:test";
import { isDeepStrictEqual } from "node:util";
import WebSocket from "ws";
import { Browser } from "./kit/browser.mjs";
import { Kennel, until } from "./kit/kennel.mjs";

const path = process.env.PACT_CLIENT;
const skip = path ? false : "PACT_CLIENT is not set";
const test = (name, f) => run(name, { skip }, f);
const key = "deadbeef";
let k, b, SocketClient;
const clients = [];

before(async () => {
	if (skip)
		return;
	/* What a browser has by itself. */
	globalThis.WebSocket = WebSocket;
	({ SocketClient } = createRequire(import.meta.url)(path));
	process.env.KENNEL_SIGNING_KEY = key;
	k = await Kennel.startUncovered("--shards", "3", "--limit", "2");
	b = await Browser.start();
});

after(async () => {
	if (skip)
		return;
	clients.forEach(end);
	await b?.stop();
	await k.stop();
	assert.deepEqual(b.faults, []);
});

function endpoint(room) {
	return k.url(`/websocket?room=${room}`).replace("http", "ws");
}

/* A client that writes down what it hears, and has its profile. */
async function open(room, options = {}) {
	const c = new SocketClient({ endpoint: endpoint(room), ...options });
	c.heard = [];
	c.on("*", (data, type) => c.heard.push({ type, data }));
	clients.push(c);
	await until(() => c.profile, "a profile");
	return c;
}

function end(c) {
	c.config.reconnect = false;
	clearInterval(c.pingInterval);
	c.socket.close();
}

/* All that has come of this type, as soon as the asked-for profile has. */
async function heard(c, type) {
	const mark = c.heard.length;
	c.send("profile");
	await until(() => c.heard.slice(mark).some((m) => m.type === "profile"), "a profile");
	return c.heard.filter((m) => m.type === type).map((m) => m.data);
}

function hears(c, type, data) {
	return until(() => c.heard.some((m) => m.type === type && isDeepStrictEqual(m.data, data)),
		`${type} ${JSON.stringify(data)}`);
}

test("connects: config, then profile", async () => {
	const c = await open("first");
	assert.deepEqual(c.heard.map((m) => m.type), ["connect", "config", "profile"]);
	assert.deepEqual(c.heard[1].data, "");
	assert.deepEqual(Object.keys(c.profile).sort(), ["connectionDetails", "id", "properties", "role", "suffix"]);
	assert.deepEqual([c.profile.suffix, c.profile.role], [1, "user"]);
	/* A string alone is an endpoint. */
	const d = new SocketClient(endpoint("first"));
	clients.push(d);
	await until(() => d.profile?.suffix === 2, "the second");
	end(c);
	end(d);
});

test("login and chat", async () => {
	const c = await open("chat"), d = await open("chat");
	c.send("login", { name: "Ann", _secret: 1 });
	await until(() => c.profile.properties.name === "Ann", "logged in");
	assert.equal(c.profile.properties._secret, 1);
	d.send("subscribe", "chat");
	await heard(d, "chat");
	c.send({ type: "chat", data: "hello" });
	await hears(d, "chat", { message: "hello", user: { suffix: c.profile.suffix, properties: { name: "Ann" } } });
	assert.deepEqual(await heard(c, "chat"), []);
	end(c);
	end(d);
});

test("polls, those that stay and those that do not", async () => {
	const c = await open("polls"), d = await open("polls");
	for (const event of ["poll:p", "ephemeralPoll:p"])
		c.send("subscribe", event);
	await heard(c, "poll");
	c.send("poll", { id: "p", answer: "A" });
	d.send("poll", { id: "p", answer: "B" });
	await hears(c, "poll", { id: "p", stats: { A: 1, B: 1 } });
	d.send("ephemeralPoll", { id: "p", answer: "gone" });
	await hears(c, "ephemeralPoll", { id: "p", stats: { gone: 1 } });
	end(d);
	await hears(c, "ephemeralPoll", { id: "p", stats: {} });
	c.send("subscribe", "poll");
	assert.deepEqual((await heard(c, "poll")).at(-1), { id: "p", stats: { A: 1, B: 1 } });
	end(c);
});

test("counters", async () => {
	const c = await open("counters");
	c.send("subscribe", "counter");
	c.send("counter");
	c.send("counter", { id: "x", value: 17.75 });
	c.send("counter", { id: "x", value: "-15.14" });
	await hears(c, "counter", { id: "x", value: 2.6099999999999994 });
	assert.deepEqual((await heard(c, "counter"))[0], { id: "default", value: 1 });
	end(c);
});

test("an admin: authenticate, config, broadcast, relay", async () => {
	const c = await open("admin"), d = await open("admin");
	const ts = Date.now();
	c.send("authenticate", { ts, key: createHash("sha256").update(`admin${ts}${key}`).digest("hex") });
	await until(() => c.profile.role === "admin", "an admin");
	c.send("config", "dark");
	await hears(d, "config", "dark");
	c.send("broadcast", { type: "custom", data: [1, null] });
	await hears(d, "custom", [1, null]);
	c.send("relay", "odd");
	await heard(c, "odd");
	d.send("odd", { deep: true });
	await until(() => c.heard.some((m) => m.type === "relay:odd" && m.data.data.deep &&
		m.data.user.id === d.profile.id), "a relay");
	end(c);
	end(d);
});

test("its pings are not answered", async () => {
	const c = await open("pings", { pingInterval: .05 }), sent = [];
	const send = c.send;
	c.send = (...args) => { sent.push(args[0]); send(...args); };
	await until(() => sent.length > 5, "pings");
	assert.deepEqual(await heard(c, "ping"), []);
	end(c);
});

test("reconnects, as a new user, more than once if it likes", async () => {
	const c = await open("again", { reconnectDelay: .1, reconnectDelayMultiplier: .1 });
	const old = c.profile;
	c.on("connect", () => c.send("subscribe", "counter:n"));
	c.send("counter", { id: "n", value: 5 });
	await heard(c, "counter");
	c.socket.close();
	await until(() => c.profile.id !== old.id, "somebody else");
	await hears(c, "counter", { id: "n", value: 5 });
	assert.ok(c.profile.suffix > old.suffix);
	c.send("counter", { id: "n", value: 1 });
	await hears(c, "counter", { id: "n", value: 6 });
	const mark = c.heard.length, pids = k.shards().map((s) => s.pid);
	for (const pid of pids)
		k.killShard(pid);
	await until(() => c.heard.slice(mark).some((m) => m.type === "counter" && m.data.value === 6), "back", 30000);
	end(c);
	await until(() => k.shards().length === 3, "three shards");
});

test("in a browser: the cookie keeps it the same user", async () => {
	const page = await b.page();
	await page.goto(k.url("/"));
	await page.evaluate(`(function () {
		var module = { exports: {} }, exports = module.exports, require = null;
		${readFileSync(path, "utf8")}
		window.SocketClient = exports.SocketClient;
	})();`);
	await page.evaluate((url) => {
		window.profiles = [];
		window.c = new SocketClient({ endpoint: url, reconnectDelay: .1, reconnectDelayMultiplier: .1 });
		c.on("profile", (p) => profiles.push(p));
	}, endpoint("browser"));
	await page.waitForFunction(() => profiles.length === 1);
	await page.evaluate(() => { c.send("login", { name: "Bea" }); });
	await page.waitForFunction(() => profiles.at(-1).properties.name === "Bea");
	await page.evaluate(() => { profiles = []; c.socket.close(); });
	await page.waitForFunction(() => profiles.length > 0);
	const profile = await page.evaluate(() => profiles[0]);
	assert.deepEqual([profile.suffix, profile.properties], [1, { name: "Bea" }]);
	await page.close();
});

test("the cluster is empty again", async () => {
	clients.forEach(end);
	await until(() => k.status().places === 0, "no places");
});
