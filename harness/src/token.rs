//! Replay tokens: one word that alone is enough to run a drill again.
//!
//! ```text
//! fd1-<Crockford's base32 of: payload ‖ CRC32 of payload>
//! payload: world u8 │ seed │ scenario │ runbook │ program │ made      (numbers are LEB128)
//!   world:    1 sim, 2 kind; with its highest bit set, the drill ends once what recovered has held, and deploys sooner
//!             with the next one set, `made` is there; with the one after that set, the drill ends once it is settled;
//!             with the one after that set, `program` is there
//!   scenario: 0 │ length name │ digest u64    a built-in scenario, to the letter
//!             1 │ length deflate(text)        any other
//!             2 │ length name │ digest u64 │ length deflate(delta)
//!                                             a built-in scenario with changes, such as the smallest case of a failure
//!             3 │ length name │ digest u64    a scenario whose file is given beside the token, to the letter
//!             4 │ length name │ digest u64 │ length deflate(delta)
//!                                             such a file with changes
//!   runbook:  0 │ digest u64                  the built-in runbook
//!             1 │ digest u64 │ length deflate(delta)
//!                                             any other, as a change of the built-in one, whose digest it is
//!             2 │ digest u64                  a runbook whose file is given beside the token, to the letter
//!   program:  length command │ pace u8              the program that carried it out; 0: requests moved the clock
//!   made:     build u32 │ fingerprint u32     by which build, and what the drill's fingerprint ends in (0: it has none)
//! ```
//! Base32 because it survives being read aloud and typed: case does not matter, O reads as 0, I and L
//! as 1. CRC32 finds every error within 32 neighbouring bits, hence every single mistyped character.
//!
//! What results and journals hold needs no file beside it. [`Replays`] makes the short forms of it, 3, 4 and 2, for
//! people who have the files. Changes are told against what the scenario says in full ([`Scenario::to_toml`]),
//! which the digest is of.

mod at_hand;
mod texts;

pub use at_hand::{AtHand, GivenApplication, GivenFile};
pub use texts::{Replays, called_as, quoted};

use std::fmt;

use at_hand::Named;
use serde::de::{Deserializer, Error, Visitor};

use crate::delta::{put_number, take_bytes, take_number};
use crate::scenario::Scenario;
use crate::worlds::{Until, WorldKind};

const PREFIX: &str = "fd1-";
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Set in the byte that names the world: see [`Until::Held`].
const HELD: u8 = 0x80;
/// Set in the byte that names the world: see [`Until::Settled`].
const SETTLED: u8 = 0x20;
/// Set in the byte that names the world: the token says by which build it was made, and what came of the drill.
const MADE: u8 = 0x40;
/// Set in the byte that names the world: a program carried the drill out.
const BY_PROGRAM: u8 = 0x10;
/// Longest token that is looked at.
const TOKEN_LIMIT: usize = 1 << 18;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where the drill happened.
    pub world: WorldKind,
    /// Its seed.
    pub seed: u64,
    /// Until when.
    pub until: Until,
    /// File name (for messages) and text of the scenario.
    pub scenario_file: String,
    /// Text of the scenario.
    pub scenario_text: String,
    /// File name (for messages) of the runbook.
    pub runbook_file: String,
    /// Text of the runbook.
    pub runbook_text: String,
    /// The program that carried it out; `None`: our own executor.
    pub program: Option<ByProgram>,
    /// By which build, and what came of it; `None`: the token was made before the drill,
    /// or by a build that did not say so.
    pub made: Option<Made>,
}

/// The program that carried a drill out. A token does not run it: whoever replays the drill names it, and is told how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByProgram {
    /// Its command.
    pub command: String,
    /// How many times as fast as the wall clock the world's clock ran; `None`: requests moved it.
    pub pace: Option<u32>,
}

impl ByProgram {
    /// The options that name it on a command line. What can't be pasted or shown is left to whoever types it.
    #[must_use]
    pub fn options(&self) -> String {
        let steers = |c: char| c.is_control() || c == '`';
        let command = if self.command.chars().any(steers) {
            "CMD".to_owned()
        } else {
            quoted(&self.command)
        };
        let pace = self.pace;
        let pace = pace.map_or_else(String::new, |pace| format!(" --pace {pace}"));
        format!("--executor {command}{pace}")
    }
}

/// By which build a token was made, and how the drill went there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Digest of the build's sources.
    pub build: u32,
    /// The last 32 bits of the drill's fingerprint; 0: the world is not deterministic.
    pub fingerprint: u32,
}

/// Digest of this build's sources, as far as a drill's course may depend on them (`harness/build.rs`).
#[must_use]
pub fn this_build() -> u32 {
    // The build script writes a number.
    env!("FIREDRILL_BUILD").parse().unwrap_or(0)
}

