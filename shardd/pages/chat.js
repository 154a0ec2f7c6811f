"use strict";

/*
 * The chat room.  Whatever comes from others is inserted as text, never as
 * HTML.  When the connection is lost it comes back by itself, after a delay that
 * grows and is drawn at random, so that a thousand pages do not come back at once.
 */
const DELAY_MIN = 500, DELAY_MAX = 20000;
const NAME_MAX = 64;			/* characters */
const LINES_MAX = 1000, GONE_MAX = 50;	/* that are shown */
const LOST_MS = 1000;			/* not all pages ask at once */
const GATHER_MS = 60000, GATHER_NAMES = 5;
const SHUT_MAX = 2;			/* WebSockets in a row that did not open */
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

/* ---- one's own name: of the address, or remembered, or asked for ---- */

let user = null, socket = null, failures = 0, timer = 0;
let shut = 0;				/* WebSockets that did not open, since one did */

/* Commands end names at white space. */
function tidy(name) {
	return [...(name ?? "").trim().replace(/\s+/g, "-")].slice(0, NAME_MAX).join("");
}

/* A browser may forbid to store anything. */
function remembered() {
	try {
		return localStorage.getItem("chat-name");
	} catch {
		return null;
	}
}

function remember(name) {
	try {
		localStorage.setItem("chat-name", name);
	} catch {
		/* Then it is asked for again. */
	}
}

/* What stands where nothing has been said. */
const STRANGER = "Everybody who has this page's address talks here. Say below who you are, and come in.";
const QUIET = "Nothing has been said since you came. Send somebody this page's address, or open it in a second window.";

function ask() {
	if (user === null)
		$("messages").dataset.hint = STRANGER;
	$("who").hidden = false;
	$("say").hidden = true;
	$("keep").hidden = user === null;
	$("name").value = user ?? "";
	$("name").focus();
	$("name").select();
}

function enter(name) {
	const old = user;
	user = name;
	$("who").hidden = true;
	$("say").hidden = $("rename").hidden = $("people").hidden = false;
	$("messages").dataset.hint = QUIET;
	$("rename").textContent = name;
	if (name === old)
		return;
	if (old !== null)
		leave();
	for (const [other, f] of users)
		f.classList.toggle("self", other === name);
	failures = 0;
	connect();
}

$("who").addEventListener("submit", (e) => {
	e.preventDefault();
	const name = tidy($("name").value) || "anon", address = new URL(location);
	remember(name);
	/* It is this one now, also when the page is loaded again. */
	address.searchParams.delete("u");
	history.replaceState(null, "", address);
	enter(name);
	$("text").focus();
});
$("who").addEventListener("keydown", (e) => { if (e.key === "Escape" && user !== null) enter(user); });
$("keep").addEventListener("click", () => enter(user));
$("rename").addEventListener("click", ask);

/* ---- users ---- */

const users = new Map();		/* name -> figure */
const gone = new Set();			/* those of them who left, the latest last */
let unlisted = 0;			/* others, whom the list had no room for */

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

const nodes = new Set();		/* of the shards that were named */

/* "node/3#1f..." is shown as "shard 3", and with its node where there are several. */
function shard(address) {
	const m = /^(.*)\/(\d+)#/.exec(address ?? "");
	if (m === null)
		return "";
	nodes.add(m[1]);
	return `shard ${m[2]}` + (nodes.size > 1 ? ` of ${m[1]}` : "");
}

/* Shows which shards serve the user of f. */
function serve(f, addresses) {
	f.lastChild.title = addresses.join("\n");
	f.lastChild.textContent = [...new Set(addresses.map(shard))].filter(Boolean).join(", ");
}

function isOnline(name) {
	return users.has(name) && !gone.has(name);
}

function countUsers() {
	$("people").textContent = `${users.size - gone.size + unlisted} here`;
	$("users").dataset.more = unlisted > 0 ? `and ${unlisted} more` : "";
}

function online(name, addresses) {
	const f = figure(name), known = nodes.size;
	f.classList.add("online");
	gone.delete(name);
	if ((addresses ?? []).some(shard))
		serve(f, addresses);
	if (nodes.size > known && known > 0)
		for (const other of users.values())
			serve(other, other.lastChild.title.split("\n"));
}

