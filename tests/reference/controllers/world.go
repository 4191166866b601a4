package main

import (
	"context"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/replicaset"
)

var (
	deploymentResource = apps.SchemeGroupVersion.WithResource("deployments")
	replicaSetResource = apps.SchemeGroupVersion.WithResource("replicasets")
	podResource        = core.SchemeGroupVersion.WithResource("pods")
)

// Most syncs that fail before something that is refused is left alone until the next operation.
const attempts = 6

// world is a cluster of the two real controllers, an API server's rules, a garbage collector and a kubelet.
type world struct {
	client     *fake.Clientset
	context    context.Context
	close      context.CancelFunc
	informers  map[schema.GroupVersionResource]*informer
	dc         *deployment.DeploymentController
	rsc        *replicaset.ReplicaSetController
	dq, rq     *queue
	deliveries []delivery
	orphans    []types.UID
	rv         int
	created    int64
	writes     int
	unready    map[string]bool
}

func newWorld() *world {
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{
		client: fake.NewSimpleClientset(), context: ctx, close: cancel,
		informers: map[schema.GroupVersionResource]*informer{},
		dq:        &queue{requeues: map[string]int{}}, rq: &queue{requeues: map[string]int{}},
		unready: map[string]bool{},
	}
	watched := func(resource schema.GroupVersionResource, like runtime.Object) *informer {
		indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
		i := &informer{SharedIndexInformer: cache.NewSharedIndexInformer(&cache.ListWatch{}, like, 0, indexers)}
		w.informers[resource] = i
		return i
	}
	d := deployments{watched(deploymentResource, &apps.Deployment{})}
	rs := replicaSets{watched(replicaSetResource, &apps.ReplicaSet{})}
	p := pods{watched(podResource, &core.Pod{})}
	w.client.PrependReactor("*", "*", w.react)
	var err error
	if w.dc, err = deployment.NewDeploymentController(ctx, d, rs, p, w.client); err != nil {
		fail("%v", err)
	}
	w.rsc = replicaset.NewReplicaSetController(ctx, rs, p, w.client, replicaset.BurstReplicas)
	setQueue(w.dc, w.dq)
	setQueue(w.rsc, w.rq)
	return w
}

// rest lets everybody work until nobody has anything to do. Controllers are faster than pods.
func (w *world) rest() {
	refused, writes := 0, w.writes
	for {
		switch {
		case len(w.deliveries) > 0:
			next := w.deliveries[0]
			w.deliveries = w.deliveries[1:]
			next.deliver()
		case w.dq.Len() > 0:
			deploymentStep(w.dc, w.context)
		case w.rq.Len() > 0:
			replicaSetStep(w.rsc, w.context)
		case len(w.orphans) > 0:
			owner := w.orphans[0]
			w.orphans = w.orphans[1:]
			w.collect(owner)
		default:
			if w.writes != writes {
				refused, writes = 0, w.writes
			}
			if refused < attempts {
				refused++
				d, r := w.dq.retry(), w.rq.retry()
				if d || r {
					continue
				}
			}
			if !w.kubelet() {
				w.client.ClearActions()
				return
			}
		}
	}
}

// kubelet ends pods that are being deleted, else starts those that wait; false if there was nothing to do.
func (w *world) kubelet() bool {
	acted := false
	for _, pod := range w.pods() {
		if pod.DeletionTimestamp != nil {
			w.remove(podResource, pod)
			acted = true
		}
	}
	if acted {
		return true
	}
	for _, pod := range w.pods() {
		ready := !w.unready[pod.Spec.Containers[0].Image]
		status := core.ConditionFalse
		if ready {
			status = core.ConditionTrue
		}
		conditions := pod.Status.Conditions
		if len(conditions) == 1 && conditions[0].Status == status {
			continue
		}
		copy := pod.DeepCopy()
		copy.Status.Phase = core.PodRunning
		copy.Status.Conditions = []core.PodCondition{{
			// Long enough ago for any minReadySeconds.
			Type: core.PodReady, Status: status, LastTransitionTime: meta.NewTime(time.Now().Add(-time.Hour)),
		}}
		if _, err := w.update(podResource, copy, true); err != nil {
			fail("%v", err)
		}
		acted = true
	}
	return acted
}

// collect deletes what the owner with this UID has left behind.
func (w *world) collect(owner types.UID) {
	owned := func(m meta.Object) bool {
		for _, reference := range m.GetOwnerReferences() {
			if reference.UID == owner {
				return true
			}
		}
		return false
	}
	for _, rs := range w.sets() {
		if owned(rs) {
			w.mustDelete(replicaSetResource, rs.Name)
		}
	}
	for _, pod := range w.pods() {
		if owned(pod) {
			w.mustDelete(podResource, pod.Name)
		}
	}
}

func (w *world) mustDelete(resource schema.GroupVersionResource, name string) {
	if err := w.delete(resource, name); err != nil && !errors.IsNotFound(err) {
		fail("%v", err)
	}
}

func (w *world) list(resource schema.GroupVersionResource, kind string) runtime.Object {
	list, err := w.client.Tracker().List(resource, resource.GroupVersion().WithKind(kind), namespace)
	if err != nil {
		fail("%v", err)
	}
	return list
}

func (w *world) pods() []*core.Pod {
	list := w.list(podResource, "Pod").(*core.PodList)
	all := make([]*core.Pod, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	return all
}

func (w *world) sets() []*apps.ReplicaSet {
	list := w.list(replicaSetResource, "ReplicaSet").(*apps.ReplicaSetList)
	all := make([]*apps.ReplicaSet, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	return all
}
