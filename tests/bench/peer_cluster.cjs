// The benchmark's jobs on npm's ws with Node's cluster, one channel of Redis for
// each user and each group, as people write it by hand.
//
//	peer_cluster.cjs PORT REDIS-SOCKET WORKERS	0: one process, one of several nodes
const cluster = require("node:cluster"), http = require("node:http");

const [port, path, workers] = process.argv.slice(2);

if (cluster.isPrimary && Number(workers) > 0) {
	let listening = 0;
	cluster.on("listening", () => ++listening === Number(workers) && console.log("ready"));
	for (let i = 0; i < workers; i++)
		cluster.fork();
} else
	worker();

async function worker() {
	const { WebSocketServer } = require("ws"), { createClient } = require("redis");
	const publisher = createClient({ socket: { path } }), subscriber = publisher.duplicate();
	for (const client of [publisher, subscriber])
		client.on("error", (e) => { console.error(e); process.exit(1); });
	await Promise.all([publisher.connect(), subscriber.connect()]);

	const channels = new Map();	// name: sockets here, and the subscription

	function heard(message, channel) {
		const { from, text } = JSON.parse(message);
		for (const socket of channels.get(channel)?.sockets ?? [])
			if (socket.uid !== from)
				socket.send(text);
	}

	function join(name) {
		let channel = channels.get(name);
		if (!channel)
			channels.set(name, channel = { sockets: new Set(), members: 0,
				ready: subscriber.subscribe(name, heard) });
		channel.members++;
		return channel;
	}

	function leave(name, socket) {
		const channel = channels.get(name);
		channel.sockets.delete(socket);
		if (--channel.members === 0) {
			channels.delete(name);
			subscriber.unsubscribe(name, heard);
		}
	}

	const wss = new WebSocketServer({ noServer: true });
	const server = http.createServer();
	server.on("upgrade", async (request, raw, head) => {
		const url = new URL(request.url, "http://localhost");
		const uid = url.searchParams.get("u");
		const fan = url.pathname.startsWith("/fan/");
		const name = fan ? url.pathname : `/user/${uid}`;
		raw.on("error", () => {});
		const channel = join(name);
		await channel.ready;
		if (raw.destroyed)
			return leave(name);
		wss.handleUpgrade(request, raw, head, (socket) => {
			socket.uid = uid;
			channel.sockets.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => leave(name, socket));
			socket.on("message", (data) => {
				const text = data.toString();
				publisher.publish(fan ? name : `/user/${text.slice(0, text.indexOf(" "))}`,
					JSON.stringify({ from: uid, text }));
			});
		});
	});
	server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 },
		() => cluster.isPrimary && console.log("ready"));
}
