"""Signs requests with botocore, as every AWS tool written in Python does. Reads and writes JSON."""

import json
import sys

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

task = json.load(sys.stdin)
credentials = Credentials(task["access_key_id"], task["secret_access_key"], task["session_token"])
signed = []
for case in task["cases"]:
    request = AWSRequest(case["method"], case["url"], headers=dict(case["headers"]), data=case["body"])
    if case["presign"]:
        signer = SigV4QueryAuth(credentials, "sts", "us-east-2", expires=60)
    else:
        signer = SigV4Auth(credentials, "sts", "us-east-2")
    signer.add_auth(request)
    prepared = request.prepare()
    signed.append({"url": prepared.url, "headers": {k: str(v) for k, v in prepared.headers.items()}})
json.dump(signed, sys.stdout)
