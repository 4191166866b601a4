//! Clients that mean no good stop nobody else.

use super::flood::Flood;
use super::*;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const CLIENTS: u64 = 4;
const ACTS_EACH: u32 = 150;

#[test]
fn a_flood_of_rubbish_and_unread_streams_stops_nobody() {
    let limits = Limits {
        connections: 300,
        body: 1 << 20,
        bodies: 4 << 20,
        unread: 8 << 20,
        patience: Duration::from_secs(2),
    };
    run_with(limits, Pacing::Requests(Settle::default()), |served| {
        let map = r#"{"metadata": {"name": "flood"}}"#;
        assert_eq!(ask(served.kube, TOKEN, "POST", MAPS, map).0, 201);
        let floods: Vec<_> = (0..CLIENTS)
            .map(|seed| {
                std::thread::spawn(move || {
                    let mut flood = Flood::new(served.kube, TOKEN, MAPS, seed);
                    let acts = (0..ACTS_EACH).filter(|_| flood.act().is_ok());
                    acts.count()
                })
            })
            .collect();
        let acts: usize = floods
            .into_iter()
            .map(|flood| flood.join().expect("it does not panic"))
            .sum();
        assert!(acts > 500, "{acts} of 600 found a connection");
        // All of them are gone, and those who come now are served.
        let served_again = (0..1_000).any(|_| {
            let mut stream = open(served.kube, TOKEN, "GET", MAPS, "");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).is_ok() && answer.contains("200 OK")
        });
        assert!(served_again);
        assert!(get(served, &format!("{MAPS}/flood")).contains("\"flood\""));
    });
}

#[test]
fn bodies_of_clients_that_hung_up_still_count_until_the_world_has_looked_at_them() {
    let limits = Limits {
        body: 100_000,
        bodies: 150_000,
        ..Limits::default()
    };
    run_with(limits, Pacing::Requests(Settle::default()), |served| {
        let large = format!("\"{}\"", "x".repeat(90_000));
        for _ in 0..50 {
            // Refused for the lack of room or by the API server, and never more.
            let (status, _) = ask(served.kube, TOKEN, "POST", MAPS, &large);
            assert!(matches!(status, 400 | 422 | 503), "{status}");
            drop(open(served.kube, TOKEN, "POST", MAPS, &large));
        }
        let map = r#"{"metadata": {"name": "small"}}"#;
        let created = (0..1_000).any(|_| ask(served.kube, TOKEN, "POST", MAPS, map).0 == 201);
        assert!(created, "the room came free again");
    });
}
