//! The members of an object.

use smol_str::SmolStr;

use super::Value;

/// Members up to which a name is looked for among all of them: most differ in length already, which is quicker to
/// see than their order.
const FEW: usize = 16;

/// Members in the order of their names, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(Vec<(SmolStr, Value)>);

impl Map {
    /// Where a name is, or where it belongs.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    fn position(&self, name: &str) -> Option<usize> {
        if self.0.len() > FEW {
            return self.place(name).ok();
        }
        self.0.iter().position(|(other, _)| other == name)
    }

    /// The member `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.position(name).map(|i| &self.0[i].1)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.position(name).map(|i| &mut self.0[i].1)
    }

    /// The member `name`, made by `new` if it is absent.
    pub(crate) fn get_or_insert(&mut self, name: &str, new: impl FnOnce() -> Value) -> &mut Value {
        let at = self.position(name).unwrap_or_else(|| {
            let at = self.place(name).unwrap_or_else(|at| at);
            self.0.insert(at, (name.into(), new()));
            at
        });
        &mut self.0[at].1
    }

    /// Adds or replaces a member.
    pub(crate) fn insert(&mut self, name: impl AsRef<str>, value: Value) {
        *self.get_or_insert(name.as_ref(), || Value::Null) = value;
    }

    /// Removes a member; true if it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let at = self.position(name);
        at.map(|at| self.0.remove(at)).is_some()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &Value) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// Members and their names, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of members of the same name the last one counts.
impl<N: AsRef<str>> FromIterator<(N, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(members: I) -> Self {
        let mut all = Self::default();
        for (name, value) in members {
            all.insert(name, value);
        }
        all
    }
}
