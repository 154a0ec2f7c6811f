// The benchmark's jobs on npm's ws, one process, as people write it by hand.
const { WebSocketServer } = require("ws");

const groups = new Map(), who = new Map();
const server = new WebSocketServer({ port: Number(process.argv[2]), host: "127.0.0.1",
	backlog: 4096 });

function join(name, socket) {
	let group = groups.get(name);
	if (!group)
		groups.set(name, group = new Set());
	group.add(socket);
	socket.on("close", () => {
		group.delete(socket);
		if (group.size === 0)
			groups.delete(name);
	});
	return group;
}

server.on("connection", (socket, request) => {
	const url = new URL(request.url, "http://localhost"), uid = url.searchParams.get("u");
	socket.on("error", () => {});
	if (url.pathname === "/echo")
		socket.on("message", (data, binary) => socket.send(data, { binary }));
	else if (url.pathname.startsWith("/fan/")) {
		const group = join(url.pathname, socket);
		socket.on("message", (data, binary) => {
			for (const s of group)
				if (s !== socket)
					s.send(data, { binary });
		});
	} else {
		who.set(uid, socket);
		socket.on("close", () => who.get(uid) === socket && who.delete(uid));
		socket.on("message", (data, binary) => {
			const text = data.toString();
			who.get(text.slice(0, text.indexOf(" ")))?.send(data, { binary });
		});
	}
});
