//! The switch of the bugs that are patches of the executor's source. This build has no patches. The copy of the
//! workspace in which they are built (`patches`) has another file in this place,
//! which tells the executor's copy which bug it has.

/// Whether this build has the patches.
pub(crate) const BUILT: bool = false;

/// Does `work`, in the copy with an executor that has the bug `name`. Here it has none, and
/// [`crate::bug::Bug::is_built`] says so.
pub(crate) fn with<T>(_name: &str, work: impl FnOnce() -> T) -> T {
    work()
}
