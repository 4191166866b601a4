// Command bodies writes objects in protobuf and in JSON, as client-go sends them. A test of the simulated API server
// reads the former and compares it with the latter (sim/src/cluster/tests/bodies.json).
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

func ref[T any](value T) *T { return &value }

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}}
}

func main() {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	labels := map[string]string{"app": "gateway"}
	zero, half := intstr.FromInt32(0), intstr.FromString("50%")
	objects := []runtime.Object{
		&appsv1.Deployment{
			ObjectMeta: meta("gateway"),
			Spec: appsv1.DeploymentSpec{
				Replicas: ref(int32(0)),
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Strategy: appsv1.DeploymentStrategy{
					Type:          appsv1.RollingUpdateDeploymentStrategyType,
					RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &zero, MaxUnavailable: &half},
				},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec: corev1.PodSpec{
						Containers: []corev1.Container{{
							Name: "gateway", Image: "dex/gateway:1", Args: []string{"--listen", ""},
							Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
							Env: []corev1.EnvVar{
								{Name: "EMPTY"},
								{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
									LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}},
							},
							Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
								corev1.ResourceCPU: resource.MustParse("500m")}},
							ReadinessProbe: &corev1.Probe{
								ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
									Path: "/health", Port: intstr.FromString("http")}},
								PeriodSeconds: 1,
							},
							SecurityContext: &corev1.SecurityContext{RunAsUser: ref(int64(1000))},
						}},
						TerminationGracePeriodSeconds: ref(int64(0)),
						// A number of more than 32 bits.
						Tolerations: []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists,
							Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ref(int64(1 << 40))}},
						Volumes: []corev1.Volume{{Name: "c", VolumeSource: corev1.VolumeSource{
							ConfigMap: &corev1.ConfigMapVolumeSource{
								LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}}}},
					},
				},
			},
		},
		&corev1.Secret{ObjectMeta: meta("s"), Data: map[string][]byte{"k": {0, 255, 10}, "empty": {}}},
		&corev1.ConfigMap{ObjectMeta: meta("c"), Data: map[string]string{"a": "1", "b": ""}, Immutable: ref(false)},
		&corev1.Service{ObjectMeta: meta("gateway"), Spec: corev1.ServiceSpec{
			Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}}},
		&coordinationv1.Lease{ObjectMeta: meta("l"), Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ref("me"), LeaseDurationSeconds: ref(int32(15)), RenewTime: &metav1.MicroTime{Time: at}}},
		&corev1.Event{ObjectMeta: meta("e"), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "p", UID: "u"},
			Reason: "Because", Count: 2, FirstTimestamp: metav1.Time{Time: at}},
		&policyv1.Eviction{ObjectMeta: meta("p"), DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: ref(int64(-1))}},
	}
	encoder := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	var rows []map[string]any
	for _, object := range objects {
		kinds, _, err := scheme.Scheme.ObjectKinds(object)
		if err != nil {
			panic(err)
		}
		object.GetObjectKind().SetGroupVersionKind(kinds[0])
		body, err := runtime.Encode(encoder, object)
		if err != nil {
			panic(err)
		}
		rows = append(rows, map[string]any{"protobuf": body, "json": object})
	}
	for i, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			panic(err)
		}
		before, after := ",\n", ""
		if i == 0 {
			before = "[\n"
		}
		if i == len(rows)-1 {
			after = "\n]\n"
		}
		fmt.Fprint(os.Stdout, before, string(text), after)
	}
}
