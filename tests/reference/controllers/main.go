// Command reference runs the real Deployment and ReplicaSet controllers of Kubernetes 1.34 on client-go's fake
// clientset. It reads operations as lines of JSON from standard input and answers each with the state at rest, one
// line of JSON. The simulated controllers are compared with it (sim/src/cluster/tests/reference.rs).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

func main() {
	// Refusals are part of what is tried; the default handlers log them, and wait a while after each.
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	var w *world
	for in.Scan() {
		var op operation
		if err := json.Unmarshal(in.Bytes(), &op); err != nil {
			fail("an operation that can't be read: %v: %s", err, in.Text())
		}
		if op.Op == "reset" {
			if w != nil {
				w.close()
			}
			w = newWorld()
		}
		if w == nil {
			fail("the first operation must be reset, not %q", op.Op)
		}
		w.apply(op)
		w.rest()
		if err := encoder.Encode(w.state()); err != nil {
			fail("%v", err)
		}
		if err := out.Flush(); err != nil {
			fail("%v", err)
		}
	}
	if err := in.Err(); err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "reference: "+format+"\n", args...)
	os.Exit(1)
}
