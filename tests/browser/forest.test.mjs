/*
 * Other software in a forest: the adapters of api-ape as its specification has them, over
 * ioredis and pg, and a server of Kennel's.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import Redis from "ioredis";
import pg from "pg";
import { WebSocket } from "ws";
import { Browser } from "./kit/browser.mjs";
import { Kennel, freePort, until } from "./kit/kennel.mjs";

/* The original's Redis adapter. */
class RedisForest {
	constructor(path, ns, id) {
		Object.assign(this, { ns, id, heard: [] });
		this.out = new Redis(path);
		this.ear = this.out.duplicate();
		this.ear.on("message", (channel, text) =>
			this.heard.push([channel, JSON.parse(text)]));
	}
	join() {
		return this.ear.subscribe(`${this.ns}:channel:${this.id}`,
			`${this.ns}:channel:ALL`);
	}
	add(client) { return this.out.set(`${this.ns}:client:${client}`, this.id); }
	read(client) { return this.out.get(`${this.ns}:client:${client}`); }
	push(server, message) {
		return this.out.publish(`${this.ns}:channel:${server || "ALL"}`,
			JSON.stringify({ ...message, _senderServerId: this.id }));
	}
	leave() {
		this.ear.disconnect();
		this.out.disconnect();
	}
}

/* The original's PostgreSQL adapter. */
class PostgresForest {
	constructor(host, ns, id) {
		Object.assign(this, { ns, id, heard: [] });
		this.db = new pg.Client({ host, user: "kennel", database: "postgres" });
		this.db.on("error", () => {});
		this.db.on("notification", ({ payload }) => {
			const m = JSON.parse(payload);
			if (!m.targetServerId || m.targetServerId === id)
				this.heard.push([m.senderServerId, m.message]);
		});
	}
	async join() {
		await this.db.connect();
		await this.db.query(`CREATE TABLE IF NOT EXISTS ${this.ns}_clients
			(client_id TEXT PRIMARY KEY, server_id TEXT NOT NULL,
			updated_at TIMESTAMPTZ DEFAULT NOW())`);
		await this.db.query(`LISTEN ${this.ns}_events`);
	}
	add(client) {
		return this.db.query(`INSERT INTO ${this.ns}_clients (client_id, server_id)
			VALUES ($1, $2)`, [client, this.id]);
	}
	async read(client) {
		return (await this.db.query(`SELECT server_id FROM ${this.ns}_clients
			WHERE client_id = $1`, [client])).rows[0]?.server_id;
	}
	push(server, message) {
		return this.db.query("SELECT pg_notify($1, $2)", [`${this.ns}_events`,
			JSON.stringify({ targetServerId: server, senderServerId: this.id,
				message })]);
	}
	leave() { return this.db.end(); }
}

/* A page's socket: its replies and pushes. */
async function connect(k) {
	const ws = new WebSocket(`ws://127.0.0.1:${k.port}/api/ape`), heard = [];

	ws.on("message", (text) => heard.push(JSON.parse(text)));
	await new Promise((done, fail) => ws.on("open", done).on("error", fail));
	const call = async (type, data) => {
		const n = heard.filter((m) => m.queryId).length;
		ws.send(JSON.stringify({ type, data, "createdAt<!D>": Date.now() }));
		await until(() => heard.filter((m) => m.queryId).length > n, "a reply");
		return heard.filter((m) => m.queryId)[n].data;
	};
	return { ws, call, pushes: () => heard.filter((m) => !m.queryId) };
}

