/*
 * What a step of a Pact room costs: counter steps a second in one room over all
 * shards, and the time from a step to the last of many subscribers.
 *
 *	node pact_steps.cjs steps|latency PORT[,PORT...] NAME=PID[,PID] ...
 *
 * The processes' CPU is read from /proc.  One process plays all clients, so its
 * own share is in the times.  Every value is checked: the sum, and that all
 * subscribers see the same steps.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const WebSocket = require(path.join(__dirname, 'node_modules', 'ws'));

const [what, ports, ...groups] = process.argv.slice(2);
const port = ports.split(',');	// clients go to each in turn
let turn = 0;
const CLIENTS = 64, STEPS = 500, SUBSCRIBERS = 1000, ROUNDS = 200;

function cpu(pids) {	// seconds
	return pids.split(',').reduce((sum, pid) => sum +
	    Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8')
	    .split(' ')[0]) / 1e9, 0);
}

function used() {
	return Object.fromEntries(groups.map((g) => {
		const [name, pids] = g.split('=');
		return [name, cpu(pids)];
	}));
}

function open(room) {
	return new Promise((resolve, reject) => {
		const s = new WebSocket(
		    `ws://127.0.0.1:${port[turn++ % port.length]}/websocket?room=${room}`,
		    { perMessageDeflate: false });
		s.on('error', reject);
		s.on('message', (text) => {
			if (String(text).startsWith('{"type":"profile"'))
				resolve(s);
		});
	});
}

async function openMany(room, n) {
	const all = [];

	while (all.length < n)
		all.push(...await Promise.all(Array.from(
		    { length: Math.min(50, n - all.length) },
		    () => open(room))));
	return all;
}

const say = (type, data) => JSON.stringify({ type, data });
const median = (a) => a.sort((x, y) => x - y)[a.length >> 1];

async function throughput() {
	const clients = await openMany('steps', CLIENTS);
	const watchers = clients.filter((_, i) => i % (CLIENTS / 4) === 0);
	const heard = watchers.map(() => []);
	const total = CLIENTS * STEPS;

	const done = Promise.all(watchers.map((s, i) => new Promise((ok) => {
		s.send(say('subscribe', 'counter:x'));
		s.on('message', (text) => {
			const m = JSON.parse(text);
			if (m.type === 'counter' &&
			    heard[i].push(m.data.value) === total)
				ok();
		});
	})));
	await new Promise((ok) => setTimeout(ok, 200));
	const before = used(), start = process.hrtime.bigint();
	for (const s of clients)
		for (let i = 0; i < STEPS; i++)
			s.send(say('counter', { id: 'x', value: 1 }));
	await done;
	const seconds = Number(process.hrtime.bigint() - start) / 1e9;
	const after = used();
	for (const h of heard)
		h.forEach((v, i) => {
			if (v !== i + 1)
				throw new Error(`step ${i + 1} said ${v}`);
		});
	const share = Object.keys(after).map((k) => `${k} ` +
	    `${((after[k] - before[k]) / total * 1e6).toFixed(1)} us`);
	console.log(`${(total / seconds).toFixed(0)} steps/s, CPU a step: ` +
	    share.join(', '));
	clients.forEach((s) => s.terminate());
}

async function latency() {
	const all = await openMany('last', SUBSCRIBERS + 1);
	const sender = all.pop();
	const times = [];
	let left = 0, ok;

	for (const s of all) {
		s.send(say('subscribe', 'counter:x'));
		s.on('message', (text) => {
			if (text[9] === 99 && text[10] === 111 && --left === 0)
				ok();		/* {"type":"co */
		});
	}
	await new Promise((r) => setTimeout(r, 500));
	for (let i = 0; i < ROUNDS; i++) {
		left = SUBSCRIBERS;
		const start = process.hrtime.bigint();
		const last = new Promise((r) => { ok = r; });
		sender.send(say('counter', { id: 'x', value: 1 }));
		await last;
		times.push(Number(process.hrtime.bigint() - start) / 1e6);
	}
	console.log(`step to the last of ${SUBSCRIBERS} subscribers: median ` +
	    `${median(times).toFixed(1)} ms`);
	all.forEach((s) => s.terminate());
}

(what === 'latency' ? latency() : throughput()).then(() => process.exit(0), (e) => {
	console.error(e);
	process.exit(1);
});
