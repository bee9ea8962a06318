// AWS SDK for JavaScript: puts an object twice a second until the file STOP is there. The first call that fails ends it.
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const [bucket, stop] = process.argv.slice(2);
// Nothing is tried twice: a call that would fail shall be seen.
const s3 = new S3Client({ maxAttempts: 1 });
let calls = 0;
while (!existsSync(stop)) {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: String(calls), Body: "21.5" }));
  calls += 1;
  await setTimeout(500);
}
console.log(calls);
