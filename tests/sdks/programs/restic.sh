# restic: a run for each backup, as from a timer
# needs: command -v restic
# ways: credentials token
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=aws \
    -addext subjectAltName=IP:127.0.0.1 -keyout $BUCKET.key -out $BUCKET.pem 2>/dev/null
coproc python3 "$REPOSITORY/tests/sdks/tls_front.py" $BUCKET.pem $BUCKET.key ${AWS_ENDPOINT_URL##*:}
read -r port <&${COPROC[0]}
export RESTIC_REPOSITORY=s3:https://127.0.0.1:$port/$BUCKET RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$PWD/cache-$BUCKET
restic="restic --quiet --cacert $BUCKET.pem -o s3.region=us-east-2 -o s3.bucket-lookup=path"
$restic init
while [ ! -e stop ]; do
    date >input-$BUCKET
    $restic backup input-$BUCKET
    $restic dump latest /input-$BUCKET | cmp - input-$BUCKET
    sleep 1
done
kill $COPROC_PID
