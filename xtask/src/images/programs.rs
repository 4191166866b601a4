//! Programs from Go modules: one recipe is a folder with `go.mod` and `go.sum`, so every byte of source is pinned.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use super::cache::{Cache, digest, program, recipes};
use super::docker::output;
use super::{names, say};

/// A program and how it is built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// Its file name.
    pub(super) name: &'static str,
    recipe: &'static str,
    package: &'static str,
    /// The file that pins its modules, where the recipe has one for each version. Else that is `go.mod`.
    modules: Option<&'static str>,
    /// The version that it learns from the linker, if it has one there.
    version: Option<&'static str>,
}

const fn plain(name: &'static str, recipe: &'static str, package: &'static str) -> Program {
    Program {
        name,
        recipe,
        package,
        modules: None,
        version: None,
    }
}

const fn kubernetes(name: &'static str, package: &'static str) -> Program {
    Program {
        version: Some(names::KUBERNETES),
        ..plain(name, "kubernetes", package)
    }
}

const fn older(name: &'static str, modules: &'static str, version: &'static str) -> Program {
    Program {
        modules: Some(modules),
        version: Some(version),
        ..plain(name, "kubectl", ".")
    }
}

/// The client of people.
const KUBECTL: Program = kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl");
/// Older clients of people, each with the minor version by which people call it.
const OLDER_KUBECTL: [(&str, Program); 3] = [
    ("1.31", older("kubectl-1.31", "1.31.mod", "v1.31.3")),
    ("1.32", older("kubectl-1.32", "1.32.mod", "v1.32.3")),
    ("1.33", older("kubectl-1.33", "1.33.mod", "v1.33.4")),
];
/// Makes clusters.
const KIND: Program = plain("kind", "kind", "sigs.k8s.io/kind");
/// Watches the exchange.
pub(super) const PROMETHEUS: Program = plain(
    "prometheus",
    "prometheus",
    "github.com/prometheus/prometheus/cmd/prometheus",
);
/// The container runtime for machines whose capabilities are bounded.
pub(super) const RUNTIME: Program = plain("bounded-runc", "runtime", ".");
/// What a node runs outside of containers.
pub(super) const NODE: [Program; 3] = [
    kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    kubernetes("kubeadm", "k8s.io/kubernetes/cmd/kubeadm"),
    KUBECTL,
];

/// kube-proxy: its image also has iptables.
pub(super) const KUBE_PROXY: Program = kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy");

