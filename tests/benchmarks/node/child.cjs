// What tests/benchmarks/child.py is for systems in Python: lines of JSON between this process and
// its parent, and what this process has used.
const { createInterface } = require("node:readline");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

function usage() {
  const before = cpu();
  global.gc(); // collecting is no part of what is measured
  return { cpu: before, memory: process.memoryUsage().rss, cpu_after: cpu() };
}

// Each line of stdin in turn; undefined when it has ended.
function lines() {
  const iterator = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  return async () => (await iterator.next()).value;
}

module.exports = { cpu, lines, say, usage };
