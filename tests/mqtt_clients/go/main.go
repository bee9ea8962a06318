// Eclipse Paho for Go, MQTT 3.1.1, over TCP or a Unix socket. The arguments and lines are those of README.md.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func main() {
	address, password, clientID, topicOut, topicIn := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	url := "tcp://" + address
	if strings.HasPrefix(address, "/") {
		url = "unix://" + address
	}
	options := mqtt.NewClientOptions().AddBroker(url).SetClientID(clientID).SetUsername("program").SetPassword(password).
		SetCleanSession(false).SetAutoReconnect(true).SetMaxReconnectInterval(2 * time.Second).SetConnectRetry(true).
		SetConnectRetryInterval(time.Second)
	options.SetOnConnectHandler(func(client mqtt.Client) {
		go func() {
			token := client.Subscribe(topicIn, 1, func(_ mqtt.Client, message mqtt.Message) {
				fmt.Println("received", string(message.Payload()))
			})
			if token.Wait(); token.Error() == nil {
				fmt.Println("subscribed")
			}
		}()
	})
	// Messages of the session before this process come before it has subscribed.
	options.SetDefaultPublishHandler(func(_ mqtt.Client, message mqtt.Message) {
		fmt.Println("received", string(message.Payload()))
	})
	client := mqtt.NewClient(options)
	client.Connect().Wait()
	var publishing sync.WaitGroup
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		token := client.Publish(topicOut, 1, false, line)
		publishing.Add(1)
		go func() {
			defer publishing.Done()
			if token.Wait(); token.Error() == nil {
				fmt.Println("published", line)
			}
		}()
	}
	publishing.Wait()
	client.Disconnect(250)
}
