package main

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// What came of a phase of so many messages, filled by all goroutines at once.
type phase struct {
	tickets   int64
	deadline  time.Time
	latencies []uint32 // nanoseconds by ticket; 0 is none

	lock         sync.Mutex
	failures     int
	firstFailure *string
}

// The last line.
type outcome struct {
	Succeeded    int     `json:"succeeded"`
	Failed       int     `json:"failed"`
	FirstFailure *string `json:"first_failure"`
	Seconds      float64 `json:"seconds"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	Total        int     `json:"total"`
}

func newPhase(count int, limit time.Duration) *phase {
	return &phase{latencies: make([]uint32, count), deadline: time.Now().Add(limit)}
}

// The number of the next message, until there are enough.
func (p *phase) next() (int, bool) {
	ticket := int(atomic.AddInt64(&p.tickets, 1)) - 1
	if ticket%64 == 0 && time.Now().After(p.deadline) {
		atomic.AddInt64(&p.tickets, int64(len(p.latencies)))
		return 0, false
	}
	return ticket, ticket < len(p.latencies)
}

func (p *phase) succeeded(ticket int, since time.Time) {
	nanoseconds := time.Since(since).Nanoseconds()
	if nanoseconds > math.MaxUint32 {
		nanoseconds = math.MaxUint32
	}
	p.latencies[ticket] = uint32(nanoseconds)
}

func (p *phase) failed(err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.failures++
	if p.firstFailure == nil {
		text := err.Error()
		p.firstFailure = &text
	}
}

func (p *phase) sorted() []uint32 {
	sorted := make([]uint32, 0, len(p.latencies))
	for _, latency := range p.latencies {
		if latency > 0 {
			sorted = append(sorted, latency)
		}
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	return sorted
}

func (p *phase) outcome(seconds float64, before int) outcome {
	sorted := p.sorted()
	percentile := func(percent int) float64 {
		if len(sorted) == 0 {
			return 0
		}
		return float64(sorted[len(sorted)*percent/100]) / 1000
	}
	return outcome{len(sorted), p.failures, p.firstFailure, seconds, percentile(50), percentile(99), before + len(sorted)}
}

func (o outcome) print() {
	line, _ := json.Marshal(o)
	fmt.Println(string(line))
}
