package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// Pulls all messages of a topic, one goroutine a queue, as the client's example pull_from does.
func drain(given options) error {
	resolver := primitive.NewPassthroughResolver([]string{given["name-server"]})
	topic := given["topic"]
	pulls, err := rocketmq.NewPullConsumer(
		consumer.WithGroupName(fmt.Sprintf("benchmark-%d", time.Now().UnixNano())),
		consumer.WithNsResolver(resolver),
	)
	if err != nil {
		return err
	}
	if err := pulls.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}); err != nil {
		return err
	}
	if err := pulls.Start(); err != nil {
		return err
	}
	topics, err := admin.NewAdmin(admin.WithResolver(resolver))
	if err != nil {
		return err
	}
	fmt.Println("first")
	sayAndWait("ready")

	start := time.Now()
	queues, err := topics.FetchPublishMessageQueues(context.Background(), topic)
	if err != nil {
		return err
	}
	var messages, bytes int64
	var failure atomic.Value
	var all sync.WaitGroup
	for _, queue := range queues {
		all.Add(1)
		go func(queue *primitive.MessageQueue) {
			defer all.Done()
			if err := drainQueue(pulls, queue, given.number("batch", 32), &messages, &bytes); err != nil {
				failure.Store(err.Error())
			}
		}(queue)
	}
	all.Wait()
	seconds := time.Since(start).Seconds()
	sayAndWait("done")

	result := outcome{Succeeded: int(messages), Failed: given.number("count", 0) - int(messages), Seconds: seconds, Total: int(messages)}
	if text, failed := failure.Load().(string); failed {
		result.FirstFailure = &text
	} else if bytes < messages*int64(given.number("body", 128)) {
		text := "bodies are missing"
		result.FirstFailure = &text
	}
	result.print()
	return pulls.Shutdown()
}

func drainQueue(pulls rocketmq.PullConsumer, queue *primitive.MessageQueue, batch int, messages, bytes *int64) error {
	for offset := int64(0); ; {
		pulled, err := pulls.PullFrom(context.Background(), queue, offset, batch)
		if err != nil {
			return err
		}
		if pulled.Status != primitive.PullFound {
			return nil
		}
		for _, message := range pulled.GetMessageExts() {
			atomic.AddInt64(bytes, int64(len(message.Body)))
		}
		atomic.AddInt64(messages, int64(len(pulled.GetMessageExts())))
		offset = pulled.NextBeginOffset
		if offset >= pulled.MaxOffset {
			return nil
		}
	}
}
