// The rpc-websockets server as it is, with a few methods and events, driven line by line.
// Usage: node server.cjs PACKAGE. The first line of stdout is {"port"}. Each line of stdin is
// {"emit": [event, ...args]}, {"say": text} to send a frame of that text to everybody,
// or {"count": event} to learn how many have subscribed. It ends with stdin.
const { Server } = require(process.argv[2]);
const { createInterface } = require("node:readline");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const server = new Server({ host: "127.0.0.1", port: 0 });

server.setAuth(({ user, password }) => user === "ada" && password === "secret");
server.register("add", (params) => (Array.isArray(params) ? params[0] + params[1] : params.a + params.b));
server.register("echo", (params) => params);
server.register("same", ([value]) => value);
server.register("nothing", () => undefined);
server.register("slow", ([ms]) => new Promise((done) => setTimeout(() => done(ms), ms)));
server.register("whoami", () => "ada").protected();
server.register("fail", () => {
  throw new TypeError("it broke");
});
server.register("refuse", () => {
  throw { code: 7, message: "no", data: { why: "closed" } };
});
server.register("hint", () => {
  throw "just a string";
});
server.register("vanish", () => process.exit(1));
// Too deep for JSON.stringify: the package's own process ends of it.
server.register("deep", () => {
  let value = [];
  for (let depth = 0; depth < 20000; depth++) value = [value];
  return value;
});

// The last of `of` calls that come in is answered first.
const waiting = [];
server.register("backwards", ([number, of]) => {
  const answered = new Promise((done) => waiting.push(() => done(number)));
  if (waiting.length === of) while (waiting.length > 0) waiting.pop()();
  return answered;
});

server.event("tick");
server.event("pair");
server.event("bare");
server.event("secret").protected();
server.of("/side").register("where", () => "/side");

const verbs = {
  emit: (event, ...args) => server.emit(event, ...args),
  say: (text) => server.wss.clients.forEach((client) => client.send(text)),
  count: (event) => server.namespaces["/"].events[event].sockets.length,
};

server.on("listening", async () => {
  say({ port: server.wss.address().port });
  for await (const line of createInterface({ input: process.stdin })) {
    const [[verb, value]] = Object.entries(JSON.parse(line));
    const result = verbs[verb](...[value].flat());
    say(verb === "emit" ? { emitted: value[0] } : { [verb]: result ?? null });
  }
  process.exit(0);
});
