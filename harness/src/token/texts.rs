//! The scenario and the runbook of a token: embedded, named, or told as a change of what is known; and the short
//! commands for people who have the files.

use std::sync::OnceLock;

use super::at_hand::{AtHand, GivenFile};
use super::{Token, TokenError, has_the_form};
use crate::delta::{self, put_number, take_bytes, take_number};
use crate::digest::digest64;
use crate::runbooks;
use crate::scenario::{self, Scenario};

/// Longest scenario or runbook that a token may carry, in bytes.
const TEXT_LIMIT: usize = 1 << 20;
/// What embedded scenarios are called in messages.
const EMBEDDED: &str = "the token's scenario";

/// A scenario or a runbook that was read from a token.
pub(super) struct Taken {
    /// What it is called in messages.
    pub(super) file: String,
    pub(super) text: String,
    /// The index of the given file that it is, or is a change of.
    pub(super) given: Option<usize>,
}

impl Taken {
    fn new(file: &str, text: String, given: Option<usize>) -> Self {
        let file = file.to_owned();
        Self { file, text, given }
    }
}

/// The scenario called `name` with the text `text`, in the shortest form that can be read beside these files.
pub(super) fn put_scenario(payload: &mut Vec<u8>, name: &str, text: &str, at_hand: &AtHand) {
    let known = scenario::find(name);
    let to_the_letter = |kind: u8| {
        let mut form = vec![kind];
        put_block(&mut form, name.as_bytes());
        form.extend_from_slice(&digest64(text.as_bytes()).to_be_bytes());
        form
    };
    if known.is_some_and(|known| known.text == text) {
        payload.extend(to_the_letter(0));
        return;
    }
    if at_hand.all().any(|file| file.text == text) {
        payload.extend(to_the_letter(3));
        return;
    }
    let mut shortest = vec![1];
    put_block(&mut shortest, &deflate(text.as_bytes()));
    let built_in = known.into_iter().map(|known| (2, known.text));
    let given = at_hand.all().map(|file| (4, file.text.as_str()));
    for (kind, base) in built_in.chain(given) {
        if let Some(form) = changed(kind, name, base, text)
            && form.len() < shortest.len()
        {
            shortest = form;
        }
    }
    payload.extend(shortest);
}

/// `text` as a change of the scenario `base`; `None`: that is no scenario called `name`.
fn changed(kind: u8, name: &str, base: &str, text: &str) -> Option<Vec<u8>> {
    let base = in_full(name, base)?;
    let mut form = vec![kind];
    put_block(&mut form, name.as_bytes());
    form.extend_from_slice(&digest64(base.as_bytes()).to_be_bytes());
    put_block(&mut form, &deflate(&delta::encode(&base, text)));
    Some(form)
}

/// What the scenario `text` says in full; `None`: it is none that is called `name`.
fn in_full(name: &str, text: &str) -> Option<String> {
    let scenario = Scenario::parse(EMBEDDED, text, &[]).ok()?;
    (scenario.name == name).then(|| scenario.to_toml())
}

pub(super) fn take_scenario(rest: &mut &[u8], at_hand: &AtHand) -> Result<Taken, TokenError> {
    let malformed = TokenError::Content("scenario");
    let kind = take_bytes(rest, 1).ok_or(malformed.clone())?[0];
    if kind == 1 {
        let text = take_deflated(rest).and_then(|bytes| String::from_utf8(bytes).ok());
        return Ok(Taken::new(EMBEDDED, text.ok_or(malformed)?, None));
    }
    if kind > 4 {
        return Err(malformed);
    }
    let name = take_text(rest).ok_or(malformed.clone())?;
    let digest = take_digest(rest).ok_or(malformed.clone())?;
    let is_it = |text: &str| digest64(text.as_bytes()) == digest;
    let change = match kind {
        2 | 4 => Some(take_deflated(rest).ok_or(malformed.clone())?),
        _ => None,
    };
    if matches!(kind, 0 | 2) {
        let known =
            scenario::find(&name).ok_or_else(|| TokenError::UnknownScenario(name.clone()))?;
        return match change {
            None if is_it(known.text) => Ok(Taken::new(known.file, known.text.to_owned(), None)),
            None => Err(TokenError::ScenarioChanged(name)),
            Some(change) => {
                let base = in_full(&name, known.text).filter(|base| is_it(base));
                let base = base.ok_or(TokenError::ScenarioChanged(name))?;
                let text = delta::decode(&base, &change, TEXT_LIMIT).ok_or(malformed)?;
                Ok(Taken::new(EMBEDDED, text, None))
            }
        };
    }
    for (index, file) in at_hand.all().enumerate() {
        match &change {
            None if is_it(&file.text) => {
                return Ok(Taken::new(&file.path, file.text.clone(), Some(index)));
            }
            None => {}
            Some(change) => {
                if let Some(base) = in_full(&name, &file.text).filter(|base| is_it(base)) {
                    let text = delta::decode(&base, change, TEXT_LIMIT).ok_or(malformed)?;
                    return Ok(Taken::new(EMBEDDED, text, Some(index)));
                }
            }
        }
    }
    let has_its_name = |file: &GivenFile| in_full(&name, &file.text).is_some();
    Err(if at_hand.all().any(has_its_name) {
        match at_hand.app {
            None => TokenError::ScenarioFileChanged(name),
            Some(_) => TokenError::ApplicationChanged(name),
        }
    } else {
        TokenError::ScenarioMissing(name)
    })
}

