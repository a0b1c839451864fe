// The WebSocket below rpc-websockets, which says what the package's own client cannot.
// Usage: node raw.cjs PACKAGE URL, where the package is only for the shape of the command. Each line
// of stdin is {"text": frame} or {"binary": frame}; each line of stdout is {"frame": text}, {"open"},
// or {"closed": code}. It ends with stdin.
const WebSocket = require("ws");
const { createInterface } = require("node:readline");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const socket = new WebSocket(process.argv[3]);

socket.on("message", (data, isBinary) => say({ frame: data.toString(), isBinary }));
socket.on("close", (code) => say({ closed: code }));
socket.on("open", async () => {
  say({ open: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const { text, binary } = JSON.parse(line);
    socket.send(text ?? Buffer.from(binary));
  }
  socket.close();
});
