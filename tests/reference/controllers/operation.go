package main

import (
	"encoding/json"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// operation is one line of the input.
type operation struct {
	// Op is reset, create, patch, undo, delete, delete-set, delete-pod, scale-set, ready or unready.
	Op string `json:"op"`
	// Name of the Deployment.
	Name string `json:"name"`
	// Image whose ReplicaSet or pods are meant.
	Image string `json:"image"`
	// Object to create.
	Object json.RawMessage `json:"object"`
	// Patch, a strategic merge patch.
	Patch json.RawMessage `json:"patch"`
	// Orphan the dependents of what is deleted.
	Orphan bool `json:"orphan"`
	// Replicas of the ReplicaSet.
	Replicas *int32 `json:"replicas"`
}

func (w *world) apply(op operation) {
	var err error
	switch op.Op {
	case "reset":
	case "create":
		var d apps.Deployment
		if err = json.Unmarshal(op.Object, &d); err == nil {
			_, err = w.create(deploymentResource, &d)
		}
	case "patch":
		_, err = w.patch(deploymentResource, op.Name, types.StrategicMergePatchType, op.Patch)
	case "undo":
		err = w.undo(op.Name, op.Image)
	case "delete":
		err = w.deleteDeployment(op.Name, op.Orphan)
	case "delete-set":
		if rs := w.set(op.Image); rs != nil {
			err = w.delete(replicaSetResource, rs.Name)
		}
	case "scale-set":
		if rs := w.set(op.Image); rs != nil {
			rs = rs.DeepCopy()
			rs.Spec.Replicas = op.Replicas
			_, err = w.update(replicaSetResource, rs, false)
		}
	case "delete-pod":
		for _, pod := range w.pods() {
			if pod.Spec.Containers[0].Image == op.Image {
				err = w.delete(podResource, pod.Name)
				break
			}
		}
	case "ready":
		delete(w.unready, op.Image)
	case "unready":
		w.unready[op.Image] = true
	default:
		fail("an operation that the reference does not know: %q", op.Op)
	}
	if err != nil {
		fail("%s: %v", op.Op, err)
	}
}

// set is the oldest ReplicaSet with this image.
func (w *world) set(image string) *apps.ReplicaSet {
	var oldest *apps.ReplicaSet
	for _, rs := range w.sets() {
		if rs.Spec.Template.Spec.Containers[0].Image != image {
			continue
		}
		if oldest == nil || rs.CreationTimestamp.Before(&oldest.CreationTimestamp) {
			oldest = rs
		}
	}
	return oldest
}

// undo does what `kubectl rollout undo` does, with the controllers' own functions.
func (w *world) undo(name, image string) error {
	rs := w.set(image)
	if rs == nil {
		return nil
	}
	old, err := w.get(deploymentResource, name)
	if err != nil {
		return err
	}
	d := old.(*apps.Deployment).DeepCopy()
	util.SetFromReplicaSetTemplate(d, *rs.Spec.Template.DeepCopy())
	util.SetDeploymentAnnotationsTo(d, rs)
	d.ResourceVersion = ""
	_, err = w.update(deploymentResource, d, false)
	return err
}

func (w *world) deleteDeployment(name string, orphan bool) error {
	d, err := w.get(deploymentResource, name)
	if err != nil {
		return err
	}
	if !orphan {
		return w.delete(deploymentResource, name)
	}
	owner := d.(*apps.Deployment).UID
	w.remove(deploymentResource, d)
	for _, rs := range w.sets() {
		if len(rs.OwnerReferences) == 1 && rs.OwnerReferences[0].UID == owner {
			rs = rs.DeepCopy()
			rs.OwnerReferences = nil
			if _, err := w.update(replicaSetResource, rs, false); err != nil {
				return err
			}
		}
	}
	return nil
}
