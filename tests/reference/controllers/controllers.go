package main

import (
	"context"
	"reflect"
	"time"
	"unsafe"

	appsinformers "k8s.io/client-go/informers/apps/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/replicaset"
)

// The controllers' own step from their queue, which is private to their packages.

//go:linkname deploymentStep k8s.io/kubernetes/pkg/controller/deployment.(*DeploymentController).processNextWorkItem
func deploymentStep(*deployment.DeploymentController, context.Context) bool

//go:linkname replicaSetStep k8s.io/kubernetes/pkg/controller/replicaset.(*ReplicaSetController).processNextWorkItem
func replicaSetStep(*replicaset.ReplicaSetController, context.Context) bool

// setQueue puts a queue in the place of a controller's own.
func setQueue(controller any, q *queue) {
	field := reflect.ValueOf(controller).Elem().FieldByName("queue")
	field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	field.Set(reflect.ValueOf(q))
}

// informer is a shared informer whose cache is filled, and whose handlers are called, by the world.
type informer struct {
	cache.SharedIndexInformer
	handlers []cache.ResourceEventHandler
}

func (i *informer) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	i.handlers = append(i.handlers, h)
	return nil, nil
}

func (i *informer) AddEventHandlerWithResyncPeriod(
	h cache.ResourceEventHandler, _ time.Duration,
) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandler(h)
}

func (i *informer) HasSynced() bool { return true }

// delivery is a change on its way to the controllers' caches.
type delivery struct {
	to       *informer
	old, new any
}

func (d delivery) deliver() {
	indexer := d.to.GetIndexer()
	var err error
	switch {
	case d.old == nil:
		err = indexer.Add(d.new)
	case d.new == nil:
		err = indexer.Delete(d.old)
	default:
		err = indexer.Update(d.new)
	}
	if err != nil {
		fail("%v", err)
	}
	for _, h := range d.to.handlers {
		switch {
		case d.old == nil:
			h.OnAdd(d.new, false)
		case d.new == nil:
			h.OnDelete(d.old)
		default:
			h.OnUpdate(d.old, d.new)
		}
	}
}

type deployments struct{ *informer }

func (i deployments) Informer() cache.SharedIndexInformer { return i.informer }
func (i deployments) Lister() appslisters.DeploymentLister {
	return appslisters.NewDeploymentLister(i.GetIndexer())
}

type replicaSets struct{ *informer }

func (i replicaSets) Informer() cache.SharedIndexInformer { return i.informer }
func (i replicaSets) Lister() appslisters.ReplicaSetLister {
	return appslisters.NewReplicaSetLister(i.GetIndexer())
}

type pods struct{ *informer }

func (i pods) Informer() cache.SharedIndexInformer { return i.informer }
func (i pods) Lister() corelisters.PodLister       { return corelisters.NewPodLister(i.GetIndexer()) }

var (
	_ appsinformers.DeploymentInformer = deployments{}
	_ appsinformers.ReplicaSetInformer = replicaSets{}
	_ coreinformers.PodInformer        = pods{}
)
