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
         - {{apiVersion: v1, kind: Service, metadata: {{name: front, namespace: other}}}}\n\
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
        told[0].starts_with("k8s/app.yaml:13:18: Deployment front: "),
        "{told:?}"
    );
    assert!(
        told[0].ends_with("put it in quotes: the field holds text"),
        "{told:?}"
    );
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
        assert!(told[0].starts_with(start), "{told:?}");
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
    assert!(matches!(nothing, Err(LoadError::Empty(_))), "{nothing:?}");
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
        ("6:13", "`spec.replicas` can't be -1: write 0 or more"),
        (
            "7:24",
            "`spec.podManagementPolicy` can't be \"Paralel\": did you mean `Parallel`?",
        ),
        (
            "8:47",
            "`spec.updateStrategy.rollingUpdate.partition` can't be -1: write 0 or more",
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
        told[0].contains("containers.0.imagePullPolicy` can't be \"Sometimes\""),
        "{told:?}"
    );
}
