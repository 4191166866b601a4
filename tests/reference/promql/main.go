// Command promql answers PromQL queries with the engine of Prometheus itself.
//
// Firedrill's simulated Prometheus has an evaluator of its own. The test `promql_reference.rs` asks both the same queries over the
// same series and compares the answers. Each line of standard input is one case, and each line of standard output its answers.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// A case: series, whose samples are pairs of Unix milliseconds and the bits of a float, and queries at an instant.
type input struct {
	Series []struct {
		Labels  map[string]string `json:"labels"`
		Samples [][2]string       `json:"samples"`
	} `json:"series"`
	Queries []struct {
		Query string `json:"query"`
		Ms    int64  `json:"ms"`
	} `json:"queries"`
}

type element struct {
	Labels map[string]string `json:"labels"`
	Bits   string            `json:"bits"`
}

type answer struct {
	Error  string    `json:"error,omitempty"`
	Type   string    `json:"type,omitempty"`
	Vector []element `json:"vector,omitempty"`
}

// Series in memory. Time ranges are not cut: the engine looks at what it needs.
type memory struct{ series []storage.Series }

func (m memory) Querier(_, _ int64) (storage.Querier, error) { return m, nil }
func (m memory) Close() error                                { return nil }
func (m memory) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}
func (m memory) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (m memory) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var chosen []storage.Series
	for _, s := range m.series {
		fits := true
		for _, matcher := range matchers {
			fits = fits && matcher.Matches(s.Labels().Get(matcher.Name))
		}
		if fits {
			chosen = append(chosen, s)
		}
	}
	return &set{series: chosen, at: -1}
}

type set struct {
	series []storage.Series
	at     int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

func bits(v float64) string { return strconv.FormatUint(math.Float64bits(v), 16) }

func ask(engine *promql.Engine, db memory, query string, ms int64) answer {
	q, err := engine.NewInstantQuery(context.Background(), db, nil, query, time.UnixMilli(ms))
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer q.Close()
	result := q.Exec(context.Background())
	if result.Err != nil {
		return answer{Error: result.Err.Error()}
	}
	switch value := result.Value.(type) {
	case promql.Scalar:
		return answer{Type: "scalar", Vector: []element{{Labels: map[string]string{}, Bits: bits(value.V)}}}
	case promql.Vector:
		out := answer{Type: "vector"}
		for _, s := range value {
			out.Vector = append(out.Vector, element{Labels: s.Metric.Map(), Bits: bits(s.F)})
		}
		return out
	default:
		return answer{Error: fmt.Sprintf("a %s is not compared", result.Value.Type())}
	}
}

func run() error {
	engine := promql.NewEngine(promql.EngineOpts{
		Logger:               slog.New(slog.DiscardHandler),
		MaxSamples:           50_000_000,
		Timeout:              time.Minute,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 {
			return time.Minute.Milliseconds()
		},
		Parser: parser.NewParser(parser.Options{}),
	})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var in input
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			return fmt.Errorf("a case that cannot be read: %w", err)
		}
		var db memory
		for _, s := range in.Series {
			samples := make([]chunks.Sample, 0, len(s.Samples))
			for _, pair := range s.Samples {
				t, err := strconv.ParseInt(pair[0], 10, 64)
				if err != nil {
					return err
				}
				v, err := strconv.ParseUint(pair[1], 16, 64)
				if err != nil {
					return err
				}
				samples = append(samples, sample{t, math.Float64frombits(v)})
			}
			db.series = append(db.series, storage.NewListSeries(labels.FromMap(s.Labels), samples))
		}
		answers := make([]answer, 0, len(in.Queries))
		for _, q := range in.Queries {
			answers = append(answers, ask(engine, db, q.Query, q.Ms))
		}
		line, err := json.Marshal(answers)
		if err != nil {
			return err
		}
		out.Write(line)
		out.WriteByte('\n')
		out.Flush()
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "promql:", err)
		os.Exit(1)
	}
}
