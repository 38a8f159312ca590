//! The clusters and their brokers.

use crate::client::routing::look_ups::{LookUp, read_body};
use crate::error::Error;
use crate::notice::Notices;
use crate::wire::body::ClusterInfo;
use crate::wire::code::RequestCode;
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::request::{GetClusterInfo, Request};

#[derive(Clone, Debug)]
pub(crate) struct Clusters;

impl LookUp for Clusters {
    const CODE: RequestCode = GetClusterInfo::CODE;

    type Gives = ClusterInfo;

    fn words(&self) -> String {
        "cluster info".to_owned()
    }

    fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader)) {
        write(&GetClusterInfo {});
    }

    fn read(&self, _notices: &mut Notices, answer: Result<&Command, Error>) -> Result<ClusterInfo, Error> {
        read_body(answer)
    }
}
