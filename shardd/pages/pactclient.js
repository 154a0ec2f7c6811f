"use strict";

/*
 * A small client of Pact's protocol, for the demo pages and for yours.
 *
 *	const pact = new Pact("my-room");
 *	pact.on("chat", (data) => console.log(data.message));
 *	pact.subscribe("chat");
 *	pact.connect();
 *	pact.send("chat", "hello");
 *
 * It speaks to the host that this script came from, and as it came: ws or wss.
 * A window is one user of a room: its session is kept in sessionStorage, so it
 * lives through a reload and a lost connection, and a second window is somebody
 * else.  A lost connection comes back by itself, after a delay that grows and is
 * drawn at random; what was subscribed to is then subscribed to again, for
 * subscriptions end with their connection.
 *
 * Beside the types of the protocol there are two of its own: "state" (its data is
 * connecting, up or down; in words: pact.why) and "lost".
 */
class Pact {
	static DELAY_MIN = 500;
	static DELAY_MAX = 20000;
	static SILENCE = 60000;		/* ms; the server pings every 25 s */
	static home = new URL(document.currentScript?.src ?? location.href);

	constructor(room = new URLSearchParams(location.search).get("room") || "demo") {
		this.room = room;
		this.profile = null;
		this.state = "";
		this.why = "";
		this.listeners = new Map();	/* type -> functions */
		this.events = new Set();	/* what we subscribe to */
		this.socket = null;
		this.failures = 0;
		this.timer = 0;
		this.silence = 0;
		this.ended = false;
		this.session = this.recall("session");
		if (this.session === null) {
			this.session = Pact.random();
			this.remember("session", this.session);
		}
		addEventListener("online", () => this.again());
		/* Others should see at once that this page is gone. */
		addEventListener("pagehide", () => this.drop());
		addEventListener("pageshow", (e) => { if (e.persisted) this.again(); });
	}

	/* Whoever knows a session is its user, so nobody may guess it.
	 * crypto.randomUUID is not there over plain HTTP. */
	static random() {
		const bytes = crypto.getRandomValues(new Uint8Array(16));
		return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
	}

	/* Kept for this window and room; for this page's life only if storage
	 * is forbidden. */
	recall(key) {
		try {
			return sessionStorage.getItem(`pact:${key}:${this.room}`);
		} catch {
			return null;
		}
	}

	remember(key, value) {
		try {
			sessionStorage.setItem(`pact:${key}:${this.room}`, value);
		} catch { /* then not */ }
	}

	on(type, listener) {
		if (!this.listeners.has(type))
			this.listeners.set(type, []);
		this.listeners.get(type).push(listener);
	}

	tell(type, data) {
		for (const listener of this.listeners.get(type) ?? [])
			listener(data);
	}

	/* False if it could not be sent: there is no connection. */
	send(type, data) {
		if (this.socket?.readyState !== WebSocket.OPEN)
			return false;
		this.socket.send(JSON.stringify({ type, data }));
		return true;
	}

	subscribe(event) {
		if (this.events.has(event))
			return;
		this.events.add(event);
		this.send("subscribe", event);
	}

	unsubscribe(event) {
		if (this.events.delete(event))
			this.send("unsubscribe", event);
	}

	connect() {
		this.ended = false;
		clearTimeout(this.timer);
		if (this.socket !== null)
			return;
		const url = new URL("/websocket", Pact.home);
		url.protocol = Pact.home.protocol === "https:" ? "wss:" : "ws:";
		url.searchParams.set("room", this.room);
		url.searchParams.set("session", this.session);
		const s = new WebSocket(url);
		this.socket = s;
		this.become("connecting");
		this.listen();
		s.onopen = () => {
			for (const event of this.events)
				this.send("subscribe", event);
		};
		s.onmessage = (e) => { if (this.socket === s) this.hear(e.data); };
		s.onclose = () => { if (this.socket === s) this.lost(); };
	}

	close() {
		this.ended = true;
		clearTimeout(this.timer);
		this.drop();
	}

	hear(text) {
		let m;
		this.listen();
		try {
			m = JSON.parse(text);
		} catch {
			return;
		}
		if (typeof m?.type !== "string")
			return;
		if (m.type === "profile") {
			this.profile = m.data;
			this.failures = 0;
			this.become("up");
		}
		this.tell(m.type, m.data);
	}

	/* A connection that died unseen, as when a laptop slept. */
	listen() {
		const s = this.socket;
		clearTimeout(this.silence);
		this.silence = setTimeout(() => {
			if (this.socket !== s)
				return;
			s.close();
			this.lost();
		}, Pact.SILENCE);
	}

	drop() {
		const s = this.socket;
		this.socket = null;
		clearTimeout(this.silence);
		s?.close(1000);
		if (s !== null)
			this.tell("lost");
	}

	lost() {
		this.socket = null;
		clearTimeout(this.silence);
		this.tell("lost");
		if (this.ended)
			return;
		const step = Math.min(Pact.DELAY_MAX, Pact.DELAY_MIN * 2 ** this.failures++);
		const delay = step / 2 + Math.random() * step / 2;
		this.become("down", `connection lost, trying again in ${(delay / 1000).toFixed(1)} s`);
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.connect(), delay);
	}

	/* There is reason to hope. */
	again() {
		this.failures = 0;
		if (!this.ended && this.state !== "")
			this.connect();
	}

	become(state, why = state) {
		this.state = state;
		this.why = why;
		this.tell("state", state);
	}
}