function offline(name) {
	const f = users.get(name);
	if (f === undefined)
		return;
	f.classList.remove("online");
	serve(f, []);
	gone.delete(name);
	gone.add(name);
	if (gone.size <= GONE_MAX)
		return;
	const [oldest] = gone;
	users.get(oldest).remove();
	users.delete(oldest);
	gone.delete(oldest);
}

function allOffline() {
	unlisted = 0;
	for (const name of [...users.keys()])
		offline(name);
	countUsers();
}

$("people").addEventListener("click", () => {
	const open = $("users").classList.toggle("open");
	$("people").setAttribute("aria-expanded", String(open));
});

/* ---- messages ---- */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
let gathered = null;			/* the line of joins and leaves that is last */

/* Does the log show its end?  Then it is to do so when more is there. */
function atEnd() {
	const log = $("messages");
	return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function stamp(time) {
	const t = document.createElement("time"), lag = Date.now() - time, date = new Date(time);
	if (typeof time !== "number" || Number.isNaN(date.getTime()))
		return "";
	t.dateTime = date.toISOString();
	t.textContent = clock.format(date);
	t.title = exact.format(date) + (lag >= 0 && lag < 60000 ? `, ${lag} ms on its way` : "");
	return t;
}

function line(className, parts, time) {
	const log = $("messages"), p = document.createElement("p"), follow = atEnd();
	gathered = null;
	p.className = className;
	p.append(stamp(time), ...parts);
	log.append(p);
	while (log.childElementCount > LINES_MAX)
		log.firstChild.remove();
	if (follow)
		log.scrollTop = log.scrollHeight;
	return p;
}

function bold(text) {
	const b = document.createElement("b");
	b.textContent = text;
	return b;
}

/* "ann, bob and 7 others have joined", as nodes. */
function people(names, one, many) {
	const nodes = [], shown = [...names].slice(0, names.size > GATHER_NAMES + 1 ? GATHER_NAMES : names.size);
	const others = names.size - shown.length;
	shown.forEach((name, i) => {
		if (i > 0)
			nodes.push(i === names.size - 1 ? " and " : ", ");
		nodes.push(bold(name));
	});
	if (others > 0)
		nodes.push(` and ${others} others`);
	return [...nodes, ` ${names.size === 1 ? one : many}`];
}

/*
 * Joins and leaves with nothing said between them are one line, for a minute.  In it
 * everybody is once.
 */
function gather(name, joined, time) {
	const follow = atEnd();
	if (gathered === null || Date.now() - gathered.since > GATHER_MS) {
		const p = line("note", [], time);
		gathered = { p, since: Date.now(), came: new Set(), left: new Set(), both: new Set() };
	}
	const { p, came, left, both } = gathered, had = came.has(name);
	for (const set of [came, left, both])
		set.delete(name);
	(joined ? came : had ? both : left).add(name);
	const parts = [[came, "has joined", "have joined"], [left, "has left", "have left"],
		[both, "came and went", "came and went"]].filter(([names]) => names.size > 0)
		.map(([names, one, many], i) => [i > 0 ? "; " : "", ...people(names, one, many)]);
	p.replaceChildren(...p.querySelectorAll("time"), ...parts.flat());
	if (follow)
		$("messages").scrollTop = $("messages").scrollHeight;
}

function arrived(m) {
	const name = String(m.from), known = isOnline(name);
	online(name, m.shard ? [String(m.shard)] : []);
	countUsers();
	if (!known)			/* else it is another window of theirs */
		gather(name, true, m.time);
}

const handlers = {
	"user:list": (m) => {
		const list = new Set(Array.isArray(m.list) ? m.list.map(String) : []);
		unlisted = m.more > 0 ? m.more : 0;
		for (const name of [...users.keys()])
			if (!list.has(name) && name !== user && unlisted === 0)
				offline(name);
		for (const name of list)
			online(name, Object.hasOwn(m.shards ?? {}, name) ? m.shards[name] : []);
		countUsers();
	},
	"user:join": arrived,
	"user:connected": arrived,
	"user:exit": (m) => {
		const name = String(m.from);
		offline(name);
		countUsers();
		gather(name, false, m.time);
	},
	/* The gateway died with a shard: only the list knows who is left. */
	"user:lost": () => {
		const s = socket;
		setTimeout(() => { if (socket === s) askList(); }, Math.random() * LOST_MS);
	},
	"user:msg": (m) => {
		const who = m.meta === "whisper" ? `${m.from} ↦ ${m.to}` : String(m.from);
		line(["whisper", "group"].includes(m.meta) ? m.meta : "",
			[bold(who), ": ", ...linked(String(m.text))], m.time);
	},
	"error": (m) => line("hint", [`Not sent: ${m.text}.`], m.time),
};

/* ---- the connection ---- */

function state(className, text) {
	$("state").className = className;
	$("state").textContent = text;
	document.querySelector("#say button").disabled = className !== "up";
}

function askList() {
	if (socket?.up())
		socket.send({ type: "req:user:list", user });
}

/*
 * Two ways to the room: on.open(), on.message(text), on.close() say what comes by
 * them.  Where WebSocket is not to be had, what comes is an event, and what goes is a POST.
 */
function viaSocket(on) {
	const scheme = location.protocol === "https:" ? "wss:" : "ws:";
	const s = new WebSocket(`${scheme}//${location.host}${base}/ws?u=${encodeURIComponent(user)}`);
	s.onopen = on.open;
	s.onmessage = (e) => on.message(e.data);
	s.onclose = on.close;
	return {
		up: () => s.readyState === WebSocket.OPEN,
		send: (m) => s.send(JSON.stringify(m)),
		close: () => s.close(1000),
	};
}

function viaEvents(on) {
	const at = (verb) => `${base}/${verb}?u=${encodeURIComponent(user)}`;
	const s = new EventSource(at("events"));
	const end = () => { s.close(); on.close(); };
	const failed = (text) => on.message(JSON.stringify({ type: "error", text, time: Date.now() }));
	let sent = Promise.resolve();
	s.onopen = on.open;
	s.onmessage = (e) => on.message(e.data);
	s.onerror = end;
	s.addEventListener("close", end);
	/* One after the other, as they were said. */
	const post = async (m) => {
		const r = await fetch(at("say"), { method: "POST", body: JSON.stringify(m) });
		const text = await r.text();
		if (!r.ok)
			failed(text.trim().replace(/\.$/, ""));
		else if (text !== "")
			on.message(text);
	};
	return {
		up: () => s.readyState === EventSource.OPEN,
		send: (m) => { sent = sent.then(() => post(m)).catch(() => failed("it could not be sent")); },
		close: () => s.close(),
	};
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

/* To come back as somebody else. */
function leave() {
	const s = socket;
	socket = null;
	allOffline();
	s?.close();
}

function connect() {
	clearTimeout(timer);
	if (socket !== null || user === null)
		return;
	const events = !("WebSocket" in window) || shut >= SHUT_MAX;
	let opened = false;
	const s = (events ? viaEvents : viaSocket)({
		open() {
			if (socket !== s)
				return;
			failures = 0;
			opened = true;
			state("up", "connected");
			askList();
			s.send({ type: "req:connected", user });
		},
		message(text) {
			let m;
			try {
				m = JSON.parse(text);
			} catch {
				return;
			}
			/* What has a uid was passed on from a client: it is not the server's word. */
			if (socket === s && m !== null && typeof m === "object" && !Object.hasOwn(m, "uid") &&
			    Object.hasOwn(handlers, m.type))
				handlers[m.type](m);
		},
		close() {
			if (socket !== s)
				return;
			/* A proxy may let no WebSocket through: then the other way, and back. */
			shut = opened || events ? 0 : shut + 1;
			lost();
		},
	});
	socket = s;
	state("", "connecting");
}

addEventListener("online", () => { failures = 0; connect(); });
/* Others should see at once that this page is gone. */
addEventListener("pagehide", () => socket?.close());
addEventListener("pageshow", (e) => { if (e.persisted) connect(); });

$("say").addEventListener("submit", (e) => {
	e.preventDefault();
	const text = $("text").value;
	if (text.trim() === "" || !socket?.up())
		return;
	/* Whom the list has no room for may be here all the same. */
	const why = objection(text, (name) => unlisted > 0 || isOnline(name));
	if (why === undefined)
		socket.send({ type: "msg", text });
	else
		line("hint", [why], Date.now());
	if (why === undefined || text.trim() === "/help")
		$("text").value = "";
});

$("room").textContent = room();
document.title = `${room()}: chat room`;
const known = tidy(new URLSearchParams(location.search).get("u")) || tidy(remembered());
if (known === "") {
	ask();
} else {
	enter(known);
	/* On a telephone, the keyboard would hide what is said. */
	if (matchMedia("(hover: hover)").matches)
		$("text").focus();
}
