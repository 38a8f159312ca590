// The Go client, feature by feature: see tests/conformance/clients/main.rs for what each is to show.
//
//	client NAME_SERVER PREFIX
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	count    = 20
	patience = 60 * time.Second
)

var (
	nameServer, prefix string
	resolver           primitive.NsResolver
	sender             rocketmq.Producer
)

func feature(name string, run func(topic, group string) error) {
	answer := "ok"
	if err := run(prefix+"-"+name, prefix+"-"+name+"-group"); err != nil {
		answer = "failed: " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	fmt.Println(name, answer)
}

func message(topic, tag string, number int) *primitive.Message {
	return primitive.NewMessage(topic, []byte(strconv.Itoa(number))).WithTag(tag).WithKeys([]string{fmt.Sprint("key-", number)})
}

func send(topic, tag string, number int) error {
	return sendMessages(message(topic, tag, number))
}

func sendMessages(messages ...*primitive.Message) error {
	result, err := sender.SendSync(context.Background(), messages...)
	if err == nil && result.Status != primitive.SendOK {
		err = fmt.Errorf("%v", result)
	}
	return err
}

// What members have seen, in order.
type seen struct {
	lock    sync.Mutex
	numbers []int
}

func (s *seen) take(messages []*primitive.MessageExt) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, message := range messages {
		number, _ := strconv.Atoi(string(message.Body))
		s.numbers = append(s.numbers, number)
	}
}

func (s *seen) all() []int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]int{}, s.numbers...)
}

func (s *seen) await(wanted int) error {
	for end := time.Now().Add(patience); len(s.all()) < wanted; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("it takes too long, seen %v", s.all())
		}
	}
	return nil
}

type handler = func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

func start(group, topic, expression string, handle handler, options ...consumer.Option) (rocketmq.PushConsumer, error) {
	options = append([]consumer.Option{
		consumer.WithGroupName(group),
		consumer.WithNsResolver(resolver),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, options...)
	started, err := rocketmq.NewPushConsumer(options...)
	if err != nil {
		return nil, err
	}
	selector := consumer.MessageSelector{}
	if expression != "" {
		selector = consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
	}
	if err := started.Subscribe(topic, selector, handle); err != nil {
		return nil, err
	}
	return started, started.Start()
}

func taking(s *seen) handler {
	return func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		s.take(messages)
		return consumer.ConsumeSuccess, nil
	}
}

func sendAll(topic string) error {
	for i := 0; i < count; i++ {
		if err := send(topic, "", i); err != nil {
			return err
		}
	}
	return nil
}

func sendAsync(topic, _ string) error {
	var done sync.WaitGroup
	done.Add(count)
	var failed error
	for i := 0; i < count; i++ {
		callback := func(_ context.Context, _ *primitive.SendResult, err error) {
			if err != nil {
				failed = err
			}
			done.Done()
		}
		if err := sender.SendAsync(context.Background(), callback, message(topic, "", i)); err != nil {
			return err
		}
	}
	done.Wait()
	return failed
}

func sendOneway(topic, _ string) error {
	for i := 0; i < count; i++ {
		if err := sender.SendOneWay(context.Background(), message(topic, "", i)); err != nil {
			return err
		}
	}
	return nil
}

func sendBatch(topic, _ string) error {
	var messages []*primitive.Message
	for i := 0; i < count; i++ {
		messages = append(messages, message(topic, "", i))
	}
	return sendMessages(messages...)
}

func tags(topic, group string) error {
	for i := 0; i < count; i++ {
		if err := send(topic, string("ABCD"[i%4]), i); err != nil {
			return err
		}
	}
	s := &seen{}
	started, err := start(group, topic, "A || C", taking(s))
	if err != nil {
		return err
	}
	if err := s.await(count / 2); err != nil {
		return err
	}
	for _, number := range s.all() {
		if number%2 != 0 {
			return fmt.Errorf("seen %v", s.all())
		}
	}
	return started.Shutdown()
}

