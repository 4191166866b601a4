//! The cluster's side of a campaign: what is created, what is waited for, and what is removed.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use executor::clock::Clock as _;
use executor::live::SystemClock;
use firedrill::campaign::{
    self, Attempt, Ended, Files, MANAGED, Objects, Settings, Summary, ended, finished, is_suspended,
};
use firedrill::worlds::WorldError;
use futures::future::{Either, select};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, PostParams, PropagationPolicy};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::conclude::Collected;
use crate::args::CampaignArgs;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::terminal;

/// The label of a namespace that somebody gives to campaigns.
const ALLOWED: (&str, &str) = ("firedrill-campaigns", "allowed");
/// How often it is looked: once in so long for each shard, within these bounds.
const LOOK_PER_SHARD: Duration = Duration::from_millis(10);
const LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How often Ctrl-C is looked for.
const INTERRUPT: Duration = Duration::from_millis(100);
/// How often the cluster may fail to answer in a row.
const PATIENCE: u32 = 60;
/// Pods of one answer.
const PAGE: u32 = 500;

/// Creates the campaign, waits for its end, and removes it.
pub(super) fn perform(
    args: &CampaignArgs,
    settings: &Settings,
    objects: &Objects,
    interrupt: &Interrupt,
) -> Result<Collected, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| set_up("no runtime", &error))?;
    runtime.block_on(async {
        let client = connect(args).await?;
        let there = There {
            jobs: Api::namespaced(client.clone(), &settings.cluster.namespace),
            pods: Api::namespaced(client.clone(), &settings.cluster.namespace),
            files: Api::namespaced(client.clone(), &settings.cluster.namespace),
            namespaces: Api::all(client),
            settings,
            quiet: args.quiet,
        };
        there.create(objects).await?;
        let mut collected = Collected::default();
        let collecting = Box::pin(there.collect(&mut collected));
        let done = match select(collecting, Box::pin(interrupted(interrupt))).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Ok(()),
        };
        let Err(failure) = done else {
            there.remove(args.keep).await;
            return Ok(collected);
        };
        terminal::complain(&format!(
            "the Job {} is still in the namespace {}: the same command goes on with it",
            settings.name, settings.cluster.namespace
        ));
        Err(failure)
    })
}

async fn interrupted(interrupt: &Interrupt) {
    while !interrupt.happened() {
        SystemClock.sleep(INTERRUPT).await;
    }
}

async fn connect(args: &CampaignArgs) -> Result<kube::Client, Failure> {
    let bad = |error: &dyn Display| {
        Failure::input(
            format!("no way to the cluster: {error}"),
            "give a context of your kubeconfig with --context, and its file with --kubeconfig",
        )
    };
    let kubeconfig = match &args.kubeconfig {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = kubeconfig.map_err(|error| bad(&error))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| bad(&error))?;
    kube::Client::try_from(config).map_err(|error| bad(&error))
}

fn set_up(what: &str, error: &dyn Display) -> Failure {
    WorldError::SetUp(format!("{what}: {error}")).into()
}

/// Whether an answer is one with this code.
fn is_code<T>(answer: &Result<T, kube::Error>, code: u16) -> bool {
    matches!(answer, Err(kube::Error::Api(status)) if status.code == code)
}

/// The campaign's place in the cluster.
struct There<'a> {
    namespaces: Api<Namespace>,
    jobs: Api<Job>,
    pods: Api<Pod>,
    files: Api<ConfigMap>,
    settings: &'a Settings,
    quiet: bool,
}

