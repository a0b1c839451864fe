// The rpc-websockets client as it is, driven line by line.
// Usage: node client.cjs PACKAGE URL. Each line of stdin is {"call": [method, params]} or
// {"subscribe"|"unsubscribe": event} or {"notify": [method, params]}; each line of stdout is the
// answer {"result"} or {"error"}, or {"event", "args"}. It ends with stdin.
const { Client } = require(process.argv[2]);
const { createInterface } = require("node:readline");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const client = new Client(process.argv[3], { reconnect: false });

async function act(command) {
  const [[verb, value]] = Object.entries(command);
  if (verb === "call") return client.call(...value);
  if (verb === "notify") return client.notify(...value).then(() => null);
  if (verb === "unsubscribe") return client.unsubscribe(value);
  client.on(value, (...args) => say({ event: value, args }));
  return client.subscribe(value);
}

client.on("error", (error) => say({ failed: String(error.message) }));
client.on("close", (code) => say({ closed: code }));
client.on("open", async () => {
  say({ open: true });
  for await (const line of createInterface({ input: process.stdin })) {
    // Not awaited: calls overlap, as they do in an application.
    act(JSON.parse(line)).then(
      (result) => say({ result }),
      (error) => say({ error: error instanceof Error ? { message: error.message } : error }),
    );
  }
  client.close();
});
