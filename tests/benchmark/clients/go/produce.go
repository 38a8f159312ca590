package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

type workload struct {
	producer rocketmq.Producer
	topic    string
	body     []byte
	oneway   bool
}

// Sends messages with so many goroutines, each of which awaits its own.
func produce(given options) error {
	started, err := rocketmq.NewProducer(
		producer.WithGroupName("benchmark"),
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{given["name-server"]})),
		producer.WithRetry(2),
	)
	if err != nil {
		return err
	}
	if err := started.Start(); err != nil {
		return err
	}
	load := workload{started, given["topic"], bytes.Repeat([]byte{'a'}, given.number("body", 128)), given["style"] == "oneway"}
	if err := load.awaited(); err != nil {
		return err
	}
	fmt.Println("first")

	limit := time.Duration(given.number("warm-up-seconds", 3600)) * time.Second
	inFlight := given.number("in-flight", 1)
	warmUp := load.phase(given.number("warm-up", 0), inFlight, limit)
	before := 1 + len(warmUp.sorted())
	sayAndWait("ready")

	start := time.Now()
	measured := load.phase(given.number("count", 0), inFlight, time.Hour)
	seconds := time.Since(start).Seconds()
	sayAndWait("done")
	measured.outcome(seconds, before).print()
	return started.Shutdown()
}

func (load *workload) phase(count, inFlight int, limit time.Duration) *phase {
	p := newPhase(count, limit)
	var all sync.WaitGroup
	for i := 0; i < inFlight; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			load.each(p)
		}()
	}
	all.Wait()
	return p
}

func (load *workload) each(p *phase) {
	for {
		ticket, more := p.next()
		if !more {
			return
		}
		start := time.Now()
		var err error
		if load.oneway {
			err = load.producer.SendOneWay(context.Background(), load.message())
		} else {
			err = load.awaited()
		}
		if err != nil {
			p.failed(err)
		} else {
			p.succeeded(ticket, start)
		}
	}
}

func (load *workload) awaited() error {
	result, err := load.producer.SendSync(context.Background(), load.message())
	if err == nil && result.Status != primitive.SendOK {
		err = fmt.Errorf("status %d", result.Status)
	}
	return err
}

func (load *workload) message() *primitive.Message {
	return primitive.NewMessage(load.topic, load.body)
}
