// A controller-runtime manager. While it holds its Lease, it labels each Deployment of its namespace with the generation
// that it has seen, by server-side apply, and keeps a ConfigMap for it, of which it watches the metadata only. Asked to
// end by SIGTERM, it gives the Lease back.
//
//	manager KUBECONFIG NAME
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	applyappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	namespace = "default"
	// Who owns what the manager applies, and the name of its Lease.
	owner = "labeller"
	// The labels that it applies: the generation that it has seen, and the manager that saw it.
	seenLabel = "conformance/seen"
	byLabel   = "conformance/by"
)

type labeller struct {
	client   client.Client
	recorder record.EventRecorder
	name     string
}

// Reconcile reads the Deployment from the cache, and writes only what is not so already.
func (r *labeller) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var deployment appsv1.Deployment
	if err := r.client.Get(ctx, request.NamespacedName, &deployment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	generation := strconv.FormatInt(deployment.Generation, 10)
	if deployment.Labels[seenLabel] != generation {
		labels := map[string]string{seenLabel: generation, byLabel: r.name}
		apply := applyappsv1.Deployment(deployment.Name, deployment.Namespace).WithLabels(labels)
		if err := r.client.Apply(ctx, apply, client.FieldOwner(owner)); err != nil {
			return ctrl.Result{}, err
		}
		r.recorder.Eventf(&deployment, corev1.EventTypeNormal, "Seen", "Saw generation %s", generation)
	}
	record := corev1.ConfigMap{}
	record.Namespace, record.Name = deployment.Namespace, deployment.Name+"-seen"
	_, err := controllerutil.CreateOrUpdate(ctx, r.client, &record, func() error {
		record.Data = map[string]string{"generation": generation}
		return controllerutil.SetControllerReference(&deployment, &record, r.client.Scheme())
	})
	return ctrl.Result{}, err
}

func run(kubeconfig, name string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseDevMode(true)))
	lease, renew, retry := 5*time.Second, 3*time.Second, 500*time.Millisecond
	// A ConfigMap is watched by its metadata, in a cache of its own. Its content is read from the server: a second cache
	// may still hold what the first one has seen deleted, and nothing would come that reconciles the Deployment again.
	uncached := client.CacheOptions{DisableFor: []client.Object{&corev1.ConfigMap{}}}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Cache:                         cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		Client:                        client.Options{Cache: &uncached},
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		LeaderElection:                true,
		LeaderElectionID:              owner,
		LeaderElectionNamespace:       namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	})
	if err != nil {
		return err
	}
	labeller := &labeller{
		client:   manager.GetClient(),
		recorder: manager.GetEventRecorderFor(owner),
		name:     name,
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(&appsv1.Deployment{}).
		Owns(&corev1.ConfigMap{}, builder.OnlyMetadata).
		Complete(labeller)
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: manager KUBECONFIG NAME")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}
