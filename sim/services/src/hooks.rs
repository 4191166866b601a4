//! How long the commands of `preStop` hooks take.

use serde_json::Value;
use sim::time::Micros;

/// The longest that a command is waited for: longer than any grace period that a drill could see the end of.
const MOST_S: f64 = 24.0 * 3_600.0;

/// What a command takes that does not sleep, such as `nginx -s quit`. Nobody measured it: it stands for starting a
/// program in a container and telling a server something.
const OTHER: Micros = Micros::from_secs(1);

/// How long the command of a hook takes: as long as it sleeps, and a second where it does something else.
#[must_use]
pub fn takes(command: &[String]) -> Micros {
    sleeps(command).unwrap_or(OTHER)
}

/// How long `sleep` in a command takes, whether a shell is called for it or not: `["sleep", "5"]`,
/// `["sh", "-c", "sleep 5; nginx -s quit"]`, `sleep 1m`. All of them are added up. `None`: it does not sleep.
fn sleeps(command: &[String]) -> Option<Micros> {
    let between = |c: char| c.is_whitespace() || ";&|()".contains(c);
    let words: Vec<&str> = command
        .iter()
        .flat_map(|part| part.split(between))
        .filter(|word| !word.is_empty())
        .collect();
    let mut all = None;
    for pair in words.windows(2) {
        if let [program, time] = pair
            && program.rsplit('/').next() == Some("sleep")
            && let Some(time) = duration(time)
        {
            all = Some(all.unwrap_or(Micros::ZERO) + time);
        }
    }
    all
}

/// For how many whole seconds the command of a hook sleeps, as a manifest has the hook. `None`: it has no command, or
/// one that does not sleep.
#[must_use]
pub fn command_sleeps_s(hook: &Value) -> Option<u64> {
    let words = hook["exec"]["command"].as_array()?.iter();
    let words: Vec<String> = words
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    sleeps(&words).map(|it| it.0 / 1_000_000)
}

/// An argument of `sleep`, as coreutils read it: `5`, `0.5`, `30s`, `1m`, `2h`, `infinity`.
fn duration(time: &str) -> Option<Micros> {
    const UNITS: [(char, f64); 4] = [('s', 1.0), ('m', 60.0), ('h', 3_600.0), ('d', 86_400.0)];
    let unit = UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((time.strip_suffix(*unit)?, *seconds)));
    let (number, unit) = unit.unwrap_or((time, 1.0));
    let number: f64 = number.parse().ok().filter(|it| *it >= 0.0)?;
    let seconds = (number * unit).min(MOST_S);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between nothing and a day"
    )]
    Some(Micros((seconds * 1e6).round() as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sim::time::Micros;

    use super::{OTHER, command_sleeps_s, sleeps, takes};

    #[test]
    fn a_hook_sleeps_as_long_as_its_command_says() {
        for (command, ms) in [
            (&["sleep", "5"][..], Some(5_000)),
            (&["sleep", "0"], Some(0)),
            (&["/bin/sleep", "3s"], Some(3_000)),
            (&["sh", "-c", "sleep 10; nginx -s quit"], Some(10_000)),
            (&["sh", "-c", "/bin/sleep 7 && kill 1"], Some(7_000)),
            (&["sh", "-c", "sleep 1m && sleep 2"], Some(62_000)),
            (&["sh", "-c", "sleep 10\nnginx -s quit\n"], Some(10_000)),
            (&["sh", "-c", "(sleep 4)"], Some(4_000)),
            (&["sleep", "0.5"], Some(500)),
            (&["sleep", "infinity"], Some(86_400_000)),
            (&["sleep", "NaN"], None),
            (&["sleep", "-5"], None),
            (&["sleep", "soon"], None),
            (&["sleep"], None),
            (&["nginx", "-s", "quit"], None),
        ] {
            let command: Vec<String> = command.iter().map(|&it| it.to_owned()).collect();
            let ms = ms.map(Micros::from_millis);
            assert_eq!(sleeps(&command), ms, "{command:?}");
            assert_eq!(takes(&command), ms.unwrap_or(OTHER), "{command:?}");
        }
    }

    #[test]
    fn the_command_of_a_manifest_s_hook_is_read() {
        let of = |hook| command_sleeps_s(&hook);
        let command = json!({"exec": {"command": ["sh", "-c", "sleep 1m; sleep 2.5"]}});
        assert_eq!(of(command), Some(62));
        assert_eq!(of(json!({"exec": {"command": ["nginx"]}})), None);
        assert_eq!(of(json!({"sleep": {"seconds": 5}})), None);
    }
}
