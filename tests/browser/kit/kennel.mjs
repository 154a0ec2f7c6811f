/* A kennel in a directory of its own, for the tests of real clients. */
import assert from "node:assert/strict";
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join, resolve, dirname } from "node:path";
import { fileURLToPath } from "node:url";

const top = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.KENNEL_BUILD ?? join(top, "build");

/* By what deadlines grow, as in tests/kit/wait.py. */
const slow = () => Math.max(1, process.env.KENNEL_SLOW ? Number(process.env.KENNEL_SLOW) :
	Math.min(4, Math.floor(loadavg()[0] / availableParallelism())));
export const limit = (ms) => ms * slow();

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

export function freePort() {
	return new Promise((done, fail) => {
		const s = createServer();
		s.once("error", fail);
		s.listen(0, "127.0.0.1", () => {
			const { port } = s.address();
			s.close(() => done(port));
		});
	});
}

export class Kennel {
	dying = new Set();	/* pids of shards that may die */

	/* Connections end with their shards. */
	static async startUncovered(...args) {
		const k = new Kennel(), config = join(k.dir, "uncovered.ini");
		writeFileSync(config, "[gateway]\ncover = no\n");
		return k.begin("--config", config, ...args);
	}

	static async start(...args) {
		return new Kennel().begin(...args);
	}

	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), "kennel."));
	}

	async begin(...args) {
		const k = this;
		k.run = join(k.dir, "run");
		k.port = await freePort();
		k.args = args;
		await k.launch();
		return k;
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