impl Made {
    /// By this build, with this fingerprint.
    #[must_use]
    pub fn here(fingerprint: u64) -> Self {
        Self {
            build: this_build(),
            fingerprint: (fingerprint & u64::from(u32::MAX)) as u32,
        }
    }

    /// Whether it says of a drill that it went as one with `fingerprint` does, or does not say how it went.
    #[must_use]
    pub fn is_of(self, fingerprint: u64) -> bool {
        self.fingerprint == 0 || self.fingerprint == Self::here(fingerprint).fingerprint
    }

    /// In what a drill with `fingerprint` in this build differs from the one that the token was made of,
    /// in a sentence for people.
    #[must_use]
    pub fn difference(self, fingerprint: u64) -> Option<String> {
        let here = Self::here(fingerprint);
        let went_alike = self.fingerprint == here.fingerprint;
        let builds = format!(
            "the token was made by the build {:08x}, and this is the build {:08x}",
            self.build, here.build
        );
        let fingerprints = format!(
            "its fingerprint ends in {:08x} instead of {:08x}",
            here.fingerprint, self.fingerprint
        );
        match (
            self.build == here.build,
            went_alike || self.fingerprint == 0,
        ) {
            (true, true) => None,
            (false, true) if went_alike => Some(format!(
                "note: {builds}; the drill went the same way, to the last event"
            )),
            (false, true) => Some(format!("note: {builds}")),
            (false, false) => Some(format!(
                "warning: {builds}, and the drill went another way: {fingerprints}. What the token was made to show need not be seen here"
            )),
            (true, false) => Some(format!(
                "warning: the drill went another way than in the run that made the token, by the same build: {fingerprints}. \
                 A drill in the simulation is a pure function of build, scenario, runbook and seed, so this is a defect"
            )),
        }
    }
}

/// Whether `text` has the form of a token, so that it can be printed as part of a command: `fd1-`,
/// then lower-case letters and digits.
#[must_use]
pub fn has_the_form(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    })
}

/// Looks whether `text` is a token that was copied whole, whichever build made it: its form, which is that of
/// [`has_the_form`], its checksum, and the drill that it names. What a file beside it or another build would be needed
/// for is not looked at.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<(), TokenError> {
    let payload = checked_payload(text)?;
    // Whoever types a token may use capitals. Nobody types a journal.
    if let Some(index) = text.find(|c: char| c.is_ascii_uppercase()) {
        let character = char::from(text.as_bytes()[index]);
        let position = index + 1;
        return Err(TokenError::Character {
            character,
            position,
        });
    }
    take_drill(&mut payload.as_slice()).map(|_| ())
}

/// Reads a token of a journal. One that [`check`] does not find whole is refused where it stands, with line and column.
pub(crate) fn read_whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    deserializer.deserialize_str(Whole).map(T::from)
}

/// Refuses while the text is read, as a parser knows the place only then.
struct Whole;

impl Visitor<'_> for Whole {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a replay token")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        check(text).map_err(|why| E::custom(format!("{why}; {}", why.help())))?;
        Ok(text.to_owned())
    }
}

/// The command that replays `token` without any file beside it, as [`Replays::command`].
#[must_use]
pub fn command(token: &str) -> String {
    Replays::default().command(token)
}

/// Why a token cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin as a token does.
    #[error("not a replay token: it must begin with `{PREFIX}`, and this begins with `{0}`")]
    Prefix(String),
    /// A newer or older form.
    #[error("token version {0} is unknown: this build reads version 1")]
    Version(String),
    /// A character that base32 lacks.
    #[error("`{}` at position {position} of the token cannot occur in one", .character.escape_debug())]
    Character {
        /// The character.
        character: char,
        /// Its position in the whole token, from 1.
        position: usize,
    },
    /// Too short, cut or padded.
    #[error("the token's length is wrong: {0} characters; was it copied whole?")]
    Length(usize),
    /// The checksum does not match.
    #[error(
        "the token's checksum does not match (written {written:08x}, computed {computed:08x}): a character was changed, dropped or swapped"
    )]
    Checksum {
        /// As the token says.
        written: u32,
        /// As its content makes.
        computed: u32,
    },
    /// The checksum matches but the content makes no sense.
    #[error("the token's content is malformed at `{0}`")]
    Content(&'static str),
    /// It names a scenario that this build lacks.
    #[error("the token names the scenario `{0}`, which this build does not have")]
    UnknownScenario(String),
    /// It names a scenario that has changed since.
    #[error(
        "the scenario `{0}` has changed since the token was made: check out the revision that made it"
    )]
    ScenarioChanged(String),
    /// It was made with another built-in runbook.
    #[error(
        "the built-in runbook has changed since the token was made: check out the revision that made it"
    )]
    RunbookChanged,
    /// It names a scenario whose file nobody gave.
    #[error("the token only names the scenario `{0}`, and its file is not given")]
    ScenarioMissing(String),
    /// A scenario of that name was given, and it is another one.
    #[error("the scenario `{0}` in the file is not the one that the token was made of")]
    ScenarioFileChanged(String),
    /// It names a scenario of an application that was given, and the scenario or the application is another one.
    #[error(
        "the scenario `{0}` or a file of its application is not what it was when the token was made"
    )]
    ApplicationChanged(String),
    /// It names a runbook, and no file that was given is that runbook.
    #[error("the token only names its runbook, and no file that was given is that runbook")]
    RunbookMissing,
    /// A file that was given has nothing to do with the drill.
    #[error("the token does not name what is in the file {0}")]
    NotNamed(String),
}

