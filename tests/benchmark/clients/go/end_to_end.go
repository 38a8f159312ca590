package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// How long the last messages of a phase may be under way: those that a client sends back return after 10 s.
const underWay = 15 * time.Second

// When the messages of a phase were sent.
type journeys struct {
	*phase
	mark    uint64 // tells this phase's messages from those of others and of earlier runs
	sentAt  []atomic.Int64
	came    int64
	started time.Time
}

func newJourneys(count int) *journeys {
	now := time.Now()
	mark := uint64(now.UnixNano()) ^ uint64(os.Getpid())<<40
	return &journeys{phase: newPhase(count, time.Hour), mark: mark, sentAt: make([]atomic.Int64, count), started: now}
}

func (j *journeys) leaves(ticket, length int) []byte {
	body := make([]byte, length)
	binary.BigEndian.PutUint64(body, j.mark)
	binary.BigEndian.PutUint32(body[8:], uint32(ticket))
	j.sentAt[ticket].Store(int64(time.Since(j.started)))
	return body
}

func (j *journeys) arrived(body []byte) {
	if binary.BigEndian.Uint64(body) == j.mark {
		ticket := binary.BigEndian.Uint32(body[8:])
		j.succeeded(int(ticket), j.started.Add(time.Duration(j.sentAt[ticket].Load())))
		atomic.AddInt64(&j.came, 1)
	}
}

type endToEnd struct {
	producer rocketmq.Producer
	topic    string
	length   int
	period   time.Duration
	sent     int
	current  atomic.Pointer[journeys] // the phase under way, which the handler fills
}

// Sends at a steady rate and consumes what it sent, in the same process.
func sendAndConsume(given options) error {
	sender, err := rocketmq.NewProducer(
		producer.WithGroupName("benchmark"),
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{given["name-server"]})),
		producer.WithRetry(2),
	)
	if err != nil {
		return err
	}
	if err := sender.Start(); err != nil {
		return err
	}
	period := time.Second / time.Duration(given.number("rate", 1000))
	load := endToEnd{producer: sender, topic: given["topic"], length: given.number("body", 128), period: period}
	load.current.Store(newJourneys(0))
	receiver, err := startConsumer(given, func(messages []*primitive.MessageExt) {
		current := load.current.Load()
		for _, message := range messages {
			current.arrived(message.Body)
		}
	})
	if err != nil {
		return err
	}
	load.phase(1, time.Minute)
	fmt.Println("first")
	load.phase(given.number("warm-up", 0), underWay)
	sayAndWait("ready")

	start := time.Now()
	measured := load.phase(given.number("count", 0), underWay)
	seconds := time.Since(start).Seconds()
	sayAndWait("done")
	result := measured.outcome(seconds, 0)
	result.Total = load.sent // not what came back: the broker has it
	result.print()
	if err := receiver.Shutdown(); err != nil {
		return err
	}
	return sender.Shutdown()
}

// Sends so many, each at its time or as soon as the one before is acknowledged, and waits until all have come.
func (load *endToEnd) phase(count int, patience time.Duration) *journeys {
	j := newJourneys(count)
	load.current.Store(j)
	for ticket := 0; ticket < count; ticket++ {
		time.Sleep(time.Until(j.started.Add(time.Duration(ticket) * load.period)))
		message := primitive.NewMessage(load.topic, j.leaves(ticket, load.length))
		if _, err := load.producer.SendSync(context.Background(), message); err != nil {
			j.failed(err)
		} else {
			load.sent++
		}
	}
	deadline := time.Now().Add(patience)
	for atomic.LoadInt64(&j.came) < int64(count) && time.Now().Before(deadline) {
		time.Sleep(200 * time.Microsecond)
	}
	for missing := count - len(j.sorted()); missing > 0; missing-- {
		j.failed(errors.New("a message did not come"))
	}
	return j
}
