# rclone of today, which knows the token file
# needs: "$TRIED/python/bin/rclone" version
# ways: profile loopback
PATH=$TRIED/python/bin:$PATH
source "$REPOSITORY/tests/sdks/programs/rclone.sh"
