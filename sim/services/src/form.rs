//! Reads the form of a file in TOML. A value that is wrong hides no other one: it is told, left out or filled in, and
//! the rest of the file is read.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

/// Mistakes of form in one file, at most; what comes after them is told once these are mended.
const MISTAKES_MOST: usize = 50;
/// What stands for a value that is wrong and can't be left out; one of them has the type that is wanted.
const STAND_INS: [&str; 6] = ["1", "\"1ms\"", "\"1%\"", "[]", "{}", "true"];

/// What was read of a text.
#[derive(Debug)]
pub struct Form<T> {
    /// Its content, without what is wrong; `None`: it is no TOML, too much is wrong, or a key that is needed is
    /// misspelled.
    pub read: Option<T>,
    /// What is wrong: the place in bytes, and the parser's message.
    pub wrong: Vec<(Range<usize>, String)>,
}

impl<T> Form<T> {
    /// What was read, and the mistakes, each as `explain` makes it of the parser's message and its place in bytes.
    pub fn explained<M>(self, explain: impl Fn(&str, Range<usize>) -> M) -> (Option<T>, Vec<M>) {
        let wrong = self.wrong.into_iter();
        let wrong = wrong.map(|(place, message)| explain(&message, place));
        (self.read, wrong.collect())
    }
}

/// Reads `text`.
pub fn read<T: DeserializeOwned>(text: &str) -> Form<T> {
    let place = |error: &Error| error.span().unwrap_or(0..text.len().min(1));
    let message = |error: &Error| error.message().trim().to_owned();
    let mut wrong = Vec::new();
    let mut form = match DeTable::parse(text) {
        Ok(form) => form,
        Err(error) => {
            wrong.push((place(&error), message(&error)));
            return Form { read: None, wrong };
        }
    };
    // What was taken out of which table: what a table lacks may be a key that was taken out as it is misspelled.
    let mut taken: Vec<Removed> = Vec::new();
    // Whether something stands for a key that is there under another name: what would be found of it is not worth
    // telling.
    let mut filled = false;
    for _ in 0..MISTAKES_MOST {
        let error = match content::<T>(&form) {
            Ok(read) => {
                let read = (!filled).then_some(read);
                return Form { read, wrong };
            }
            Err(error) => error,
        };
        let (place, message) = (place(&error), message(&error));
        let missing = missing(&message).map(str::to_owned);
        let mut of_table = taken.iter().filter(|it| it.table == place);
        match &missing {
            // Its value was wrong, and that is told.
            Some(key) if of_table.clone().any(|it| !it.is_key && it.key == *key) => {}
            Some(_) if of_table.any(|it| it.is_key) => filled = true,
            _ => wrong.push((place.clone(), message)),
        }
        let mended = match missing {
            Some(key) => filled_in::<T>(&form, &place, &key),
            None => {
                let mended = without::<T>(&form, &place)
                    .or_else(|| Some((replaced::<T>(&form, &place)?, None)))
                    .or_else(|| removed(&form, &place).map(|(form, was)| (form, Some(was))));
                mended.map(|(form, was)| {
                    taken.extend(was);
                    form
                })
            }
        };
        match mended {
            Some(mended) => form = mended,
            None => break,
        }
    }
    Form { read: None, wrong }
}

fn content<T: DeserializeOwned>(form: &Spanned<DeTable<'_>>) -> Result<T, Error> {
    T::deserialize(Deserializer::from(form.clone()))
}

/// The key that is missing, by the parser's message.
fn missing(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("missing field `")?;
    rest.split('`').next()
}

/// Whether `form` can be read, or what is wrong next is elsewhere than at `place`.
fn goes_on<T: DeserializeOwned>(form: &Spanned<DeTable<'_>>, place: &Range<usize>) -> bool {
    let next = content::<T>(form).err();
    next.is_none_or(|error| error.span().as_ref() != Some(place))
}

/// The form without the entry whose key or value stands at `place`, and what that was. `None`: there is none, or the
/// table can't be without it.
fn without<'i, T: DeserializeOwned>(
    form: &Spanned<DeTable<'i>>,
    place: &Range<usize>,
) -> Option<(Spanned<DeTable<'i>>, Option<Removed>)> {
    let (form, was) = removed(form, place)?;
    // A key that is unknown goes, whatever is missing then; a value, only where it has a default. What stands in a list
    // is needed by the rest of its table more often than not.
    let may_go = was.is_key || !was.listed && has_all_it_needs::<T>(&form, &was.table);
    may_go.then_some((form, Some(was)))
}

/// The form without the entry whose key or value stands at `place`, and where that was.
fn removed<'i>(
    form: &Spanned<DeTable<'i>>,
    place: &Range<usize>,
) -> Option<(Spanned<DeTable<'i>>, Removed)> {
    let (mut form, mut found) = (form.clone(), None);
    let whole = form.span();
    walk(
        form.get_mut(),
        whole,
        false,
        &mut |entries, span, listed| {
            let mut all = entries.iter();
            let entry = all.find(|(key, value)| key.span() == *place || value.span() == *place);
            let Some((key, _)) = entry else {
                return false;
            };
            let key = key.clone();
            found = Some(Removed {
                table: span.clone(),
                key: key.get_ref().to_string(),
                is_key: key.span() == *place,
                listed,
            });
            entries.remove(&key);
            true
        },
    );
    Some((form, found?))
}

/// An entry that was taken out.
struct Removed {
    /// The place of its table.
    table: Range<usize>,
    /// Its key.
    key: String,
    /// Whether its key was meant, and not its value.
    is_key: bool,
    /// Whether its table is one of a list.
    listed: bool,
}

