// The rpc-websockets server as it is, with a few methods and events, driven line by line.
// Usage: node server.cjs PACKAGE. The first line of stdout is {"port"}; each line of stdin is
// {"emit": [event, ...args]}. It ends with stdin.
const { Server } = require(process.argv[2]);
const { createInterface } = require("node:readline");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const server = new Server({ host: "127.0.0.1", port: 0 });

server.register("add", (params) => (Array.isArray(params) ? params[0] + params[1] : params.a + params.b));
server.register("echo", (params) => params);
server.register("nothing", () => undefined);
server.register("slow", ([ms]) => new Promise((done) => setTimeout(() => done(ms), ms)));
server.register("fail", () => {
  throw new TypeError("it broke");
});
server.register("refuse", () => {
  throw { code: 7, message: "no", data: { why: "closed" } };
});
server.register("hint", () => {
  throw "just a string";
});
server.event("tick");
server.event("pair");
server.event("bare");

server.on("listening", async () => {
  say({ port: server.wss.address().port });
  for await (const line of createInterface({ input: process.stdin })) {
    const { emit } = JSON.parse(line);
    server.emit(...emit);
    say({ emitted: emit[0] });
  }
  process.exit(0);
});