impl There<'_> {
    fn say(&self, text: &str) {
        if !self.quiet {
            terminal::complain(&format!("campaign: {text}"));
        }
    }

    /// Creates what is not there yet. Nothing is touched in a namespace that is nobody's to use.
    async fn create(&self, objects: &Objects) -> Result<(), Failure> {
        let create = PostParams::default();
        match &objects.namespace {
            Some(namespace) => {
                let created = self.namespaces.create(&create, namespace).await;
                if is_code(&created, 409) {
                    self.may_use(MANAGED).await?;
                } else {
                    created.map_err(|error| set_up("create the namespace", &error))?;
                }
            }
            None => self.may_use(ALLOWED).await?,
        }
        if let Some(files) = &objects.files {
            let created = self.files.create(&create, files).await;
            // Its name follows from what is in it.
            if !is_code(&created, 409) {
                created.map_err(|error| set_up("create the ConfigMap with the files", &error))?;
            }
        }
        let (name, created) = (
            &self.settings.name,
            self.jobs.create(&create, &objects.job).await,
        );
        if is_code(&created, 409) {
            self.say(&format!(
                "the Job {name} is there already, and is gone on with"
            ));
            return Ok(());
        }
        let job = created.map_err(|error| set_up("create the Job", &error))?;
        let namespace = &self.settings.cluster.namespace;
        self.say(&format!(
            "the Job {name} in the namespace {namespace} has {} shards",
            self.settings.shards
        ));
        if is_suspended(&job) {
            self.say(&format!(
                "it waits until Kueue or a person starts it: kubectl -n {namespace} patch job {name} --type merge -p \
                 '{{\"spec\":{{\"suspend\":false}}}}'"
            ));
        }
        Ok(())
    }

    /// Whether the namespace carries this label.
    async fn may_use(&self, (label, value): (&str, &str)) -> Result<(), Failure> {
        let name = &self.settings.cluster.namespace;
        let found = self.namespaces.get_opt(name).await;
        let found = found.map_err(|error| set_up("look at the namespace", &error))?;
        let Some(namespace) = found else {
            return Err(Failure::input(
                format!("there is no namespace `{name}`"),
                "leave --namespace out, and the campaign makes one of its own and removes it",
            ));
        };
        let labels = namespace.metadata.labels.unwrap_or_default();
        if labels.get(label).is_some_and(|found| found == value) {
            return Ok(());
        }
        Err(Failure::input(
            format!("the namespace `{name}` is not marked for campaigns, so it is left alone"),
            format!("kubectl label namespace {name} {label}={value}"),
        ))
    }

    /// Collects the results of pods as they end, until the Job has.
    async fn collect(&self, collected: &mut Collected) -> Result<(), Failure> {
        let (mut seen, mut told, mut silent) = (BTreeSet::new(), String::new(), 0);
        let (least, most) = LOOK;
        let pause = (LOOK_PER_SHARD * self.settings.shards).clamp(least, most);
        loop {
            // The Job first: pods that are listed after its end are all that there will be.
            let job = self.jobs.get(&self.settings.name).await;
            let looked = match &job {
                Ok(_) => self.look(&mut seen, collected).await,
                Err(error) => Err(error.to_string()),
            };
            match looked {
                Ok(()) => silent = 0,
                Err(_) if is_code(&job, 404) => {
                    "somebody removed the Job".clone_into(&mut collected.ended);
                    return Ok(());
                }
                Err(error) => {
                    silent += 1;
                    if silent == PATIENCE {
                        return Err(set_up("the cluster does not answer", &error));
                    }
                }
            }
            let over = job
                .ok()
                .and_then(|job| finished(&job))
                .filter(|_| silent == 0);
            let done: BTreeSet<u32> = collected
                .attempts
                .iter()
                .filter(|it| has_result(it))
                .map(|it| it.index)
                .collect();
            let lost = collected
                .attempts
                .iter()
                .filter(|it| !has_result(it))
                .count();
            let line = format!(
                "{} of {} shards have a result, {lost} tries have none",
                done.len(),
                self.settings.shards
            );
            if line != told {
                self.say(&line);
                told = line;
            }
            if let Some(how) = over {
                collected.ended = how;
                return Ok(());
            }
            SystemClock.sleep(pause).await;
        }
    }

    /// Looks at all pods once, and collects those that have ended since.
    async fn look(
        &self,
        seen: &mut BTreeSet<String>,
        collected: &mut Collected,
    ) -> Result<(), String> {
        let label = format!("batch.kubernetes.io/job-name={}", self.settings.name);
        let mut page = ListParams::default().labels(&label).limit(PAGE);
        loop {
            let list = self
                .pods
                .list(&page)
                .await
                .map_err(|error| error.to_string())?;
            for pod in &list.items {
                if let Some(ended) = ended(pod)
                    && !seen.contains(&ended.uid)
                {
                    let attempt = self.attempt(&ended).await?;
                    collected.attempts.push(attempt);
                    seen.insert(ended.uid);
                }
            }
            match list.metadata.continue_.filter(|it| !it.is_empty()) {
                Some(rest) => page.continue_token = Some(rest),
                None => return Ok(()),
            }
        }
    }

    /// What a pod that ended left.
    async fn attempt(&self, ended: &Ended) -> Result<Attempt, String> {
        let summary = Summary::decode(&ended.message);
        let files: Result<Files, String> = match &summary {
            Ok(summary) if summary.is_conclusive() => {
                let log = self.pods.logs(&ended.pod, &LogParams::default()).await;
                match log {
                    Ok(log) => campaign::read(&log).map_err(|error| error.to_string()),
                    // Its node may be gone, and the summary is there all the same.
                    Err(error @ kube::Error::Api(_)) => Err(executor::in_words(&error)),
                    Err(error) => return Err(executor::in_words(&error)),
                }
            }
            _ => Err("there is no result".to_owned()),
        };
        Ok(Attempt {
            pod: ended.pod.clone(),
            index: ended.index,
            summary: summary.map_err(|error| format!("{}, and {error}", ended.how)),
            files,
        })
    }

    /// Removes what was created, and says what could not be.
    async fn remove(&self, keep: bool) {
        let (name, namespace) = (&self.settings.name, &self.settings.cluster.namespace);
        if keep {
            self.say(&format!(
                "the Job {name} stays in the namespace {namespace}"
            ));
            return;
        }
        let delete = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let removed = if self.settings.cluster.own_namespace {
            gone(self.namespaces.delete(namespace, &delete).await)
        } else {
            let job = gone(self.jobs.delete(name, &delete).await);
            job.and(if self.settings.files.is_empty() {
                Ok(())
            } else {
                gone(self.files.delete(name, &delete).await)
            })
        };
        if let Err(error) = removed {
            terminal::complain(&format!(
                "warning: the campaign could not be removed ({error}): kubectl -n {namespace} delete job {name}"
            ));
        }
    }
}

/// A deletion that found nothing is one that is done.
fn gone<T>(deleted: Result<T, kube::Error>) -> Result<(), kube::Error> {
    if is_code(&deleted, 404) {
        return Ok(());
    }
    deleted.map(drop)
}

fn has_result(attempt: &Attempt) -> bool {
    attempt.summary.as_ref().is_ok_and(Summary::is_conclusive)
}
