//! What a campaign creates in a cluster: a Job, a ConfigMap with the files that its command names, and perhaps a
//! namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar,
    Namespace, PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec,
    ResourceRequirements, SeccompProfile, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The label on everything that a campaign creates.
pub const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "firedrill");
/// The annotation with the campaign's digest.
const CAMPAIGN: &str = "firedrill-campaign";
/// The label by which Kueue finds the queue of a Job.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";
/// The container's name.
const CONTAINER: &str = "firedrill";
/// Where the files of the command are.
const INPUT: &str = "/campaign";
/// Where a volume for whole reports is mounted.
const REPORTS: &str = "/reports";
/// User and group of the pods: nobody, as in the image.
const NOBODY: i64 = 65_532;
/// Most bytes of the command's files together. A ConfigMap holds 1 MiB.
pub const FILES_MAX: usize = 1_000_000;

/// Where and how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The namespace.
    pub namespace: String,
    /// Whether the campaign creates the namespace, and so removes it.
    pub own_namespace: bool,
    /// The image with `firedrill`.
    pub image: String,
    /// Shards that run at a time, at most.
    pub parallelism: u32,
    /// Processors of a shard, as Kubernetes writes quantities.
    pub cpu: String,
    /// Memory of a shard, as Kubernetes writes quantities.
    pub memory: String,
    /// How often an index is tried again that had no world or was killed.
    pub retries: u32,
    /// How many indexes may fail before the rest is given up; `None`: all.
    pub max_failed: Option<u32>,
    /// Whether the Job waits until somebody starts it.
    pub suspend: bool,
    /// The LocalQueue of Kueue.
    pub queue: Option<String>,
    /// A PersistentVolumeClaim in the namespace for the whole report of each shard.
    pub claim: Option<String>,
    /// Seconds after which the Job is given up; `None`: never.
    pub deadline_s: Option<u32>,
    /// Seconds after its end at which the cluster removes the Job, if nobody else did.
    pub keep_s: u32,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name, that of the Job and of the ConfigMap.
    pub name: String,
    /// Its digest.
    pub campaign: u64,
    /// How many shards.
    pub shards: u32,
    /// What each shard is told, from `chaos` or `search` on. Files are named by their path in a pod.
    pub work: Vec<String>,
    /// These files, by name.
    pub files: BTreeMap<String, String>,
    /// Whether only what did not pass is collected.
    pub failures_only: bool,
    /// Where and how large.
    pub cluster: Cluster,
}

/// What is created, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    /// The namespace, if the campaign has one of its own.
    pub namespace: Option<Namespace>,
    /// The command's files, if it has any.
    pub files: Option<ConfigMap>,
    /// The Job.
    pub job: Job,
}

impl Settings {
    /// The path in a pod of a file of the command.
    #[must_use]
    pub fn path(name: &str) -> String {
        format!("{INPUT}/{name}")
    }
}

/// The objects of a campaign.
#[must_use]
pub fn objects(settings: &Settings) -> Objects {
    let cluster = &settings.cluster;
    let meta = |name: &str| ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(labels()),
        annotations: Some(one(CAMPAIGN, &format!("{:016x}", settings.campaign))),
        ..ObjectMeta::default()
    };
    let namespace = cluster.own_namespace.then(|| Namespace {
        metadata: ObjectMeta {
            namespace: None,
            ..meta(&cluster.namespace)
        },
        ..Namespace::default()
    });
    let files = (!settings.files.is_empty()).then(|| ConfigMap {
        metadata: meta(&settings.name),
        data: Some(settings.files.clone()),
        immutable: Some(true),
        ..ConfigMap::default()
    });
    let mut metadata = meta(&settings.name);
    if let Some(queue) = &cluster.queue {
        let labels = metadata.labels.get_or_insert_default();
        labels.insert(QUEUE.to_owned(), queue.clone());
    }
    let shards = Some(saturated(settings.shards));
    let job = Job {
        metadata,
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".to_owned()),
            completions: shards,
            parallelism: Some(saturated(cluster.parallelism)),
            backoff_limit_per_index: Some(saturated(cluster.retries)),
            max_failed_indexes: cluster.max_failed.map(saturated),
            pod_failure_policy: Some(failure_policy()),
            // What a failure policy asks for: an index is not begun again while its last pod still ends.
            pod_replacement_policy: Some("Failed".to_owned()),
            // Kueue starts what is its own, and admits only what waits.
            suspend: Some(cluster.suspend || cluster.queue.is_some()),
            active_deadline_seconds: cluster.deadline_s.map(i64::from),
            ttl_seconds_after_finished: Some(saturated(cluster.keep_s)),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(settings)),
            },
            ..JobSpec::default()
        }),
        status: None,
    };
    Objects {
        namespace,
        files,
        job,
    }
}

/// Numbers of the API are signed.
fn saturated(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn one(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn labels() -> BTreeMap<String, String> {
    let mut labels = one("app.kubernetes.io/name", "firedrill");
    labels.insert(
        "app.kubernetes.io/component".to_owned(),
        "campaign".to_owned(),
    );
    labels.insert(MANAGED.0.to_owned(), MANAGED.1.to_owned());
    labels
}

/// What an exit code means for the Job. A pod that was evicted costs no retry. Bad input (2) is that of every shard, so
/// the Job ends. A failed or inconclusive drill (1, 3) is an answer, which another try would only repeat.
/// Everything else (4: no world; a signal) is tried again.
fn failure_policy() -> PodFailurePolicy {
    let on_codes = |action: &str, values: &[i32]| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values: values.to_vec(),
        }),
        on_pod_conditions: None,
    };
    let disrupted = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
    };
    PodFailurePolicy {
        rules: vec![
            disrupted,
            on_codes("FailJob", &[2]),
            on_codes("FailIndex", &[1, 3]),
        ],
    }
}

