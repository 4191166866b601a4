//! Manifests are read as kubectl reads them, and mistakes are told with their places.

use std::path::PathBuf;

use super::{Document, LoadError, Manifests, WorkloadKind};

const FRONT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: front
spec:
  replicas: 3
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec:
      containers:
        - name: front
          image: shop/front:1
          resources: {requests: {cpu: 1, memory: 64Mi}}
";

fn parse(text: &str) -> Result<Manifests, LoadError> {
    let document = Document {
        name: "k8s/app.yaml".to_owned(),
        text: text.to_owned(),
    };
    Manifests::parse(vec![document], "shop")
}

/// The mistakes as they are printed, and what would be right.
fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Err(LoadError::Wrong(files)) => {
            let all = files.iter().flat_map(|file| &file.mistakes);
            all.map(|it| format!("{it}: {}", it.help)).collect()
        }
        other => panic!("it has mistakes: {other:?}"),
    }
}

#[test]
fn documents_lists_and_namespaces_are_read_as_kubectl_does() {
    let text = format!(
        "# a comment alone\n---\n{FRONT}---\napiVersion: v1\nkind: List\nitems:\n\
         - {{apiVersion: v1, kind: Service, metadata: {{name: front, namespace: other}}, spec: {{ports: [{{port: 80}}]}}}}\n\
         - {{apiVersion: v1, kind: Namespace, metadata: {{name: shop}}}}\n---\n"
    );
    let manifests = parse(&text).expect("it is right");
    let objects = manifests.objects.iter();
    let listed: Vec<_> = objects.map(|it| (it.kind(), it.namespace())).collect();
    let expected = [
        ("Deployment", Some("shop")),
        ("Service", Some("other")),
        ("Namespace", None),
    ];
    assert_eq!(listed, expected);
    assert_eq!(manifests.namespaces(), ["other", "shop"]);
    let (object, workload) = manifests.workloads().next().expect("there is one");
    assert_eq!(
        (workload.kind, workload.replicas),
        (WorkloadKind::Deployment, 3)
    );
    assert_eq!(object.line_and_column(&["spec", "replicas"]), (8, 13));
    let image = ["spec", "template", "spec", "containers", "0", "image"];
    assert_eq!(object.at(&image), "shop/front:1");
    assert_eq!(object.line_and_column(&image), (15, 18));
}

#[test]
fn of_two_objects_with_one_name_the_later_one_is_applied() {
    let text = format!(
        "{FRONT}---\n{}",
        FRONT.replace("replicas: 3", "replicas: 5")
    );
    let manifests = parse(&text).expect("it is right");
    let mut workloads = manifests.workloads();
    let (_, workload) = workloads.next().expect("there is one");
    assert_eq!(workload.replicas, 5);
    assert!(workloads.next().is_none());
}

