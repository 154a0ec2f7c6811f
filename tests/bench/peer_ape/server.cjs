// The original server of api-ape, with the controllers below ./api.
const { createServer } = require("node:http");
process.chdir(__dirname);
// A client that resets its connection ends the process, else.
process.on("uncaughtException", (e) => console.log(String(e)));
const { ape } = require("api-ape");

const server = createServer();
ape(server, { where: "api" });
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
