// Node-RED without its editor: a flow that passes what comes on one topic on to another.
// node node-red.js FOLDER ADDRESS PASSWORD CLIENT_ID TOPIC_OUT TOPIC_IN

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const RED = require("node-red");

const [folder, address, password, clientid, topicOut, topicIn] = process.argv.slice(2);
const [broker, port] = address.split(":");
const flow = [
    { id: "tab", type: "tab", label: "gatepost" },
    { id: "broker", type: "mqtt-broker", broker, port, clientid, protocolVersion: "4", cleansession: false, autoConnect: true, keepalive: "60" },
    { id: "in", type: "mqtt in", z: "tab", x: 100, y: 100, topic: topicIn, qos: "1", datatype: "utf8", broker: "broker", wires: [["change", "debug"]] },
    { id: "change", type: "change", z: "tab", x: 200, y: 100, rules: [{ t: "set", p: "topic", pt: "msg", to: topicOut, tot: "str" }], wires: [["out"]] },
    { id: "out", type: "mqtt out", z: "tab", x: 300, y: 100, topic: "", qos: "1", broker: "broker", wires: [] },
    { id: "debug", type: "debug", z: "tab", x: 400, y: 100, complete: "payload", console: true, tosidebar: false, wires: [] },
];
writeFileSync(join(folder, "flows.json"), JSON.stringify(flow));
const credentials = { broker: { user: "program", password } };
writeFileSync(join(folder, "flows_cred.json"), JSON.stringify(credentials));
RED.init(null, {
    userDir: folder,
    flowFile: "flows.json",
    credentialSecret: false,
    httpAdminRoot: false,
    httpNodeRoot: false,
    disableEditor: true,
    mqttReconnectTime: 1000,
    telemetry: { enabled: false, updateNotification: false },
    logging: { console: { level: "info", metrics: false, audit: false } },
});
await RED.start();
console.log("started");
