//! What is known here of a case, which has no aggregate of its own: how many callbacks were made under it, until it is void. It is a counter of the
//! engine, so that making a callback and voiding the case lock the same row, one that need not exist before, and read it after the locks.

use shouwen_engine::World;

use super::State;

/// A case's callbacks, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// So many were made under the case, whatever became of them.
    Made(i64),
    /// The case held no concern, for good: none is made any more.
    Void,
}

/// What the counter of a void case says; those of others never fall.
const VOID: i64 = -1;

impl Tally {
    /// Name of the counter of `cases/{case}`.
    pub fn counter(case: &str) -> String {
        format!("callbacks/{case}")
    }

    /// The tally of a case of the footprint.
    pub(super) fn locked(world: &World<'_, State>, case: &str) -> Self {
        world.counter(&Self::counter(case)).into()
    }

    /// The counter's new value where the case turns out void.
    pub(super) fn voided(case: &str) -> (String, i64) {
        (Self::counter(case), VOID)
    }

    /// The counter's new value with one callback more; `None` under a void case.
    pub(super) fn with_another(self, case: &str) -> Option<(String, i64)> {
        match self {
            Self::Made(made) => Some((Self::counter(case), made + 1)),
            Self::Void => None,
        }
    }
}

impl From<i64> for Tally {
    fn from(value: i64) -> Self {
        if value == VOID { Self::Void } else { Self::Made(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_rises_until_the_case_is_void() {
        let (name, first) = Tally::from(0).with_another("cases/1").unwrap();
        assert_eq!((name.as_str(), Tally::from(first)), ("callbacks/cases/1", Tally::Made(1)));
        let (name, void) = Tally::voided("cases/1");
        assert_eq!((name.as_str(), Tally::from(void)), ("callbacks/cases/1", Tally::Void));
        assert_eq!(Tally::Void.with_another("cases/1"), None);
    }
}