impl TokenError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::ScenarioMissing(_) | Self::RunbookMissing => {
                "give the files behind the token, as the run printed it: `replay TOKEN mine.toml my-runbook.md`, or \
                 `replay TOKEN --app app.toml`"
            }
            Self::ScenarioFileChanged(_) => {
                "a token repeats a drill to the last event, so the file must be as it was; `chaos FILE --seed N` drills it as it is"
            }
            Self::ApplicationChanged(_) => {
                "a token repeats a drill to the last event, so all files must be as they were; \
                 `chaos --app app.toml SCENARIO --seed N` drills them as they are"
            }
            Self::NotNamed(_) => "leave it out, or drill it with `chaos FILE --seed N`",
            Self::Prefix(_) => {
                "a token is printed beside each finding and stands in journal.json as `replay`"
            }
            Self::Version(_) => "use the build that printed the token",
            Self::Character { .. } => "tokens hold digits and letters without i, l, o and u",
            Self::Length(_) | Self::Checksum { .. } => {
                "copy the token again, whole, from the report"
            }
            Self::Content(_) => "this token was not made by this program",
            Self::UnknownScenario(_) | Self::ScenarioChanged(_) | Self::RunbookChanged => {
                "a drill is a pure function of build, scenario, runbook and seed; only the same ones replay it"
            }
        }
    }
}

impl Token {
    /// The token's text. `built_in_runbook` is the runbook that stands for itself by its digest.
    #[must_use]
    pub fn encode(
        world: WorldKind,
        seed: u64,
        until: Until,
        scenario: &Scenario,
        runbook: &str,
        built_in_runbook: &str,
        made: Option<Made>,
    ) -> String {
        let token = Self {
            world,
            seed,
            until,
            scenario_file: String::new(),
            scenario_text: scenario.text.clone(),
            runbook_file: String::new(),
            runbook_text: runbook.to_owned(),
            program: None,
            made,
        };
        token.text(&scenario.name, built_in_runbook, &AtHand::default())
    }

    /// Its text, in the shortest form that can be read beside these files. `name` is the scenario's.
    pub(crate) fn text(&self, name: &str, built_in_runbook: &str, at_hand: &AtHand) -> String {
        let until = match self.until {
            Until::Duration => 0,
            Until::Settled => SETTLED,
            Until::Held => HELD,
        };
        let says = if self.made.is_some() { MADE } else { 0 };
        let by = if self.program.is_some() {
            BY_PROGRAM
        } else {
            0
        };
        let mut payload = vec![self.world.code() | until | says | by];
        put_number(&mut payload, self.seed);
        texts::put_scenario(&mut payload, name, &self.scenario_text, at_hand);
        texts::put_runbook(&mut payload, &self.runbook_text, built_in_runbook, at_hand);
        if let Some(program) = &self.program {
            texts::put_block(&mut payload, program.command.as_bytes());
            // A pace is at most 100.
            payload.push(
                program
                    .pace
                    .map_or(0, |pace| u8::try_from(pace).unwrap_or(u8::MAX)),
            );
        }
        if let Some(Made { build, fingerprint }) = self.made {
            payload.extend_from_slice(&build.to_be_bytes());
            payload.extend_from_slice(&fingerprint.to_be_bytes());
        }
        let checksum = crc32fast::hash(&payload);
        payload.extend_from_slice(&checksum.to_be_bytes());
        format!("{PREFIX}{}", base32(&payload))
    }