func orderly(topic, group string) error {
	for i := 0; i < count; i++ {
		if err := sendMessages(message(topic, "", i).WithShardingKey(fmt.Sprint(i % 4))); err != nil {
			return err
		}
	}
	s := &seen{}
	started, err := start(group, topic, "", taking(s), consumer.WithConsumerOrder(true))
	if err != nil {
		return err
	}
	if err := s.await(count); err != nil {
		return err
	}
	ofKeys := map[int][]int{}
	for _, number := range s.all() {
		ofKeys[number%4] = append(ofKeys[number%4], number)
	}
	for _, numbers := range ofKeys {
		if !sort.IntsAreSorted(numbers) || len(numbers) != count/4 {
			return fmt.Errorf("seen %v", s.all())
		}
	}
	return started.Shutdown()
}

func broadcasting(topic, group string) error {
	members := []*seen{{}, {}}
	var started []rocketmq.PushConsumer
	for number, member := range members {
		options := []consumer.Option{
			consumer.WithConsumerModel(consumer.BroadCasting),
			consumer.WithInstance(fmt.Sprint(group, number)),
		}
		one, err := start(group, topic, "", taking(member), options...)
		if err != nil {
			return err
		}
		started = append(started, one)
	}
	if err := sendAll(topic); err != nil {
		return err
	}
	for number, member := range members {
		if err := member.await(count); err != nil {
			return err
		}
		if err := started[number].Shutdown(); err != nil {
			return err
		}
	}
	return nil
}

func retry(topic, group string) error {
	if err := send(topic, "", 7); err != nil {
		return err
	}
	var lock sync.Mutex
	var times []int32
	s := &seen{}
	handle := func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		for _, message := range messages {
			times = append(times, message.ReconsumeTimes)
		}
		s.take(messages)
		if len(times) < 2 {
			concurrently, _ := primitive.GetConcurrentlyCtx(ctx)
			concurrently.DelayLevelWhenNextConsume = 1
			return consumer.ConsumeRetryLater, nil
		}
		return consumer.ConsumeSuccess, nil
	}
	started, err := start(group, topic, "", handle)
	if err != nil {
		return err
	}
	if err := s.await(2); err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	if len(times) != 2 || times[0] != 0 || times[1] != 1 {
		return fmt.Errorf("times %v", times)
	}
	return started.Shutdown()
}

func pull(topic, group string) error {
	if err := sendAll(topic); err != nil {
		return err
	}
	puller, err := rocketmq.NewPullConsumer(
		consumer.WithGroupName(group),
		consumer.WithNsResolver(resolver),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	if err != nil {
		return err
	}
	if err := puller.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}); err != nil {
		return err
	}
	if err := puller.Start(); err != nil {
		return err
	}
	s := &seen{}
	for end := time.Now().Add(patience); len(s.all()) < count && time.Now().Before(end); {
		request, err := puller.Poll(context.Background(), time.Second)
		if err != nil {
			continue
		}
		s.take(request.GetMsgList())
		puller.ACK(context.Background(), request, consumer.ConsumeSuccess)
	}
	if len(s.all()) != count {
		return fmt.Errorf("seen %v", s.all())
	}
	return puller.Shutdown()
}

func main() {
	nameServer, prefix = os.Args[1], os.Args[2]
	resolver = primitive.NewPassthroughResolver([]string{nameServer})
	var err error
	sender, err = rocketmq.NewProducer(
		producer.WithGroupName(prefix+"-producers"),
		producer.WithNsResolver(resolver),
		producer.WithQueueSelector(producer.NewHashQueueSelector()),
		producer.WithSendMsgTimeout(10*time.Second),
	)
	if err == nil {
		err = sender.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	feature("send", func(topic, _ string) error { return sendAll(topic) })
	feature("send-async", sendAsync)
	feature("send-oneway", sendOneway)
	feature("send-batch", sendBatch)
	feature("tags", tags)
	feature("orderly", orderly)
	feature("broadcasting", broadcasting)
	feature("retry", retry)
	feature("pull", pull)
	feature("close", func(_, _ string) error { return sender.Shutdown() })
}
