//! How a running job is seen and steered from outside.
//!
//! * [`view`]: what is known of the job, published by the coordinator each time it changes.
//! * [`request`]: what may be asked of it.
//! * [`server`]: both, over HTTP.

#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod view;
