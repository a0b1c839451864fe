// The rpc-websockets client as it is, driven line by line.
// Usage: node client.cjs PACKAGE URL [OPTIONS [ID_PREFIX]].
// Each line of stdin is {"call": [method, params]},
// {"subscribe"|"unsubscribe": event or events}, {"notify": [method, params]}, {"login": params},
// {"many": [method, count]}, or {"large": [method, size, count]}; each line of stdout is the answer
// {"result"} or {"error"}, or {"open"}, {"closed": code}, {"event", "args"}. It ends with stdin.
const { Client } = require(process.argv[2]);
const { createInterface } = require("node:readline");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const [url, options = "{}", prefix] = process.argv.slice(3);
let made = 0;
const makeId = prefix === undefined ? undefined : () => prefix + ++made;
const client = new Client(url, { reconnect: false, ...JSON.parse(options) }, makeId);
const numbers = (count) => Array.from({ length: count }, (_, number) => number);

// All calls at once: how many came back with what was sent, and which answers came first.
async function callMany(method, count) {
  const arrived = [];
  const call = async (number) => {
    const result = await client.call(method, [number, count]);
    arrived.push(number);
    return result === number;
  };
  const right = await Promise.all(numbers(count).map(call));
  return { right: right.filter(Boolean).length, first: arrived.slice(0, 3) };
}

async function callLarge(method, size, count) {
  const texts = numbers(count).map((number) => String(number).repeat(size));
  const results = await Promise.all(texts.map((text) => client.call(method, [text])));
  return results.filter((result, place) => result === texts[place]).length;
}

async function act(command) {
  const [[verb, value]] = Object.entries(command);
  if (verb === "call") return client.call(...value);
  if (verb === "notify") return client.notify(...value).then(() => null);
  if (verb === "login") return client.login(value);
  if (verb === "many") return callMany(...value);
  if (verb === "large") return callLarge(...value);
  if (verb === "unsubscribe") return client.unsubscribe(value);
  for (const event of [value].flat()) client.on(event, (...args) => say({ event, args }));
  return client.subscribe(value);
}

client.on("error", (error) => say({ failed: String(error.message) }));
client.on("close", (code) => say({ closed: code }));
client.on("open", () => say({ open: true }));
client.once("open", async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    // Not awaited: calls overlap, as they do in an application.
    act(JSON.parse(line)).then(
      (result) => say({ result }),
      (error) => say({ error: error instanceof Error ? { message: error.message } : error }),
    );
  }
  client.close();
});
