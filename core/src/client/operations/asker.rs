//! Who asked for an operation that is none of the application's.

use crate::client::base::ids::PushConsumerId;
use crate::consumer::push::ask::Asked;

/// Who asked for an operation that is none of the application's.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) consumer: PushConsumerId,
    pub(crate) asked: Asked,
}
