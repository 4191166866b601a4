// The service of examples/apps/hello: it greets, or fails as often as its image says, and counts both.
//
// VERSION is the release, ERRORS the share of requests that fails, from 0 to 1.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Upper bounds of the buckets of the histogram, in seconds.
var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}

type metrics struct {
	sync.Mutex
	codes   map[int]uint64
	buckets []uint64
	sum     float64
	count   uint64
}

func (m *metrics) add(code int, took time.Duration) {
	m.Lock()
	defer m.Unlock()
	m.codes[code]++
	m.sum += took.Seconds()
	m.count++
	for at, bound := range bounds {
		if took.Seconds() <= bound {
			m.buckets[at]++
		}
	}
}

func (m *metrics) write(to http.ResponseWriter, version string) {
	m.Lock()
	defer m.Unlock()
	fmt.Fprintf(to, "# TYPE app_build_info gauge\napp_build_info{version=%q} 1\n", version)
	fmt.Fprintln(to, "# TYPE http_requests_total counter")
	for code, count := range m.codes {
		fmt.Fprintf(to, "http_requests_total{code=\"%d\"} %d\n", code, count)
	}
	fmt.Fprintln(to, "# TYPE http_request_duration_seconds histogram")
	for at, bound := range bounds {
		fmt.Fprintf(to, "http_request_duration_seconds_bucket{le=\"%g\"} %d\n", bound, m.buckets[at])
	}
	fmt.Fprintf(to, "http_request_duration_seconds_bucket{le=\"+Inf\"} %d\n", m.count)
	fmt.Fprintf(to, "http_request_duration_seconds_sum %g\nhttp_request_duration_seconds_count %d\n", m.sum, m.count)
}

func main() {
	version := os.Getenv("VERSION")
	share, err := strconv.ParseFloat(os.Getenv("ERRORS"), 64)
	if err != nil || share < 0 || share > 1 {
		log.Fatalf("ERRORS is %q: it must be a share from 0 to 1", os.Getenv("ERRORS"))
	}
	// Every series exists from the start, so that the first failure is an increase.
	seen := &metrics{codes: map[int]uint64{200: 0, 500: 0}, buckets: make([]uint64, len(bounds))}
	var stopping atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { seen.write(w, version) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		began, code := time.Now(), http.StatusOK
		if stopping.Load() {
			// The client goes to another pod with its next request.
			w.Header().Set("Connection", "close")
		}
		if rand.Float64() < share {
			code = http.StatusInternalServerError
			http.Error(w, "broken", code)
		} else {
			fmt.Fprintf(w, "hello from %s\n", version)
		}
		seen.add(code, time.Since(began))
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-stop.Done()
		// The node still sends new connections here for a while after the pod has been told to end.
		stopping.Store(true)
		time.Sleep(5 * time.Second)
		limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			log.Printf("requests are left: %v", err)
		}
	}()
	log.Printf("release %s serves at :8080", version)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}
