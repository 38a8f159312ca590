//! Trees that are filled one by one. `collect` sorts first, with a sort of its own for each type: of a program for pages that
//! was a tenth, and our trees are small.

/// Fills a tree one by one.
pub(crate) trait Gather: Iterator + Sized {
    /// As `collect`, for maps and sets.
    fn gather<T: Default + Extend<Self::Item>>(self) -> T {
        let mut tree = T::default();
        tree.extend(self);
        tree
    }
}

impl<I: Iterator> Gather for I {}
