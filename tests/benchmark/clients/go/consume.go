package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// When nothing has come for so long, nothing will.
const patience = 30 * time.Second

// What a handler counts: when the first message came, and when as many had come as are wanted.
type consumption struct {
	wanted, seen    int64
	firstAt, lastAt time.Time
	first, all      chan struct{}
}

func newConsumption(wanted int) *consumption {
	return &consumption{wanted: int64(wanted), first: make(chan struct{}), all: make(chan struct{})}
}

func (c *consumption) arrived(messages int) {
	after := atomic.AddInt64(&c.seen, int64(messages))
	before := after - int64(messages)
	if before == 0 {
		c.firstAt = time.Now()
		close(c.first)
	}
	if before < c.wanted && after >= c.wanted {
		c.lastAt = time.Now()
		close(c.all)
	}
}

func (c *consumption) awaitFirst() error {
	select {
	case <-c.first:
		return nil
	case <-time.After(time.Minute):
		return errors.New("no message came")
	}
}

// Waits for as many as are wanted, for so long at the most, and no longer than something comes.
func (c *consumption) awaitAll(limit time.Duration) {
	deadline, last, since := time.Now().Add(limit), int64(-1), time.Now()
	for time.Now().Before(deadline) && time.Since(since) < patience {
		select {
		case <-c.all:
			return
		case <-time.After(time.Second):
		}
		if now := atomic.LoadInt64(&c.seen); now != last {
			last, since = now, time.Now()
		}
	}
}

func (c *consumption) outcome() outcome {
	seen, end := atomic.LoadInt64(&c.seen), c.lastAt
	result := outcome{Succeeded: int(seen), Total: int(seen)}
	if seen >= c.wanted {
		result.Succeeded = int(c.wanted)
	} else {
		text := "messages are missing"
		result.Failed, result.FirstFailure, end = int(c.wanted-seen), &text, time.Now()
	}
	result.Seconds = end.Sub(c.firstAt).Seconds()
	return result
}

type handler func(messages []*primitive.MessageExt)

// A consumer of a group that nobody has used.
func startConsumer(given options, handle handler) (rocketmq.PushConsumer, error) {
	started, err := rocketmq.NewPushConsumer(
		consumer.WithGroupName(fmt.Sprintf("benchmark-%d", time.Now().UnixNano())),
		consumer.WithNsResolver(primitive.NewPassthroughResolver([]string{given["name-server"]})),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithConsumeMessageBatchMaxSize(given.number("batch", 1)),
	)
	if err != nil {
		return nil, err
	}
	callback := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		handle(messages)
		return consumer.ConsumeSuccess, nil
	}
	if err := started.Subscribe(given["topic"], consumer.MessageSelector{}, callback); err != nil {
		return nil, err
	}
	return started, started.Start()
}

// Consumes all messages of a topic with a handler that does nothing: first by one group, to warm up, then by another,
// which is measured.
func consume(given options) error {
	warmUp := newConsumption(given.number("warm-up", 1))
	started, err := startConsumer(given, func(messages []*primitive.MessageExt) { warmUp.arrived(len(messages)) })
	if err != nil {
		return err
	}
	if err := warmUp.awaitFirst(); err != nil {
		return err
	}
	fmt.Println("first")
	warmUp.awaitAll(time.Duration(given.number("warm-up-seconds", 3600)) * time.Second)
	if err := started.Shutdown(); err != nil {
		return err
	}
	sayAndWait("ready")

	measured := newConsumption(given.number("count", 0))
	started, err = startConsumer(given, func(messages []*primitive.MessageExt) { measured.arrived(len(messages)) })
	if err != nil {
		return err
	}
	measured.awaitAll(time.Hour)
	sayAndWait("done")
	measured.outcome().print()
	return started.Shutdown()
}