/// What a node runs in containers, with the image that each has there.
pub(super) const IN_CONTAINERS: [(Program, &str); 6] = [
    (
        kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        "kube-apiserver:v1.34.4",
    ),
    (
        kubernetes(
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        "kube-controller-manager:v1.34.4",
    ),
    (
        kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        "kube-scheduler:v1.34.4",
    ),
    (
        plain("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        "etcd:3.6.5-0",
    ),
    (plain("coredns", "coredns", "."), "coredns/coredns:v1.12.1"),
    (plain("pause", "pause", "."), "pause:3.10.1"),
];

/// Builds kind and kubectl, unless the search path has them.
pub(super) fn kind_and_kubectl(sh: &Shell, cache: &Cache) -> Result<(), String> {
    for wanted in [KIND, KUBECTL] {
        if program(wanted.name).is_none() {
            wanted.build(sh, cache)?;
        }
    }
    Ok(())
}

/// Builds the older kubectls, unless they are in the cache. In the order of their versions.
pub(super) fn older_kubectls(sh: &Shell, cache: &Cache) -> Result<Vec<PathBuf>, String> {
    let programs = OLDER_KUBECTL.iter();
    programs.map(|(_, older)| older.build(sh, cache)).collect()
}

/// Builds the older kubectl of a minor version such as `1.31`, unless it is in the cache. `None` if that is no version
/// that there is a recipe for.
pub(crate) fn older_kubectl(sh: &Shell, minor: &str) -> Option<Result<PathBuf, String>> {
    let (_, older) = OLDER_KUBECTL.iter().find(|(of, _)| *of == minor)?;
    Some(Cache::open().and_then(|cache| older.build(sh, &cache)))
}

/// The folder of a module that a recipe requires.
pub(super) fn module(sh: &Shell, recipe: &str, module: &str) -> Result<PathBuf, String> {
    let (go, directory) = (go()?, recipes().join(recipe));
    let _in_it = sh.push_dir(directory);
    output(cmd!(sh, "{go} mod download")).map(drop)?;
    let format = "{{.Dir}}";
    let found = output(cmd!(sh, "{go} list -mod=readonly -m -f {format} {module}"))?;
    Ok(PathBuf::from(found))
}

fn go() -> Result<PathBuf, String> {
    program("go").ok_or_else(|| {
        "building from packages needs Go 1.25 or newer in the search path; see https://go.dev/dl"
            .to_owned()
    })
}

impl Program {
    /// Builds it if its recipe changed or it isn't there.
    pub(super) fn build(self, sh: &Shell, cache: &Cache) -> Result<PathBuf, String> {
        let go = go()?;
        let directory = recipes().join(self.recipe);
        let flags = self.linker_flags();
        let tags = self.tags();
        let mut extra = format!("{} {flags} {tags}", self.package);
        let modules = self.modules.map(|file| format!("-modfile={file}"));
        extra.extend(modules.iter().map(|flag| format!(" {flag}")));
        let digest = digest(&[&directory], &extra)?;
        let program = cache.bin().join(self.name);
        let stamp = cache.path(&format!("{}.recipe", self.name));
        if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|it| it == digest) {
            return Ok(program);
        }
        say(&format!("building {}", self.name));
        let package = self.package;
        // Go resolves `-modfile` and `.` from the working directory.
        let _in_it = sh.push_dir(directory);
        let build = cmd!(
            sh,
            "{go} build -mod=readonly {modules...} -trimpath -buildvcs=false -tags {tags} -ldflags {flags} -o {program} {package}"
        );
        output(build.env("CGO_ENABLED", "0"))?;
        fs::write(&stamp, digest).map_err(|error| format!("{}: {error}", stamp.display()))?;
        Ok(program)
    }

    /// Build tags. Prometheus' leave out every service discovery but Kubernetes'.
    fn tags(self) -> &'static str {
        if self.recipe == "prometheus" {
            "netgo,remove_all_sd,enable_kubernetes_sd"
        } else {
            ""
        }
    }

    /// Kubernetes, kubectl and Prometheus learn their versions from the linker.
    fn linker_flags(self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.recipe == "prometheus" {
            let version = names::PROMETHEUS.version();
            flags.push_str(&format!(
                " -X github.com/prometheus/common/version.Version={version}"
            ));
        }
        if let Some(version) = self.version {
            let minor = version.split('.').nth(1).unwrap_or_default();
            for package in [
                "k8s.io/component-base/version",
                "k8s.io/client-go/pkg/version",
            ] {
                for (variable, value) in [
                    ("gitVersion", version),
                    ("gitMajor", "1"),
                    ("gitMinor", minor),
                    ("gitCommit", "0000000"),
                    ("gitTreeState", "clean"),
                    ("buildDate", "1970-01-01T00:00:00Z"),
                ] {
                    flags.push_str(&format!(" -X {package}.{variable}={value}"));
                }
            }
        }
        flags
    }
}

/// Digest over the recipes of `programs`, as part of an image's.
pub(super) fn digest_of(programs: &[Program], also: &[&Path]) -> Result<String, String> {
    let directories: Vec<PathBuf> = programs
        .iter()
        .map(|program| recipes().join(program.recipe))
        .collect();
    let mut paths: Vec<&Path> = directories.iter().map(PathBuf::as_path).collect();
    paths.dedup();
    paths.extend(also);
    digest(&paths, names::KUBERNETES)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{OLDER_KUBECTL, recipes};

    #[test]
    fn an_older_kubectl_says_the_version_that_its_modules_have() {
        for (minor, program) in OLDER_KUBECTL {
            let version = program.version.expect("it has one");
            assert!(version.starts_with(&format!("v{minor}.")), "{version}");
            let file = recipes()
                .join(program.recipe)
                .join(program.modules.expect("its own"));
            let text = fs::read_to_string(&file).expect("it is there");
            // Kubernetes 1.31.3 is published as the modules of version 0.31.3.
            let module = format!("k8s.io/kubectl v0{}", version.trim_start_matches("v1"));
            assert!(text.contains(&module), "{} lacks {module}", file.display());
        }
    }
}