test("a peer with ioredis and a server exchange messages both ways", async () => {
	const dir = mkdtempSync(join(tmpdir(), "forest."));
	const path = join(dir, "sock"), ini = join(dir, "kennel.ini");
	const server = spawn("redis-server", ["--port", "0", "--unixsocket", path,
		"--save", "", "--dir", dir], { stdio: "ignore" });
	let k, peer, a, b;

	writeFileSync(ini, "[ape]\nnamespace = wood\nserver_id = KENNEL\n" +
		`forest = unix:${path}\n`);
	try {
		peer = new RedisForest(path, "wood", "PEER");
		peer.out.on("error", () => {});
		peer.ear.on("error", () => {});
		await peer.join();
		await peer.add("P".repeat(20));
		k = await Kennel.start("--config", ini);
		await until(async () => (await peer.out.pubsub("NUMSUB",
			"wood:channel:KENNEL"))[1] >= 1, "it has joined");
		a = await connect(k);
		b = await connect(k);
		const { clientId } = await a.call("whoami");

		await until(async () => await peer.read(clientId) === "KENNEL");
		assert.deepEqual(await a.call("sendto", { to: "P".repeat(20),
			type: "t", data: [1] }), { sent: true });
		await a.call("message", { x: "é" });
		await until(() => peer.heard.length === 2);
		assert.deepEqual(peer.heard, [
			["wood:channel:PEER", { destClientId: "P".repeat(20), type: "t",
				data: [1], _senderServerId: "KENNEL" }],
			["wood:channel:ALL", { type: "message", data: { x: "é" },
				excludeClientId: clientId, _senderServerId: "KENNEL" }]]);

		await peer.push(await peer.read(clientId), { destClientId: clientId,
			type: "you", data: 1 });
		await peer.push("", { type: "all", data: 2 });
		await until(() => a.pushes().length === 2 && b.pushes().length === 2);
		assert.deepEqual(a.pushes().map((m) => [m.type, m.data]),
			[["you", 1], ["all", 2]]);
		assert.deepEqual(b.pushes().map((m) => [m.type, m.data]),
			[["message", { x: "é" }], ["all", 2]]);
	} finally {
		a?.ws.terminate();
		b?.ws.terminate();
		peer?.leave();
		await k?.stop();
		server.kill("SIGKILL");
		rmSync(dir, { recursive: true, force: true });
	}
});

test("a peer with pg and a server exchange messages both ways", async () => {
	const dir = mkdtempSync(join(tmpdir(), "forest."));
	const versions = "/usr/lib/postgresql";
	const bin = join(versions, readdirSync(versions).sort().at(-1), "bin");
	const ini = join(dir, "kennel.ini");
	/* It refuses to run as root. */
	const who = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
	let server, k, peer, a, b;

	if (who.uid)
		chownSync(dir, who.uid, who.gid);
	chmodSync(dir, 0o755);
	writeFileSync(ini, "[ape]\nnamespace = wood\nserver_id = KENNEL\n" +
		`forest = postgresql://kennel@/postgres?host=${dir}\n`);
	try {
		execFileSync(join(bin, "initdb"), ["-D", join(dir, "data"), "-A", "trust",
			"-U", "kennel", "--no-sync"], { ...who, cwd: dir, stdio: "ignore" });
		server = spawn(join(bin, "postgres"), ["-D", join(dir, "data"), "-k", dir,
			"-c", "listen_addresses="], { ...who, cwd: dir, stdio: "ignore" });
		await until(async () => {
			peer = new PostgresForest(dir, "wood", "PEER");
			return peer.join().then(() => true, () => false);
		}, "PostgreSQL answers");
		await peer.add("P".repeat(20));
		k = await Kennel.start("--config", ini);
		await until(() => (k.log().match(/forest joined/g) ?? []).length >=
			k.shards().length, "it has joined");
		a = await connect(k);
		b = await connect(k);
		const { clientId } = await a.call("whoami");

		await until(async () => await peer.read(clientId) === "KENNEL");
		assert.deepEqual(await a.call("sendto", { to: "P".repeat(20),
			type: "t", data: [1] }), { sent: true });
		await a.call("message", { x: "é" });
		await until(() => peer.heard.length === 2);
		assert.deepEqual(peer.heard, [
			["KENNEL", { destClientId: "P".repeat(20), type: "t",
				data: [1], _senderServerId: "KENNEL" }],
			["KENNEL", { type: "message", data: { x: "é" },
				excludeClientId: clientId, _senderServerId: "KENNEL" }]]);
		await peer.push(await peer.read(clientId), { destClientId: clientId,
			type: "you", data: 1 });
		await peer.push("", { type: "all", data: 2 });
		await until(() => a.pushes().length === 2 && b.pushes().length === 2);
		assert.deepEqual(a.pushes().map((m) => [m.type, m.data]),
			[["you", 1], ["all", 2]]);
	} finally {
		a?.ws.terminate();
		b?.ws.terminate();
		await peer?.leave().catch(() => {});
		await k?.stop();
		server?.kill("SIGINT");
		if (server && server.exitCode === null)
			await new Promise((r) => server.once("exit", r));
		rmSync(dir, { recursive: true, force: true });
	}
});

