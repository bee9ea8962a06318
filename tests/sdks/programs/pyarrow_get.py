"""pyarrow (AWS SDK for C++): reads an object twice a second until the file STOP is there. The first call that fails ends it."""

import os
import pathlib
import sys
import time

from pyarrow import fs

bucket, stop = sys.argv[1:]
s3 = fs.S3FileSystem(
    endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"),
    scheme="http",
    region="us-east-2",
    retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
)
calls = 0
while not pathlib.Path(stop).exists():
    with s3.open_input_stream(f"{bucket}/reading.json") as stream:
        assert b"temperature" in stream.read()
    calls += 1
    time.sleep(0.5)
print(calls)
