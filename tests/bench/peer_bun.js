// The benchmark's jobs on Bun's own WebSocket server and its publish().
const who = new Map();

Bun.serve({
	port: Number(process.argv[2]),
	hostname: "127.0.0.1",
	fetch(request, server) {
		const url = new URL(request.url);
		const data = { path: url.pathname, uid: url.searchParams.get("u") };
		if (!server.upgrade(request, { data }))
			return new Response("a WebSocket, please", { status: 426 });
	},
	websocket: {
		backpressureLimit: 64 << 20,
		open(socket) {
			const { path, uid } = socket.data;
			if (path.startsWith("/fan/"))
				socket.subscribe(path);
			else if (path === "/whisper")
				who.set(uid, socket);
		},
		message(socket, message) {
			const { path } = socket.data;
			if (path === "/echo")
				socket.send(message);
			else if (path === "/whisper")
				who.get(message.slice(0, message.indexOf(" ")))?.send(message);
			else
				socket.publish(path, message);
		},
		close(socket) {
			const { uid } = socket.data;
			if (who.get(uid) === socket)
				who.delete(uid);
		},
	},
});
