//! The record is whole, and draws follow it.

use super::{BUILT_IN, BySize, Distribution, Measured, POINTS, Sampled, read, to_text};
use crate::rng::Rng;

#[test]
fn the_record_is_valid_and_comes_back_from_its_own_text() {
    let measured: Measured = read(BUILT_IN).expect("sim/data/timings.toml");
    let text = to_text(&measured, "sim/src/measured.rs").expect("it can be written");
    assert_eq!(read(&text), Ok(measured));
    let head = |text: &str| text.lines().take(4).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head(&text), head(BUILT_IN));
}

#[test]
fn what_is_missing_unknown_or_out_of_order_is_refused() {
    let refused = |from: &str, to: &str| {
        let text = BUILT_IN.replacen(from, to, 1);
        assert_ne!(text, BUILT_IN, "{from} is in the record");
        read::<Measured>(&text).expect_err("it is refused")
    };
    let error = refused("[pods.schedule]", "[pods.shedule]");
    assert!(error.contains("shedule"), "{error}");
    let error = refused("[store.statement]", "[store.statements]");
    assert!(error.contains("statement"), "{error}");
    let error = refused("cores = ", "cpus = ");
    assert!(error.contains("cpus"), "{error}");
    let plain = |us: &str| {
        let text = format!("n = 3\nus = {us}\n");
        toml::from_str::<Sampled>(&text).map_err(|error| error.to_string())
    };
    assert!(plain("[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]").is_ok());
    let error = plain("[1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2]").expect_err("it decreases");
    assert!(error.contains("must not decrease"), "{error}");
    let error = plain("[1, 2]").expect_err("too few");
    assert!(error.contains("2 values"), "{error}");
}

#[test]
fn quantiles_are_those_of_the_samples() {
    let samples: Vec<u64> = (0..=100).rev().map(|n| n * 10).collect();
    let distribution = Distribution::of(&samples).expect("there are some");
    assert_eq!(distribution.ends(), (0, 1_000));
    assert_eq!(distribution.median(), 500);
    for (point, us) in [(10_000, 10), (900_000, 900), (925_000, 925), (990_000, 990)] {
        assert_eq!(distribution.quantile(point), us, "{point}");
    }
    assert_eq!(Distribution::of(&[]), None);
    assert_eq!(Distribution::of(&[7]), Some(Distribution::fixed(7)));
    assert_eq!(distribution.less(400).ends(), (0, 600));
}

#[test]
fn draws_follow_the_distribution_and_stay_within_it() {
    // Half of them at 10, a long tail above.
    let mut us = [10; POINTS.len()];
    us[8..].copy_from_slice(&[1_000, 5_000, 9_000]);
    let distribution = Distribution { us };
    let mut rng = Rng::derive(5, "t");
    let mut drawn: Vec<u64> = (0..20_000).map(|_| distribution.draw(&mut rng).0).collect();
    drawn.sort_unstable();
    assert!((10..=9_000).contains(&drawn[0]) && drawn[19_999] <= 9_000);
    assert_eq!(drawn[10_000], 10);
    assert!(
        (800..1_200).contains(&drawn[19_000]),
        "p95: {}",
        drawn[19_000]
    );
    assert!(
        (4_000..6_000).contains(&drawn[19_800]),
        "p99: {}",
        drawn[19_800]
    );
    let mut even: Vec<u64> = (0..2_000)
        .map(|_| Distribution::between(3_000, 6_000).draw(&mut rng).0)
        .collect();
    even.sort_unstable();
    assert!(even[0] >= 3_000 && even[1_999] <= 6_000);
    assert!((4_300..4_700).contains(&even[1_000]), "{}", even[1_000]);
}

#[test]
fn sizes_between_and_beyond_the_measured_ones_are_in_proportion() {
    let text = "v = [{ size = 100, took = { n = 1, us = [10,10,10,10,10,10,10,10,10,10,10] } },
                     { size = 200, took = { n = 1, us = [30,30,30,30,30,30,30,30,30,30,30] } }]";
    #[derive(serde::Deserialize)]
    struct Holder {
        v: BySize,
    }
    let by_size = toml::from_str::<Holder>(text).expect("valid").v;
    let mut rng = Rng::derive(5, "t");
    let drawn = [0, 100, 150, 200, 400].map(|size| by_size.draw(size, &mut rng).0);
    assert_eq!(drawn, [10, 10, 20, 30, 70]);
    let wrong = text.replace("size = 200", "size = 50");
    assert!(toml::from_str::<Holder>(&wrong).is_err());
}