#[test]
fn anchors_and_merged_mappings_are_written_out() {
    let text = FRONT.replace(
        "metadata: {labels: {app: front}}",
        "metadata: {labels: &all {app: front}, annotations: {<<: *all, more: yes please}}",
    );
    let manifests = parse(&text).expect("it is right");
    let annotations = &manifests.objects[0].value["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(
        *annotations,
        serde_json::json!({"app": "front", "more": "yes please"})
    );
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_a_remedy() {
    let text = FRONT
        .replace("replicas: 3", "replicsa: 3")
        .replace("image: shop/front:1", "imge: shop/front:1")
        + "---\nkind: Service\nmetadata: {}\n";
    assert_eq!(
        mistakes(&text),
        [
            "k8s/app.yaml:6:3: unknown field `spec.replicsa`: \
             look for a misspelt name: `kubectl explain deployment.spec` lists the fields",
            "k8s/app.yaml:13:11: unknown field `spec.template.spec.containers.0.imge`: look for a misspelt name: \
             `kubectl explain deployment.spec.template.spec.containers` lists the fields",
            "k8s/app.yaml:16:1: the object has no `apiVersion`: write for instance `apiVersion: apps/v1`",
            "k8s/app.yaml:17:11: the object has no `metadata.name`: write for instance `metadata: {name: front}`",
        ]
    );
}

#[test]
fn values_of_the_wrong_type_are_refused_with_what_would_be_right() {
    let text = FRONT.replace("image: shop/front:1", "image: 12");
    let told = mistakes(&text);
    assert!(
        told[0].starts_with(
            "k8s/app.yaml:13:18: Deployment front: `spec.template.spec.containers.0.image`: invalid type: "
        ),
        "{told:?}"
    );
    assert!(
        told[0].ends_with("put it in quotes: `spec.template.spec.containers.0.image` holds text"),
        "{told:?}"
    );
}

#[test]
fn a_value_that_an_alias_brings_is_told_at_the_alias_and_at_the_anchor() {
    let text = FRONT
        .replace("replicas: 3", "replicas: &many 3")
        .replace("image: shop/front:1", "image: *many");
    let place = "k8s/app.yaml:13:18: Deployment front: `spec.template.spec.containers.0.image`: ";
    let told = mistakes(&text);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with(place), "{told:#?}");
    assert!(
        told[0].contains("(the alias brings it from line 6, column 13)"),
        "{told:#?}"
    );
    // The same of what stands inside, and of what is merged, for values and for keys.
    let text = FRONT
        .replace(
            "selector: {matchLabels: {app: front}}",
            "selector: &s {matchLabels: {app: front}}\n  strategy: *s",
        )
        .replace(
            "labels: {app: front}",
            "labels: &l {app: front, more: 5}, annotations: {<<: [*l]}",
        );
    let told = mistakes(&text);
    let expected = [
        "8:13: unknown field `spec.strategy.matchLabels` (the alias brings it from line 7, column 17)",
        "10:46: Deployment front: `spec.template.metadata.labels.more`: invalid type",
        "10:69: Deployment front: `spec.template.metadata.annotations.more`: invalid type",
    ];
    for (told, expected) in told.iter().zip(expected) {
        assert!(
            told.starts_with(&format!("k8s/app.yaml:{expected}")),
            "{told}"
        );
    }
    assert!(
        told[2].contains("(the alias brings it from line 10, column 46)"),
        "{told:#?}"
    );
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn what_must_be_text_and_is_not_is_not_called_absent() {
    let text = FRONT
        .replace("apiVersion: apps/v1", "apiVersion: 1")
        .replace("kind: Deployment", "kind: [Deployment]")
        .replace("name: front\nspec", "name: 007\nspec");
    assert_eq!(
        mistakes(&text),
        [
            "k8s/app.yaml:1:13: `apiVersion` is a number, and must be text: \
             write for instance `apiVersion: apps/v1`",
            "k8s/app.yaml:2:7: `kind` is a list, and must be text: write for instance `kind: Deployment`",
            "k8s/app.yaml:4:9: `metadata.name` is a number, and must be text: put it in quotes: `name: \"007\"`",
        ]
    );
}

#[test]
fn a_kind_that_no_server_knows_is_named_itself() {
    for (from, to, told) in [
        (
            "kind: Deployment",
            "kind: Deploymnet",
            "2:7: no matches for kind `Deploymnet` in version `apps/v1`: did you mean `Deployment`?",
        ),
        (
            "apps/v1",
            "app/v1",
            "1:13: no matches for kind `Deployment` in version `app/v1`: write `apiVersion: apps/v1`",
        ),
        (
            "apps/v1",
            "extensions/v1beta1",
            "1:13: no matches for kind `Deployment` in version `extensions/v1beta1`: write `apiVersion: apps/v1`",
        ),
        (
            "apps/v1",
            "v1",
            "1:13: no matches for kind `Deployment` in version `v1`: write `apiVersion: apps/v1`",
        ),
    ] {
        let text = FRONT.replace(from, to);
        assert_eq!(mistakes(&text), [format!("k8s/app.yaml:{told}")]);
    }
    // What a CustomResourceDefinition may have added is taken.
    let text = FRONT.to_owned()
        + "---\napiVersion: shop.example.com/v1\nkind: Deploymnet\nmetadata: {name: a}\n";
    assert_eq!(parse(&text).expect("it may be there").objects.len(), 2);
}

#[test]
fn a_node_of_a_newer_cluster_is_taken_as_it_is() {
    let text =
        "apiVersion: v1\nkind: Node\nmetadata: {name: small}\nstatus: {unheardOf: {cpu: 2}}\n";
    assert_eq!(parse(text).expect("a cluster shows it").objects.len(), 1);
}

#[test]
fn infinity_is_refused_as_a_value_and_taken_as_a_key() {
    let text = FRONT.replace(
        "image: shop/front:1",
        "image: shop/front:1\n          env: [{name: A, value: .inf}, {name: B, value: \".inf\"}]",
    );
    let told = mistakes(&text);
    let start = "k8s/app.yaml:14:34: `.inf` is no number that JSON has";
    assert!(told.len() == 1 && told[0].starts_with(start), "{told:#?}");
    let text = FRONT.to_owned()
        + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {.inf: far}\n";
    let manifests = parse(&text).expect("kubectl takes it");
    assert_eq!(manifests.objects[1].value["data"][".inf"], "far");
}

#[test]
fn one_mistake_in_the_text_does_not_hide_another_one() {
    let text = FRONT.replace(
        "replicas: 3",
        "replicas: 3\n  replicas: 4\n  minReadySeconds: .nan",
    ) + "---\nkind: [\n";
    let told = mistakes(&text);
    let starts = [
        "k8s/app.yaml:7:3: the key `replicas` stands twice",
        "k8s/app.yaml:8:20: `.nan` is no number that JSON has",
        "k8s/app.yaml:19:1: this is not YAML",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
}

#[test]
fn what_the_api_server_refuses_is_refused_at_its_place() {
    let text = FRONT
        .replace("cpu: 1, memory: 64Mi", "cpu: abc, memory: 256Mx")
        .replace(
            "image: shop/front:1",
            "image: shop/front:1\n          ports: [{containerPort: 808000}]\n          \
             readinessProbe: {httpGet: {port: 99999}, periodSeconds: 0}",
        )
        .replace("app: front}}\n  template", "app: back}}\n  template")
        .replace(
            "replicas: 3",
            "replicas: 3\n  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}",
        );
    let told = mistakes(&text);
    let container = "Deployment front: `spec.template.spec.containers";
    for expected in [
        "7:59: Deployment front: `spec.strategy.rollingUpdate.maxUnavailable`: Invalid value: 0: may not be 0".to_owned(),
        "10:24: Deployment front: `spec.template.metadata.labels`: Invalid value: {\"app\":\"front\"}: `selector` does"
            .to_owned(),
        format!("15:35: {container}[0].ports[0].containerPort`: Invalid value: 808000: must be between 1 and 65535"),
        format!("16:44: {container}[0].readinessProbe.httpGet.port`: Invalid value: 99999: must be between 1 and"),
        format!("17:39: {container}.0.resources.requests.cpu`: \"abc\" is no quantity"),
        format!("17:52: {container}.0.resources.requests.memory`: \"256Mx\" is no quantity"),
    ] {
        let start = format!("k8s/app.yaml:{expected}");
        let found = told.iter().any(|it| it.starts_with(&start));
        assert!(found, "{start} in {told:#?}");
    }
    // A period of zero is as good as none: the default comes in its place.
    assert_eq!(told.len(), 6, "{told:#?}");
}

#[test]
fn text_that_is_not_yaml_and_keys_that_stand_twice_are_refused() {
    for (text, start) in [
        ("kind: [", "k8s/app.yaml:1:8: this is not YAML"),
        (
            "a: 1\nb: 2\na: 3\n",
            "k8s/app.yaml:3:1: the key `a` stands twice",
        ),
        (
            "- 1\n",
            "k8s/app.yaml:1:1: this document is no object of Kubernetes",
        ),
        (
            "a: &a [*a]\n",
            "k8s/app.yaml:1:8: the alias has no anchor before it",
        ),
    ] {
        let told = mistakes(text);
        let found = told.iter().any(|it| it.starts_with(start));
        assert!(found, "{told:?}");
    }
}

#[test]
fn aliases_of_aliases_and_deep_nesting_end_in_a_mistake() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let of = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![of; 10].join(", "));
    }
    assert!(mistakes(&text)[0].contains("too many to be read"));
    assert!(!mistakes(&"[".repeat(10_000)).is_empty());
}

