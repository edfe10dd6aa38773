// Socket.IO: long polling first, then the upgrade to WebSocket.
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const port = Number(process.argv[2]);
const http = createServer();
const server = new Server(http, { pingInterval: 1000, pingTimeout: 1000 });
server.on("connection", (socket) => {
  socket.on("ask", (question, answer) => answer({ question, answer: 42 }));
});
http.listen(port, "127.0.0.1", () => {
  const client = io(`http://127.0.0.1:${port}`);
  client.on("connect", () => {
    setTimeout(() => client.emit("ask", "everything?", () => setTimeout(() => client.disconnect(), 2500)), 500);
  });
  client.on("disconnect", () => setTimeout(() => process.exit(0), 300));
});
