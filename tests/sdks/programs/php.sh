# AWS SDK for PHP, in one long-running process
# needs: test -e "$TRIED/php/vendor/aws/aws-sdk-php"
# ways: profile loopback
exec php "$REPOSITORY/tests/sdks/programs/put.php" "$TRIED/php/vendor/autoload.php" "$BUCKET" "$PWD/stop"
