"""awscrt: puts an object twice a second until the file STOP is there, with the CRT's default chain of providers and its signer."""

import os
import pathlib
import sys
import time
import urllib.request
from urllib.parse import urlsplit

from awscrt import auth, io
from awscrt.http import HttpHeaders, HttpRequest

bucket, stop = sys.argv[1:]
endpoint = os.environ["AWS_ENDPOINT_URL"]
group = io.EventLoopGroup(1)
provider = auth.AwsCredentialsProvider.new_default_chain(io.ClientBootstrap(group, io.DefaultHostResolver(group)))
config = auth.AwsSigningConfig(
    algorithm=auth.AwsSigningAlgorithm.V4,
    signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
    credentials_provider=provider,
    region="us-east-2",
    service="s3",
    signed_body_value=auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD,
    signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    use_double_uri_encode=False,
)
calls = 0
while not pathlib.Path(stop).exists():
    path = f"/{bucket}/{calls}"
    headers = HttpHeaders([("Host", urlsplit(endpoint).netloc)])
    signed = auth.aws_sign_request(HttpRequest("PUT", path, headers), config.replace(date=None)).result()
    request = urllib.request.Request(endpoint + path, data=b"21.5", method="PUT", headers=dict(signed.headers))
    request.add_header("Content-Type", "text/plain")
    urllib.request.urlopen(request).close()
    calls += 1
    time.sleep(0.5)
print(calls)