#[test]
fn a_folder_is_its_manifests_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("b.yaml", FRONT).expect("it is written");
    write("a.yml", &FRONT.replace("front", "stock")).expect("it is written");
    write("notes.txt", "not a manifest").expect("it is written");
    let paths: Vec<PathBuf> = vec![folder.path().into()];
    let manifests = Manifests::load(&paths, "shop").expect("it is right");
    let names: Vec<_> = manifests.objects.iter().map(|it| it.name()).collect();
    assert_eq!(names, ["stock", "front"]);
    let empty = tempfile::tempdir().expect("a folder");
    let nothing = Manifests::load(&[empty.path().into()], "shop");
    let nothing = nothing.expect_err("there is nothing");
    assert!(matches!(nothing, LoadError::Empty(_)), "{nothing:?}");
    let place = empty.path().display().to_string();
    assert!(nothing.to_string().contains(&place), "{nothing}");
    let help = miette::Diagnostic::help(&nothing).expect("it says what to do");
    assert!(help.to_string().contains("give a file"), "{help}");
    let missing = Manifests::load(&[PathBuf::from("no-such-folder")], "shop");
    assert!(
        matches!(missing, Err(LoadError::Unreadable(..))),
        "{missing:?}"
    );
}

#[test]
fn words_and_numbers_that_the_api_server_refuses_are_refused_with_their_place() {
    let stateful = FRONT
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace(
            "replicas: 3",
            "replicas: -1\n  podManagementPolicy: Paralel\n  updateStrategy: {rollingUpdate: {partition: -1}}",
        );
    let told = mistakes(&stateful);
    for (place, said) in [
        (
            "6:13",
            "StatefulSet front: `spec.replicas`: Invalid value: -1: must be greater than or equal to 0: \
             `kubectl explain statefulset.spec.replicas` says what belongs here",
        ),
        (
            "7:24",
            "StatefulSet front: `spec.podManagementPolicy`: Invalid value: \"Paralel\": \
             must be 'OrderedReady' or 'Parallel': \
             `kubectl explain statefulset.spec.podManagementPolicy` says what belongs here",
        ),
        (
            "8:47",
            "StatefulSet front: `spec.updateStrategy.rollingUpdate.partition`: Invalid value: -1: \
             must be greater than or equal to 0: \
             `kubectl explain statefulset.spec.updateStrategy.rollingUpdate.partition` says what belongs here",
        ),
    ] {
        let whole = format!("k8s/app.yaml:{place}: {said}");
        assert!(told.contains(&whole), "{whole} in {told:#?}");
    }
    assert_eq!(told.len(), 3, "{told:#?}");
    // The mistakes are told one by one beside this line, and not in it as well.
    let Err(wrong) = parse(&stateful) else {
        panic!("it is refused");
    };
    assert_eq!(wrong.to_string(), "3 mistakes in 1 file of manifests");
    let pull = FRONT.replace(
        "image: shop/front:1",
        "image: shop/front:1\n          imagePullPolicy: Sometimes",
    );
    let told = mistakes(&pull);
    assert!(
        told[0].contains("containers[0].imagePullPolicy`: Unsupported value: \"Sometimes\"")
            && told[0].ends_with(": known: Always, IfNotPresent, Never"),
        "{told:?}"
    );
}

#[test]
fn the_examples_are_right() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut read = 0;
    for folder in ["examples/apps", "examples/forecast"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder");
        for entry in entries {
            let path = entry.expect("an entry").path();
            let manifests = path.join("k8s");
            let path = if manifests.is_dir() { manifests } else { path };
            let is_file = path.extension().is_some_and(|it| it == "yaml");
            if is_file || path.is_dir() {
                let loaded = Manifests::load(std::slice::from_ref(&path), "default");
                let loaded = loaded.unwrap_or_else(|wrong| panic!("{}: {wrong:?}", path.display()));
                read += loaded.objects.len();
            }
        }
    }
    assert!(read > 30, "{read} objects");
}
