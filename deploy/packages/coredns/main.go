// Command coredns serves a cluster's names. kubeadm's Corefile uses ten plugins; the others, left out here, would
// pull in the libraries of three clouds.
package main

import (
	"github.com/coredns/coredns/coremain"

	// In the order of the Corefile.
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/ready"

	_ "github.com/coredns/coredns/plugin/kubernetes"

	_ "github.com/coredns/coredns/plugin/metrics" // prometheus :9153

	_ "github.com/coredns/coredns/plugin/forward"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() {
	coremain.Run()
}