fn pod(settings: &Settings) -> PodSpec {
    let cluster = &settings.cluster;
    let mut volumes = vec![Volume {
        name: "scratch".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }];
    let mut mounts = vec![mount("scratch", "/tmp", false)];
    if !settings.files.is_empty() {
        volumes.push(Volume {
            name: "input".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: settings.name.clone(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
        mounts.push(mount("input", INPUT, true));
    }
    if let Some(claim) = &cluster.claim {
        volumes.push(Volume {
            name: "reports".to_owned(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim.clone(),
                read_only: None,
            }),
            ..Volume::default()
        });
        mounts.push(mount("reports", REPORTS, false));
    }
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        // The simulation asks the cluster nothing.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NOBODY),
            run_as_group: Some(NOBODY),
            fs_group: cluster.claim.as_ref().map(|_| NOBODY),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(settings, mounts)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

fn container(settings: &Settings, mounts: Vec<VolumeMount>) -> Container {
    let cluster = &settings.cluster;
    let campaign = format!("{:016x}", settings.campaign);
    let shards = settings.shards.to_string();
    let words = ["shard", "--campaign", &campaign, "--shards", &shards];
    let mut args: Vec<String> = words.map(str::to_owned).to_vec();
    if settings.failures_only {
        args.push("--failures-only".to_owned());
    }
    if cluster.claim.is_some() {
        args.extend(["--reports".to_owned(), REPORTS.to_owned()]);
    }
    args.extend(settings.work.iter().cloned());
    let quantities: BTreeMap<String, Quantity> =
        [("cpu", &cluster.cpu), ("memory", &cluster.memory)]
            .map(|(name, much)| (name.to_owned(), Quantity(much.clone())))
            .into();
    let variable = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(cluster.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(args),
        env: Some(vec![
            variable("FIREDRILL_STATE", "/tmp/state"),
            variable("NO_COLOR", "1"),
        ]),
        // The same for both, so that the program sees as many processors as it may use.
        resources: Some(ResourceRequirements {
            requests: Some(quantities.clone()),
            limits: Some(quantities),
            ..ResourceRequirements::default()
        }),
        termination_message_path: Some("/dev/termination-log".to_owned()),
        termination_message_policy: Some("File".to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                add: None,
                drop: Some(vec!["ALL".to_owned()]),
            }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let words = [
            "chaos",
            "latency-regression",
            "/campaign/scenario-0.toml",
            "--seeds",
            "400",
        ];
        Settings {
            name: "firedrill-00000000".to_owned(),
            campaign: 0x0123_4567_89ab_cdef,
            shards: 4,
            work: words.map(str::to_owned).to_vec(),
            files: BTreeMap::from([("scenario-0.toml".to_owned(), "name = \"mine\"\n".to_owned())]),
            failures_only: false,
            cluster: Cluster {
                namespace: "firedrill-00000000".to_owned(),
                own_namespace: true,
                image: "firedrill:0123456789abcdef".to_owned(),
                parallelism: 2,
                cpu: "1".to_owned(),
                memory: "1Gi".to_owned(),
                retries: 3,
                max_failed: None,
                suspend: false,
                queue: None,
                claim: None,
                deadline_s: None,
                keep_s: 86_400,
            },
        }
    }

    fn shown(settings: &Settings) -> String {
        let Objects {
            namespace,
            files,
            job,
        } = objects(settings);
        let text = |value: serde_json::Result<String>| value.expect("JSON");
        [
            namespace.map(|it| text(serde_json::to_string_pretty(&it))),
            files.map(|it| text(serde_json::to_string_pretty(&it))),
            Some(text(serde_json::to_string_pretty(&job))),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n---\n")
    }

    #[test]
    fn a_campaign_is_a_plain_indexed_job() {
        insta::assert_snapshot!(shown(&settings()));
    }

    #[test]
    fn a_queue_a_volume_and_a_namespace_of_somebody_s() {
        let mut settings = settings();
        settings.files.clear();
        settings.cluster.own_namespace = false;
        settings.cluster.queue = Some("nightly".to_owned());
        settings.cluster.claim = Some("reports".to_owned());
        settings.cluster.max_failed = Some(0);
        settings.cluster.deadline_s = Some(3_600);
        let Objects {
            namespace,
            files,
            job,
        } = objects(&settings);
        assert_eq!((namespace, files), (None, None));
        assert_eq!(job.metadata.labels.expect("labels")[QUEUE], "nightly");
        let spec = job.spec.expect("a spec");
        assert_eq!(spec.suspend, Some(true), "Kueue starts it");
        assert_eq!(
            (spec.max_failed_indexes, spec.active_deadline_seconds),
            (Some(0), Some(3_600))
        );
        let pod = spec.template.spec.expect("a pod");
        let args = pod.containers[0].args.as_deref().expect("arguments");
        let reports = args.windows(2).any(|pair| pair == ["--reports", REPORTS]);
        assert!(reports, "{args:?}");
        assert_eq!(
            pod.security_context.and_then(|it| it.fs_group),
            Some(NOBODY)
        );
    }
}
