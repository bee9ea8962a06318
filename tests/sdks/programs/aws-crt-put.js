// aws-crt: puts an object twice a second until the file STOP is there, with the CRT's default chain of providers and its signer.
const { existsSync } = require("node:fs");
const { request } = require("node:http");
const { auth, http } = require("aws-crt");

const [bucket, stop] = process.argv.slice(2);
const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
const provider = auth.AwsCredentialsProvider.newDefault();

async function put(key) {
  const path = `/${bucket}/${key}`;
  const unsigned = new http.HttpRequest("PUT", path, new http.HttpHeaders([["Host", endpoint.host]]));
  const signed = await auth.aws_sign_request(unsigned, {
    algorithm: auth.AwsSigningAlgorithm.SigV4,
    signature_type: auth.AwsSignatureType.HttpRequestViaHeaders,
    provider,
    region: "us-east-2",
    service: "s3",
    signed_body_value: "UNSIGNED-PAYLOAD",
    signed_body_header: auth.AwsSignedBodyHeaderType.XAmzContentSha256,
    use_double_uri_encode: false,
  });
  const headers = Object.fromEntries(signed.headers._flatten());
  return new Promise((resolve, reject) => {
    const call = request(`${endpoint.origin}${path}`, { method: "PUT", headers }, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`))));
    });
    call.on("error", reject);
    call.end("21.5");
  });
}

async function main() {
  let calls = 0;
  while (!existsSync(stop)) {
    await put(calls);
    calls += 1;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  console.log(calls);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