test("the board of two servers: lines, who is here, pictures, and a newcomer", async () => {
	const dir = mkdtempSync(join(tmpdir(), "forest.")), path = join(dir, "sock");
	const server = spawn("redis-server", ["--port", "0", "--unixsocket", path,
		"--save", "", "--dir", dir], { stdio: "ignore" });
	const kennels = [];
	let b;

	chmodSync(dir, 0o755);
	writeFileSync(join(dir, "key"), "sixteen bytes and more\n");
	try {
		for (const id of ["PARIS", "OSLO"]) {
			const ini = join(dir, `${id}.ini`);
			writeFileSync(ini, `[ape]\nnamespace = demo\nserver_id = ${id}\n` +
				`key_file = ${dir}/key\nforest = unix:${path}\n`);
			const k = await Kennel.start("--config", ini, "--admin", String(await freePort()),
				"--shards", "2");
			kennels.push(k);
			await until(() => (k.log().match(/forest files travel/g) ?? []).length >= 2,
				"files travel");
		}
		b = await Browser.start();
		const look = async (k) => {
			const page = await b.page({ size: { width: 1180, height: 760 } });
			await page.goto(`http://localhost:${k.port}/ape`);
			await page.locator("#state.up").waitFor();
			return page;
		};
		const lines = (page) => page.locator("#list textarea").evaluateAll((all) => all.map((i) => i.value));
		const here = async (page, n) => await page.locator("#here li").count() === n;
		const seen = (page) => page.locator("#wall img").evaluateAll((all) => all.length === 1 && all[0].complete && all[0].naturalWidth > 0);
		const one = await look(kennels[0]);
		await one.locator("#new").pressSequentially("Bread");
		await one.keyboard.press("Enter");
		const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
		await one.setInputFiles("#file", { name: "dot.png", mimeType: "image/png", buffer: png });
		await until(() => seen(one));
		/* Nobody of its own server has the board. */
		const two = await look(kennels[1]);
		await until(async () => (await lines(two)).join() === "Bread", "the list");
		await until(() => seen(two), "the picture");
		await until(async () => await here(one, 2) && await here(two, 2), "both are here");
		await two.locator("#list textarea").first().fill("Dark bread");
		await until(async () => (await lines(one)).join() === "Dark bread");
		/* Who is on another server has not vanished: each looks every 5 s. */
		for (const page of [one, two]) {
			const asked = () => page.evaluate(() => parseInt(document.querySelector("#calls").textContent));
			const before = await asked();
			await page.bringToFront();
			await until(async () => await asked() >= before + 2, "it has looked");
			assert.equal(await here(page, 2), true);
		}
		await one.close();
		await until(() => here(two, 1), "it has gone");
		assert.deepEqual(b.faults, []);
	} finally {
		await b?.stop();
		for (const k of kennels)
			await k.stop();
		server.kill("SIGKILL");
		rmSync(dir, { recursive: true, force: true });
	}
});
