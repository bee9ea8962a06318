import static java.nio.charset.StandardCharsets.UTF_8;

import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5AsyncClient;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The HiveMQ client, MQTT 5, over TCP. The arguments and lines are those of README.md. */
public final class Client {
    public static void main(String[] arguments) throws Exception {
        String[] address = arguments[0].split(":");
        String password = arguments[1], clientId = arguments[2], topicOut = arguments[3], topicIn = arguments[4];
        Mqtt5AsyncClient[] client = new Mqtt5AsyncClient[1];
        client[0] = MqttClient.builder()
                .useMqttVersion5()
                .identifier(clientId)
                .serverHost(address[0])
                .serverPort(Integer.parseInt(address[1]))
                .simpleAuth().username("program").password(password.getBytes(UTF_8)).applySimpleAuth()
                .automaticReconnect().initialDelay(1, TimeUnit.SECONDS).maxDelay(2, TimeUnit.SECONDS).applyAutomaticReconnect()
                .addConnectedListener(context -> client[0].subscribeWith().topicFilter(topicIn).qos(MqttQos.AT_LEAST_ONCE).send()
                        .thenAccept(answer -> System.out.println("subscribed")))
                .buildAsync();
        client[0].publishes(MqttGlobalPublishFilter.ALL,
                message -> System.out.println("received " + new String(message.getPayloadAsBytes(), UTF_8)));
        client[0].connectWith().cleanStart(false).sessionExpiryInterval(3600).keepAlive(60).send().join();
        List<CompletableFuture<?>> publishing = new ArrayList<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String text = line;
            publishing.add(client[0].publishWith().topic(topicOut).qos(MqttQos.AT_LEAST_ONCE).payload(line.getBytes(UTF_8)).send()
                    .thenAccept(result -> System.out.println(result.getError().isPresent() ? "refused " + text : "published " + text)));
        }
        for (CompletableFuture<?> future : publishing) {
            future.join();
        }
        client[0].disconnect().join();
    }
}
