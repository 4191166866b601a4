// Command refusals writes objects, and for each of them what Kubernetes says of it when it is created: whether it can be
// read, and everything that the validation of its kind finds, with the defaults filled in. A test of the simulated API
// server compares its own answers (sim/src/cluster/tests/refusals.json).
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podapi "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

// The objects that nothing is wrong with.
var bases = map[string]string{
	"Deployment": `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","labels":{"app":"web"}},
		"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web","tier":"front"}},
		"spec":{"volumes":[{"name":"tmp"},{"name":"conf","configMap":{"name":"conf"}}],"containers":[{"name":"web","image":"web:1",
		"ports":[{"name":"http","containerPort":8080}],"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}],
		"resources":{"requests":{"cpu":"100m","memory":"64Mi"},"limits":{"memory":"128Mi"}},
		"volumeMounts":[{"name":"tmp","mountPath":"/tmp"}],
		"readinessProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":0}}]}}}}`,
	"StatefulSet": `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"queue","namespace":"shop"},
		"spec":{"serviceName":"queue","selector":{"matchLabels":{"app":"queue"}},"template":{"metadata":{"labels":{"app":"queue"}},
		"spec":{"containers":[{"name":"queue","image":"queue:1","volumeMounts":[{"name":"data","mountPath":"/data"}]}]}},
		"volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]}}`,
	"Service": `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},
		"spec":{"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",
		"selector":{"app":"web"},"ports":[{"name":"http","port":80,"targetPort":"http"}]}}`,
	"PodDisruptionBudget": `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web","namespace":"shop"},
		"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"web"}}}}`,
}

