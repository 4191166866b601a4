// A rollback with client-go. Drill it:
//
//	go -C examples/executors/go build -o /tmp/rollback-go .
//	cargo xtask chaos latency-regression --executor /tmp/rollback-go
//
// It puts the templates and the configuration back that ran before the release, and waits for the rollout by an
// informer. It does not undo migrations, and it proves nothing: it claims a recovery once every pod runs the old build,
// ready, for ten seconds. The page "A Go program" of the book goes through its report.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

const baseline = "rollback-targets"

// Whoever is depended on comes first.
var services = []string{"matching", "risk", "gateway"}

// What ran before the release.
type record struct {
	Template json.RawMessage   `json:"template"`
	Replicas int32             `json:"replicas"`
	Config   map[string]string `json:"config"`
	Image    string            `json:"image"`
}

type rollback struct {
	client    kubernetes.Interface
	namespace string
	evidence  string
	notes     []string
}

// The clock of the world: this program computes in no time there, and its own clock says nothing.
func clock(what string) (string, error) {
	address := os.Getenv("FIREDRILL_SERVER") + "/firedrill/v1/" + what
	request, err := http.NewRequest(http.MethodPost, address, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("FIREDRILL_TOKEN"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, answer.Status)
	}
	return strings.TrimSpace(string(text)), err
}

func (r *rollback) note(format string, values ...any) {
	now, err := clock("date")
	if err != nil {
		now = "?"
	}
	r.notes = append(r.notes, now+" "+fmt.Sprintf(format, values...))
}

// Records what runs now in the cluster, where another host finds it.
func (r *rollback) prepare(ctx context.Context) error {
	data := map[string]string{}
	for _, service := range services {
		deployment, err := r.client.AppsV1().Deployments(r.namespace).Get(ctx, service, metav1.GetOptions{})
		if err != nil {
			return err
		}
		config, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, service+"-config", metav1.GetOptions{})
		if err != nil {
			return err
		}
		template, err := json.Marshal(deployment.Spec.Template)
		if err != nil {
			return err
		}
		text, err := json.Marshal(record{
			Template: template,
			Replicas: *deployment.Spec.Replicas,
			Config:   config.Data,
			Image:    deployment.Spec.Template.Spec.Containers[0].Image,
		})
		if err != nil {
			return err
		}
		data[service] = string(text)
	}
	migrations, err := r.migrations(ctx)
	if err != nil {
		return err
	}
	data["migrations"] = migrations
	stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: baseline}, Data: data}
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	_, err = maps.Create(ctx, stored, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(ctx, stored, metav1.UpdateOptions{})
	}
	return err
}

func (r *rollback) migrations(ctx context.Context) (string, error) {
	config, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, "dex-migrations", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return fmt.Sprint(len(config.Data)), nil
}

// The logs vanish with the pods.
func (r *rollback) saveLogs(ctx context.Context) error {
	for _, service := range services {
		folder := filepath.Join(r.evidence, "logs", service)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		pods := r.client.CoreV1().Pods(r.namespace)
		listed, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app=" + service})
		if err != nil {
			return err
		}
		for _, pod := range listed.Items {
			log, err := pods.GetLogs(pod.Name, &corev1.PodLogOptions{Timestamps: true}).DoRaw(ctx)
			if err != nil {
				r.note("the log of %s can't be read: %v", pod.Name, err)
				continue
			}
			if err := os.WriteFile(filepath.Join(folder, pod.Name+".log"), log, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// Puts a service back as it was recorded.
func (r *rollback) putBack(ctx context.Context, service string, then record) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	changed := false
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		config, err := maps.Get(ctx, service+"-config", metav1.GetOptions{})
		if err != nil || fmt.Sprint(config.Data) == fmt.Sprint(then.Config) {
			return err
		}
		changed = true
		config.Data = then.Config
		_, err = maps.Update(ctx, config, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	deployments := r.client.AppsV1().Deployments(r.namespace)
	live, err := deployments.Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return err
	}
	template, err := json.Marshal(live.Spec.Template)
	if err != nil {
		return err
	}
	patch := []map[string]any{
		{"op": "replace", "path": "/spec/template", "value": then.Template},
		{"op": "replace", "path": "/spec/replicas", "value": then.Replicas},
		{"op": "add", "path": "/spec/paused", "value": false},
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	if _, err := deployments.Patch(ctx, service, types.JSONPatchType, body, metav1.PatchOptions{}); err != nil {
		return err
	}
	r.note("put %s back", service)
	if err := r.waitFor(ctx, service); err != nil {
		return err
	}
	if changed && string(template) == string(then.Template) {
		return r.replacePods(ctx, service)
	}
	return nil
}

// A process reads its configuration when it starts. A restart by an annotation would leave the template changed, so the
// pods are evicted one by one.
func (r *rollback) replacePods(ctx context.Context, service string) error {
	pods := r.client.CoreV1().Pods(r.namespace)
	listed, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app=" + service})
	if err != nil {
		return err
	}
	for _, pod := range listed.Items {
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}}
		err := pods.EvictV1(ctx, eviction)
		// The disruption budget may not allow it yet.
		for apierrors.IsTooManyRequests(err) {
			if _, err := clock("sleep?seconds=1"); err != nil {
				return err
			}
			err = pods.EvictV1(ctx, eviction)
		}
		if err != nil {
			return err
		}
		if err := r.waitFor(ctx, service); err != nil {
			return err
		}
	}
	return nil
}

// Waits by an informer, which lists once and then watches.
func (r *rollback) waitFor(ctx context.Context, service string) error {
	// By the wall clock, in which a drill takes seconds: it only ends a wait for what never comes.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	selector := fields.OneTermEqualSelector("metadata.name", service).String()
	deployments := r.client.AppsV1().Deployments(r.namespace)
	source := &cache.ListWatch{
		ListFunc: func(options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return deployments.List(ctx, options)
		},
		WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector
			return deployments.Watch(ctx, options)
		},
	}
	_, err := watchtools.UntilWithSync(ctx, source, &appsv1.Deployment{}, nil, func(event watch.Event) (bool, error) {
		deployment, ok := event.Object.(*appsv1.Deployment)
		if !ok || event.Type == watch.Deleted {
			return false, fmt.Errorf("%s is gone", service)
		}
		status, wanted := deployment.Status, *deployment.Spec.Replicas
		return status.ObservedGeneration == deployment.Generation && status.UpdatedReplicas == wanted &&
			status.Replicas == wanted && status.AvailableReplicas == wanted, nil
	})
	if err != nil {
		return fmt.Errorf("%s is not rolled out: %w", service, err)
	}
	r.note("%s is rolled out", service)
	return nil
}

// Every pod runs the image of before, and is ready.
func (r *rollback) check(ctx context.Context, records map[string]record) error {
	for _, service := range services {
		options := metav1.ListOptions{LabelSelector: "app=" + service}
		pods, err := r.client.CoreV1().Pods(r.namespace).List(ctx, options)
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp != nil {
				continue
			}
			if image := pod.Spec.Containers[0].Image; image != records[service].Image {
				return fmt.Errorf("%s runs %s", pod.Name, image)
			}
			for _, container := range pod.Status.ContainerStatuses {
				if !container.Ready || container.RestartCount > 0 {
					return fmt.Errorf("%s is not well", pod.Name)
				}
			}
		}
	}
	return nil
}

