<?php
// AWS SDK for PHP: puts an object twice a second until the file STOP is there. The first call that fails ends it.
[, $autoload, $bucket, $stop] = $argv;
require $autoload;

$s3 = new Aws\S3\S3Client(["region" => "us-east-2", "use_path_style_endpoint" => true, "retries" => 0]);
for ($calls = 0; !file_exists($stop); $calls++) {
    $s3->putObject(["Bucket" => $bucket, "Key" => (string) $calls, "Body" => "21.5"]);
    usleep(500000);
}
echo $calls, "\n";
