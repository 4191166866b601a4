package main

import (
	"encoding/json"
	"fmt"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/testing"
)

const namespace = "dex-production"

// What the API server does between a request and the store, as far as the two controllers can tell: names, versions,
// generations, and which part of an object a request may change (pkg/registry/apps/*/strategy.go).

func (w *world) react(action testing.Action) (bool, runtime.Object, error) {
	if _, served := w.informers[action.GetResource()]; !served {
		// Events go nowhere.
		return action.GetVerb() == "create", nil, nil
	}
	switch action := action.(type) {
	case testing.CreateActionImpl:
		created, err := w.create(action.GetResource(), action.GetObject().DeepCopyObject())
		return true, created, err
	case testing.UpdateActionImpl:
		status := action.GetSubresource() == "status"
		updated, err := w.update(action.GetResource(), action.GetObject().DeepCopyObject(), status)
		return true, updated, err
	case testing.PatchActionImpl:
		patched, err := w.patch(action.GetResource(), action.GetName(), action.GetPatchType(), action.GetPatch())
		return true, patched, err
	case testing.DeleteActionImpl:
		return true, nil, w.delete(action.GetResource(), action.GetName())
	}
	return false, nil, nil
}

func (w *world) get(resource schema.GroupVersionResource, name string) (runtime.Object, error) {
	return w.client.Tracker().Get(resource, namespace, name)
}

func (w *world) version(m meta.Object) {
	w.rv++
	m.SetResourceVersion(fmt.Sprint(w.rv))
}

func (w *world) changed(resource schema.GroupVersionResource, old, new runtime.Object) {
	d := delivery{to: w.informers[resource]}
	if old != nil {
		d.old = old
	}
	if new != nil {
		d.new = new
	}
	w.deliveries = append(w.deliveries, d)
	w.writes++
}

func (w *world) create(resource schema.GroupVersionResource, object runtime.Object) (runtime.Object, error) {
	m := object.(meta.Object)
	m.SetNamespace(namespace)
	w.created++
	if m.GetName() == "" {
		m.SetName(fmt.Sprintf("%s%05d", m.GetGenerateName(), w.created))
	}
	if _, err := w.get(resource, m.GetName()); err == nil {
		return nil, errors.NewAlreadyExists(resource.GroupResource(), m.GetName())
	}
	m.SetUID(types.UID(fmt.Sprintf("uid-%06d", w.created)))
	// Each in its own second, so that none are of the same age.
	m.SetCreationTimestamp(meta.NewTime(time.Unix(1_700_000_000+w.created, 0)))
	switch o := object.(type) {
	case *apps.Deployment:
		o.Generation, o.Status = 1, apps.DeploymentStatus{}
	case *apps.ReplicaSet:
		o.Generation, o.Status = 1, apps.ReplicaSetStatus{}
	case *core.Pod:
		o.Status = core.PodStatus{Phase: core.PodPending}
		o.Spec.NodeName = "node-1"
	}
	w.version(m)
	if err := w.client.Tracker().Create(resource, object, namespace); err != nil {
		return nil, err
	}
	w.changed(resource, nil, object)
	return object.DeepCopyObject(), nil
}

func (w *world) update(
	resource schema.GroupVersionResource, object runtime.Object, status bool,
) (runtime.Object, error) {
	m := object.(meta.Object)
	old, err := w.get(resource, m.GetName())
	if err != nil {
		return nil, err
	}
	before := old.(meta.Object)
	if m.GetResourceVersion() != "" && m.GetResourceVersion() != before.GetResourceVersion() {
		return nil, errors.NewConflict(resource.GroupResource(), m.GetName(), fmt.Errorf("the object has been modified"))
	}
	m.SetUID(before.GetUID())
	m.SetCreationTimestamp(before.GetCreationTimestamp())
	m.SetDeletionTimestamp(before.GetDeletionTimestamp())
	m.SetGeneration(before.GetGeneration())
	m.SetResourceVersion(before.GetResourceVersion())
	next := false
	switch o := object.(type) {
	case *apps.Deployment:
		was := old.(*apps.Deployment)
		if status {
			o.Spec, o.Labels = was.Spec, was.Labels
		} else {
			o.Status = was.Status
			next = !equality.Semantic.DeepEqual(o.Spec, was.Spec) ||
				!equality.Semantic.DeepEqual(o.Annotations, was.Annotations)
		}
	case *apps.ReplicaSet:
		was := old.(*apps.ReplicaSet)
		if status {
			o.Spec = was.Spec
		} else {
			o.Status = was.Status
			next = !equality.Semantic.DeepEqual(o.Spec, was.Spec)
		}
	}
	if next {
		m.SetGeneration(m.GetGeneration() + 1)
	}
	if equality.Semantic.DeepEqual(old, object) {
		return object, nil
	}
	w.version(m)
	if err := w.client.Tracker().Update(resource, object, namespace); err != nil {
		return nil, err
	}
	w.changed(resource, old, object)
	return object.DeepCopyObject(), nil
}

func (w *world) patch(
	resource schema.GroupVersionResource, name string, media types.PatchType, patch []byte,
) (runtime.Object, error) {
	old, err := w.get(resource, name)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	if media != types.StrategicMergePatchType {
		return nil, errors.NewBadRequest(fmt.Sprintf("the reference knows no patches of type %s", media))
	}
	text, err = strategicpatch.StrategicMergePatch(text, patch, old)
	if err != nil {
		return nil, err
	}
	object := emptyLike(old)
	if err := json.Unmarshal(text, object); err != nil {
		return nil, err
	}
	return w.update(resource, object, false)
}

func emptyLike(object runtime.Object) runtime.Object {
	switch object.(type) {
	case *apps.Deployment:
		return &apps.Deployment{}
	case *apps.ReplicaSet:
		return &apps.ReplicaSet{}
	default:
		return &core.Pod{}
	}
}

// delete marks a pod, which its kubelet removes later, and removes anything else with what depends on it.
func (w *world) delete(resource schema.GroupVersionResource, name string) error {
	old, err := w.get(resource, name)
	if err != nil {
		return err
	}
	if pod, ok := old.(*core.Pod); ok {
		if pod.DeletionTimestamp != nil {
			return nil
		}
		marked := pod.DeepCopy()
		at := meta.NewTime(time.Unix(1_700_000_000+w.created, 0))
		marked.DeletionTimestamp = &at
		w.version(marked)
		if err := w.client.Tracker().Update(resource, marked, namespace); err != nil {
			return err
		}
		w.changed(resource, old, marked)
		return nil
	}
	w.remove(resource, old)
	w.orphans = append(w.orphans, old.(meta.Object).GetUID())
	return nil
}

func (w *world) remove(resource schema.GroupVersionResource, object runtime.Object) {
	if err := w.client.Tracker().Delete(resource, namespace, object.(meta.Object).GetName()); err != nil {
		fail("%v", err)
	}
	w.changed(resource, object, nil)
}
