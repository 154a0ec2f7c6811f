/* Debian's Chromium with a profile of its own, whose pages are watched: what goes
 * wrong in them, and whom they speak to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { limit } from "./kennel.mjs";

export class Browser {
	faults = [];		/* errors of the pages, and on their consoles */
	hosts = new Set();	/* host:port of all requests and WebSockets */

	static async start() {
		const b = new Browser();
		b.profile = mkdtempSync(join(tmpdir(), "kennel-chromium."));
		b.context = await chromium.launchPersistentContext(b.profile, {
			executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
			headless: true,
			chromiumSandbox: false,
			args: ["--disable-gpu", "--disable-quic", "--no-first-run",
				"--disable-background-networking", "--disable-component-update",
				"--disable-sync"],
		});
		b.context.on("request", (r) => b.note(r.url()));
		return b;
	}

	note(url) {
		const u = new URL(url);
		if (u.protocol !== "data:")
			this.hosts.add(u.host);
	}

	/* A page, not yet anywhere.  console: whether an error on its console is a
	 * fault; a WebSocket that cannot connect is one. */
	async page({ size, console = true } = {}) {
		const page = await this.context.newPage();
		page.setDefaultTimeout(limit(30000));
		page.on("pageerror", (e) => this.faults.push(String(e)));
		page.on("websocket", (s) => this.note(s.url()));
		if (console) {
			page.on("console", (m) => {
				if (m.type() === "error" || m.type() === "warning")
					this.faults.push(`${page.url()}: ${m.text()}`);
			});
		}
		if (size)
			await page.setViewportSize(size);
		return page;
	}

	async stop() {
		await this.context.close();
		rmSync(this.profile, { recursive: true, force: true });
	}
}
