// MQTT.js, MQTT 3.1.1, over TCP or a Unix socket.

import readline from "node:readline";
import mqtt from "mqtt";

const [address, password, clientId, topicOut, topicIn] = process.argv.slice(2);
const [host, port] = address.split(":");
const where = address.startsWith("/") ? { protocol: "mqtt+unix", path: address } : { protocol: "tcp", host, port: Number(port) };
const client = mqtt.connect({
    ...where,
    clientId,
    clean: false,
    username: "program",
    password,
    reconnectPeriod: 1000,
    resubscribe: false,
});
client.on("connect", () => client.subscribe(topicIn, { qos: 1 }, (error) => console.log(error ?? "subscribed")));
client.on("message", (topic, payload) => console.log("received", payload.toString()));
client.on("error", (error) => console.log("error", error.message));
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => client.publish(topicOut, line, { qos: 1 }, () => console.log("published", line)));
lines.on("close", () => client.end());
