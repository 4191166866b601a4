package main

import (
	"fmt"
	"sort"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// state is what both sides must agree on when nothing moves: one line for each Deployment and each ReplicaSet.
type state struct {
	Deployments []string `json:"deployments"`
	ReplicaSets []string `json:"replicaSets"`
	Pods        []string `json:"pods"`
}

func (w *world) state() state {
	var s state
	list := w.list(deploymentResource, "Deployment").(*apps.DeploymentList)
	names := map[string]string{}
	for _, d := range list.Items {
		names[string(d.UID)] = d.Name
		s.Deployments = append(s.Deployments, describe(&d))
	}
	for _, rs := range w.sets() {
		owner := ""
		if len(rs.OwnerReferences) > 0 {
			owner = names[string(rs.OwnerReferences[0].UID)]
		}
		s.ReplicaSets = append(s.ReplicaSets, describeSet(rs, owner))
	}
	counts := map[string]int{}
	for _, pod := range w.pods() {
		ready := false
		for _, c := range pod.Status.Conditions {
			ready = ready || c.Type == core.PodReady && c.Status == core.ConditionTrue
		}
		counts[fmt.Sprintf("%s ready=%t owned=%t", pod.Spec.Containers[0].Image, ready, len(pod.OwnerReferences) > 0)]++
	}
	for what, n := range counts {
		s.Pods = append(s.Pods, fmt.Sprintf("%s: %d", what, n))
	}
	for _, lines := range []*[]string{&s.Deployments, &s.ReplicaSets, &s.Pods} {
		if *lines == nil {
			*lines = []string{}
		}
		sort.Strings(*lines)
	}
	return s
}

func describe(d *apps.Deployment) string {
	var conditions []string
	for _, c := range d.Status.Conditions {
		conditions = append(conditions, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	sort.Strings(conditions)
	s := d.Status
	return fmt.Sprintf(
		"%s generation=%d observed=%d replicas=%d/%d updated=%d ready=%d available=%d unavailable=%d %s %s",
		d.Name, d.Generation, s.ObservedGeneration, s.Replicas, *d.Spec.Replicas, s.UpdatedReplicas,
		s.ReadyReplicas, s.AvailableReplicas, s.UnavailableReplicas, strings.Join(conditions, ","),
		annotations(d.Annotations),
	)
}

func describeSet(rs *apps.ReplicaSet, owner string) string {
	failure := ""
	for _, c := range rs.Status.Conditions {
		failure += fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason)
	}
	return fmt.Sprintf(
		"%s of %q size=%d pods=%d ready=%d available=%d minReady=%d %s %s",
		rs.Spec.Template.Spec.Containers[0].Image, owner, *rs.Spec.Replicas, rs.Status.Replicas,
		rs.Status.ReadyReplicas, rs.Status.AvailableReplicas, rs.Spec.MinReadySeconds, failure,
		annotations(rs.Annotations),
	)
}

// annotations in the order of their names, the controllers' own without their prefix.
func annotations(all map[string]string) string {
	short := strings.TrimSuffix(util.RevisionAnnotation, "revision")
	var lines []string
	for key, value := range all {
		lines = append(lines, strings.TrimPrefix(key, short)+"="+value)
	}
	sort.Strings(lines)
	return "[" + strings.Join(lines, " ") + "]"
}
