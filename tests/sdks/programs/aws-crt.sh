# aws-crt: the CRT's own providers in Node.js, in one long-running process
# needs: test -d "$TRIED/crt/node_modules/aws-crt"
# ways: profile loopback
export NODE_PATH=$TRIED/crt/node_modules
exec node "$REPOSITORY/tests/sdks/programs/aws-crt-put.js" "$BUCKET" "$PWD/stop"
