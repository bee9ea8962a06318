# pyarrow, with the AWS SDK for C++
# needs: "$TRIED/python/bin/python3" -c 'import pyarrow'
# ways: profile loopback
aws s3 cp --only-show-errors reading.json s3://$BUCKET/reading.json
exec "$TRIED/python/bin/python3" "$REPOSITORY/tests/sdks/programs/pyarrow_get.py" "$BUCKET" "$PWD/stop"
