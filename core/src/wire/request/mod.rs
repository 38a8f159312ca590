//! Typed requests and answers: adding one is a few lines here.
//!
//! A field is written as `rust_name: "nameOnTheWire" = Type`; `Option<..>` marks a field that may be absent, and
//! `"nameOnTheWire" in Apache` one that only servers of this dialect know. The names are Apache's
//! (`remoting/protocol/header` of the Java sources); a dialect may write them differently.

mod group;
mod group_admin;
mod offset;
mod pull;
mod query;
mod route;
mod send;
mod session;
mod topic;
mod topic_filter_type;

pub use group::*;
pub use group_admin::*;
pub use offset::*;
pub use pull::*;
pub use query::*;
pub use route::*;
pub use send::*;
pub use session::*;
pub use topic::*;
pub use topic_filter_type::TopicFilterType;

use super::code::RequestCode;
use super::dialect::Dialect;
use super::fields::Header;

/// A header that belongs to a request.
pub trait Request<'a>: Header<'a> {
    /// The code the request is sent with.
    const CODE: RequestCode;

    /// Whether servers of a dialect know this field, by the name that they write.
    fn knows(dialect: Dialect, field: &str) -> bool;
}

/// Declares headers of requests (`NAME = CODE_CONSTANT { .. }`) and answers (`NAME { .. }`).
macro_rules! headers {
    () => {};
    (
        $(#[$doc:meta])*
        $name:ident $(<$life:lifetime>)? $(= $code:ident)? {
            $($(#[$field_doc:meta])* $field:ident : $wire:literal $(in $only:ident)? = $type:ty,)*
        }
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        headers!(@header $name $(<$life>)? { $($field : $wire $(in $only)?,)* });
        headers!(@request [$($code)?] $name $(<$life>)? { $($wire $(in $only)?,)* });
        headers!($($rest)*);
    };
    (@header $name:ident { $($field:ident : $wire:literal $(in $only:ident)?,)* }) => {
        impl $crate::wire::fields::WriteHeader for $name {
            headers!(@write $($field : $wire $(in $only)?,)*);
        }

        impl<'a> $crate::wire::fields::Header<'a> for $name {
            headers!(@read $($field : $wire,)*);
        }
    };
    (@header $name:ident <$life:lifetime> { $($field:ident : $wire:literal $(in $only:ident)?,)* }) => {
        impl $crate::wire::fields::WriteHeader for $name<'_> {
            headers!(@write $($field : $wire $(in $only)?,)*);
        }

        impl<'a> $crate::wire::fields::Header<'a> for $name<'a> {
            headers!(@read $($field : $wire,)*);
        }
    };
    (@write) => {
        fn write(&self, _: &mut $crate::wire::fields::FieldWriter<'_>) {}
    };
    (@read) => {
        fn read(
            _: &$crate::wire::fields::Fields,
            _: &$crate::wire::odd::Odd,
        ) -> Result<Self, $crate::wire::fields::FieldError> {
            Ok(Self {})
        }
    };
    (@write $($field:ident : $wire:literal $(in $only:ident)?,)*) => {
        fn write(&self, writer: &mut $crate::wire::fields::FieldWriter<'_>) {
            $(
                if true $(&& writer.dialect() == $crate::wire::dialect::Dialect::$only)? {
                    $crate::wire::fields::FieldValue::write(&self.$field, $wire, writer);
                }
            )*
        }
    };
    (@read $($field:ident : $wire:literal,)*) => {
        fn read(
            fields: &'a $crate::wire::fields::Fields,
            odd: &$crate::wire::odd::Odd,
        ) -> Result<Self, $crate::wire::fields::FieldError> {
            $(let mut $field = None;)*
            if fields.is_capitalised() {
                fields.each_capitalised(&mut |name, value| {
                    $(if name.is_capital_of($wire) { return $field = Some(value); })*
                });
            } else {
                fields.each(|name, value| {
                    $(if name.is($wire) { return $field = Some(value); })*
                });
            }
            Ok(Self { $($field: $crate::wire::fields::FieldValue::read($wire, $field, odd)?,)* })
        }
    };
    (@request [] $($name:tt)*) => {};
    (@request [$code:ident] $name:ident { $($fields:tt)* }) => {
        impl $crate::wire::request::Request<'_> for $name {
            headers!(@known $code { $($fields)* });
        }
    };
    (@request [$code:ident] $name:ident <$life:lifetime> { $($fields:tt)* }) => {
        impl<'a> $crate::wire::request::Request<'a> for $name<'a> {
            headers!(@known $code { $($fields)* });
        }
    };
    (@known $code:ident {}) => {
        const CODE: $crate::wire::code::RequestCode = $crate::wire::code::RequestCode::$code;

        fn knows(_: $crate::wire::dialect::Dialect, _: &str) -> bool {
            false
        }
    };
    (@known $code:ident { $($wire:literal $(in $only:ident)?,)* }) => {
        const CODE: $crate::wire::code::RequestCode = $crate::wire::code::RequestCode::$code;

        fn knows(dialect: $crate::wire::dialect::Dialect, field: &str) -> bool {
            $((dialect.names($wire, field) $(&& dialect == $crate::wire::dialect::Dialect::$only)?) ||)* false
        }
    };
}
pub(crate) use headers;
