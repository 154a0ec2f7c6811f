/* npm's fast-tcp 3.3.2, unmodified, over one process and over four. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { describe, test, before, after } from "node:test";
import fasttcp from "fast-tcp";
import { Kennel, NODES, freePort, limit, until } from "./kit/kennel.mjs";

const CONFIG = (port, n) => `
[listener events]
address = 127.0.0.1:${port}
app = events
group = const:events
uid = random20
limit = ${n}
out_max = 64M
app.stuck = 3s

[route none]
path = /none
app = echo
group = none
`;

class Fast {
	static async start(shards, perShard) {
		const f = new Fast();
		f.ports = [];
		f.turn = 0;
		f.clients = [];
		f.kennel = await Kennel.each(async (n) => {
			f.ports[n] = await freePort();
			return CONFIG(f.ports[n], perShard);
		}, "--shards", String(shards));
		return f;
	}

	/* Of the other node than the one before. */
	get port() {
		return this.ports[this.turn++ % this.ports.length];
	}

	/* A client that is connected; what it hears of `event` is in heard. */
	async client(options = {}) {
		const c = new fasttcp.Socket({ port: this.port, host: "127.0.0.1",
			reconnect: false, ...options });
		c.heard = [];
		c.on("m", (data) => c.heard.push(data));
		c.on("error", (e) => { c.error = e; });
		this.clients.push(c);
		if (options.autoConnect !== false)
			await within(once(c, "connect"), "connect");
		return c;
	}

	many(n) {
		return Promise.all(Array.from({ length: n }, () => this.client()));
	}

	/* All clients that a test has made. */
	async leave() {
		const all = this.clients.splice(0);
		await Promise.all(all.map((c) => {
			c._shouldReconnect = false;
			if (!c._connected)
				return null;
			const closed = once(c, "close");
			c.destroy();
			return within(closed, "close");
		}));
	}

	async stop() {
		await this.kennel.stop();
	}
}

async function within(promise, what) {
	let timer;
	try {
		return await Promise.race([promise, new Promise((_, fail) => {
			timer = setTimeout(() => fail(new Error(`not in time: ${what}`)), limit(15000));
		})]);
	} finally {
		clearTimeout(timer);
	}
}

/* Its next "connect", whatever errors come before. */
const again = (c) => new Promise((r) => { c.once("connect", r); });
const ask = (c, data) => within(new Promise((r) => c.emit("echo", data, r)), "answer");
const hears = (c, n) => until(() => c.heard.length >= n, `${n} messages, has ${c.heard.length}`);
const sha = (b) => createHash("sha256").update(b).digest("hex");
/* What a has said before has reached b. */
let marks = 0;
function fence(a, b) {
	const mark = `fence${++marks}`;
	const done = once(b, mark);
	a.emit(mark, 1, { sockets: [b.id] });
	return within(done, "fence");
}

const VALUES = ["", "é𝄞\0", 0, 1, -1, 2 ** 47 - 1, -(2 ** 47), 0.5, -1.5e-300, Infinity,
	-Infinity, true, false, { a: [1, null, { b: "c" }] }, [1, 2], [], {}];

