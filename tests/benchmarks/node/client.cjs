// Clients of rpc-websockets, and the loads of tests/benchmarks/loads.py that they can do.
const { Client } = require("rpc-websockets");
const { cpu, lines, say, usage } = require("./child.cjs");

const AT_ONCE = 20; // connections that are opened at a time
const url = `ws://127.0.0.1:${process.argv[2]}`;
const next = lines();
const now = () => performance.now() / 1000;
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const range = (count) => Array.from({ length: count }, (_, number) => number);

function connect() {
  return new Promise((opened, failed) => {
    const client = new Client(url, { reconnect: false });
    client.once("open", () => opened(client));
    client.once("error", failed);
  });
}

async function inChunks(items, act) {
  const results = [];
  for (let first = 0; first < items.length; first += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(first, first + AT_ONCE).map(act))));
  }
  return results;
}

const open = (count) => inChunks(range(count), connect);

// Say that all is open, wait for the signal, measure, hand over, and wait until it may be closed.
async function measured(clients, measure) {
  say({ ready: true });
  await next();
  const [began, used] = [now(), cpu()];
  const { operations, latencies } = await measure();
  const [seconds, spent] = [now() - began, cpu() - used];
  latencies.sort((a, b) => a - b);
  const quantile = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  const { memory } = usage();
  say({ operations, seconds, cpu: spent, memory, p50: quantile(0.5), p99: quantile(0.99) });
  await next();
  for (const client of clients) client.close();
}

const rows = range(100).map((number) => ({
  id: number,
  name: `instrument ${number}`,
  price: 12.5 + number,
  is_open: number % 2 === 0,
  at: `2026-11-29T12:${String(number % 60).padStart(2, "0")}:00+00:00`,
  tags: ["spot", "cash"],
  note: number % 3 ? null : "halted at noon",
}));

function check(isRight) {
  if (!isRight) throw new Error("the answer is wrong");
}

function callOf(client, order) {
  const text = "x".repeat(order.size);
  return {
    add: async () => check((await client.call("add", [2, 3])) === 5),
    echo_text: async () => check((await client.call("echo", [text])).length === order.size),
    echo_records: async () => check((await client.call("echo", [rows])).length === rows.length),
  }[order.operation];
}

async function callFor(calls, seconds) {
  const latencies = [];
  const until = now() + seconds;
  const callOn = async (call) => {
    let [began, ended] = [0, now()];
    do {
      began = ended;
      await call();
      ended = now();
      latencies.push(ended - began);
    } while (ended < until);
  };
  await Promise.all(calls.map(callOn));
  return { operations: latencies.length, latencies };
}

async function makeCalls(order) {
  const clients = await open(order.connections);
  const calls = clients.flatMap((client) => range(order.in_flight).map(() => callOf(client, order)));
  await callFor(calls, order.seconds / 10);
  await measured(clients, () => callFor(calls, order.seconds));
}

// Give the clients, and a function that has a burst emitted and waits until all have all of it.
async function listening(order) {
  const [emitter, ...clients] = await open(order.connections + 1);
  let left = 0;
  let allCame = () => {};
  const received = () => --left === 0 && allCame();
  await inChunks(clients, (client) => {
    client.on("quoted", received);
    return client.subscribe("quoted");
  });
  const burst = async () => {
    const began = now();
    left += order.burst * clients.length;
    const all = new Promise((done) => (allCame = done));
    await emitter.call("emit", [order.burst]);
    await all;
    return now() - began;
  };
  await burst();
  return { clients: [emitter, ...clients], burst };
}

async function emitBursts(order) {
  const { clients, burst } = await listening(order);
  await measured(clients, async () => {
    const latencies = [];
    for (const until = now() + order.seconds; now() < until; ) latencies.push(await burst());
    return { operations: latencies.length * order.burst * order.connections, latencies };
  });
}

async function emitPaced(order) {
  const { clients, burst } = await listening(order);
  await measured(clients, async () => {
    const latencies = [];
    const began = now();
    for (const number of range(Math.max(1, Math.round(order.rate * order.seconds)))) {
      await sleep(Math.max(0, began + number / order.rate - now()));
      latencies.push(await burst());
    }
    return { operations: latencies.length * order.burst * order.connections, latencies };
  });
}

async function stayIdle(order) {
  const clients = await open(order.connections);
  await measured(clients, async () => {
    await sleep(order.seconds);
    return { operations: order.connections, latencies: [0] };
  });
}

async function connectOnce() {
  const began = now();
  const client = await connect();
  check((await client.call("add", [2, 3])) === 5);
  const took = now() - began;
  client.close();
  return took;
}

async function connectAgain(order) {
  await connectOnce();
  await measured([], async () => {
    const latencies = [];
    for (const until = now() + order.seconds; now() < until; ) latencies.push(await connectOnce());
    return { operations: latencies.length, latencies };
  });
}

const loads = {
  make_calls: makeCalls,
  emit_bursts: emitBursts,
  emit_paced: emitPaced,
  stay_idle: stayIdle,
  connect_again: connectAgain,
};

async function main() {
  for (let line; (line = await next()) !== undefined; ) {
    const order = JSON.parse(line);
    await loads[order.load](order);
    say({ closed: true });
  }
  process.exit(0);
}

main().catch((error) => {
  say({ failed: String(error.message ?? error) });
  process.exit(1);
});
