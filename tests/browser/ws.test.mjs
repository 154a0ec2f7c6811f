/* npm's ws, unmodified, against the echo and the chat room. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { test, before, after } from "node:test";
import WebSocket from "ws";
import { Kennel, NODES, until } from "./kit/kennel.mjs";

let k;
before(async () => { k = await Kennel.startUncovered("--shards", "3"); });
after(async () => { await k.stop(); });

async function open(path, options) {
	const s = new WebSocket(k.url(path).replace("http", "ws"), options);
	s.queue = [];
	s.on("message", (data, binary) => s.queue.push(binary ? data : data.toString()));
	await once(s, "open");
	return s;
}

async function next(s) {
	await until(() => s.queue.length > 0, "a message");
	return s.queue.shift();
}

/* The next chat message for which all of want holds. */
async function hear(s, want) {
	for (;;) {
		const m = JSON.parse(await next(s));
		if (Object.entries(want).every(([key, value]) => m[key] === value))
			return m;
	}
}

async function close(s, code = 1000, reason = "bye") {
	const closed = once(s, "close");
	s.close(code, reason);
	return (await closed)[0];
}

test("echo: text, binary, of any size", async () => {
	const s = await open("/echo");
	for (const text of ["", "hello", "κόσμε 🐕", "x".repeat(200000)]) {
		s.send(text);
		assert.equal(await next(s), text);
	}
	for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20]) {
		const data = randomBytes(size);
		s.send(data);
		const hash = (b) => createHash("sha1").update(b).digest("hex");
		assert.equal(hash(await next(s)), hash(data), `${size} bytes`);
	}
	assert.equal(await close(s), 1000);
});

test("echo: deflate is offered by the client, and not forced upon it", async () => {
	const s = await open("/echo", { perMessageDeflate: true });
	s.send("x".repeat(10000));
	assert.equal(await next(s), "x".repeat(10000));
	await close(s);
});

test("deflate, when it is asked for", async () => {
	const d = await Kennel.each(() => "[worker]\ndeflate = yes\n");
	const text = JSON.stringify({ list: Array(2000).fill("hello") });
	const open = async (perMessageDeflate) => {
		const s = new WebSocket(d.url("/echo").replace("http", "ws"), { perMessageDeflate });
		s.bytes = 0;
		await once(s, "open");
		s._socket.on("data", (data) => { s.bytes += data.length; });
		return s;
	};
	for (const options of [true, { threshold: 0 }, { serverMaxWindowBits: 9 },
		{ serverNoContextTakeover: true, clientNoContextTakeover: true, clientMaxWindowBits: 10 }]) {
		const s = await open(options);
		assert.match(s.extensions, /^permessage-deflate/);
		for (let i = 0; i < 50; i++) {
			for (const message of [text, "short", Buffer.from(text)]) {
				s.send(message);
				const [data, binary] = await once(s, "message");
				assert.equal(binary, message instanceof Buffer);
				assert.equal(data.toString(), message.toString());
			}
		}
		assert.ok(s.bytes < 50 * text.length / 4, `${s.bytes} bytes came`);
		assert.equal(await close(s), 1000);
	}
	await d.stop();
});

test("echo: ping and pong", async () => {
	const s = await open("/echo");
	const pong = once(s, "pong");
	s.ping("are you there");
	assert.equal((await pong)[0].toString(), "are you there");
	await close(s);
});

test("echo: fragments", async () => {
	const s = await open("/echo");
	s.send("one ", { fin: false });
	s.send("two ", { fin: false });
	s.send("three", { fin: true });
	assert.equal(await next(s), "one two three");
	await close(s);
});

test("echo: more than 16 MiB is 1009", async () => {
	const s = await open("/echo");
	const closed = once(s, "close");
	s.on("error", () => {});
	s.send(Buffer.alloc((16 << 20) + 1));
	assert.equal((await closed)[0], 1009);
});

test("chat: five people over three shards", async () => {
	const names = ["a", "b", "c", "d", "e"];
	const people = [];
	for (const name of names)
		people.push(await open(`/lobby/npm/ws?u=${name}`));
	people[0].send(JSON.stringify({ type: "req:user:list", user: "a" }));
	const list = await hear(people[0], { type: "user:list" });
	assert.deepEqual(list.list.sort(), names);
	assert.equal(new Set(Object.values(list.shards).flat()).size, 3);
	people[4].send(JSON.stringify({ type: "msg", text: "hello" }));
	for (const p of people)
		await hear(p, { type: "user:msg", from: "e", text: "hello" });
	people[0].send(JSON.stringify({ type: "msg", text: "/w e psst" }));
	await hear(people[4], { meta: "whisper", from: "a", text: "psst" });
	await hear(people[0], { meta: "whisper", to: "e", text: "psst" });
	people[4].terminate();
	for (const p of people.slice(0, 4))
		await hear(p, { type: "user:exit", from: "e" });
	for (const p of people.slice(0, 4))
		await close(p);
	await until(() => k.status().places === 0, "no places");
});

test("a shard is killed: its clients see the end, the others go on", async () => {
	const people = [];
	/* a and b are on one shard; on two nodes it is every other one. */
	for (const name of NODES > 1 ? ["a", "c", "b", "d"] : ["a", "b", "c", "d"])
		people.push(await open(`/lobby/kill/ws?u=${name}`));
	if (NODES > 1)
		people.splice(1, 2, people[2], people[1]);
	people[0].send(JSON.stringify({ type: "req:connected" }));
	const { shard } = await hear(people[0], { type: "user:connected", from: "a" });
	const closed = [once(people[0], "close"), once(people[1], "close")];
	const shards = k.shards().length;
	k.killShard(k.shards().find((s) => s.address === shard).pid);
	for (const c of closed)
		assert.equal((await c)[0], 1006);
	people[2].send(JSON.stringify({ type: "msg", text: "still here" }));
	for (const p of people.slice(2))
		await hear(p, { type: "user:msg", text: "still here" });
	for (const p of people.slice(2))
		await close(p);
	await until(() => k.shards().length === shards, "as many shards as before");
});