    /// Reads a token that needs no file beside it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(text: &str, built_in_runbook: &str) -> Result<Self, TokenError> {
        Self::decode_beside(text, built_in_runbook, &AtHand::default())
    }

    /// Reads a token that may name what is at hand beside it. Each file of that must be named, and the application
    /// must be needed.
    ///
    /// # Errors
    /// What is wrong with the token or with a file.
    pub fn decode_beside(
        text: &str,
        built_in_runbook: &str,
        at_hand: &AtHand,
    ) -> Result<Self, TokenError> {
        let (token, named) = Self::read(text, built_in_runbook, at_hand)?;
        match at_hand.first_not_in(named) {
            Some(path) => Err(TokenError::NotNamed(path.to_owned())),
            None => Ok(token),
        }
    }

    /// Reads a token; the indexes of the files that are its scenario and its runbook.
    fn read(
        text: &str,
        built_in_runbook: &str,
        at_hand: &AtHand,
    ) -> Result<(Self, Named), TokenError> {
        let payload = checked_payload(text.trim())?;
        let mut rest = payload.as_slice();
        let malformed = TokenError::Content;
        let Drill {
            code,
            world,
            until,
            seed,
        } = take_drill(&mut rest)?;
        let scenario = texts::take_scenario(&mut rest, at_hand)?;
        let runbook = texts::take_runbook(&mut rest, built_in_runbook, at_hand)?;
        let program = if code & BY_PROGRAM == 0 {
            None
        } else {
            let command = texts::take_text(&mut rest).ok_or(malformed("program"))?;
            let pace = take_bytes(&mut rest, 1).ok_or(malformed("program"))?[0];
            let pace = Some(u32::from(pace)).filter(|pace| *pace > 0);
            Some(ByProgram { command, pace })
        };
        let made = if code & MADE == 0 {
            None
        } else {
            let build = take_u32(&mut rest).ok_or(malformed("build"))?;
            let fingerprint = take_u32(&mut rest).ok_or(malformed("fingerprint"))?;
            Some(Made { build, fingerprint })
        };
        if !rest.is_empty() {
            return Err(malformed("end"));
        }
        let token = Self {
            world,
            seed,
            until,
            scenario_file: scenario.file,
            scenario_text: scenario.text,
            runbook_file: runbook.file,
            runbook_text: runbook.text,
            program,
            made,
        };
        let named = Named {
            scenario: scenario.given,
            runbook: runbook.given,
        };
        Ok((token, named))
    }
}

/// What stands at the beginning of a payload.
struct Drill {
    code: u8,
    world: WorldKind,
    until: Until,
    seed: u64,
}

fn take_drill(rest: &mut &[u8]) -> Result<Drill, TokenError> {
    let malformed = TokenError::Content;
    let code = take_bytes(rest, 1).ok_or(malformed("world"))?[0];
    let world = code & !(HELD | MADE | SETTLED | BY_PROGRAM);
    let world = WorldKind::from_code(world).ok_or(malformed("world"))?;
    let until = match code & (HELD | SETTLED) {
        0 => Until::Duration,
        SETTLED => Until::Settled,
        HELD => Until::Held,
        _ => return Err(malformed("until")),
    };
    let seed = take_number(rest).ok_or(malformed("seed"))?;
    Ok(Drill {
        code,
        world,
        until,
        seed,
    })
}

fn checked_payload(text: &str) -> Result<Vec<u8>, TokenError> {
    let lowered: String = text
        .chars()
        .take(PREFIX.len())
        .collect::<String>()
        .to_ascii_lowercase();
    if lowered != PREFIX {
        if lowered.starts_with("fd") && lowered.as_bytes().get(2).is_some_and(u8::is_ascii_digit) {
            let version = text[2..].split('-').next().unwrap_or_default();
            return Err(TokenError::Version(version.chars().take(20).collect()));
        }
        return Err(TokenError::Prefix(text.chars().take(12).collect()));
    }
    if text.len() > TOKEN_LIMIT {
        return Err(TokenError::Length(text.len()));
    }
    let bytes =
        unbase32(&text[PREFIX.len()..], PREFIX.len())?.ok_or(TokenError::Length(text.len()))?;
    let Some((payload, checksum)) = bytes.split_last_chunk::<4>() else {
        return Err(TokenError::Length(text.len()));
    };
    let (written, computed) = (u32::from_be_bytes(*checksum), crc32fast::hash(payload));
    if written != computed {
        return Err(TokenError::Checksum { written, computed });
    }
    Ok(payload.to_vec())
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take_bytes(rest, 4)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_be_bytes)
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(buffer << (5 - bits)) as usize & 31]));
    }
    out
}

/// `None`: no sequence of bytes has this encoding (a wrong length or bits set in the padding).
fn unbase32(text: &str, offset: usize) -> Result<Option<Vec<u8>>, TokenError> {
    let mut out = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for (index, character) in text.chars().enumerate() {
        let value = match character.to_ascii_lowercase() {
            'o' => Some(0),
            'i' | 'l' => Some(1),
            c => ALPHABET.iter().position(|&a| char::from(a) == c),
        };
        let Some(value) = value else {
            return Err(TokenError::Character {
                character,
                position: offset + index + 1,
            });
        };
        buffer = (buffer << 5) | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    Ok((bits < 5 && buffer == 0).then_some(out))
}

#[cfg(test)]
mod tests;
