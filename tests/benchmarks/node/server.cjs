// A server of rpc-websockets, as its README writes it.
const { Server } = require("rpc-websockets");
const { lines, say, usage } = require("./child.cjs");

const server = new Server({ host: "127.0.0.1", port: 0 });

server.register("add", ([left, right]) => left + right);
server.register("echo", ([value]) => value);
server.event("quoted");
server.register("emit", ([count]) => {
  for (let number = 0; number < count; number++) {
    server.emit("quoted", { symbol: "ACME", price: 12.5 + number });
  }
  return true;
});

server.on("listening", async () => {
  say({ port: server.wss.address().port });
  const next = lines();
  while ((await next()) !== undefined) say(usage());
  process.exit(0);
});
