"""The C++ client by way of the Python package that wraps it, feature by feature: see tests/conformance/clients/main.rs for what each
is to show.

    python3 features.py NAME_SERVER PREFIX
"""

import os
import sys
import threading
import time

from rocketmq.client import Message, MessageModel, Producer, PullConsumer, PushConsumer, SendStatus

COUNT = 20
PATIENCE = 60
name_server, prefix = sys.argv[1:]


def feature(name, run):
    answer = "ok"
    try:
        run(f"{prefix}-{name}", f"{prefix}-{name}-group")
    except Exception as error:
        answer = f"failed: {error!r}".replace("\n", " ")
    print(name, answer, flush=True)


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def until(holds, state):
    end = time.monotonic() + PATIENCE
    while not holds():
        expect(time.monotonic() < end, f"it takes too long, {state()}")
        time.sleep(0.02)


def message(topic, tag, number):
    made = Message(topic)
    made.set_keys(f"key-{number}")
    made.set_tags(tag)
    made.set_body(str(number))
    return made


def send(topic, tag, number):
    result = producer.send_sync(message(topic, tag, number))
    expect(result.status == SendStatus.OK, result)


def send_all(topic, _group=None):
    for number in range(COUNT):
        send(topic, "T", number)


def consumer(topic, group, take, expression="*", **options):
    instance = options.pop("instance", group)
    made = PushConsumer(group, **options)
    made.set_namesrv_addr(name_server)
    made.set_instance_name(instance)
    made.subscribe(topic, take, expression)
    made.start()
    return made


def send_async(topic, _group):
    outcomes = []
    for number in range(COUNT):
        producer.send_async(message(topic, "T", number), outcomes.append, outcomes.append)
    until(lambda: len(outcomes) == COUNT, lambda: outcomes)
    expect(all(getattr(outcome, "status", None) == SendStatus.OK for outcome in outcomes), outcomes)


def send_oneway(topic, _group):
    for number in range(COUNT):
        producer.send_oneway(message(topic, "T", number))


def send_batch(topic, _group):
    result = producer.send_batch([message(topic, "T", number) for number in range(COUNT)])
    expect(result.status == SendStatus.OK, result)


def tags(topic, group):
    seen = set()
    member = consumer(topic, group, lambda received: seen.add(int(received.body)), "A || C")
    for number in range(COUNT):
        send(topic, "ABCD"[number % 4], number)
    until(lambda: len(seen) >= COUNT / 2, lambda: seen)
    member.shutdown()
    expect(all(number % 2 == 0 for number in seen), seen)


def orderly(topic, group):
    seen = []
    member = consumer(topic, group, lambda received: seen.append(int(received.body)), orderly=True)
    for number in range(COUNT):
        result = producer.send_orderly(message(topic, "T", number), number % 4)
        expect(result.status == SendStatus.OK, result)
    until(lambda: len(seen) >= COUNT, lambda: seen)
    member.shutdown()
    for key in range(4):
        of_key = [number for number in seen if number % 4 == key]
        expect(of_key == sorted(of_key) and len(of_key) == COUNT // 4, seen)


def broadcasting(topic, group):
    members = [set(), set()]
    started = []
    for number, seen in enumerate(members):
        take = lambda received, seen=seen: seen.add(int(received.body))
        options = {"message_model": MessageModel.BROADCASTING, "instance": f"{group}-{number}"}
        started.append(consumer(topic, group, take, **options))
    send_all(topic)
    until(lambda: all(len(seen) >= COUNT for seen in members), lambda: members)
    for member in started:
        member.shutdown()


def retry(topic, group):
    times = []

    def take(received):
        times.append(received.reconsume_times)
        if len(times) < 2:
            raise RuntimeError("not yet")

    member = consumer(topic, group, take)
    send(topic, "T", 7)
    until(lambda: len(times) >= 2, lambda: times)
    member.shutdown()
    expect(times[:2] == [0, 1], times)


def pull(topic, group):
    send_all(topic)
    puller = PullConsumer(group)
    puller.set_namesrv_addr(name_server)
    puller.start()
    seen = {int(received.body) for received in puller.pull(topic)}
    puller.shutdown()
    expect(len(seen) == COUNT, seen)


producer = Producer(f"{prefix}-producers")
producer.set_namesrv_addr(name_server)
producer.set_timeout(10_000)
producer.start()
feature("send", send_all)
feature("send-async", send_async)
feature("send-oneway", send_oneway)
feature("send-batch", send_batch)
feature("tags", tags)
feature("orderly", orderly)
feature("broadcasting", broadcasting)
feature("retry", retry)
feature("pull", pull)
feature("close", lambda _topic, _group: producer.shutdown())
# Without what its threads and destructors still do.
sys.stdout.flush()
os._exit(0)
