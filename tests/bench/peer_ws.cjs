// The benchmark's jobs on npm's ws, one process, as people write it by hand.
const { WebSocketServer } = require("../browser/node_modules/ws");

const fan = new Set(), who = new Map();
const server = new WebSocketServer({ port: Number(process.argv[2]), host: "127.0.0.1" });

server.on("connection", (socket, request) => {
	const url = new URL(request.url, "http://localhost"), uid = url.searchParams.get("u");
	socket.on("error", () => {});
	if (url.pathname === "/echo")
		socket.on("message", (data, binary) => socket.send(data, { binary }));
	else if (url.pathname === "/fan") {
		fan.add(socket);
		socket.on("close", () => fan.delete(socket));
		socket.on("message", (data, binary) => {
			for (const s of fan)
				if (s !== socket)
					s.send(data, { binary });
		});
	} else {
		who.set(uid, socket);
		socket.on("close", () => who.delete(uid));
		socket.on("message", (data, binary) => {
			const text = data.toString();
			who.get(text.slice(0, text.indexOf(" ")))?.send(data, { binary });
		});
	}
});