func (r *rollback) run(ctx context.Context) error {
	stored, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, baseline, metav1.GetOptions{})
	if err != nil {
		return err
	}
	migrations, err := r.migrations(ctx)
	if err != nil {
		return err
	}
	if stored.Data["migrations"] != migrations {
		return errors.New("the release has migrations, and this program can't undo them")
	}
	records := map[string]record{}
	for _, service := range services {
		var then record
		if err := json.Unmarshal([]byte(stored.Data[service]), &then); err != nil {
			return fmt.Errorf("the baseline of %s: %w", service, err)
		}
		records[service] = then
	}
	// The release is named by the image of a service that it changed.
	var good, bad string
	for _, service := range services {
		live, err := r.client.AppsV1().Deployments(r.namespace).Get(ctx, service, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if good, bad = records[service].Image, live.Spec.Template.Spec.Containers[0].Image; good != bad {
			break
		}
	}
	if err := r.saveLogs(ctx); err != nil {
		return err
	}
	for _, service := range services {
		if err := r.putBack(ctx, service, records[service]); err != nil {
			return err
		}
	}
	now, err := clock("date")
	if err != nil {
		return err
	}
	if err := os.WriteFile(os.Getenv("FIREDRILL_RECOVERED_AT"), []byte(now), 0o644); err != nil {
		return err
	}
	if _, err := clock("sleep?seconds=10"); err != nil {
		return err
	}
	if err := r.check(ctx, records); err != nil {
		return err
	}
	return r.scenario(tag(good), tag(bad))
}

func tag(image string) string {
	return image[strings.LastIndex(image, ":")+1:]
}

// A drill that reproduces the incident.
func (r *rollback) scenario(good, bad string) error {
	trigger := os.Getenv("FIREDRILL_TRIGGER")
	text := fmt.Sprintf(`name = "incident"
description = "the release that was rolled back after %s"

[release]
from = "%s"
to = "%s"

[expect]
trigger = "%s"
path = "application"
`, trigger, good, bad, trigger)
	return os.WriteFile(filepath.Join(r.evidence, "scenario.toml"), []byte(text), 0o644)
}

func (r *rollback) postMortem(how string) error {
	text := fmt.Sprintf("# Rollback of %s\n\n%s\n\n## Timeline\n\n- %s\n", r.namespace, how, strings.Join(r.notes, "\n- "))
	return os.WriteFile(filepath.Join(r.evidence, "post-mortem.md"), []byte(text), 0o644)
}

func do() error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	// One request after the other, as fast as they are answered, in JSON, which a person can read in a trace, and none
	// through the proxy for Prometheus and Loki.
	config.QPS = -1
	config.ContentType = runtime.ContentTypeJSON
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	r := &rollback{client: client, namespace: os.Getenv("FIREDRILL_NAMESPACE"), evidence: os.Getenv("FIREDRILL_EVIDENCE")}
	ctx := context.Background()
	if os.Getenv("FIREDRILL_PHASE") == "prepare" {
		return r.prepare(ctx)
	}
	if err := r.run(ctx); err != nil {
		return errors.Join(err, r.postMortem("A person was called: "+err.Error()))
	}
	return r.postMortem("Everything is as it was before the release.")
}

func main() {
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
