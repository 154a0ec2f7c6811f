/*
 * A kennel in a directory of its own, for the tests of real clients.  With KENNEL_NODES=2
 * it is two nodes on one Redis, each with what was asked for, behind a balancer that gives
 * them WebSockets and streams by turns, and other connections by turns of their own.
 */
import assert from "node:assert/strict";
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, readdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join, resolve, dirname } from "node:path";
import { fileURLToPath } from "node:url";

const top = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.KENNEL_BUILD ?? join(top, "build");

/* By what deadlines grow, as in tests/kit/wait.py. */
const slow = () => Math.max(1, process.env.KENNEL_SLOW ? Number(process.env.KENNEL_SLOW) :
	Math.min(4, Math.floor(loadavg()[0] / availableParallelism())));
export const limit = (ms) => ms * slow();

export const NODES = Number(process.env.KENNEL_NODES ?? 1);

/* How the gateway says that a shard's process has ended in another way than it
 * should, and lines that mean a mistake of ours; tests/kit/kennel.py has more of
 * them. */
const DEATH = /shard slot=\d+ pid=(\d+) (?:killed: |died|left (?!status=0 |status=\? |signal=15 )).*/g;
const FAULT = /.* (?:warn|error|fatal) .*(?:counts=wrong|out of place|not a message|unexpected|home refused|handoff id=).*|.*(?:Assertion|Sanitizer|runtime error:).*/g;

/* The first true value of condition(), which may be asynchronous. */
export async function until(condition, what = String(condition), ms = 15000) {
	const end = Date.now() + limit(ms);
	for (;;) {
		const value = await condition();
		if (value)
			return value;
		if (Date.now() > end)
			throw new Error(`not within ${limit(ms)} ms: ${what}`);
		await new Promise((r) => setTimeout(r, 10));
	}
}

/* A server that listens there, or null. */
function listens(...where) {
	return new Promise((done) => {
		const s = createServer();
		s.once("error", () => done(null));
		s.listen(...where, () => done(s));
	});
}

/* Blocks of ports: below those that the kernel gives to whoever connects, one of which a
 * client could have while a gateway starts again, and below those of tests/kit/kennel.py. */
const PORTS = { begin: 9200, size: 50, blocks: 56 };
let left = [];			/* of a block that is this process's until it ends */

async function block() {
	for (let i = 0; i < PORTS.blocks; i++) {
		const n = (process.pid + i) % PORTS.blocks;
		const mark = await listens(`\0kennel-browser-ports-${n}`);
		if (mark) {
			mark.unref();
			return Array.from({ length: PORTS.size }, (_, j) => PORTS.begin + n * PORTS.size + j);
		}
	}
	throw new Error("all ports are taken");
}

export async function freePort() {
	for (;;) {
		if (left.length === 0)
			left = await block();
		const port = left.shift(), s = await listens(port, "127.0.0.1");
		if (s) {
			await new Promise((r) => s.close(r));
			return port;
		}
	}
}

export class Kennel {
	dying = new Set();	/* pids of shards that may die */

	/* Connections end with their shards. */
	static startUncovered(...args) {
		return Kennel.each(() => "[gateway]\ncover = no\n", ...args);
	}

	static start(...args) {
		return Kennel.each(() => "", ...args);
	}

