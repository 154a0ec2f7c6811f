/* A kennel in a directory of its own, for the tests of real clients. */
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve, dirname } from "node:path";
import { fileURLToPath } from "node:url";

const top = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.KENNEL_BUILD ?? join(top, "build");

/* The first true value of condition(), which may be asynchronous. */
export async function until(condition, what = String(condition), ms = 15000) {
	const end = Date.now() + ms;
	for (;;) {
		const value = await condition();
		if (value)
			return value;
		if (Date.now() > end)
			throw new Error(`not within ${ms} ms: ${what}`);
		await new Promise((r) => setTimeout(r, 10));
	}
}

function freePort() {
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
	static async start(...args) {
		const k = new Kennel();
		k.dir = mkdtempSync(join(tmpdir(), "kennel."));
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

	async stop() {
		this.process.kill("SIGTERM");
		const code = await this.ended;
		const log = this.log();
		try {
			if (code !== 0)
				throw new Error(`gatewayd ended with ${code}:\n${log.slice(-4000)}`);
			await until(() => this.pids().length === 0, "all processes gone");
		} finally {
			for (const pid of this.pids())
				process.kill(pid, "SIGKILL");
			rmSync(this.dir, { recursive: true, force: true });
		}
	}
}
