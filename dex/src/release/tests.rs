//! The catalogue is consistent in itself.

use std::collections::BTreeMap;

use super::*;

#[test]
fn every_build_that_was_published_is_found_by_its_image() {
    for release in Release::catalogue() {
        for build in release.builds {
            let published = !release.unpublished.contains(&build.service);
            let found = published.then_some(build);
            assert_eq!(Build::by_image(&build.image()), found, "{}", release.name);
            let mirrored = format!("registry.local:5000/{}", build.image());
            assert_eq!(Build::by_image(&mirrored), found);
            assert_eq!(build, release.build(build.service));
        }
    }
}

#[test]
fn every_image_that_was_pushed_is_named_and_no_other() {
    let images = Release::images();
    for service in Service::ALL {
        assert!(images.contains(&Build::stable(service).image()));
    }
    assert!(images.contains("dex/gateway:1.5.6") && !images.contains("dex/matching:1.5.6"));
    for image in &images {
        assert!(Build::by_image(image).is_some(), "{image}");
    }
    for release in Release::catalogue() {
        for build in release.builds {
            let pushed = !release.unpublished.contains(&build.service);
            assert_eq!(images.contains(&build.image()), pushed, "{}", release.name);
        }
    }
}

#[test]
fn unknown_images_and_names_are_not_found() {
    for image in [
        "dex/gateway",
        "dex/gateway:9.9.9",
        "dex/ledger:1.4.2",
        "gateway:1.4.2",
        ":1.4.2",
        "",
    ] {
        assert_eq!(Build::by_image(image), None, "{image}");
    }
    assert_eq!(Release::by_name("1.4.1"), None);
}

/// What a release is bad by: a fault in its code, an image that is not there, or configuration that does not do.
#[test]
fn what_promises_harm_has_a_reason_for_it() {
    let stable = Release::by_name(STABLE).expect("it is there");
    for release in Release::catalogue() {
        let faulty = release.builds.iter().any(|b| b.fault.is_some());
        let missing = !release.unpublished.is_empty();
        let configured = release.config != stable.config;
        let harmful = release.promise != Promise::Nothing;
        assert!(
            !harmful || faulty || missing || configured,
            "{}",
            release.name
        );
        assert!(harmful || !(faulty || missing), "{}", release.name);
        let scripts = release.migrations();
        let layout = crate::migrations::layout(scripts.iter().map(|file| file.name));
        let new = release.builds.iter().filter(|b| b.version != STABLE);
        assert!(
            new.into_iter().all(|b| b.schema == layout),
            "{}",
            release.name
        );
    }
}

#[test]
fn a_defect_of_one_pod_hides_in_the_others() {
    let build = Build::with_fault(Service::Gateway, Defect::FailsInOnePod(15));
    let hit: Vec<bool> = (0..6).map(|n| build.hits(n).is_some()).collect();
    assert_eq!(hit, [true, false, false, true, false, false]);
    assert_eq!(build.hits(0), Some(Defect::FailsOneIn(15)));
    let everywhere = Build::with_fault(Service::Gateway, Defect::SlowPath);
    assert!((0..6).all(|n| everywhere.hits(n) == Some(Defect::SlowPath)));
}

#[test]
fn a_defect_of_replaced_pods_hides_in_the_first_ones() {
    let build = Build::with_fault(Service::Gateway, Defect::FailsOnceReplaced(40));
    let hit: Vec<bool> = (0..6).map(|n| build.hits(n).is_some()).collect();
    assert_eq!(hit, [false, false, false, true, true, true]);
}

#[test]
fn versions_and_revisions_name_one_source() {
    let mut seen = BTreeMap::new();
    for build in Release::catalogue().into_iter().flat_map(|r| r.builds) {
        assert_eq!(
            *seen.entry(build.version).or_insert(build.revision),
            build.revision
        );
    }
}

/// A release that cannot be deployed at all would be noticed before it does any harm.
#[test]
fn a_gateway_starts_beside_the_engine_of_its_own_release_and_after_the_prior_one_has_been_deployed()
{
    let stable = Build::stable(Service::Matching);
    for release in Release::catalogue() {
        let gateway = release.build(Service::Gateway);
        assert!(
            gateway.starts_beside(&release.build(Service::Matching)),
            "{}",
            release.name
        );
        assert!(gateway.starts_beside(&stable), "{}", release.name);
    }
    let new = Release::by_name("1.6.3-new-market-list").expect("it is there");
    let prior = Build::stable(Service::Gateway);
    assert!(!prior.starts_beside(&new.build(Service::Matching)));
}
