/*
 * node udp.mjs listen ADDRESS         prints the source of each datagram that comes
 * node udp.mjs send TO FROM COUNT     sends datagrams
 */
import { createSocket } from "node:dgram";

const PORT = 9999;
const [, , what, address, from, count] = process.argv;
const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4" });
if (what === "listen") {
  socket.on("message", (_, source) => console.log(source.address));
  socket.bind(PORT, address, () => console.log("listening"));
} else {
  socket.bind(0, from, async () => {
    for (let sent = 0; sent < Number(count); sent++) {
      await new Promise((done, fail) =>
        socket.send("hello", PORT, address, (error) => (error ? fail(error) : done())),
      );
    }
    socket.close();
  });
}