/// Whether the table at `table` has all that it needs.
fn has_all_it_needs<T: DeserializeOwned>(
    form: &Spanned<DeTable<'_>>,
    table: &Range<usize>,
) -> bool {
    let next = content::<T>(form).err();
    next.is_none_or(|error| {
        error.span().as_ref() != Some(table) || missing(error.message().trim()).is_none()
    })
}

/// The form with something of the right type for the value at `place`.
fn replaced<'i, T: DeserializeOwned>(
    form: &Spanned<DeTable<'i>>,
    place: &Range<usize>,
) -> Option<Spanned<DeTable<'i>>> {
    stand_ins().find_map(|stand_in| {
        let mut form = form.clone();
        let replaced = form
            .get_mut()
            .iter_mut()
            .any(|(_, value)| replace(value, place, &stand_in));
        (replaced && goes_on::<T>(&form, place)).then_some(form)
    })
}

/// The form with something of the right type for the key that the table at `place` lacks.
fn filled_in<'i, T: DeserializeOwned>(
    form: &Spanned<DeTable<'i>>,
    place: &Range<usize>,
    key: &str,
) -> Option<Spanned<DeTable<'i>>> {
    stand_ins().find_map(|stand_in| {
        let (mut form, mut filled) = (form.clone(), false);
        let whole = form.span();
        walk(form.get_mut(), whole, false, &mut |entries, span, _| {
            if span != place || entries.keys().any(|it| it.get_ref() == key) {
                return false;
            }
            let key = Spanned::new(place.clone(), key.to_owned().into());
            entries.insert(key, Spanned::new(place.clone(), stand_in.clone()));
            filled = true;
            true
        });
        let next = content::<T>(&form).err();
        let fits = next.is_none_or(|error| {
            error.span().as_ref() != Some(place) || missing(error.message().trim()).is_some()
        });
        (filled && fits).then_some(form)
    })
}

fn stand_ins() -> impl Iterator<Item = DeValue<'static>> {
    let values = STAND_INS.into_iter();
    values.filter_map(|text| DeValue::parse(text).ok().map(Spanned::into_inner))
}

/// Calls `act` with each table, its place, and whether it is in a list, the outer ones first, until it says that it is
/// done; whether it was.
fn walk<'i>(
    table: &mut DeTable<'i>,
    place: Range<usize>,
    listed: bool,
    act: &mut dyn FnMut(&mut DeTable<'i>, &Range<usize>, bool) -> bool,
) -> bool {
    if act(table, &place, listed) {
        return true;
    }
    table
        .iter_mut()
        .any(|(_, value)| walk_value(value, listed, act))
}

fn walk_value<'i>(
    value: &mut Spanned<DeValue<'i>>,
    listed: bool,
    act: &mut dyn FnMut(&mut DeTable<'i>, &Range<usize>, bool) -> bool,
) -> bool {
    let place = value.span();
    match value.get_mut() {
        DeValue::Table(table) => walk(table, place, listed, act),
        DeValue::Array(items) => items.iter_mut().any(|item| walk_value(item, true, act)),
        _ => false,
    }
}

/// Puts `with` in place of the value that stands at `place`, in `value` or below it; whether it is there.
fn replace<'i>(value: &mut Spanned<DeValue<'i>>, place: &Range<usize>, with: &DeValue<'i>) -> bool {
    if value.span() == *place {
        *value.get_mut() = with.clone();
        return true;
    }
    match value.get_mut() {
        DeValue::Table(table) => table
            .iter_mut()
            .any(|(_, inside)| replace(inside, place, with)),
        DeValue::Array(items) => items.iter_mut().any(|item| replace(item, place, with)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::read;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        name: String,
        #[serde(default)]
        parts: Vec<Part>,
        #[serde(default)]
        words: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        size: i64,
        colour: Option<String>,
    }

    #[test]
    fn what_is_wrong_in_one_place_hides_nothing_elsewhere() {
        let text = "name = 7\nwords = [\"a\", 2]\nnonsense = 1\n[[parts]]\nsize = \"x\"\ncolour = 3\n[[parts]]\n";
        let form = read::<Whole>(text);
        let told: Vec<&str> = form
            .wrong
            .iter()
            .map(|(place, _)| &text[place.clone()])
            .collect();
        for value in ["7", "2", "nonsense", "\"x\"", "3"] {
            assert!(told.contains(&value), "{value}: {told:?}");
        }
        let lacks = form
            .wrong
            .iter()
            .filter(|(_, message)| message.contains("missing field `size`"));
        assert_eq!(lacks.count(), 1, "{:?}", form.wrong);
        assert_eq!(form.wrong.len(), 6, "{:?}", form.wrong);
        let whole = form.read.expect("the rest is read");
        assert_eq!((whole.parts.len(), whole.words.len()), (2, 2));
        let first = &whole.parts[0];
        assert_eq!((first.colour.as_deref(), first.size), (Some("1ms"), 1));
        assert!(!whole.name.is_empty());
    }

    #[test]
    fn a_misspelled_key_is_not_missing_as_well() {
        let form = read::<Whole>("nam = \"x\"\n");
        assert_eq!(form.wrong.len(), 1, "{:?}", form.wrong);
        assert!(form.wrong[0].1.starts_with("unknown field `nam`"));
        assert!(
            form.read.is_none(),
            "nothing is to be found of what stands for the name"
        );
    }

    #[test]
    fn right_texts_are_read_and_others_are_refused() {
        let right = read::<Whole>("name = \"x\"\n[[parts]]\nsize = 2\n");
        assert_eq!(right.wrong, []);
        assert_eq!(right.read.expect("it is right").parts[0].size, 2);
        let none = read::<Whole>("name = = 2\n");
        assert!(none.read.is_none());
        assert_eq!(none.wrong.len(), 1);
    }
}
