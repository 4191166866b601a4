//! `cargo xtask dist`: one static program of each of `firedrill` and `rollback`, and an image of each that holds
//! nothing else, as an archive. Neither Docker nor a registry is needed.

mod archive;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xshell::{Shell, cmd};

use self::archive::Image;
use crate::firedrill::{LIVE, cargo, manifest, target_directory};
use crate::images::{executable, host, program};

/// The programs. An image is called like its program.
const PROGRAMS: [&str; 2] = ["firedrill", "rollback"];
/// The C compiler of musl: Debian's name and others'.
const MUSL_COMPILERS: [&str; 2] = ["musl-gcc", "x86_64-linux-musl-gcc"];

/// The profile that is optimised in full.
const PROFILE: &str = "dist";

/// What is built, and where it goes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Where programs and archives are written [default: dist in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The C library that is linked in [default: musl, or glibc where musl is not installed]
    #[arg(long, value_enum)]
    libc: Option<Libc>,
    /// The profile of cargo
    #[arg(long, value_name = "NAME", default_value = PROFILE)]
    profile: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Libc {
    /// Made for static programs
    Musl,
    /// That of most distributions
    Glibc,
}

/// What a build came to.
#[derive(Debug)]
pub(crate) struct Built {
    /// Its name.
    name: &'static str,
    /// The static program.
    pub(crate) program: PathBuf,
    /// The image as an archive.
    pub(crate) archive: PathBuf,
    /// The image's name and tag, which follows from what is in it.
    pub(crate) reference: String,
}

/// Builds everything.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<ExitCode, String> {
    for built in build(sh, args, &PROGRAMS)? {
        let Built {
            name,
            program,
            archive,
            reference,
        } = built;
        println!("{name}: {}", program.display());
        println!("  image {reference}: {}", archive.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds `firedrill` alone, as a campaign needs it.
pub(crate) fn firedrill(sh: &Shell) -> Result<Built, String> {
    let args = Args {
        profile: PROFILE.to_owned(),
        ..Args::default()
    };
    let built = build(sh, &args, &PROGRAMS[..1])?;
    let first = built.into_iter().next();
    first.ok_or_else(|| "nothing was built".to_owned())
}

fn build(sh: &Shell, args: &Args, names: &[&'static str]) -> Result<Vec<Built>, String> {
    let host = host(sh)?;
    let (target, flags) = target(sh, &host, args.libc)?;
    say(&format!(
        "building {} for {target}, static",
        names.join(" and ")
    ));
    let (cargo, manifest, profile) = (cargo(), manifest(), &args.profile);
    let build = cmd!(
        sh,
        "{cargo} build --profile {profile} --locked --manifest-path {manifest} {LIVE...} --target {target} --message-format json-render-diagnostics"
    );
    let messages = build
        .quiet()
        .env("RUSTFLAGS", flags)
        .read()
        .map_err(|error| error.to_string())?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => target_directory(sh)?.join("dist"),
    };
    let failed = |error: std::io::Error| format!("{}: {error}", out.display());
    fs::create_dir_all(&out).map_err(failed)?;
    let architecture = architecture(&target)?;
    names
        .iter()
        .map(|&name| {
            let built =
                executable(&messages, name).ok_or_else(|| format!("cargo built no {name}"))?;
            finish(&built, name, architecture, &out)
        })
        .collect()
}

/// Copies a program to where it is looked for, and makes its image.
fn finish(
    built: &Path,
    name: &'static str,
    architecture: &str,
    out: &Path,
) -> Result<Built, String> {
    let program = out.join(name);
    let archive = out.join(format!("{name}.tar"));
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    let bytes = fs::read(built).map_err(failed(built))?;
    is_static(&bytes).map_err(|why| format!("{}: {why}", built.display()))?;
    fs::copy(built, &program).map_err(failed(&program))?;
    let image = Image::of(name, &bytes, architecture).map_err(failed(&archive))?;
    let file = File::create(&archive).map_err(failed(&archive))?;
    image.write(file).map_err(failed(&archive))?;
    Ok(Built {
        name,
        program,
        archive,
        reference: image.reference(),
    })
}

/// For which target static programs are built on this machine, and with which flags of the compiler.
fn target(sh: &Shell, host: &str, libc: Option<Libc>) -> Result<(String, &'static str), String> {
    let processor = host.split('-').next().unwrap_or_default();
    if !host.contains("-linux-") {
        return Err(format!(
            "images hold programs for Linux, and this is {host}: build them on Linux"
        ));
    }
    let musl = format!("{processor}-unknown-linux-musl");
    let missing = match libc {
        Some(Libc::Glibc) => Some(String::new()),
        _ => missing(sh, &musl),
    };
    match (libc, missing) {
        (_, None) => Ok((musl, STRIPPED)),
        (Some(Libc::Musl), Some(missing)) => Err(missing),
        (asked, Some(missing)) => {
            if asked.is_none() {
                say(&format!("{missing}\ndist: so glibc is linked in"));
            }
            Ok((host.to_owned(), STATIC))
        }
    }
}

/// Flags of the compiler: a program without symbols. With musl, it is static by itself. With glibc, they are those of
/// the exchange's programs, so that both builds share what they depend on.
const STRIPPED: &str = "-C strip=symbols";
const STATIC: &str = "-C target-feature=+crt-static -C strip=symbols";

/// What building for musl lacks, and how to get it; `None`: nothing.
fn missing(sh: &Shell, musl: &str) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = cmd!(sh, "{rustc} --print target-libdir --target {musl}");
    let folder = folder.quiet().ignore_stderr().read().ok();
    let has_library = folder.is_some_and(|folder| Path::new(&folder).is_dir());
    let variable = format!("CC_{}", musl.replace('-', "_"));
    let has_compiler = std::env::var_os(variable).is_some()
        || MUSL_COMPILERS.iter().any(|name| program(name).is_some());
    what_is_missing(musl, has_library, has_compiler)
}

fn what_is_missing(musl: &str, has_library: bool, has_compiler: bool) -> Option<String> {
    let mut wanted = Vec::new();
    if !has_library {
        wanted.push(format!(
            "Rust's library for it (`rustup target add {musl}`)"
        ));
    }
    if !has_compiler {
        wanted.push(
            "its C compiler musl-gcc (Debian and Ubuntu: `apt-get install musl-tools`)".to_owned(),
        );
    }
    let wanted = wanted.join(" and ");
    (!wanted.is_empty()).then(|| format!("a build with musl lacks {wanted}"))
}

/// The processor as images name it.
fn architecture(target: &str) -> Result<&'static str, String> {
    match target.split('-').next() {
        Some("x86_64") => Ok("amd64"),
        Some("aarch64") => Ok("arm64"),
        _ => Err(format!(
            "no image is made for {target}: only x86_64 and aarch64 are known"
        )),
    }
}

