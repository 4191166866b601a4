package main

import "time"

// queue is a work queue without threads or clock. What a controller wants to do again later waits in limited, until
// the world has nothing else to do; what it wants to look at after some time is left out, since no time passes.
type queue struct {
	items    []string
	limited  []string
	requeues map[string]int
}

func (q *queue) Add(item string) {
	for _, queued := range q.items {
		if queued == item {
			return
		}
	}
	q.items = append(q.items, item)
}

func (q *queue) Len() int { return len(q.items) }

func (q *queue) Get() (string, bool) {
	item := q.items[0]
	q.items = q.items[1:]
	return item, false
}

func (q *queue) AddRateLimited(item string) {
	q.requeues[item]++
	for _, waiting := range q.limited {
		if waiting == item {
			return
		}
	}
	q.limited = append(q.limited, item)
}

func (q *queue) Forget(item string)             { delete(q.requeues, item) }
func (q *queue) NumRequeues(item string) int    { return q.requeues[item] }
func (q *queue) AddAfter(string, time.Duration) {}
func (q *queue) Done(string)                    {}
func (q *queue) ShutDown()                      {}
func (q *queue) ShutDownWithDrain()             {}
func (q *queue) ShuttingDown() bool             { return false }

// retry queues what waits; false if nothing does.
func (q *queue) retry() bool {
	waiting := q.limited
	q.limited = nil
	for _, item := range waiting {
		q.Add(item)
	}
	return len(waiting) > 0
}
