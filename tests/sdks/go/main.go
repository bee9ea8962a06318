// AWS SDK for Go: puts an object twice a second until the file STOP is there. The first call that fails ends it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	bucket, stop := os.Args[1], os.Args[2]
	ctx := context.Background()
	// Nothing is tried twice: a call that would fail shall be seen.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		log.Fatal(err)
	}
	client := s3.NewFromConfig(cfg)
	calls := 0
	for {
		if _, err := os.Stat(stop); err == nil {
			break
		}
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: aws.String(strconv.Itoa(calls)), Body: strings.NewReader("21.5"),
		})
		if err != nil {
			log.Fatal(err)
		}
		calls++
		time.Sleep(500 * time.Millisecond)
	}
	fmt.Println(calls)
}
