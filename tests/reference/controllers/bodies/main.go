// Command bodies writes one object of each kind in protobuf and in JSON, as client-go sends them. A test of the simulated API server
// reads the former and compares it with the latter (sim/src/cluster/tests/bodies.json).
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
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
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "gateway", Image: "dex/gateway:1"}}},
	}
	once := *template.DeepCopy()
	once.Labels, once.Spec.RestartPolicy = nil, corev1.RestartPolicyNever
	claim := corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: "gateway", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	rules := []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	subjects := []rbacv1.Subject{
		{Kind: "ServiceAccount", Name: "sa", Namespace: "shop"}, {Kind: "User", Name: "ann"}}
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
		&corev1.Namespace{ObjectMeta: meta("n")},
		&corev1.Node{ObjectMeta: meta("node"), Spec: corev1.NodeSpec{
			Taints: []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}}},
		&corev1.Pod{ObjectMeta: meta("pod"), Spec: template.Spec},
		&corev1.ServiceAccount{ObjectMeta: meta("sa"), Secrets: []corev1.ObjectReference{{Name: "s"}},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "s"}}},
		&corev1.PersistentVolumeClaim{ObjectMeta: meta("claim"), Spec: claim},
		&corev1.PersistentVolume{ObjectMeta: meta("volume"), Spec: corev1.PersistentVolumeSpec{
			Capacity: claim.Resources.Requests, AccessModes: claim.AccessModes,
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/d"}}}},
		&appsv1.ReplicaSet{ObjectMeta: meta("rs"), Spec: appsv1.ReplicaSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}},
		&appsv1.StatefulSet{ObjectMeta: meta("set"), Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template, ServiceName: "gateway",
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{},
			VolumeClaimTemplates:                 []corev1.PersistentVolumeClaim{{ObjectMeta: meta("d"), Spec: claim}}}},
		&appsv1.DaemonSet{ObjectMeta: meta("daemon"), Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}},
		&appsv1.ControllerRevision{ObjectMeta: meta("revision"), Revision: 1,
			Data: runtime.RawExtension{Raw: []byte(`{"a":1}`)}},
		&batchv1.Job{ObjectMeta: meta("job"), Spec: batchv1.JobSpec{Template: once}},
		&batchv1.CronJob{ObjectMeta: meta("cron"), Spec: batchv1.CronJobSpec{
			Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: once}}}},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta("hpa"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "gateway"},
			MaxReplicas: 3,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{
					Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ref(int32(50))}}}}}},
		&networkingv1.Ingress{ObjectMeta: meta("ingress"), Spec: networkingv1.IngressSpec{
			Rules: []networkingv1.IngressRule{{IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: ref(networkingv1.PathTypePrefix), Backend: backend}}}}}}}},
		&networkingv1.IngressClass{ObjectMeta: meta("class"), Spec: networkingv1.IngressClassSpec{Controller: "a.b/c"}},
		&networkingv1.NetworkPolicy{ObjectMeta: meta("policy"), Spec: networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				Ports: []networkingv1.NetworkPolicyPort{{Port: ref(intstr.FromInt32(80))}}}}}},
		&policyv1.PodDisruptionBudget{ObjectMeta: meta("budget"), Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &half, Selector: &metav1.LabelSelector{MatchLabels: labels}}},
		&discoveryv1.EndpointSlice{ObjectMeta: meta("slice"), AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
			Ports:     []discoveryv1.EndpointPort{{Name: ref("http"), Port: ref(int32(80))}}},
		&rbacv1.Role{ObjectMeta: meta("role"), Rules: rules},
		&rbacv1.ClusterRole{ObjectMeta: meta("cluster-role"), Rules: rules},
		&rbacv1.RoleBinding{ObjectMeta: meta("binding"), Subjects: subjects,
			RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "role"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("cluster-binding"), Subjects: subjects[1:],
			RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-role"}},
		&storagev1.StorageClass{ObjectMeta: meta("fast"), Provisioner: "a.b/c"},
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
