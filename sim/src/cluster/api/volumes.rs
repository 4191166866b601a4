//! Validation of a pod's volumes and of where they are mounted (`pkg/apis/core/validation/validation.go`
//! ValidateVolumes, ValidateVolumeMounts). What stands in the rarer kinds of volumes is not looked at.

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::names;
use super::pod_spec::name_of;
use crate::cluster::json::Value;
use crate::cluster::value::{int, items, text};

/// The kinds of volumes, in the order in which a server looks for them (`validateVolumeSource`).
const KINDS: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];
const HOST_PATHS: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// The volumes of a pod's `spec`, and those that `claims` of a StatefulSet bring; the names of those that are right.
pub(super) fn volumes<'a>(
    spec: &'a Value,
    claims: &[&'a str],
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) -> Vec<&'a str> {
    let mut right: Vec<&str> = Vec::new();
    let list = shown.child("volumes");
    for (nth, name) in claims.iter().enumerate() {
        let wrong = names::label(name);
        if wrong.is_empty() {
            right.push(name);
        }
        let shown = list.index(nth);
        errors.each_invalid(&shown.child("name"), &(*name).to_owned().into(), &wrong);
    }
    for (nth, volume) in items(spec, &["volumes"]).iter().enumerate() {
        let shown = list.index(nth);
        // The volume of a claim comes in its place.
        if claims.contains(&text(volume, &["name"])) {
            continue;
        }
        let before = errors.count();
        source(volume, &shown, errors);
        name_of(volume, names::label, &shown, errors);
        let name = text(volume, &["name"]);
        if right.contains(&name) {
            errors.duplicate(&shown.child("name"), &Value::from(name.to_owned()));
        }
        if errors.count() == before {
            right.push(name);
        }
    }
    right
}

fn source(volume: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let mut given = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, volume.get(kind)?)));
    let Some((kind, it)) = given.next() else {
        return errors.requires(shown, "must specify a volume type");
    };
    let here = shown.child(kind);
    let needs = |field: &str, errors: &mut Errors| {
        let absent = text(it, &[field]).is_empty();
        if absent {
            errors.required(&here.child(field));
        }
        absent
    };
    match kind {
        "hostPath" if !needs("path", errors) => {
            no_way_up(it, "path", &here, errors);
            let of_type = text(it, &["type"]);
            if !HOST_PATHS.contains(&of_type) {
                errors.not_supported(&here.child("type"), of_type, &HOST_PATHS);
            }
        }
        "secret" => {
            needs("secretName", errors);
            projected(it, &here, errors);
        }
        "configMap" => {
            needs("name", errors);
            projected(it, &here, errors);
        }
        "persistentVolumeClaim" => {
            needs("claimName", errors);
        }
        _ => {}
    }
    for (more, _) in given {
        let why = "may not specify more than 1 volume type";
        errors.forbidden(&shown.child(more), why);
    }
}

/// What of a ConfigMap or Secret comes into files, and with which rights.
fn projected(of: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let mode = |of: &Value, field: &str, shown: &FieldPath<'_>, errors: &mut Errors| {
        if let Some(mode) = int(of, &[field]).filter(|mode| !(0..=0o777).contains(mode)) {
            errors.invalid(&shown.child(field), &mode.into(), MODE);
        }
    };
    mode(of, "defaultMode", shown, errors);
    let list = shown.child("items");
    for (nth, item) in items(of, &["items"]).iter().enumerate() {
        let shown = list.index(nth);
        for field in ["key", "path"] {
            if text(item, &[field]).is_empty() {
                errors.required(&shown.child(field));
            }
        }
        let path = text(item, &["path"]);
        let up = below(item, "path", &shown, errors);
        if !up && path.starts_with("..") && !path.starts_with("../") {
            let why = "must not start with '..'";
            errors.invalid(&shown.child("path"), &path.to_owned().into(), why);
        }
        mode(item, "mode", &shown, errors);
    }
}

/// `validatePathNoBacksteps`; whether the path leads up.
fn no_way_up(of: &Value, field: &str, shown: &FieldPath<'_>, errors: &mut Errors) -> bool {
    let path = text(of, &[field]);
    let up = path.split('/').any(|step| step == "..");
    if up {
        let value = path.to_owned().into();
        errors.invalid(&shown.child(field), &value, "must not contain '..'");
    }
    up
}

/// `validateLocalDescendingPath`; whether the path leads up.
pub(super) fn below(of: &Value, field: &str, shown: &FieldPath<'_>, errors: &mut Errors) -> bool {
    let path = text(of, &[field]);
    if path.starts_with('/') {
        let value = path.to_owned().into();
        errors.invalid(&shown.child(field), &value, "must be a relative path");
    }
    no_way_up(of, field, shown, errors)
}

/// Where a container mounts which of the pod's `volumes`.
pub(super) fn mounts(c: &Value, volumes: &[&str], shown: &FieldPath<'_>, errors: &mut Errors) {
    let list = shown.child("volumeMounts");
    let mounts = items(c, &["volumeMounts"]);
    for (nth, mount) in mounts.iter().enumerate() {
        let shown = list.index(nth);
        let name = text(mount, &["name"]);
        if name.is_empty() {
            errors.required(&shown.child("name"));
        }
        if !volumes.contains(&name) {
            errors.not_found(&shown.child("name"), name);
        }
        let path = text(mount, &["mountPath"]);
        if path.is_empty() {
            errors.required(&shown.child("mountPath"));
        }
        let is_same = |other: &Value| text(other, &["mountPath"]) == path;
        if mounts[..nth].iter().any(is_same) {
            let value = path.to_owned().into();
            errors.invalid(&shown.child("mountPath"), &value, "must be unique");
        }
        // Upstream names these two without the position of their mount.
        for field in ["subPath", "subPathExpr"] {
            below(mount, field, &list, errors);
        }
        let (sub, expression) = (text(mount, &["subPath"]), text(mount, &["subPathExpr"]));
        if !sub.is_empty() && !expression.is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            let value = expression.to_owned().into();
            errors.invalid(&shown.child("subPathExpr"), &value, why);
        }
    }
}