/// Whether a program of the ELF format asks for no interpreter, so that it runs in an image with nothing else.
fn is_static(bytes: &[u8]) -> Result<(), String> {
    /// Segment type that names the dynamic loader (`elf.h`).
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let place = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
    // 64 bits, least byte first: the two processors above.
    let is_elf = bytes.starts_with(b"\x7fELF\x02\x01");
    let (first, size, count) = (
        place(number(32, 8)),
        place(number(54, 2)),
        place(number(56, 2)),
    );
    let (true, Some(first), Some(size), Some(count)) = (is_elf, first, size, count) else {
        return Err("it is no program for Linux".to_owned());
    };
    for segment in 0..count {
        let at = first.saturating_add(segment.saturating_mul(size));
        if number(at, 4) == Some(u64::from(PT_INTERP)) {
            return Err(
                "it is not static: it asks for a dynamic loader, which its image lacks".to_owned(),
            );
        }
    }
    Ok(())
}

/// One line of progress.
fn say(text: &str) {
    eprintln!("dist: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_musl_lacks_is_said_with_its_remedy() {
        let musl = "x86_64-unknown-linux-musl";
        assert_eq!(what_is_missing(musl, true, true), None);
        let both = what_is_missing(musl, false, false).expect("both are missing");
        assert!(
            both.contains("rustup target add x86_64-unknown-linux-musl"),
            "{both}"
        );
        assert!(both.contains("apt-get install musl-tools"), "{both}");
        let one = what_is_missing(musl, true, false).expect("one is missing");
        assert!(!one.contains("rustup"), "{one}");
    }

    #[test]
    fn images_are_for_known_processors_of_linux() {
        assert_eq!(architecture("x86_64-unknown-linux-musl"), Ok("amd64"));
        assert_eq!(architecture("aarch64-unknown-linux-gnu"), Ok("arm64"));
        assert!(architecture("riscv64gc-unknown-linux-gnu").is_err());
        let sh = Shell::new().expect("a shell");
        assert!(target(&sh, "aarch64-apple-darwin", None).is_err());
    }

    #[test]
    fn a_program_that_asks_for_a_loader_is_refused() {
        // This very test is a dynamic program, unless the whole build is static.
        let own = fs::read(std::env::current_exe().expect("a path")).expect("readable");
        if cfg!(not(target_feature = "crt-static")) {
            let error = is_static(&own).expect_err("it is dynamic");
            assert!(error.contains("dynamic loader"), "{error}");
        }
        // An ELF header without segments.
        let mut plain = vec![0_u8; 64];
        plain[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert_eq!(is_static(&plain), Ok(()));
        for broken in [&b"#!/bin/sh"[..], &own[..40], b""] {
            assert!(is_static(broken).is_err());
        }
    }
}
