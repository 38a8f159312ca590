//! The rules of the servers, one test each, by the face that hosts use.

mod capture;
mod client;
mod consumption;
mod corpus;
mod costs;
mod delays;
mod full;
mod group_settings;
mod groups;
mod limits;
mod locks;
mod member_queries;
mod members;
mod name_servers;
mod odd;
mod offsets;
mod pulls;
mod queries;
mod send_back;
mod sends;
mod served;
mod serving;
mod smartgo;
mod smartgo_probes;
mod smartgo_requests;
mod topics;
