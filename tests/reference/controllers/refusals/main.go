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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podapi "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/kubernetes/pkg/capabilities"
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
	"Pod": `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"containers":[
		{"name":"web","image":"web:1","ports":[{"containerPort":8080}]}]}}`,
	"ConfigMap": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web","namespace":"shop"},
		"data":{"a.b":"c"},"binaryData":{"d":"AAE="}}`,
	"Secret": `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"web","namespace":"shop"},"data":{"a":"AAE="},
		"stringData":{"b":"c"}}`,
	"Namespace": `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`,
	"Job": `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"load","namespace":"shop","uid":"0-1"},
		"spec":{"template":{"metadata":{"labels":{"app":"load"}},"spec":{"restartPolicy":"Never",
		"containers":[{"name":"load","image":"load:1"}]}}}}`,
	"CronJob": `{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"load","namespace":"shop"},
		"spec":{"schedule":"*/5 * * * *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never",
		"containers":[{"name":"load","image":"load:1"}]}}}}}}`,
	"Ingress": `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"web","namespace":"shop"},
		"spec":{"rules":[{"host":"shop.example.com","http":{"paths":[{"path":"/","pathType":"Prefix",
		"backend":{"service":{"name":"web","port":{"name":"http"}}}}]}}]}}`,
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
	{"Pod"},
	{"ConfigMap"},
	{"Secret"},
	{"Namespace"},
	{"Job"},
	{"CronJob"},
	{"Ingress"},
	{"Deployment", "metadata.namespace", `"a.b"`},
	{"Deployment", "metadata.annotations", `{"a b":"c","Example.com/A":"d","/x":""}`},
	{"Deployment", "spec.template.metadata.annotations", `{"a b":"c"}`},
	{"StatefulSet", "spec.template.metadata.annotations", `{"a/b/c":"d"}`},
	{"ConfigMap", "data", `{"a/b":"c","..":"d","..e":"f"}`},
	{"ConfigMap", "data", `{"a":"b","d":"c"}`, "binaryData", `{"d":"AAE=","a b":"AAE="}`},
	{"ConfigMap", "metadata.annotations", `{"a b":"c"}`},
	{"Secret", "data", `{"a/b":"AAE="}`, "stringData", `{".":"c"}`},
	{"Secret", "type", `"kubernetes.io/dockerconfigjson"`, "data", `{".dockerconfigjson":"e30="}`},
	{"Secret", "type", `"kubernetes.io/dockerconfigjson"`},
	{"Secret", "type", `"kubernetes.io/basic-auth"`},
	{"Secret", "type", `"kubernetes.io/ssh-auth"`},
	{"Secret", "type", `"kubernetes.io/tls"`},
	{"Secret", "type", `"kubernetes.io/service-account-token"`},
	{"Namespace", "metadata.name", `"a.b"`},
	{"Deployment", "spec.template.spec.tolerations", `[{"key":"a"},{"operator":"Exists"},{"key":"a","operator":"Equal","value":"b","effect":"NoExecute","tolerationSeconds":5}]`},
	{"Deployment", "spec.template.spec.tolerations", `[{"value":"b"},{"key":"a b","operator":"Exists","value":"c"},{"key":"a","operator":"Is"},{"key":"a","value":"b c"},{"key":"a","effect":"NoSchedul"},{"key":"a","effect":"NoSchedule","tolerationSeconds":5},{"key":"a","tolerationSeconds":5}]`},
	{"Deployment", "spec.template.spec.topologySpreadConstraints", `[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}},{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"app":"web"}}}]`},
	{"Deployment", "spec.template.spec.topologySpreadConstraints", `[{"maxSkew":0,"topologyKey":"","whenUnsatisfiable":"Never"},{"maxSkew":-1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway","minDomains":0,"nodeAffinityPolicy":"Heed","nodeTaintsPolicy":"Honor"},{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"app":"a b"}}}]`},
	{"Deployment", "spec.template.spec.topologySpreadConstraints", `[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","matchLabelKeys":["app"]},{"maxSkew":1,"topologyKey":"host","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}},"matchLabelKeys":["a b"]}]`},
	{"Deployment", "spec.template.spec.affinity", `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["b"]},{"key":"a","operator":"Gt","values":["5"]}],"matchFields":[{"key":"metadata.name","operator":"In","values":["node-1"]}]}]},"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{}}]}}`},
	{"Deployment", "spec.template.spec.affinity", `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[]},"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":0,"preference":{"matchExpressions":[{"key":"a b","operator":"In"}]}},{"weight":101,"preference":{"matchExpressions":[{"key":"a","operator":"In","values":["b c"]}]}}]}}`},
	{"Deployment", "spec.template.spec.affinity", `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"NotIn","values":["b c"]},{"key":"a","operator":"Exists","values":["b"]},{"key":"a","operator":"Lt","values":["1","2"]},{"key":"a","operator":"Is"}],"matchFields":[{"key":"spec.name","operator":"Exists"},{"key":"metadata.name","operator":"In","values":["A"]},{"key":"metadata.name","operator":"NotIn"}]}]}}}`},
	{"Deployment", "spec.template.spec.affinity", `{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":100,"podAffinityTerm":{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"web"}}}}]}}`},
	{"Deployment", "spec.template.spec.affinity", `{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"","labelSelector":{"matchExpressions":[{"key":"a","operator":"In"}]},"namespaces":["a.b"]}],"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":0,"podAffinityTerm":{"topologyKey":"a b","namespaceSelector":{"matchLabels":{"a b":"c"}}}}]}}`},
	{"Deployment", "spec.template.spec.affinity", `{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"zone","matchLabelKeys":["app"]},{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"web"}},"matchLabelKeys":["x","a b"],"mismatchLabelKeys":["x"]}],"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":-5,"podAffinityTerm":{"topologyKey":"zone"}}]}}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"runAsUser":0,"runAsGroup":2147483647,"runAsNonRoot":true,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"runAsUser":-1,"runAsGroup":2147483648,"procMount":"None"}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"privileged":true,"allowPrivilegeEscalation":false}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"privileged":true,"allowPrivilegeEscalation":true,"procMount":"Unmasked"}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"add":["CAP_SYS_ADMIN"],"drop":["ALL"]}}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"seccompProfile":{"type":"Localhost"}}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"seccompProfile":{"type":"Default","localhostProfile":"a"}}`},
	{"Deployment", "spec.template.spec.containers.0.securityContext", `{"seccompProfile":{}}`},
	{"Deployment", "spec.template.spec.securityContext", `{"runAsUser":-1,"runAsGroup":-2,"fsGroup":-3,"supplementalGroups":[1,-4],"fsGroupChangePolicy":"Never"}`},
	{"Deployment", "spec.template.spec.securityContext", `{"runAsUser":1000,"fsGroup":0,"fsGroupChangePolicy":"Always","supplementalGroupsPolicy":"Strict","seccompProfile":{"type":"Unconfined"}}`},
	{"Deployment", "spec.template.spec.securityContext", `{"supplementalGroupsPolicy":"Lax","seccompProfile":{"type":"Localhost","localhostProfile":"/a"}}`},
	{"Deployment", "spec.template.spec.hostPID", `true`, "spec.template.spec.shareProcessNamespace", `true`},
	{"Deployment", "spec.template.spec.dnsPolicy", `"None"`},
	{"Deployment", "spec.template.spec.dnsPolicy", `"None"`, "spec.template.spec.dnsConfig", `{"searches":["a"]}`},
	{"Deployment", "spec.template.spec.dnsPolicy", `"None"`, "spec.template.spec.dnsConfig", `{"nameservers":["10.0.0.1","::1"],"searches":["a_b.c.","."],"options":[{"name":"ndots","value":"2"}]}`},
	{"Deployment", "spec.template.spec.dnsConfig", `{"nameservers":["a","10.0.0.1","10.0.0.2","10.0.0.3"],"searches":["a b"],"options":[{"value":"2"}]}`},
	{"Deployment", "spec.template.spec.hostAliases", `[{"ip":"10.0.0.256","hostnames":["a","A"]}]`},
	{"Deployment", "spec.template.spec.hostNetwork", `true`},
	{"Deployment", "spec.template.spec.hostNetwork", `true`, "spec.template.spec.containers.0.ports.0.hostPort", `80`},
	{"Deployment", "spec.template.spec.hostNetwork", `true`, "spec.template.spec.containers.0.ports.0.hostPort", `8080`},
	{"Pod", "spec.hostNetwork", `true`},
	{"Pod", "spec.hostNetwork", `true`, "spec.containers.0.ports.0.hostPort", `80`},
	{"Service", "spec.type", `"NodePort"`, "spec.ports.0.nodePort", `30000`},
	{"Job", "spec.selector", `{"matchLabels":{"app":"load"}}`},
	{"Job", "spec.selector", `{"matchLabels":{"app":"other"}}`},
	{"Job", "spec.selector", `{"matchExpressions":[{"key":"a b","operator":"Is"}]}`},
	{"Job", "spec.selector", `{"matchLabels":{"app":"load"}}`, "spec.manualSelector", `true`},
	{"Job", "spec.selector", `{}`, "spec.manualSelector", `true`},
	{"Job", "spec.manualSelector", `true`},
	{"Job", "spec.selector", `{"matchLabels":{"app":"other"}}`, "spec.manualSelector", `true`},
	{"Job", "spec.template.metadata.labels", `{"job-name":"other"}`},
	{"Job", "spec.template.metadata.labels", `{"controller-uid":"0-2"}`},
	{"Job", "spec.parallelism", `-1`, "spec.completions", `-1`, "spec.activeDeadlineSeconds", `-1`, "spec.backoffLimit", `-1`, "spec.ttlSecondsAfterFinished", `-1`},
	{"Job", "spec.template.spec.restartPolicy", ``},
	{"Job", "spec.template.spec.restartPolicy", `"Often"`},
	{"Job", "spec.template.metadata.annotations", `{"a b":"c"}`},
	{"CronJob", "spec.schedule", `"0 3 * *"`},
	{"CronJob", "spec.schedule", `""`},
	{"CronJob", "spec.schedule", `"@hourly"`},
	{"CronJob", "spec.schedule", `"@often"`},
	{"CronJob", "spec.schedule", `"@every 5m"`},
	{"CronJob", "spec.schedule", `"@every 5"`},
	{"CronJob", "spec.schedule", `"60 * * * *"`},
	{"CronJob", "spec.schedule", `"* 24 * * *"`},
	{"CronJob", "spec.schedule", `"* * 0 * *"`},
	{"CronJob", "spec.schedule", `"* * * jan-mar SUN,mon"`},
	{"CronJob", "spec.schedule", `"* * * foo *"`},
	{"CronJob", "spec.schedule", `"*/0 * * * *"`},
	{"CronJob", "spec.schedule", `"5-1 * * * *"`},
	{"CronJob", "spec.schedule", `"1-2-3 * * * *"`},
	{"CronJob", "spec.schedule", `"1/2/3 * * * *"`},
	{"CronJob", "spec.schedule", `"-1 * * * *"`},
	{"CronJob", "spec.schedule", `"0 0 31 12 7"`},
	{"CronJob", "spec.schedule", `"? ? * * ?"`},
	{"CronJob", "spec.schedule", `"TZ=UTC 0 3 * * *"`},
	{"CronJob", "spec.schedule", `"0,,5 * * * *"`},
	{"CronJob", "spec.schedule", `", * * * *"`},
	{"CronJob", "spec.schedule", `"99999999999999999999 * * * *"`},
	{"CronJob", "spec.schedule", ``},
	{"CronJob", "spec.timeZone", `"Europe/Berlin"`},
	{"CronJob", "spec.timeZone", `"UTC"`},
	{"CronJob", "spec.timeZone", `"Mars/Olympus"`},
	{"CronJob", "spec.timeZone", `""`},
	{"CronJob", "spec.timeZone", `"Local"`},
	{"CronJob", "spec.timeZone", `"../etc"`},
	{"CronJob", "spec.timeZone", `"A b"`},
	{"CronJob", "spec.timeZone", `"Etc/GMT+5"`},
	{"CronJob", "spec.timeZone", `"europe/berlin"`},
	{"CronJob", "spec.timeZone", `"EST5EDT"`},
	{"CronJob", "spec.timeZone", `"Asia/Ho_Chi_Minh"`},
	{"CronJob", "spec.timeZone", `"America/Argentina/ComodRivadavia"`},
	{"CronJob", "spec.concurrencyPolicy", `"Allways"`, "spec.startingDeadlineSeconds", `-1`, "spec.successfulJobsHistoryLimit", `-1`, "spec.failedJobsHistoryLimit", `-1`},
	{"CronJob", "spec.jobTemplate.spec.selector", `{"matchLabels":{"app":"load"}}`},
	{"CronJob", "spec.jobTemplate.spec.manualSelector", `true`},
	{"CronJob", "spec.jobTemplate.spec.template.spec.restartPolicy", `"Always"`},
	{"CronJob", "spec.jobTemplate.spec.backoffLimit", `-1`},
	{"CronJob", "metadata.name", `"a-name-of-more-than-fifty-two-letters-that-is-too-long"`},
	{"Ingress", "spec.rules", `[]`},
	{"Ingress", "spec.rules", ``, "spec.defaultBackend", `{"service":{"name":"web","port":{"number":80}}}`},
	{"Ingress", "spec.defaultBackend", `{"service":{"name":"","port":{}}}`},
	{"Ingress", "spec.rules.0.host", `"10.0.0.1"`},
	{"Ingress", "spec.rules.0.host", `"::1"`},
	{"Ingress", "spec.rules.0.host", `"*.example.com"`},
	{"Ingress", "spec.rules.0.host", `"*"`},
	{"Ingress", "spec.rules.0.host", `"a.*.com"`},
	{"Ingress", "spec.rules.0.host", `"Shop.example.com"`},
	{"Ingress", "spec.rules.0.host", `""`},
	{"Ingress", "spec.rules.0.http.paths", `[]`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"//"`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"a"`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `""`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"/a/../b"`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"/a/.."`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"/a/."`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"/%2F"`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"/./a"`},
	{"Ingress", "spec.rules.0.http.paths.0.path", `"/a//b"`},
	{"Ingress", "spec.rules.0.http.paths.0.pathType", `"ImplementationSpecific"`, "spec.rules.0.http.paths.0.path", `"a//b"`},
	{"Ingress", "spec.rules.0.http.paths.0.pathType", `"ImplementationSpecific"`, "spec.rules.0.http.paths.0.path", ``},
	{"Ingress", "spec.rules.0.http.paths.0.pathType", ``},
	{"Ingress", "spec.rules.0.http.paths.0.pathType", `"Regex"`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.service.port", `{"name":"http","number":80}`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.service.port", `{}`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.service.port", `{"number":70000}`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.service.port", `{"name":"a_b"}`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.service.name", `"1a"`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.service.name", `"A"`},
	{"Ingress", "spec.rules.0.http.paths.0.backend", `{}`},
	{"Ingress", "spec.rules.0.http.paths.0.backend", `{"resource":{"kind":"","name":"a/b","apiGroup":"A"}}`},
	{"Ingress", "spec.rules.0.http.paths.0.backend.resource", `{"kind":"a","name":"b"}`},
	{"Ingress", "spec.tls", `[{"hosts":["*.a.b","A","*"],"secretName":"A"},{"hosts":["a.b"],"secretName":"a"}]`},
	{"Ingress", "spec.ingressClassName", `"A"`},
	{"Ingress", "spec.ingressClassName", `"a"`, "metadata.annotations", `{"kubernetes.io/ingress.class":"b"}`},
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

// known gives a Job the labels and the selector by which it knows its pods, as the API server does before it validates
// (`pkg/registry/batch/job/strategy.go` generateSelector, which can't be called from outside).
func known(job *batch.Job) {
	if *job.Spec.ManualSelector {
		return
	}
	labels := map[string]string{
		batch.LegacyJobNameLabel: job.Name, batch.JobNameLabel: job.Name,
		batch.LegacyControllerUidLabel: string(job.UID), batch.ControllerUidLabel: string(job.UID),
	}
	if job.Spec.Template.Labels == nil {
		job.Spec.Template.Labels = map[string]string{}
	}
	for label, value := range labels {
		if _, found := job.Spec.Template.Labels[label]; !found {
			job.Spec.Template.Labels[label] = value
		}
	}
	if job.Spec.Selector == nil {
		job.Spec.Selector = &metav1.LabelSelector{}
	}
	if job.Spec.Selector.MatchLabels == nil {
		job.Spec.Selector.MatchLabels = map[string]string{}
	}
	if _, found := job.Spec.Selector.MatchLabels[batch.ControllerUidLabel]; !found {
		job.Spec.Selector.MatchLabels[batch.ControllerUidLabel] = string(job.UID)
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
	case *core.Pod:
		opts := podapi.GetValidationOptionsFromPodSpecAndMeta(&object.Spec, nil, &object.ObjectMeta, nil)
		opts.ResourceIsPod = true
		found = corevalidation.ValidatePodCreate(object, opts)
	case *core.ConfigMap:
		found = corevalidation.ValidateConfigMap(object)
	case *core.Secret:
		found = corevalidation.ValidateSecret(object)
	case *core.Namespace:
		found = corevalidation.ValidateNamespace(object)
	case *batch.Job:
		known(object)
		found = batchvalidation.ValidateJob(object, batchvalidation.JobValidationOptions{
			PodValidationOptions:  podapi.GetValidationOptionsFromPodTemplate(&object.Spec.Template, nil),
			RequirePrefixedLabels: true,
		})
	case *batch.CronJob:
		opts := podapi.GetValidationOptionsFromPodTemplate(&object.Spec.JobTemplate.Spec.Template, nil)
		found = batchvalidation.ValidateCronJobCreate(object, opts)
	case *networking.Ingress:
		found = networkvalidation.ValidateIngressCreate(object)
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
	// As an API server with --allow-privileged, which kubeadm and kind give.
	capabilities.Setup(true, 0)
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
