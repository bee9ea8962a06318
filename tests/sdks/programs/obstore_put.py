"""object_store: puts an object twice a second until the file STOP is there. The first call that fails ends it."""

import os
import pathlib
import sys
import time

import obstore
from obstore.store import S3Store

bucket, stop = sys.argv[1:]
store = S3Store(
    bucket,
    endpoint=os.environ["AWS_ENDPOINT_URL"],
    region="us-east-2",
    virtual_hosted_style_request=False,
    client_options={"allow_http": True},
    retry_config={"max_retries": 0},
)
calls = 0
while not pathlib.Path(stop).exists():
    obstore.put(store, str(calls), b"21.5", use_multipart=False)
    calls += 1
    time.sleep(0.5)
print(calls)