for (const [shards, perShard] of NODES > 1 ? [[2, 40]] : [[1, 2000], [4, 40]]) {
describe(`over ${shards} process${shards > 1 ? "es" : ""}${NODES > 1 ? " each of two nodes" : ""}`, () => {
	let f;
	before(async () => { f = await Fast.start(shards, perShard); });
	after(async () => { await f.stop(); });
	/* As many as fill all processes, so that the last are far from the first. */
	const crowd = shards === 1 ? 4 : 3 * perShard + 4;
	const both = async () => {
		const all = await f.many(crowd);
		return [all[0], all.at(-1), all];
	};

	test("ids are unique, and reachable as soon as they are known", async () => {
		const [a, , all] = await both();
		assert.equal(new Set(all.map((c) => c.id)).size, all.length);
		for (let i = 0; i < 20; i++) {
			const c = await f.client();
			a.emit("m", i, { sockets: [c.id] });
			a.emit("m", i + 100, { broadcast: true });
			await hears(c, 2);
			assert.deepEqual(c.heard, [i, i + 100]);
		}
		await f.leave();
	});

	test("echo: every type comes back as it was, once", async () => {
		const a = await f.client();
		for (const v of VALUES)
			assert.deepEqual(await ask(a, v), v);
		assert.ok(Number.isNaN(await ask(a, NaN)));
		assert.equal(await ask(a, null), undefined);
		assert.deepEqual(await ask(a, Buffer.from([0, 1, 255])), Buffer.from([0, 1, 255]));
		const answers = [];
		for (let i = 0; i < 3000; i++)
			a.emit("echo", i, (v) => answers.push(v));
		await until(() => answers.length === 3000, "3000 answers");
		assert.deepEqual(answers, Array.from({ length: 3000 }, (_, i) => i));
		await f.leave();
	});

	test("values by all three ways", async () => {
		const [a, b] = await both();
		b.join("r");
		await ask(b, 1);
		for (const v of VALUES) {
			a.emit("m", v, { sockets: [b.id], rooms: ["r"], broadcast: true });
			await hears(b, 3);
			assert.deepEqual(b.heard.splice(0), [v, v, v]);
		}
		await f.leave();
	});

	test("sockets, rooms, broadcast: who gets what, and how often", async () => {
		const [a, b, all] = await both();
		const c = all[1];
		a.emit("m", 1, { sockets: [b.id, "nobody", a.id, b.id] });
		await hears(b, 2);
		await hears(a, 1);
		for (const x of [a, b, c])
			x.join(["r", "s"]);
		b.leave("s");
		b.leave("never");
		for (const x of [a, b, c])
			await ask(x, 1);
		a.emit("m", 2, { rooms: ["r", "s", "none"] });
		await hears(c, 2);
		await hears(b, 3);
		b.leaveAll();
		await ask(b, 1);
		a.emit("m", 3, { rooms: ["r"] });
		await hears(c, 3);
		a.emit("m", 4, { broadcast: true, sockets: [a.id] });
		await hears(a, 2);
		for (const x of all.slice(1)) {
			await fence(a, x);
			assert.equal(x.heard.filter((d) => d === 4).length, 1);
		}
		assert.deepEqual(a.heard, [1, 4]);
		assert.deepEqual(b.heard, [1, 1, 2, 4]);
		assert.deepEqual(c.heard, [2, 2, 3, 4]);
		await f.leave();
	});

	test("names: of any bytes", async () => {
		const [a, b] = await both();
		for (const name of ["", "☃𝄞", "a\0b", "\r\n", "*", "%s%n", "__proto__",
			"constructor", "x".repeat(5000), "a|b"]) {
			b.join(name);
			await ask(b, 1);
			const event = `e${name}`;
			const done = once(b, event);
			if (name.includes("|"))
				a.emit(event, 1, { broadcast: true });
			else
				a.emit(event, 1, { rooms: [name] });
			assert.deepEqual(await within(done, `of ${JSON.stringify(name)}`), [1]);
		}
		const long = "e".repeat(65000);
		const done = once(b, long);
		a.emit(long, 1, { sockets: [b.id] });
		await within(done, "long event");
		await f.leave();
	});

	test("order, by all ways", async () => {
		const [a, b] = await both();
		b.join("r");
		await ask(b, 1);
		for (let i = 0; i < 5000; i++)
			a.emit("m", i, [{ sockets: [b.id] }, { rooms: ["r"] },
				{ broadcast: true }][i % 3]);
		await hears(b, 5000);
		assert.deepEqual(b.heard, Array.from({ length: 5000 }, (_, i) => i));
		await f.leave();
	});

	test("join, then tell: and leave, then tell", async () => {
		const [a, b] = await both();
		for (let i = 0; i < 200; i++) {
			let told = once(a, "m");
			b.join("now");
			b.emit("m", "joined", { sockets: [a.id] });
			await within(told, "joined");
			a.emit("m", i, { rooms: ["now"] });
			await hears(b, i + 1);
			told = once(a, "m");
			b.leave("now");
			b.emit("m", "left", { sockets: [a.id] });
			await within(told, "left");
			a.emit("m", -1, { rooms: ["now"] });
			await fence(a, b);
		}
		assert.deepEqual(b.heard, Array.from({ length: 200 }, (_, i) => i));
		await f.leave();
	});

	test("streams: to socket, room and all; of every info", async () => {
		const [a, b, all] = await both();
		b.join("r");
		await ask(b, 1);
		const data = randomBytes(8 << 20);
		for (const [i, to] of [{ sockets: [b.id] }, { rooms: ["r"] },
			{ broadcast: true }].entries()) {
			/* Those who are not to read it swallow what comes. */
			for (const x of all)
				x.removeAllListeners("file").on("file", (s) => s.resume());
			const got = [];
			const done = new Promise((r) => {
				b.removeAllListeners("file").on("file", (s, info) => {
					s.on("data", (d) => got.push(d));
					s.on("end", () => r(info));
				});
			});
			Readable.from(function* () {
				for (let at = 0; at < data.length; at += 50000)
					yield data.subarray(at, at + 50000);
			}()).pipe(a.stream("file", VALUES[i * 3], to));
			const info = await within(done, "stream");
			assert.deepEqual(info, VALUES[i * 3]);
			assert.equal(sha(Buffer.concat(got)), sha(data));
		}
		assert.equal(await ask(a, "still here"), "still here");
		await f.leave();
	});

	test("streams: empty, in between, from two senders, to nobody", async () => {
		const [a, b, all] = await both();
		const c = all[1];
		const got = {};
		b.on("file", (s, info) => {
			got[info] = Buffer.alloc(0);
			s.on("data", (d) => { got[info] = Buffer.concat([got[info], d]); });
			s.on("end", () => { got[info].ended = true; });
		});
		const ended = (name) => until(() => got[name]?.ended, `end of ${name}`);
		a.stream("file", "empty", { sockets: [b.id] }).end();
		await ended("empty");
		assert.equal(got.empty.length, 0);
		const x = a.stream("file", "of a", { sockets: [b.id] });
		const y = c.stream("file", "of c", { sockets: [b.id] });
		for (let i = 0; i < 100; i++) {
			x.write("a");
			y.write("c");
			a.emit("m", i, { sockets: [b.id] });
		}
		await hears(b, 100);
		x.end();
		y.end();
		await ended("of a");
		await ended("of c");
		assert.equal(got["of a"].toString(), "a".repeat(100));
		assert.equal(got["of c"].toString(), "c".repeat(100));
		for (const to of [{ sockets: ["nobody"] }, { rooms: ["empty room"] }, undefined]) {
			const s = a.stream("nothing", 1, to);
			for (let i = 0; i < 50; i++)
				s.write(Buffer.alloc(65536));
			s.end();
			assert.equal(await ask(a, 1), 1);
		}
		await f.leave();
	});

	test("streams: a lost sender ends them, a lost receiver leaves the others", async () => {
		const [a, b, all] = await both();
		const c = all[1];
		const ends = [];
		for (const x of [b, c]) {
			x.on("file", (s) => {
				s.resume();
				s.on("end", () => ends.push(x));
			});
		}
		const s = a.stream("file", 1, { sockets: [b.id, c.id] });
		s.write("half");
		await fence(a, b);
		await fence(a, c);
		b.destroy();
		for (let i = 0; i < 100; i++)
			s.write(Buffer.alloc(20000));
		await fence(a, c);
		a.destroy();
		await until(() => ends.includes(c), "the end");
		await f.leave();
	});

	test("streams: who does not read is closed, others get everything", async () => {
		const [a, b, all] = await both();
		const c = all[1];
		c.on("file", () => { });		/* never reads */
		const got = [];
		const done = new Promise((r) => b.on("file", (s) => {
			s.on("data", (d) => got.push(d));
			s.on("end", r);
		}));
		const data = randomBytes(24 << 20);
		Readable.from(function* () {
			for (let at = 0; at < data.length; at += 65536)
				yield data.subarray(at, at + 65536);
		}()).pipe(a.stream("file", 1, { sockets: [b.id, c.id] }));
		await within(done, "the whole");
		assert.equal(sha(Buffer.concat(got)), sha(data));
		/* It does not read its end either, being stopped. */
		assert.match(f.kennel.log(), new RegExp(`id=${c.id} closed: it has read nothing`));
		await f.leave();
	});

	test("large messages", async () => {
		const [a, b, all] = await both();
		for (const n of [1 << 20, 8 << 20]) {
			const data = randomBytes(n);
			a.emit("m", data, { sockets: [b.id] });
			await hears(b, 1);
			assert.equal(sha(b.heard.pop()), sha(data));
			assert.equal(sha(await ask(a, data)), sha(data));
		}
		const data = randomBytes(1 << 20);
		a.emit("m", data, { broadcast: true });
		for (const x of all.slice(1, 31)) {
			await hears(x, 1);
			assert.equal(sha(x.heard[0]), sha(data));
		}
		await f.leave();
	});

	test("a queue that was filled before the connection comes in order", async () => {
		const b = await f.client();
		const a = await f.client({ autoConnect: false });
		const answers = [];
		for (let i = 0; i < 500; i++) {
			a.emit("m", i, { sockets: [b.id] });
			a.emit("echo", i, (v) => answers.push(v));
		}
		a.connect();
		await hears(b, 500);
		await until(() => answers.length === 500, "answers");
		assert.deepEqual(b.heard, answers);
		await f.leave();
	});

	test("what is emitted right before the end arrives", async () => {
		const [, b] = await both();
		for (let i = 0; i < 20; i++) {
			const a = await f.client();
			a.emit("m", i, { sockets: [b.id] });
			a.end();
			await hears(b, i + 1);
		}
		assert.deepEqual(b.heard, Array.from({ length: 20 }, (_, i) => i));
		await f.leave();
	});

	test("reconnects: a new id, no rooms, the old id is dead, the queue is kept", async () => {
		const b = await f.client();
		const a = await f.client({ reconnect: true, reconnectInterval: 20 });
		for (let i = 0; i < 20; i++) {
			const old = a.id;
			a.join("r");
			await ask(a, 1);
			const back = again(a);
			const closed = once(a, "close");
			a._socket.destroy();
			await within(closed, "close");
			a.emit("m", i, { sockets: [b.id] });
			await within(back, "reconnect");
			assert.notEqual(a.id, old);
			b.emit("m", "room", { rooms: ["r"] });
			b.emit("m", "old", { sockets: [old] });
			b.emit("m", i, { sockets: [a.id] });
			await hears(a, 1);
			assert.deepEqual(a.heard.splice(0), [i]);
		}
		await hears(b, 20);
		await f.leave();
	});

	test("a client that does not read does not delay others; a churn of 300", async () => {
		const [a, b] = await both();
		const deaf = connect(f.port, "127.0.0.1");
		deaf.pause();
		await once(deaf, "connect");
		for (let i = 0; i < 200; i++)
			a.emit("m", Buffer.alloc(1000), { broadcast: true });
		await hears(b, 200);
		deaf.destroy();
		await f.leave();
		for (let i = 0; i < 300; i += 30) {
			const all = await Promise.all(Array.from({ length: 30 }, () => f.client()));
			all[0].emit("m", 1, { broadcast: true });
			await hears(all[29], 1);
			await f.leave();
		}
	});

	test("own serializers pass: objects are not looked into", async () => {
		const options = {
			objectSerializer: (o) => Buffer.from(`<${o.x}>`),
			objectDeserializer: (d) => ({ got: d.toString() }),
		};
		const a = await f.client(options), b = await f.client(options);
		a.emit("m", { x: 5 }, { sockets: [b.id] });
		await hears(b, 1);
		assert.deepEqual(b.heard, [{ got: "<5>" }]);
		assert.deepEqual(await ask(a, { x: 6 }), { got: "<6>" });
		await f.leave();
	});

	test("an orderly stop ends at a frame's border for every client", async () => {
		/* The client's reader survives a reconnect: had it got half a frame, the
		 * next REGISTER would be swallowed. */
		const all = await Promise.all(Array.from({ length: 12 }, () =>
			f.client({ reconnect: true, reconnectInterval: 50 })));
		const timer = setInterval(() => all[0].emit("m", Buffer.alloc(100000),
			{ broadcast: true }), 1);
		const back = all.map(again);
		await f.kennel.restart();
		await Promise.all(back.map((p) => within(p, "all come back")));
		clearInterval(timer);
		for (const c of all)
			assert.equal(await ask(c, "well"), "well");
		await f.leave();
	});
});
}
