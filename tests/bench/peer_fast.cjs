// The original: npm's fast-tcp, one process.
const { Server } = require("fast-tcp");

const server = new Server();
server.on("connection", (socket) => {
	socket.on("error", () => {});
	socket.on("echo", (data, answer) => answer(data));
});
server.listen(Number(process.argv[2]), "127.0.0.1");
