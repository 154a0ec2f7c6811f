// The benchmark's jobs on npm's Socket.IO with its Redis adapter: one process of a cluster.
//
//	peer_sio.cjs PORT REDIS-SOCKET
const { Server } = require("socket.io"), { createClient } = require("redis");
const { createAdapter } = require("@socket.io/redis-adapter");

const [port, path] = process.argv.slice(2);

(async () => {
	const publisher = createClient({ socket: { path } }), subscriber = publisher.duplicate();
	for (const client of [publisher, subscriber])
		client.on("error", (e) => { console.error(e); process.exit(1); });
	await Promise.all([publisher.connect(), subscriber.connect()]);

	const io = new Server({ adapter: createAdapter(publisher, subscriber), pingInterval: 300000,
		transports: ["websocket"], perMessageDeflate: false });
	io.on("connection", (socket) => {
		const { path, u } = socket.handshake.query, fan = path.startsWith("/fan/");
		socket.join(fan ? path : `/user/${u}`);
		socket.on("m", (text) => fan ? socket.to(path).emit("m", text) :
			io.to(`/user/${text.slice(0, text.indexOf(" "))}`).emit("m", text));
	});
	await subscriber.ping();	// behind the adapter's own subscriptions: other processes are heard
	io.listen(Number(port));
	io.httpServer.on("listening", () => console.log("ready"));
})();