// What is changed in an object: the kind, then paths and values in turn. An empty value takes the field away.
var cases = [][]string{
	{"Deployment"}, {"StatefulSet"}, {"Service"}, {"PodDisruptionBudget"},
	{"Deployment", "spec", ``},
	{"Deployment", "spec.template", ``},
	{"StatefulSet", "spec.template.spec", ``},
	{"Service", "spec", ``},
	{"Deployment", "metadata.name", `"Web"`},
	{"Deployment", "metadata.name", `"a..b"`},
	{"Deployment", "metadata.labels", `{"a b":"c","x.y/z":"-"}`},
	{"Deployment", "spec.replicas", `-1`},
	{"Deployment", "spec.minReadySeconds", `-1`},
	{"Deployment", "spec.revisionHistoryLimit", `-1`},
	{"Deployment", "spec.progressDeadlineSeconds", `0`},
	{"Deployment", "spec.selector", ``},
	{"Deployment", "spec.selector", `{}`},
	{"Deployment", "spec.selector.matchLabels.app", `"other"`},
	{"Deployment", "spec.selector.matchExpressions", `[{"key":"tier","operator":"In"},{"key":"tier","operator":"Exists","values":["a"]},{"key":"-","operator":"NotIn","values":["a b"]}]`},
	{"Deployment", "spec.template.metadata.labels.more", `"no label"`},
	{"Deployment", "spec.strategy", `{"type":"Rolling"}`},
	{"Deployment", "spec.strategy", `{"type":"Recreate","rollingUpdate":{"maxSurge":1}}`},
	{"Deployment", "spec.strategy", `{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}}`},
	{"Deployment", "spec.strategy", `{"rollingUpdate":{"maxSurge":"0%","maxUnavailable":"0"}}`},
	{"Deployment", "spec.strategy", `{"rollingUpdate":{"maxSurge":"half","maxUnavailable":"101%"}}`},
	{"Deployment", "spec.strategy", `{"rollingUpdate":{"maxSurge":-1,"maxUnavailable":1}}`},
	{"Deployment", "spec.template.spec.restartPolicy", `"Never"`},
	{"Deployment", "spec.template.spec.activeDeadlineSeconds", `0`},
	{"Deployment", "spec.template.spec.terminationGracePeriodSeconds", `-5`},
	{"Deployment", "spec.template.spec.dnsPolicy", `"None of them"`},
	{"Deployment", "spec.template.spec.nodeSelector", `{"a":"b c"}`},
	{"Deployment", "spec.template.spec.serviceAccountName", `"A"`},
	{"Deployment", "spec.template.spec.hostname", `"a.b"`},
	{"Deployment", "spec.template.spec.priorityClassName", `"a_b"`},
	{"Deployment", "spec.template.spec.containers", `[]`},
	{"Deployment", "spec.template.spec.containers.0.name", `"Web"`},
	{"Deployment", "spec.template.spec.containers.0.name", ``},
	{"Deployment", "spec.template.spec.containers.0.image", `""`},
	{"Deployment", "spec.template.spec.containers.0.imagePullPolicy", `"Sometimes"`},
	{"Deployment", "spec.template.spec.containers.0.terminationMessagePolicy", `"Log"`},
	{"Deployment", "spec.template.spec.containers.0.restartPolicy", `"Always"`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.containerPort", `808000`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.containerPort", `0`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.containerPort", `-1`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.hostPort", `70000`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.protocol", `"HTTP"`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.name", `"a-name-that-is-too--long"`},
	{"Deployment", "spec.template.spec.containers.0.ports.0.name", `"80"`},
	{"Deployment", "spec.template.spec.containers.0.ports", `[{"name":"a","containerPort":1,"hostPort":5},{"name":"a","containerPort":1,"hostPort":5}]`},
	{"Deployment", "spec.template.spec.containers.0.env", `[{"name":""},{"name":"a=b"},{"name":"x","value":"1","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]`},
	{"Deployment", "spec.template.spec.containers.0.env", `[{"name":"a","valueFrom":{}},{"name":"b","valueFrom":{"secretKeyRef":{"name":"A","key":""}}},{"name":"c","valueFrom":{"configMapKeyRef":{"name":"a","key":"b/c"}}}]`},
	{"Deployment", "spec.template.spec.containers.0.env", `[{"name":"a","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels"}}},{"name":"b","valueFrom":{"fieldRef":{"fieldPath":"spec.none"}}},{"name":"c","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}}]`},
	{"Deployment", "spec.template.spec.containers.0.env", `[{"name":"a","valueFrom":{"resourceFieldRef":{"resource":"limits.gpu"}}},{"name":"b","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}}]`},
	{"Deployment", "spec.template.spec.containers.0.envFrom", `[{"prefix":"=","configMapRef":{"name":"a"}},{"secretRef":{"name":""}},{}]`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests.cpu", `"abc"`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests.memory", `"256Mx"`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests.memory", `"256Mi"`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests.cpu", `-1`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests.cpu", `1e3`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests", `{"gpu":1}`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests", `{"pods":1}`},
	{"Deployment", "spec.template.spec.containers.0.resources.requests", `{"example.com/gpu":1}`},
	{"Deployment", "spec.template.spec.containers.0.resources", `{"requests":{"example.com/gpu":"500m"},"limits":{"example.com/gpu":1}}`},
	{"Deployment", "spec.template.spec.containers.0.resources", `{"requests":{"requests.example.com/a b":1},"limits":{"requests.example.com/a b":1}}`},
	{"Deployment", "spec.template.spec.containers.0.resources", `{"requests":{"hugepages-2Mi":"2Mi"},"limits":{"hugepages-2Mi":"2Mi"}}`},
	{"Deployment", "spec.template.spec.containers.0.resources", `{"limits":{"cpu":1,"hugepages-2Mi":"3Mi"}}`},
	{"Deployment", "spec.template.spec.containers.0.volumeMounts", `[{"name":"none","mountPath":"/a"},{"name":"tmp","mountPath":"/a"},{"name":"","mountPath":""}]`},
	{"Deployment", "spec.template.spec.containers.0.volumeMounts", `[{"name":"tmp","mountPath":"/a","subPath":"/b"},{"name":"tmp","mountPath":"/b","subPath":"a/../b"},{"name":"tmp","mountPath":"/c","subPath":"a","subPathExpr":"b"}]`},
	{"Deployment", "spec.template.spec.volumes", `[{"name":"tmp"},{"name":"tmp"},{"name":"A"},{"name":""}]`},
	{"Deployment", "spec.template.spec.volumes", `[{"name":"tmp","emptyDir":{},"secret":{"secretName":"a"}},{"name":"b","secret":{}},{"name":"c","configMap":{"defaultMode":1000}}]`},
	{"Deployment", "spec.template.spec.volumes", `[{"name":"tmp","hostPath":{"path":"/a/../b"}},{"name":"b","hostPath":{"path":"/","type":"Folder"}},{"name":"c","persistentVolumeClaim":{"claimName":""}}]`},
	{"Deployment", "spec.template.spec.volumes", `[{"name":"tmp","configMap":{"name":"a","items":[{"key":"","path":"..a"},{"key":"a","path":"/b","mode":-1}]}}]`},
	{"Deployment", "spec.template.spec.containers.0.readinessProbe", `{"periodSeconds":-1,"timeoutSeconds":-1}`},
	{"Deployment", "spec.template.spec.containers.0.readinessProbe", `{"httpGet":{"port":80800},"exec":{"command":["a"]},"successThreshold":2,"terminationGracePeriodSeconds":5}`},
	{"Deployment", "spec.template.spec.containers.0.livenessProbe", `{"tcpSocket":{"port":"Web"},"successThreshold":2,"terminationGracePeriodSeconds":0}`},
	{"Deployment", "spec.template.spec.containers.0.livenessProbe", `{"grpc":{"port":0}}`},
	{"Deployment", "spec.template.spec.containers.0.startupProbe", `{"exec":{}}`},
	{"Deployment", "spec.template.spec.containers.0.livenessProbe", `{"httpGet":{"port":80,"scheme":"http","httpHeaders":[{"name":"a b","value":"c"}]}}`},
	{"Deployment", "spec.template.spec.containers.0.lifecycle", `{"preStop":{},"postStart":{"sleep":{"seconds":31}}}`},
	{"Deployment", "spec.template.spec.initContainers", `[{"name":"web","image":"a"},{"name":"b","image":"b","readinessProbe":{"exec":{"command":["a"]}}}]`},
	{"Deployment", "spec.template.spec.initContainers", `[{"name":"a","image":"a","restartPolicy":"Never"},{"name":"b","image":"b","restartPolicy":"Always","livenessProbe":{"exec":{"command":["a"]}}}]`},
	{"StatefulSet", "metadata.name", `"a.b"`},
	{"StatefulSet", "spec.serviceName", `"a.b"`},
	{"StatefulSet", "spec.replicas", `-1`},
	{"StatefulSet", "spec.revisionHistoryLimit", `-1`},
	{"StatefulSet", "spec.podManagementPolicy", `"Paralel"`},
	{"StatefulSet", "spec.updateStrategy", `{"type":"RollingUpdate","rollingUpdate":{"partition":-1}}`},
	{"StatefulSet", "spec.updateStrategy", `{"type":"OnDelete","rollingUpdate":{"partition":1}}`},
	{"StatefulSet", "spec.template.metadata.labels", `{"app":"other"}`},
	{"StatefulSet", "spec.template.spec.hostname", `"a.b"`},
	{"StatefulSet", "spec.template.spec.containers.0.volumeMounts.0.name", `"dat"`},
	{"Service", "metadata.name", `"1a"`},
	{"Service", "spec.type", `"NodPort"`},
	{"Service", "spec.ports", `[]`},
	{"Service", "spec.ports.0.port", `0`},
	{"Service", "spec.ports.0.port", `70000`},
	{"Service", "spec.ports.0.targetPort", `70000`},
	{"Service", "spec.ports.0.targetPort", `0`},
	{"Service", "spec.ports.0.targetPort", `"HTTP"`},
	{"Service", "spec.ports.0.protocol", `"HTTP"`},
	{"Service", "spec.ports.0.nodePort", `30000`},
	{"Service", "spec.ports.0.appProtocol", `"a b"`},
	{"Service", "spec.ports", `[{"port":80},{"name":"a.b","port":81},{"name":"c","port":81},{"name":"c","port":82}]`},
	{"Service", "spec.selector", `{"app":"a b"}`},
	{"Service", "spec.sessionAffinity", `"IP"`},
	{"Service", "spec.sessionAffinity", `"ClientIP"`, "spec.sessionAffinityConfig", `{"clientIP":{"timeoutSeconds":90000}}`},
	{"Service", "spec.sessionAffinityConfig", `{"clientIP":{"timeoutSeconds":10}}`},
	{"Service", "spec.externalTrafficPolicy", `"Local"`},
	{"Service", "spec.internalTrafficPolicy", `"Near"`},
	{"Service", "spec.trafficDistribution", `"Near"`},
	{"PodDisruptionBudget", "spec.minAvailable", `-1`},
	{"PodDisruptionBudget", "spec.minAvailable", `"120%"`},
	{"PodDisruptionBudget", "spec.minAvailable", `"half"`},
	{"PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", `"Always"`},
	{"PodDisruptionBudget", "spec.selector.matchLabels.app", `"a b"`},
}

// set puts value at the path, below what is given.
func set(in any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	switch in := in.(type) {
	case []any:
		at, _ := strconv.Atoi(path[0])
		in[at] = set(in[at], path[1:], value)
		return in
	case map[string]any:
		inner := set(in[path[0]], path[1:], value)
		if inner == nil {
			delete(in, path[0])
		} else {
			in[path[0]] = inner
		}
		return in
	default:
		return map[string]any{path[0]: set(map[string]any{}, path[1:], value)}
	}
}

// refused is everything that is said of the object.
func refused(written []byte) ([]string, error) {
	object, err := runtime.Decode(legacyscheme.Codecs.UniversalDecoder(), written)
	if err != nil {
		return nil, err
	}
	var found field.ErrorList
	switch object := object.(type) {
	case *apps.Deployment:
		opts := podapi.GetValidationOptionsFromPodTemplate(&object.Spec.Template, nil)
		found = appsvalidation.ValidateDeployment(object, opts)
	case *apps.StatefulSet:
		opts := podapi.GetValidationOptionsFromPodTemplate(&object.Spec.Template, nil)
		found = appsvalidation.ValidateStatefulSet(object, opts)
	case *core.Service:
		found = corevalidation.ValidateServiceCreate(object)
	case *policy.PodDisruptionBudget:
		opts := policyvalidation.PodDisruptionBudgetValidationOptions{}
		found = policyvalidation.ValidatePodDisruptionBudget(object, opts)
	default:
		return nil, fmt.Errorf("no validation for a %T", object)
	}
	lines := []string{}
	for _, err := range found {
		lines = append(lines, err.Error())
	}
	sort.Strings(lines)
	return lines, nil
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	fmt.Println("[")
	for nth, one := range cases {
		var object any
		if err := json.Unmarshal([]byte(bases[one[0]]), &object); err != nil {
			panic(err)
		}
		for at := 1; at < len(one); at += 2 {
			var value any
			if one[at+1] != "" {
				if err := json.Unmarshal([]byte(one[at+1]), &value); err != nil {
					panic(fmt.Errorf("%s: %w", one[at+1], err))
				}
			}
			object = set(object, strings.Split(one[at], "."), value)
		}
		written, err := json.Marshal(object)
		if err != nil {
			panic(err)
		}
		row := map[string]any{"object": object}
		if lines, err := refused(written); err != nil {
			row["unreadable"] = err.Error()
		} else {
			row["refused"] = lines
		}
		if nth > 0 {
			fmt.Print(",")
		}
		if err := out.Encode(row); err != nil {
			panic(err)
		}
	}
	fmt.Println("]")
}
