import java.nio.file.Files;
import java.nio.file.Path;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** AWS SDK for Java: puts an object twice a second until the file STOP is there. The first call that fails ends it. */
public class LongRunning {
    public static void main(String[] arguments) throws Exception {
        String bucket = arguments[0];
        Path stop = Path.of(arguments[1]);
        // Nothing is tried twice: a call that would fail shall be seen.
        S3Client s3 = S3Client.builder()
            .overrideConfiguration(configuration -> configuration.retryStrategy(retry -> retry.maxAttempts(1)))
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            // Without TLS the SDK signs bodies in chunks, which the local S3 does not understand.
            .serviceConfiguration(configuration -> configuration.chunkedEncodingEnabled(false))
            .build();
        int calls = 0;
        while (!Files.exists(stop)) {
            String key = Integer.toString(calls);
            s3.putObject(request -> request.bucket(bucket).key(key), RequestBody.fromString("21.5"));
            calls++;
            Thread.sleep(500);
        }
        System.out.println(calls);
    }
}
