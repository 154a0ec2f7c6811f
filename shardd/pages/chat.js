"use strict";

/*
 * The chat room.  Whatever comes from others is inserted as text, never as
 * HTML.  When the connection is lost it comes back by itself, after a delay that
 * grows and is drawn at random, so that a thousand pages do not come back at once.
 */
const DELAY_MIN = 500, DELAY_MAX = 20000;
const $ = (id) => document.getElementById(id);
const base = location.pathname.replace(/\/+$/, "");

function room() {
	const name = base.split("/").pop();
	try {
		return decodeURIComponent(name);
	} catch {
		return name;
	}
}

function ask() {
	const answer = prompt("Your name?", sessionStorage.getItem("name") ?? "");
	const name = (answer ?? "").trim().replace(/\s+/g, "-") || "anon";
	sessionStorage.setItem("name", name);
	return name;
}

const user = ask();
let socket = null, failures = 0, timer = 0;

/* ---- users ---- */

const users = new Map();		/* name -> figure */

function figure(name) {
	let f = users.get(name);
	if (f === undefined) {
		f = document.createElement("figure");
		f.dataset.user = name;
		f.title = name;
		f.append(document.createElement("figcaption"), document.createElement("small"));
		f.firstChild.textContent = name;
		f.classList.toggle("self", name === user);
		users.set(name, f);
		$("users").append(f);
	}
	return f;
}

/* "node/3#1f..." is shown as "shard 3". */
function shard(address) {
	const m = /\/(\d+)#/.exec(address ?? "");
	return m === null ? "" : `shard ${m[1]}`;
}

function online(name, addresses) {
	const f = figure(name), where = [...new Set((addresses ?? []).map(shard))].filter(Boolean);
	f.classList.add("online");
	if (where.length > 0) {
		f.lastChild.textContent = where.join(", ");
		f.lastChild.title = addresses.join("\n");
	}
}

function offline(name) {
	const f = figure(name);
	f.classList.remove("online");
	f.lastChild.textContent = "";
}

function allOffline() {
	for (const name of users.keys())
		offline(name);
}

/* ---- messages ---- */

function line(className, parts, time) {
	const log = $("messages"), p = document.createElement("p");
	const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
	p.className = className;
	p.append(...parts);
	if (typeof time === "number") {
		const lag = document.createElement("small");
		lag.textContent = `${Math.max(0, Date.now() - time)} ms`;
		p.append(lag);
	}
	log.append(p);
	while (log.childElementCount > 1000)
		log.firstChild.remove();
	if (atEnd)
		log.scrollTop = log.scrollHeight;
}

function bold(text) {
	const b = document.createElement("b");
	b.textContent = text;
	return b;
}

const handlers = {
	"user:list": (m) => {
		const list = new Set(m.list);
		for (const name of users.keys())
			if (!list.has(name) && name !== user)
				offline(name);
		for (const name of list)
			online(name, Object.hasOwn(m.shards ?? {}, name) ? m.shards[name] : []);
	},
	"user:join": (m) => {
		online(m.from, m.shard ? [m.shard] : []);
		line("note", [bold(m.from), " has joined"], m.time);
	},
	"user:connected": (m) => {
		online(m.from, m.shard ? [m.shard] : []);
		line("note", [bold(m.from), " has connected"], m.time);
	},
	"user:exit": (m) => {
		offline(m.from);
		line("note", [bold(m.from), " has left"], m.time);
	},
	"user:msg": (m) => {
		const who = m.meta === "whisper" ? `${m.from} ↦ ${m.to}` : m.from;
		line(m.meta ?? "", [bold(who), ": ", String(m.text)], m.time);
	},
};

/* ---- the connection ---- */

function state(className, text) {
	$("state").className = className;
	$("state").textContent = text;
	document.querySelector("#say button").disabled = className !== "up";
}

function lost() {
	if (socket === null)
		return;
	socket = null;
	allOffline();
	const step = Math.min(DELAY_MAX, DELAY_MIN * 2 ** failures++);
	const delay = step / 2 + Math.random() * step / 2;
	state("down", `connection lost, trying again in ${(delay / 1000).toFixed(1)} s`);
	clearTimeout(timer);
	timer = setTimeout(connect, delay);
}

function connect() {
	clearTimeout(timer);
	if (socket !== null)
		return;
	const scheme = location.protocol === "https:" ? "wss:" : "ws:";
	const s = new WebSocket(`${scheme}//${location.host}${base}/ws?u=${encodeURIComponent(user)}`);
	socket = s;
	state("", "connecting");
	s.onopen = () => {
		failures = 0;
		state("up", `connected as ${user}`);
		s.send(JSON.stringify({ type: "req:user:list", user }));
		s.send(JSON.stringify({ type: "req:connected", user }));
	};
	s.onmessage = (e) => {
		let m;
		try {
			m = JSON.parse(e.data);
		} catch {
			return;
		}
		if (m !== null && typeof m === "object" && Object.hasOwn(handlers, m.type))
			handlers[m.type](m);
	};
	s.onclose = () => { if (socket === s) lost(); };
}

addEventListener("online", () => { failures = 0; connect(); });
/* Others should see at once that this page is gone. */
addEventListener("pagehide", () => socket?.close(1000));
addEventListener("pageshow", (e) => { if (e.persisted) connect(); });

$("say").addEventListener("submit", (e) => {
	e.preventDefault();
	const text = $("text").value;
	if (text.trim() === "" || socket === null || socket.readyState !== WebSocket.OPEN)
		return;
	socket.send(JSON.stringify({ type: "msg", text }));
	$("text").value = "";
});

$("room").textContent = room();
document.title = `${room()}: chat room`;
connect();
