// A Socket.IO server whose clients have to answer its pings soon.
const { createServer } = require("http");
const { Server } = require("socket.io");

const server = createServer();
new Server(server, { pingInterval: 1000, pingTimeout: 1000 });
server.listen(Number(process.argv[2]), "127.0.0.1");
