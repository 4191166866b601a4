//! Validation of Jobs and CronJobs (`pkg/apis/batch/validation/validation.go`).

use super::cron;
use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::kind_defaults::job_selector;
use super::kind_rules::{label_selector, pod_template};
use super::selectors::LabelSelector;
use super::validate::NEGATIVE;
use crate::cluster::json::{Value, json};
use crate::cluster::value::{at, flag, int, name, set, text, uid};

/// Longest name of a CronJob, bytes: its Jobs have eleven more, and at most 63.
const CRON_JOB_NAME_MAX: usize = 52;

fn not_negative(of: &Value, fields: &[&str], shown: &FieldPath<'_>, errors: &mut Errors) {
    for field in fields {
        if let Some(n) = int(of, &[field]).filter(|n| *n < 0) {
            errors.invalid(&shown.child(field), &n.into(), NEGATIVE);
        }
    }
}

/// `ValidateJob`. The server has given the Job the labels and the selector by which it knows its pods, unless its
/// selector is manual (`pkg/registry/batch/job/strategy.go`).
pub(super) fn job(object: &Value, errors: &mut Errors) {
    let mut object = object.clone();
    job_selector(&mut object);
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let selector = spec.get("selector");
    let labels = at(spec, &["template", "metadata", "labels"]).unwrap_or(&Value::Null);
    if !flag(spec, &["manualSelector"]) {
        generated(&object, labels, errors);
    }
    let shown = FieldPath::At("spec");
    job_spec(spec, &shown, errors);
    let before = errors.count();
    match selector {
        None => errors.required(&shown.child("selector")),
        Some(selector) => label_selector(selector, &shown.child("selector"), errors),
    }
    let readable = selector.is_none() || errors.count() == before;
    let matches =
        selector.is_some_and(|it| LabelSelector::of_object(it).matches_labels(Some(labels)));
    if readable && !matches {
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels, why);
    }
}

/// `validateGeneratedSelector`.
fn generated(job: &Value, labels: &Value, errors: &mut Errors) {
    let shown = FieldPath::At("spec.template.metadata.labels");
    let (uid, name) = (uid(job), name(job));
    let known = [
        ("controller-uid", uid),
        ("job-name", name),
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ];
    for (label, wanted) in known {
        if text(labels, &[label]) != wanted {
            let why = format!("must be '{wanted}'");
            errors.invalid(&shown.key(label), labels, &why);
        }
    }
    let mut pods = json!({});
    for (label, wanted) in known {
        set(&mut pods, &[label], wanted);
    }
    let selector = at(job, &["spec", "selector"]).unwrap_or(&Value::Null);
    let mut unread = Errors::default();
    label_selector(selector, &FieldPath::Top, &mut unread);
    let readable = unread.count() == 0;
    if readable && !LabelSelector::of_object(selector).matches_labels(Some(&pods)) {
        errors.invalid("spec.selector", selector, "`selector` not auto-generated");
    }
}

/// `validateJobSpec`. Only pods without an index are served here.
fn job_spec(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let counts = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ];
    not_negative(spec, &counts, shown, errors);
    let mode = text(spec, &["completionMode"]);
    if !matches!(mode, "" | "NonIndexed") {
        errors.not_supported(&shown.child("completionMode"), mode, &["NonIndexed"]);
    }
    let template = spec.get("template").unwrap_or(&Value::Null);
    let shown = shown.child("template");
    pod_template(template, None, &shown, errors);
    let shown = shown.child("spec");
    let policies = ["OnFailure", "Never"];
    let field = shown.child("restartPolicy");
    match text(template, &["spec", "restartPolicy"]) {
        "" | "Always" => {
            errors.requires(&field, "valid values: \"OnFailure\", \"Never\"");
        }
        policy if policies.contains(&policy) => {}
        policy => errors.not_supported(&field, policy, &policies),
    }
}

/// `ValidateCronJobCreate`.
pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let shown = FieldPath::At("spec");
    let schedule = text(spec, &["schedule"]);
    let field = shown.child("schedule");
    if schedule.is_empty() {
        errors.required(&field);
    } else {
        if let Err(why) = cron::schedule(schedule) {
            errors.invalid(&field, &schedule.into(), &why);
        }
        if schedule.contains("TZ") {
            let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            errors.invalid(&field, &schedule.into(), why);
        }
    }
    not_negative(spec, &["startingDeadlineSeconds"], &shown, errors);
    if let Some(zone) = spec.get("timeZone") {
        time_zone(zone, &shown.child("timeZone"), errors);
    }
    let field = shown.child("concurrencyPolicy");
    let policies = ["Allow", "Forbid", "Replace"];
    match text(spec, &["concurrencyPolicy"]) {
        "" => errors.required(&field),
        policy if policies.contains(&policy) => {}
        policy => errors.not_supported(&field, policy, &policies),
    }
    let jobs = shown.child("jobTemplate");
    let in_jobs = jobs.child("spec");
    let job = at(spec, &["jobTemplate", "spec"]).unwrap_or(&Value::Null);
    job_spec(job, &in_jobs, errors);
    if let Some(selector) = job.get("selector") {
        let why = "`selector` will be auto-generated";
        errors.invalid(&in_jobs.child("selector"), selector, why);
    }
    if flag(job, &["manualSelector"]) {
        let field = in_jobs.child("manualSelector");
        errors.not_supported_text(&field, "true", &["nil", "false"]);
    }
    let limits = ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"];
    not_negative(spec, &limits, &shown, errors);
    let name = name(object);
    if name.len() > CRON_JOB_NAME_MAX {
        let why = format!("must be no more than {CRON_JOB_NAME_MAX} characters");
        errors.invalid("metadata.name", &name.into(), &why);
    }
}

/// `validateTimeZone`.
fn time_zone(zone: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let name = zone.as_str().unwrap_or("");
    if name.is_empty() {
        let why = "timeZone must be nil or non-empty string";
        return errors.invalid(shown, zone, why);
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
    let is_part = |part: &str| {
        !matches!(part, "." | "..")
            && !part.starts_with('-')
            && (1..=14).contains(&part.len())
            && part.chars().all(fits)
    };
    if !name.split('/').all(is_part) {
        return errors.invalid(shown, zone, &format!("unknown time zone {name}"));
    }
    if name.eq_ignore_ascii_case("Local") {
        let why =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(shown, zone, why);
    }
    if let Err(why) = cron::zone(name) {
        errors.invalid(shown, zone, &why);
    }
}