/// The runbook `text`, in the shortest form that can be read beside these files.
pub(super) fn put_runbook(payload: &mut Vec<u8>, text: &str, built_in: &str, at_hand: &AtHand) {
    let digest = |text: &str| digest64(text.as_bytes()).to_be_bytes();
    if text == built_in {
        payload.push(0);
        payload.extend_from_slice(&digest(text));
    } else if at_hand.all().any(|file| file.text == text) {
        payload.push(2);
        payload.extend_from_slice(&digest(text));
    } else {
        payload.push(1);
        payload.extend_from_slice(&digest(built_in));
        put_block(payload, &deflate(&delta::encode(built_in, text)));
    }
}

pub(super) fn take_runbook(
    rest: &mut &[u8],
    built_in: &str,
    at_hand: &AtHand,
) -> Result<Taken, TokenError> {
    let malformed = TokenError::Content("runbook");
    let kind = take_bytes(rest, 1).ok_or(malformed.clone())?[0];
    let digest = take_digest(rest).ok_or(malformed.clone())?;
    let is_it = |text: &str| digest64(text.as_bytes()) == digest;
    match kind {
        0 | 1 if !is_it(built_in) => Err(TokenError::RunbookChanged),
        0 => Ok(Taken::new(
            runbooks::BUILT_IN_FILE,
            built_in.to_owned(),
            None,
        )),
        1 => take_deflated(rest)
            .and_then(|delta| delta::decode(built_in, &delta, TEXT_LIMIT))
            .map(|text| Taken::new("the token's runbook", text, None))
            .ok_or(malformed),
        2 => {
            let mut files = at_hand.all().enumerate();
            let found = files.find(|(_, file)| is_it(&file.text));
            let (index, file) = found.ok_or(TokenError::RunbookMissing)?;
            Ok(Taken::new(&file.path, file.text.clone(), Some(index)))
        }
        _ => Err(malformed),
    }
}

pub(super) fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn take_block<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest)?;
    take_bytes(rest, length)
}

pub(super) fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_block(rest)?.to_vec()).ok()
}

fn take_digest(rest: &mut &[u8]) -> Option<u64> {
    take_bytes(rest, 8)
        .and_then(|b| b.try_into().ok())
        .map(u64::from_be_bytes)
}

fn take_deflated(rest: &mut &[u8]) -> Option<Vec<u8>> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(take_block(rest)?, TEXT_LIMIT).ok()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, 9)
}

/// How replay commands are written: which program they call, and which files are at hand,
/// so that tokens need not hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replays {
    /// The program, as it is called: `cargo xtask` in a checkout, `firedrill` elsewhere.
    pub program: String,
    /// The files of own scenarios, runbooks and applications.
    pub at_hand: AtHand,
}

/// How commands call the program in a checkout.
const IN_A_CHECKOUT: &str = "cargo xtask";
/// How this process was called, once it has said so.
static CALLED: OnceLock<String> = OnceLock::new();

/// Says how this program was called, in words that can be pasted: commands in reports call it so from then on. Only the
/// first time counts. Whoever uses this library without a program of its own need not say it.
pub fn called_as(program: String) {
    // It was called once.
    let _ = CALLED.set(program);
}

impl Default for Replays {
    /// As this program was called ([`called_as`]), without any file: what can be pasted wherever a report is read.
    fn default() -> Self {
        let called = CALLED.get().map_or(IN_A_CHECKOUT, String::as_str);
        Self {
            program: called.to_owned(),
            at_hand: AtHand::default(),
        }
    }
}

fn options(token: Option<Token>) -> String {
    let program = token.and_then(|token| token.program);
    program.map_or_else(String::new, |it| format!(" {}", it.options()))
}

impl Replays {
    /// Whether commands call the program as in a checkout.
    #[must_use]
    pub fn are_in_a_checkout(&self) -> bool {
        self.program == IN_A_CHECKOUT
    }

    /// The command that replays `token`, with the program that carried the drill out; a remark in its place if that is
    /// no token, since people paste what stands there.
    #[must_use]
    pub fn command(&self, token: &str) -> String {
        match self.words(token) {
            Some(words) => format!("{} replay {words}", self.program),
            None => "(no replay: what the journal gives as its token is none)".to_owned(),
        }
    }

    /// What stands behind `replay` in that command; `None` if it is no token.
    pub(crate) fn words(&self, token: &str) -> Option<String> {
        if !has_the_form(token) {
            return None;
        }
        // Whatever is wrong with the token is told by who replays it.
        let whole = Token::decode(token, runbooks::BUILT_IN).ok();
        let short = whole.as_ref().and_then(|it| self.shortened(token, it));
        let words = short.unwrap_or_else(|| token.to_owned());
        Some(words + &options(whole))
    }

    /// `token`, which says `whole`, with the paths of the files that it names instead of holding them;
    /// `None` where that is not shorter.
    fn shortened(&self, token: &str, whole: &Token) -> Option<String> {
        if self.at_hand.is_empty() {
            return None;
        }
        let scenario = Scenario::parse(EMBEDDED, &whole.scenario_text, &[]).ok()?;
        let short = whole.text(&scenario.name, runbooks::BUILT_IN, &self.at_hand);
        let (read, named) = Token::read(&short, runbooks::BUILT_IN, &self.at_hand).ok()?;
        let is_the_same =
            read.scenario_text == whole.scenario_text && read.runbook_text == whole.runbook_text;
        let words = short + &self.at_hand.words(named);
        (is_the_same && words.len() < token.len()).then_some(words)
    }
}

/// A word as a POSIX shell reads it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
