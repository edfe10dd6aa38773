// A ws server and clients: compression without context takeover, 1009 for a message above maxPayload, terminate(),
// an empty Close.
const { WebSocket, WebSocketServer } = require("ws");

const port = Number(process.argv[2]);
const server = new WebSocketServer({
  port,
  host: "127.0.0.1",
  maxPayload: 4096,
  perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
});
server.on("connection", (socket, request) => {
  socket.on("error", () => {});
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  if (request.url === "/terminate") setTimeout(() => socket.terminate(), 500);
});

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const open = (path) =>
  new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    socket.on("error", () => {});
    socket.on("open", () => resolve(socket));
  });

server.on("listening", async () => {
  const chat = await open("/chat");
  for (const text of ["tick tick tick", "tick tick tick", "grüße"]) {
    chat.send(text);
    await sleep(50);
  }
  chat.send("frag", { fin: false });
  chat.ping("between");
  chat.send("mented", { fin: true });
  await sleep(200);
  chat.close();
  await sleep(200);
  const big = await open("/big");
  big.send("x".repeat(5000));
  await sleep(300);
  await open("/terminate");
  await sleep(900);
  process.exit(0);
});