	/* config(n): the n-th node's. */
	static async each(config, ...args) {
		return NODES > 1 ? new Cluster().begin(config, args) :
			new Kennel().begin(await config(0), args);
	}

	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), "kennel."));
	}

	async begin(config, args) {
		this.run = join(this.dir, "run");
		this.port = await freePort();
		this.args = args;
		if (config) {
			const path = join(this.dir, "kennel.ini");
			writeFileSync(path, config);
			this.args = ["--config", path, ...args];
		}
		await this.launch();
		return this;
	}

	async launch() {
		const log = openSync(join(this.dir, "log"), "a");
		const mark = this.log().length;
		this.process = spawn(join(build, "gatewayd/gatewayd"), [
			"--run-dir", this.run, "--state-dir", join(this.dir, "state"),
			"--listen", `127.0.0.1:${this.port}`,
			"--worker", join(build, "shardd/shardd"), ...this.args,
		], { stdio: ["ignore", log, log] });
		closeSync(log);
		this.ended = new Promise((r) => this.process.once("exit", (code) => r(code)));
		await until(() => {
			if (this.process.exitCode !== null)
				throw new Error(`gatewayd ended:\n${this.log()}`);
			return / gatewayd\[\d+\] ready /.test(this.log().slice(mark));
		}, "gatewayd ready");
	}

	log() {
		try {
			return readFileSync(join(this.dir, "log"), "utf8");
		} catch {
			return "";
		}
	}

	url(path = "/") {
		return `http://127.0.0.1:${this.port}${path}`;
	}

	status() {
		return JSON.parse(execFileSync(join(build, "gatewayd/kennelctl"),
			["status", "--json", "--run-dir", this.run], { encoding: "utf8" }));
	}

	shards() {
		return this.status().shards.filter((s) => s.state === "ready");
	}

	/* Kills a shard, whose death is no fault. */
	killShard(pid) {
		this.dying.add(pid);
		process.kill(pid, "SIGKILL");
	}

	/* No shard has died, and nothing means a fault, unexpectedly. */
	faults() {
		const log = this.log();
		return [...log.matchAll(DEATH)].filter((m) => !this.dying.has(Number(m[1])))
			.concat([...log.matchAll(FAULT)]).map((m) => m[0]);
	}

	/* Pids of all that has our directory in its arguments. */
	pids() {
		return readdirSync("/proc").filter((p) => /^\d+$/.test(p)).map(Number).filter((pid) => {
			try {
				return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(this.dir + "/");
			} catch {
				return false;
			}
		});
	}

	/* An orderly end, and another start of the same. */
	async restart() {
		this.process.kill("SIGTERM");
		assert.equal(await this.ended, 0);
		await this.launch();
	}

	async stop() {
		this.process.kill("SIGTERM");
		const code = await this.ended;
		const log = this.log();
		try {
			if (code !== 0)
				throw new Error(`gatewayd ended with ${code}:\n${log.slice(-4000)}`);
			await until(() => this.pids().length === 0, "all processes gone");
			if (this.faults().length > 0)
				throw new Error(`faults in the log:\n${this.faults().join("\n")}\nin:\n${log.slice(-4000)}`);
		} finally {
			for (const pid of this.pids())
				process.kill(pid, "SIGKILL");
			rmSync(this.dir, { recursive: true, force: true });
		}
	}
}

/* Nodes as one Kennel. */
class Cluster {
	turns = [0, 0];		/* of other connections, and of those that stay */
	sockets = new Set();

	async begin(config, args) {
		this.dir = mkdtempSync(join(tmpdir(), "kennel."));
		const socket = join(this.dir, "redis"), key = join(this.dir, "key");
		writeFileSync(key, "a key that all of them know\n");
		this.redis = spawn("redis-server", ["--port", "0", "--unixsocket", socket, "--save", "",
			"--dir", this.dir], { stdio: "ignore" });
		await until(() => existsSync(socket), "Redis");
		this.nodes = [];
		for (let i = 0; i < NODES; i++)
			this.nodes.push(await new Kennel().begin(
				`[gateway]\ncluster_key_file = ${key}\n${await config(i)}`,
				["--node", `n${i}`, "--redis", `unix:${socket}`, "--admin",
					`127.0.0.1:${await freePort()}`, ...args]));
		await until(() => this.nodes.every((k) => k.log().match(/ bus redis=up/g)?.length >=
			k.shards().length), "all are on the bus");
		this.balancer = createServer({ allowHalfOpen: true }, (s) => this.balance(s));
		await new Promise((r) => this.balancer.listen(0, "127.0.0.1", r));
		this.port = this.balancer.address().port;
		return this;
	}

	balance(client) {
		this.sockets.add(client);
		client.on("error", () => {}).on("close", () => this.sockets.delete(client));
		client.once("data", (head) => {
			const stays = Number(/^upgrade: *websocket|text\/event-stream/im.test(head.toString("latin1")));
			const up = connect({ port: this.nodes[this.turns[stays]++ % this.nodes.length].port,
				host: "127.0.0.1", allowHalfOpen: true });
			up.on("error", () => {}).on("close", () => client.destroy());
			client.on("close", () => up.destroy());
			up.write(head);
			client.pipe(up).pipe(client);
		});
	}

	url(path = "/") {
		return `http://127.0.0.1:${this.port}${path}`;
	}

	log() {
		return this.nodes.map((k) => k.log()).join("");
	}

	status() {
		const all = this.nodes.map((k) => k.status());
		return { places: all.reduce((sum, s) => sum + s.places, 0),
			shards: all.flatMap((s) => s.shards) };
	}

	shards() {
		return this.nodes.flatMap((k) => k.shards());
	}

	killShard(pid) {
		this.nodes.find((k) => k.shards().some((s) => s.pid === pid)).killShard(pid);
	}

	async restart() {
		for (const k of this.nodes)
			await k.restart();
	}

	async stop() {
		try {
			for (const k of this.nodes)
				await k.stop();
		} finally {
			this.sockets.forEach((s) => s.destroy());
			this.balancer.close();
			this.redis.kill("SIGKILL");
			rmSync(this.dir, { recursive: true, force: true });
		}
	}
}
