// Uploads a reading to S3 and announces it on MQTT: node reading.mjs BUCKET
//
// Credentials come by the profile that `gatepost setup-profile telemetry` has written; the SDK asks for fresh ones by itself.

import { request } from "node:http";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const socketPath = "/run/gatepost/gatepost.sock";

// Resolves once the message is on the gateway's disk. From then on gatepost sends it until AWS has it.
function publish(topic, message) {
  return new Promise((resolve, reject) => {
    const path = `/topics/${topic.split("/").map(encodeURIComponent).join("/")}?qos=1`;
    const sent = request({ socketPath, path, method: "POST" }, async (answer) => {
      let body = "";
      for await (const part of answer) body += part;
      if (answer.statusCode < 300) resolve();
      else reject(new Error(`gatepost answered ${answer.statusCode}: ${body}`));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(message));
  });
}

const [bucket] = process.argv.slice(2);
if (!bucket) {
  console.error("usage: node reading.mjs BUCKET");
  process.exit(64);
}
const s3 = new S3Client({ profile: "telemetry" });
const reading = JSON.stringify({ temperature: 21.5 });
await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "reading.json", Body: reading }));
// gatepost replaces {thing} with the thing name.
await publish("{thing}/camera/state", { uploaded: "reading.json" });
